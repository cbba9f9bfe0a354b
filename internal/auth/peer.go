package auth

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/pgchorus/pgchorus/internal/pgerr"
)

// Peer is a connection during log-in. Receive refuses a message whose body is
// longer than max before allocating it. Deadlines come through ctx.
type Peer interface {
	Receive(ctx context.Context, max int) (kind byte, body []byte, err error)
	Send(ctx context.Context, kind byte, body []byte) error // writes and flushes one message
}

// MaxPasswordMessage bounds the body of a message during log-in, in bytes
// (PG_MAX_AUTH_TOKEN_LENGTH in PostgreSQL).
const MaxPasswordMessage = 64 << 10

// maxChallengeAnswer bounds what is read in answer to an md5 or SCRAM challenge,
// which is short: the largest part is a nonce of maxNonce bytes.
const maxChallengeAnswer = 4 << 10

// Message kinds of the log-in (protocol chapter 55.7).
const (
	kindAuthentication byte = 'R'
	kindPassword       byte = 'p' // PasswordMessage, SASLInitialResponse, SASLResponse
	kindError          byte = 'E'
	kindNotice         byte = 'N'
	kindNegotiate      byte = 'v' // NegotiateProtocolVersion
)

// The number that an Authentication message begins with.
const (
	authOK           uint32 = 0
	authCleartext    uint32 = 3
	authMD5          uint32 = 5
	authSASL         uint32 = 10
	authSASLContinue uint32 = 11
	authSASLFinal    uint32 = 12
)

// SendOK tells the frontend that it is in (AuthenticationOk). The caller does so
// after the backends have let it in, too.
func SendOK(ctx context.Context, peer Peer) error {
	return sendAuth(ctx, peer, authOK, nil)
}

func sendAuth(ctx context.Context, peer Peer, request uint32, data []byte) error {
	body := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(data)), request)
	if err := peer.Send(ctx, kindAuthentication, append(body, data...)); err != nil {
		return fmt.Errorf("send authentication request: %w", err)
	}
	return nil
}

// receivePassword reads the frontend's answer, which has one kind whatever was asked.
func receivePassword(ctx context.Context, peer Peer, max int) ([]byte, error) {
	kind, body, err := peer.Receive(ctx, max)
	if err != nil {
		return nil, fmt.Errorf("read password from frontend: %w", err)
	}
	if kind != kindPassword {
		return nil, pgerr.Fatalf(pgerr.ProtocolViolation, "expected password response, got message type %d", kind)
	}
	if len(body) > max {
		return nil, pgerr.Fatal(pgerr.ProtocolViolation, "invalid password packet size")
	}
	return body, nil
}

// askPassword sends a request that is answered by one NUL-terminated string.
func askPassword(ctx context.Context, peer Peer, request uint32, data []byte, max int) (string, error) {
	if err := sendAuth(ctx, peer, request, data); err != nil {
		return "", err
	}
	body, err := receivePassword(ctx, peer, max)
	if err != nil {
		return "", err
	}
	return wholeString(body)
}

// wholeString is the string that fills body up to its one terminator. A truncated
// or a doubled one is refused: comparing only the bytes that were sent would let a
// prefix of the password in (as it does in Pgpool-II).
func wholeString(body []byte) (string, error) {
	end := len(body) - 1
	if end < 0 || body[end] != 0 || containsNUL(body[:end]) {
		return "", pgerr.Fatal(pgerr.ProtocolViolation, "invalid password packet size")
	}
	return string(body[:end]), nil
}

func containsNUL(b []byte) bool {
	for _, c := range b {
		if c == 0 {
			return true
		}
	}
	return false
}
