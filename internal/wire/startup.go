package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"strings"
)

// Errors of a first packet, in PostgreSQL's words.
var (
	ErrProtocolVersion = errors.New("unsupported frontend protocol")
	ErrBadCancel       = errors.New("invalid length of cancel request packet")
)

// Request is what a frontend's first packet asks for.
type Request uint8

// The four first packets of the protocol.
const (
	RequestStartup Request = iota + 1
	RequestSSL
	RequestGSSENC
	RequestCancel
)

// Codes in the place of the protocol version (protocol chapter 55.7).
const (
	codeCancel = 80877102
	codeSSL    = 80877103
	codeGSSENC = 80877104
)

// Protocol versions: the major version in the upper 16 bits.
const (
	Protocol30 = 3 << 16
	// MaxProtocol is the newest version that we speak: 3.2, with its longer cancel keys.
	MaxProtocol = 3<<16 | 2
)

// Cancel keys: 4 bytes in protocol 3.0, 4 to 256 in 3.2.
const (
	minCancelKey = 4
	maxCancelKey = 256
)

// Start is a frontend's first packet.
type Start struct {
	Request  Request
	Protocol uint32            // RequestStartup: as asked for
	Params   map[string]string // RequestStartup: user, database, settings
	PID      uint32            // RequestCancel
	Secret   []byte            // RequestCancel
}

// ReadStart reads the first packet. The packet's length is checked before
// anything is held for it.
func (c *Conn) ReadStart() (Start, error) {
	head, err := c.take(4)
	if err != nil {
		return Start{}, err
	}
	length := binary.BigEndian.Uint32(head)
	if length < 8 || length > MaxStartup {
		return Start{}, &PeerError{Side: c.side, Op: "read from", Err: fmt.Errorf("invalid length of startup packet: %d", length)}
	}
	body, err := c.take(int(length) - 4)
	if err != nil {
		return Start{}, err
	}
	return parseStart(body)
}

func parseStart(body []byte) (Start, error) {
	code, rest := binary.BigEndian.Uint32(body), body[4:]
	switch code {
	case codeSSL:
		return Start{Request: RequestSSL}, nil
	case codeGSSENC:
		return Start{Request: RequestGSSENC}, nil
	case codeCancel:
		return parseCancel(rest)
	}
	if code>>16 != 3 {
		return Start{}, fmt.Errorf("%w %d.%d: server supports 3.0 to 3.2", ErrProtocolVersion, code>>16, code&0xffff)
	}
	params, err := parseParams(rest)
	return Start{Request: RequestStartup, Protocol: code, Params: params}, err
}

func parseCancel(rest []byte) (Start, error) {
	if len(rest) < 4+minCancelKey || len(rest) > 4+maxCancelKey {
		return Start{}, ErrBadCancel
	}
	return Start{
		Request: RequestCancel,
		PID:     binary.BigEndian.Uint32(rest),
		Secret:  bytes.Clone(rest[4:]),
	}, nil
}

func parseParams(rest []byte) (map[string]string, error) {
	params := make(map[string]string)
	for {
		name, tail, ok := cutString(rest)
		if !ok {
			return nil, fmt.Errorf("invalid startup packet layout: expected terminator as last byte")
		}
		if name == "" {
			if len(tail) != 0 {
				return nil, fmt.Errorf("invalid startup packet layout: expected terminator as last byte")
			}
			return params, nil
		}
		value, tail, ok := cutString(tail)
		if !ok {
			return nil, fmt.Errorf("invalid startup packet layout: parameter %q has no value", name)
		}
		params[name] = value
		rest = tail
	}
}

// cutString takes a zero-terminated string from b.
func cutString(b []byte) (string, []byte, bool) {
	end := bytes.IndexByte(b, 0)
	if end < 0 {
		return "", nil, false
	}
	return string(b[:end]), b[end+1:], true
}

// AppendStartup encodes a start-up packet for a backend, protocol 3.0, its
// parameters in a fixed order.
func AppendStartup(dst []byte, params map[string]string) []byte {
	start := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, 0)
	dst = binary.BigEndian.AppendUint32(dst, Protocol30)
	for _, name := range sortedNames(params) {
		dst = appendString(dst, name)
		dst = appendString(dst, params[name])
	}
	dst = append(dst, 0)
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}

func sortedNames(params map[string]string) []string {
	names := make([]string, 0, len(params))
	for name := range params {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// AppendCancel encodes a CancelRequest.
func AppendCancel(dst []byte, pid uint32, secret []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(12+len(secret)))
	dst = binary.BigEndian.AppendUint32(dst, codeCancel)
	dst = binary.BigEndian.AppendUint32(dst, pid)
	return append(dst, secret...)
}

// AppendSSLRequest encodes an SSLRequest.
func AppendSSLRequest(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, 8)
	return binary.BigEndian.AppendUint32(dst, codeSSL)
}

// Negotiate says what to answer to a start-up packet that asks for more than we
// speak: the newest version that we do, and the protocol options ("_pq_.")
// that we do not know. need is false when there is nothing to negotiate.
func (s Start) Negotiate() (version uint32, unknown []string, need bool) {
	for _, name := range sortedNames(s.Params) {
		if strings.HasPrefix(name, "_pq_.") {
			unknown = append(unknown, name)
		}
	}
	version = min(s.Protocol, MaxProtocol)
	return version, unknown, s.Protocol > MaxProtocol || len(unknown) > 0
}
