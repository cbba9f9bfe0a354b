package cache

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
)

// An entry in memcached is what Entry holds, each part behind its length, and a checksum
// behind all.

// entryVersion is the first byte of an entry.
const entryVersion = 1

// entryPrefix is in front of the names of entries.
const entryPrefix = "pgchorus:e:"

// encode appends an entry.
func (e *Entry) encode(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, entryVersion)
	for _, part := range [...]string{e.Scope, e.Text, e.Params} {
		dst = append(binary.AppendUvarint(dst, uint64(len(part))), part...)
	}
	for _, part := range [...][]byte{e.Columns, e.Rows} {
		dst = append(binary.AppendUvarint(dst, uint64(len(part))), part...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.Stamps)))
	for _, stamp := range e.Stamps {
		dst = binary.BigEndian.AppendUint32(dst, uint32(stamp.slot))
		dst = binary.BigEndian.AppendUint32(dst, stamp.generation)
		dst = binary.BigEndian.AppendUint64(dst, stamp.value)
	}
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[start:]))
}

// stampBytes is the size of one encoded stamp.
const stampBytes = 16

// decodeEntry reads an entry; nil if it is none. The entry keeps b.
func decodeEntry(b []byte) *Entry {
	if len(b) < 1+4 || b[0] != entryVersion {
		return nil
	}
	body := b[:len(b)-4]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(b[len(body):]) {
		return nil
	}
	r := partReader{rest: body[1:]}
	e := &Entry{Foreign: true, Scope: string(r.part()), Text: string(r.part()), Params: string(r.part()), Columns: r.part(), Rows: r.part()}
	count := r.number()
	if r.broken || count != uint64(len(r.rest)/stampBytes) || len(r.rest)%stampBytes != 0 {
		return nil
	}
	e.Stamps = make(Stamps, count)
	for i := range e.Stamps {
		at := r.rest[i*stampBytes:]
		e.Stamps[i] = Stamp{slot: Slot(binary.BigEndian.Uint32(at)), generation: binary.BigEndian.Uint32(at[4:]), value: binary.BigEndian.Uint64(at[8:])}
	}
	return e
}

// partReader reads parts behind their lengths.
type partReader struct {
	rest   []byte
	broken bool
}

func (r *partReader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.broken = true
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *partReader) part() []byte {
	n := r.number()
	if r.broken || n > uint64(len(r.rest)) {
		r.broken = true
		return nil
	}
	part := r.rest[:n:n]
	r.rest = r.rest[n:]
	return part
}

// itemKey is the name of a key's entry, the same in all processes.
func (c *Cache) itemKey(k Key) string {
	h := sha256.New()
	for _, part := range [...][]byte{[]byte(c.namespace), []byte(k.Scope.text), k.Text, k.Params} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write(part)
	}
	return entryPrefix + base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:24])
}
