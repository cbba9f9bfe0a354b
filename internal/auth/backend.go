package auth

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/pgchorus/pgchorus/internal/pgerr"
)

// maxBackendMessages bounds one log-in, notices included; SCRAM takes four.
const maxBackendMessages = 10

// SecretSource is called when a backend asks for something and nothing is known that
// could answer. It is called at most once in a log-in.
type SecretSource func(ctx context.Context, asked Method) (Secret, error)

// BackendOptions is what Backend may need besides the secret; the zero value will do.
type BackendOptions struct {
	TLS       *tls.ConnectionState // of an encrypted connection, for SCRAM-SHA-256-PLUS
	Source    SecretSource         // nil: only the secret that was passed
	Negotiate func(body []byte)    // gets NegotiateProtocolVersion; nil: an error
}

// Opened says how a connection to a backend was opened. The pool keeps it beside the
// connection, to know to whom it may be lent.
type Opened struct {
	Asked  Method // Trust, Password, MD5 or SCRAM
	Secret Secret // what the backend let in; proven unless Asked is Trust
}

// Serves reports whether the connection may be lent to a session that has shown the
// given secret: the backend would ask nothing of anybody, or the session has shown
// what the backend was shown.
func (o Opened) Serves(session Secret) bool {
	if o.Asked == Trust {
		return !session.Unproven()
	}
	return session.same(o.Secret)
}

// Backend logs in as user over a connection on which the start-up packet was sent. It
// reads up to and with AuthenticationOk; what follows is the caller's. The backend's
// own refusal comes back as *BackendError.
func Backend(ctx context.Context, peer Peer, user string, secret Secret, opts BackendOptions) (Opened, error) {
	b := &backendLogin{peer: peer, user: user, secret: secret, opts: opts, asked: Trust}
	for {
		request, data, err := b.receive(ctx)
		if err != nil {
			return Opened{}, err
		}
		if request == authOK {
			return b.opened(data)
		}
		if err := b.answer(ctx, request, data); err != nil {
			return Opened{}, err
		}
	}
}

type backendLogin struct {
	peer   Peer
	user   string
	secret Secret
	opts   BackendOptions

	asked    Method
	scram    *scramClient
	verified bool // the backend's SCRAM signature was right
	messages int  // received so far, of any kind
}

// receive reads the next Authentication message, within the bound on messages.
func (b *backendLogin) receive(ctx context.Context) (request uint32, data []byte, err error) {
	for b.messages < maxBackendMessages {
		b.messages++
		kind, body, err := b.peer.Receive(ctx, MaxPasswordMessage)
		switch {
		case err != nil:
			return 0, nil, fmt.Errorf("read from backend: %w", err)
		case len(body) > MaxPasswordMessage:
			return 0, nil, backendViolation("a message is too long")
		case kind == kindError:
			return 0, nil, &BackendError{Body: append([]byte(nil), body...)}
		case kind == kindNegotiate && b.opts.Negotiate != nil:
			b.opts.Negotiate(body)
		case kind == kindAuthentication && len(body) >= 4:
			return binary.BigEndian.Uint32(body), body[4:], nil
		case kind != kindNotice:
			return 0, nil, backendViolation(fmt.Sprintf("message type %q", kind))
		}
	}
	return 0, nil, backendViolation("too many messages during authentication")
}

// opened checks that AuthenticationOk came at a point where it may.
func (b *backendLogin) opened(data []byte) (Opened, error) {
	switch {
	case len(data) != 0:
		return Opened{}, backendViolation("AuthenticationOk is too long")
	case b.asked == SCRAM && !b.verified:
		return Opened{}, backendViolation("the backend ended the SCRAM exchange without its signature")
	case b.asked == Trust && b.secret.Unproven():
		// Nobody has checked the frontend's password, so it must not count as one.
		return Opened{}, passwordFailed(b.user, errors.New("the backend asked for no password and nobody else has checked it"))
	}
	if b.asked != Trust {
		b.secret = b.secret.asProven()
	}
	return Opened{Asked: b.asked, Secret: b.secret}, nil
}

