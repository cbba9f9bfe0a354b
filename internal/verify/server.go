package verify

import (
	"context"
	"fmt"
	"strconv"
)

// server is what the servers have in common, for choosing how to compare.
type server struct {
	sameHash  bool  // hashtextextended gives the same everywhere
	ranges    bool  // ranges of ctid are read without reading the rest (PostgreSQL 14)
	blockSize int64 // bytes
}

const describeQuery = `SELECT current_setting('server_version_num'), current_setting('block_size'),
	coalesce(substring(version() from ' on ([a-z0-9_]+)-'), 'unknown')`

// oldest is the first version whose catalogue is as the queries here expect it.
const oldest = 120000

// describe asks the servers who they are. Hashes depend on the byte order and may change
// with the major version.
func describe(ctx context.Context, ps peers) (server, error) {
	answers, err := ps.ask(ctx, describeQuery)
	if err != nil {
		return server{}, err
	}
	out := server{sameHash: true, ranges: true}
	var first row
	for i, rows := range answers {
		version, err := strconv.Atoi(string(rows[0][0]))
		if err != nil {
			return server{}, fmt.Errorf("node %d: server_version_num: %w", ps[i].id, err)
		}
		if version < oldest {
			return server{}, fmt.Errorf("node %d: PostgreSQL %d is too old to be compared: expected 12 or newer", ps[i].id, version/10000)
		}
		if first == nil {
			first = rows[0]
		}
		firstVersion, _ := strconv.Atoi(string(first[0]))
		out.sameHash = out.sameHash && version/10000 == firstVersion/10000 && string(rows[0][2]) == string(first[2])
		out.ranges = out.ranges && version >= 140000
		if out.blockSize, err = strconv.ParseInt(string(rows[0][1]), 10, 64); err != nil || out.blockSize <= 0 {
			return server{}, fmt.Errorf("node %d: block_size %q", ps[i].id, rows[0][1])
		}
	}
	return out, nil
}

// hash is the digest of a text as a bigint.
func (s server) hash(text string) string {
	if s.sameHash {
		return `hashtextextended(` + text + ` COLLATE "C", 0)`
	}
	return `('x' || left(md5(` + text + `), 16))::bit(64)::bigint`
}
