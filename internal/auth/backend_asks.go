package auth

import (
	"context"
	"errors"
	"sync"
)

// SecretSource is what Backend asks when it has nothing to answer with. One value
// serves one session and all its backends, one after the other or at once: the
// frontend is asked at most once, by the method of the backend that comes first, which
// should be the main node.
func (a *Authenticator) SecretSource(peer Peer, l Login) SecretSource {
	var once sync.Once
	var secret Secret
	var err error
	return func(ctx context.Context, asked Method) (Secret, error) {
		once.Do(func() { secret, err = a.source(ctx, peer, l, asked) })
		return secret, err
	}
}

func (a *Authenticator) source(ctx context.Context, peer Peer, l Login, asked Method) (Secret, error) {
	if !a.cfg.EnablePoolHBA {
		return a.AsBackendAsks(ctx, peer, l, asked)
	}
	// pool_hba.conf has let the frontend in without a password, and the backend wants
	// one. Only a backend that asks for clear text may have the frontend asked.
	if asked == Password && a.cfg.AllowClearText {
		return a.clearText(ctx, peer, l, asked)
	}
	return Secret{}, noPasswordFor(asked, "valid password not found")
}

// AsBackendAsks authenticates a frontend when enable_pool_hba = off: it is asked what
// the backend has asked us. For Trust it is asked nothing and the zero Secret comes
// back, so that another backend that does ask gets the frontend asked in its turn.
func (a *Authenticator) AsBackendAsks(ctx context.Context, peer Peer, l Login, asked Method) (Secret, error) {
	if asked == Trust {
		return Secret{}, nil
	}
	known, err := a.lookup(ctx, l.User)
	if err != nil && !unusable(err) {
		return Secret{}, err
	}
	secret, failed := a.askLike(ctx, peer, l, asked, known, errors.Is(err, ErrUnknownUser))
	return secret, because(failed, err)
}

// AskAgain repeats, when enable_pool_hba = off, the question of the backend that opened
// a connection of the pool, before that connection is lent to another session. The
// answer is compared with what is known of the user, or else with what the backend has
// let in. Whether the connection may then be lent is for Opened.Serves to say; a clear
// text that is not the one from before comes back Unproven and may open a connection of
// its own.
func (a *Authenticator) AskAgain(ctx context.Context, peer Peer, l Login, opened Opened) (Secret, error) {
	if a.cfg.EnablePoolHBA || opened.Asked == Trust {
		return Secret{}, nil
	}
	known, err := a.lookup(ctx, l.User)
	if err != nil && !unusable(err) {
		return Secret{}, err
	}
	unknown := errors.Is(err, ErrUnknownUser)
	if unknown && a.cfg.Query == nil && opened.Asked != Password && !a.cfg.AllowClearText {
		known = opened.Secret
	}
	secret, failed := a.askLike(ctx, peer, l, opened.Asked, known, unknown)
	if failed != nil {
		return Secret{}, because(failed, err)
	}
	if secret.same(opened.Secret) { // which the backend has checked
		secret = secret.asProven()
	}
	return secret, nil
}

// askLike runs the frontend exchange for a backend's demand. Without a secret that
// would serve there, the frontend is asked for clear text where that is allowed.
func (a *Authenticator) askLike(ctx context.Context, peer Peer, l Login, asked Method, known Secret, unknown bool) (Secret, error) {
	switch {
	case asked == Password && unknown:
		return frontendUnproven(ctx, peer, l.User)
	case asked == Password, known.canAnswer(asked):
		return a.exchange(ctx, peer, l, asked, known)
	case !a.cfg.AllowClearText:
		return a.refuseAfter(ctx, peer, l, asked)
	case unknown:
		return a.clearText(ctx, peer, l, asked)
	}
	return frontendClearText(ctx, peer, l.User, known)
}

// canAnswer reports whether the secret, once the frontend has proved itself against it,
// can satisfy a backend that asks for md5 or SCRAM.
func (s Secret) canAnswer(asked Method) bool {
	if s.known == nil {
		return false
	}
	if asked == MD5 {
		return s.open().hasClear || s.open().md5 != ""
	}
	return s.open().hasClear || s.open().verifier != nil || s.open().client != nil
}

// refuseAfter goes through the exchange with nothing known, so that users without an
// entry cannot be told from others, and refuses.
func (a *Authenticator) refuseAfter(ctx context.Context, peer Peer, l Login, asked Method) (Secret, error) {
	_, err := a.exchange(ctx, peer, l, asked, Secret{})
	return Secret{}, because(err, errors.New("valid password not found in pool_passwd for a backend that asks for "+string(asked)))
}

// clearText is allow_clear_text_frontend_auth at work: what the frontend sends is
// checked by the backend that asks.
func (a *Authenticator) clearText(ctx context.Context, peer Peer, l Login, asked Method) (Secret, error) {
	a.cfg.ClearTextUsed(l.User, asked)
	return frontendUnproven(ctx, peer, l.User)
}