// answer handles one request. A backend asks one way and once; only SCRAM goes on.
func (b *backendLogin) answer(ctx context.Context, request uint32, data []byte) error {
	switch request {
	case authSASLContinue:
		return b.continueSCRAM(ctx, string(data))
	case authSASLFinal:
		return b.finishSCRAM(string(data))
	}
	if b.asked != Trust {
		return backendViolation("the backend asks twice")
	}
	switch request {
	case authCleartext:
		return b.sendClearText(ctx)
	case authMD5:
		return b.sendMD5(ctx, data)
	case authSASL:
		return b.startSCRAM(ctx, data)
	}
	return pgerr.Fatal(pgerr.FeatureNotSupported, "failed to authenticate with backend").
		WithDetail("unsupported auth kind received from backend: authkind:%d", request)
}

// need asks the source if nothing is known yet.
func (b *backendLogin) need(ctx context.Context, asked Method) (err error) {
	b.asked = asked
	if b.secret.IsZero() && b.opts.Source != nil {
		b.secret, err = b.opts.Source(ctx, asked)
	}
	return err
}

func (b *backendLogin) sendClearText(ctx context.Context) error {
	if err := b.need(ctx, Password); err != nil {
		return err
	}
	password, ok := b.secret.Reveal()
	if !ok {
		return noPasswordFor(Password, "valid password not found")
	}
	return b.send(ctx, append([]byte(password), 0))
}

func (b *backendLogin) sendMD5(ctx context.Context, salt []byte) error {
	if len(salt) != md5SaltLength {
		return backendViolation("the md5 salt is not four bytes")
	}
	if err := b.need(ctx, MD5); err != nil {
		return err
	}
	hash, ok := b.secret.md5For(b.user)
	if !ok {
		return noPasswordFor(MD5, "valid password not found")
	}
	return b.send(ctx, append([]byte(md5Answer(hash, string(salt))), 0))
}

func (b *backendLogin) startSCRAM(ctx context.Context, list []byte) (err error) {
	offered := strings.Split(string(bytes.TrimRight(list, "\x00")), "\x00")
	if err = b.need(ctx, SCRAM); err != nil {
		return err
	}
	if b.secret.IsZero() {
		return noPasswordFor(SCRAM, "valid password not found")
	}
	var mechanism string
	if b.scram, mechanism, err = newSCRAMClient(b.secret, offered, peerEndPoint(b.opts.TLS)); err != nil {
		return err
	}
	first := b.scram.first()
	body := append([]byte(mechanism), 0)
	body = binary.BigEndian.AppendUint32(body, uint32(len(first)))
	return b.send(ctx, append(body, first...))
}

func (b *backendLogin) continueSCRAM(ctx context.Context, text string) error {
	if b.scram == nil || b.scram.answered {
		return backendViolation("a SASL challenge out of order")
	}
	final, err := b.scram.final(text)
	if err != nil {
		return scramFailed(err)
	}
	return b.send(ctx, []byte(final))
}

func (b *backendLogin) finishSCRAM(text string) error {
	if b.scram == nil || !b.scram.answered || b.verified {
		return backendViolation("a SASL outcome out of order")
	}
	if err := b.scram.verify(text); err != nil {
		return scramFailed(err)
	}
	b.verified = true
	return nil
}

func (b *backendLogin) send(ctx context.Context, body []byte) error {
	if err := b.peer.Send(ctx, kindPassword, body); err != nil {
		return fmt.Errorf("send password to backend: %w", err)
	}
	return nil
}

// noPasswordFor is Pgpool-II's message for a backend that asks for what cannot be given.
func noPasswordFor(asked Method, detail string) *pgerr.Error {
	names := map[Method]string{Password: "clear text password", MD5: "md5", SCRAM: "SCRAM"}
	return pgerr.Fatalf(pgerr.InvalidPassword, "failed to authenticate with backend using %s", names[asked]).WithDetail("%s", detail)
}

// scramFailed leaves an error for the frontend as it is and hides others behind one.
func scramFailed(err error) error {
	var shown *pgerr.Error
	if errors.As(err, &shown) {
		return err
	}
	return pgerr.Fatal(pgerr.ConnectionFailure, "SCRAM authentication with backend failed").Wrap(err)
}

func backendViolation(detail string) error {
	return pgerr.Fatal(pgerr.ProtocolViolation, "invalid authentication packet from backend").Wrap(errors.New(detail))
}
