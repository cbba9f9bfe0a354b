package auth

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
)

// fakeBackend is the server side of a log-in, made of xdg-go/scram and the protocol
// chapter and of nothing of this package but the framing.
type fakeBackend struct {
	asks     Method
	user     string
	password string
	salt     string // of its SCRAM verifier
}

const (
	testUser     = "alice"
	testPassword = "correct horse"
	testSalt     = "0123456789abcdef"
)

var errRefused = errors.New("the fake backend refuses")

func (b fakeBackend) serve(t testing.TB, peer testPeer) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		err := b.login(peer)
		if err == nil {
			err = peer.Send(context.Background(), 'R', []byte(request(0, "")))
		} else {
			_ = peer.Send(context.Background(), 'E', []byte("SFATAL\x00VFATAL\x00C28P01\x00Mno\x00\x00"))
		}
		done <- err
	}()
	return done
}

func (b fakeBackend) login(peer testPeer) error {
	switch b.asks {
	case Password:
		return b.want(peer, request(3, ""), b.password+"\x00")
	case MD5:
		inner := md5.Sum([]byte(b.password + b.user))
		outer := md5.Sum([]byte(hex.EncodeToString(inner[:]) + "salt"))
		return b.want(peer, request(5, "salt"), "md5"+hex.EncodeToString(outer[:])+"\x00")
	case SCRAM:
		return b.scram(peer)
	}
	return nil
}

func (b fakeBackend) want(peer testPeer, ask, answer string) error {
	got, err := converse(peer, ask)
	if err == nil && got != answer {
		err = errRefused
	}
	return err
}

func (b fakeBackend) scram(peer testPeer) error {
	conversation, err := xdgServer(b.password, b.salt)
	if err != nil {
		return err
	}
	answer, err := converse(peer, request(10, "SCRAM-SHA-256\x00\x00"))
	if err != nil {
		return err
	}
	first := strings.TrimPrefix(answer, "SCRAM-SHA-256\x00")
	challenge, err := conversation.Step(first[4:])
	if err != nil {
		return err
	}
	final, err := converse(peer, request(11, challenge))
	if err != nil {
		return err
	}
	signature, err := conversation.Step(final)
	if err != nil {
		return err
	}
	return peer.Send(context.Background(), 'R', []byte(request(12, signature)))
}

func xdgServer(password, salt string) (*scram.ServerConversation, error) {
	client, err := scram.SHA256.NewClient("", password, "")
	if err != nil {
		return nil, err
	}
	stored, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: salt, Iters: DefaultIterations})
	if err != nil {
		return nil, err
	}
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) { return stored, nil })
	if err != nil {
		return nil, err
	}
	return server.NewConversation(), nil
}

func converse(peer testPeer, ask string) (string, error) {
	if err := peer.Send(context.Background(), 'R', []byte(ask)); err != nil {
		return "", err
	}
	kind, body, err := peer.Receive(context.Background(), MaxPasswordMessage)
	if err == nil && kind != 'p' {
		err = errRefused
	}
	return string(body), err
}
