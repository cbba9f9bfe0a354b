package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/pgchorus/pgchorus/internal/pgerr"
)

// Method is how somebody proves who he is, by its name in pool_hba.conf.
type Method string

// The methods of pool_hba.conf. A backend asks for Trust (nothing), Password, MD5 or
// SCRAM.
const (
	Trust    Method = "trust"
	Reject   Method = "reject"
	Password Method = "password"
	MD5      Method = "md5"
	SCRAM    Method = "scram-sha-256"
	Cert     Method = "cert"
)

// VerifierQuery asks a backend for what it stores for a user: a SCRAM-SHA-256 verifier
// or an md5 hash. It returns ErrUnknownUser or an empty text if there is no such role
// or it may not log in now (rolcanlogin, rolvaliduntil).
type VerifierQuery func(ctx context.Context, user string) (verifier string, err error)

// Config is what an Authenticator decides by. It is not changed after New.
type Config struct {
	EnablePoolHBA  bool          // enable_pool_hba
	HBA            *HBA          // nil: missing or with errors, everybody is refused
	Passwd         *Passwd       // nil: pool_passwd = ''
	AllowClearText bool          // allow_clear_text_frontend_auth
	Query          VerifierQuery // asked for users who are not in Passwd; nil: nobody else is known
	SaltKey        SaltKey       // the same over reloads; zero: a new one

	// ClearTextUsed is called when allow_clear_text_frontend_auth has a frontend asked
	// for clear text, for the log; it may be nil. Asked is what the backend asked for.
	ClearTextUsed func(user string, asked Method)
}

// Authenticator lets frontends in. It does not change and serves any number of
// sessions; a reload makes another.
type Authenticator struct {
	cfg Config
}

// New returns an Authenticator for cfg.
func New(cfg Config) *Authenticator {
	if cfg.SaltKey == (SaltKey{}) {
		cfg.SaltKey = NewSaltKey()
	}
	if cfg.ClearTextUsed == nil {
		cfg.ClearTextUsed = func(string, Method) {}
	}
	return &Authenticator{cfg: cfg}
}

// Login is a frontend that wants to come in.
type Login struct {
	User, Database string
	Origin         Origin // Local and Addr; the other fields are taken from the Login
	PeerCertCN     string // by PeerCN
	TLS            bool
	ServerEndPoint []byte // by ServerEndPoint; nil: SCRAM-SHA-256-PLUS is not offered
}

func (l Login) origin() Origin {
	o := l.Origin
	o.TLS, o.User, o.Database = l.TLS, l.User, l.Database
	return o
}

// binding is what SCRAM-SHA-256-PLUS binds to; only an encrypted connection has it.
func (l Login) binding() []byte {
	if !l.TLS {
		return nil
	}
	return l.ServerEndPoint
}

// Frontend authenticates a frontend by pool_hba.conf and returns what is known of its
// password for the backends, which may be nothing. With enable_pool_hba = off it does
// nothing: the backends decide, through SecretSource.
//
// An error is a *pgerr.Error to be shown to the frontend, or comes from the connection.
// AuthenticationOk is left to the caller; see SendOK.
func (a *Authenticator) Frontend(ctx context.Context, peer Peer, l Login) (Secret, error) {
	if !a.cfg.EnablePoolHBA {
		return Secret{}, nil
	}
	rule, err := a.rule(ctx, l)
	if err != nil {
		return Secret{}, err
	}
	switch rule.Method {
	case Trust:
		return a.entry(l.User), nil
	case Cert:
		if err := checkCert(l); err != nil {
			return Secret{}, err
		}
		return a.entry(l.User), nil
	case Password:
		return a.password(ctx, peer, l)
	case MD5, SCRAM:
		return a.challenge(ctx, peer, l, rule.Method)
	}
	return Secret{}, refusedByRule(l)
}

// rule finds the line of pool_hba.conf that applies. None and an explicit reject look
// the same to the frontend.
func (a *Authenticator) rule(ctx context.Context, l Login) (Rule, error) {
	if a.cfg.HBA == nil {
		return Rule{}, pgerr.Fatal(pgerr.InvalidAuthorization, "client authentication failed").
			WithDetail("missing or erroneous pool_hba.conf file").WithHint("see pgpool log for details")
	}
	rule, ok := a.cfg.HBA.Match(ctx, l.origin())
	if !ok || rule.Method == Reject {
		return Rule{}, refusedByRule(l)
	}
	return rule, nil
}

func refusedByRule(l Login) error {
	encrypted := "off"
	if l.TLS {
		encrypted = "on"
	}
	return pgerr.Fatal(pgerr.InvalidAuthorization, "client authentication failed").
		WithDetail(`no pool_hba.conf entry for host "%s", user "%s", database "%s", SSL %s`,
			l.Origin.host(), l.User, l.Database, encrypted).
		WithHint("see pgpool log for details")
}

// entry is the user's secret from pool_passwd if there is a usable one, for methods
// that do not ask for a password.
func (a *Authenticator) entry(user string) Secret {
	secret, err := a.cfg.Passwd.Lookup(user)
	if err != nil {
		return Secret{}
	}
	return secret
}

// lookup is entry, or else the answer of the query. The error is ErrUnknownUser,
// a *pgerr.Error if the query could not be run, or says why an entry is unusable.
func (a *Authenticator) lookup(ctx context.Context, user string) (Secret, error) {
	secret, err := a.cfg.Passwd.Lookup(user)
	if !errors.Is(err, ErrUnknownUser) || a.cfg.Query == nil {
		return secret, err
	}
	text, err := a.cfg.Query(ctx, user)
	switch {
	case errors.Is(err, ErrUnknownUser), err == nil && text == "":
		return Secret{}, ErrUnknownUser
	case err != nil:
		return Secret{}, pgerr.Fatal(pgerr.CannotConnectNow, "the query for the user's password could not be run").Wrap(err)
	}
	return hashedSecret(text)
}

// hashedSecret takes the two forms that PostgreSQL stores. Anything else is never
// taken for a clear text.
func hashedSecret(text string) (Secret, error) {
	if isMD5Hash(text) {
		return MD5Hash(text)
	}
	v, err := ParseVerifier(text)
	if err != nil {
		return Secret{}, fmt.Errorf("stored password: %w", err)
	}
	return FromVerifier(v), nil
}

// unusable reports whether a failed lookup means "no usable password" (refuse after
// the usual exchange) and not "could not find out" (tell at once).
func unusable(err error) bool {
	var shown *pgerr.Error
	return err != nil && !errors.As(err, &shown)
}

// password is method password. Without an entry the backends have to check it.
func (a *Authenticator) password(ctx context.Context, peer Peer, l Login) (Secret, error) {
	known, err := a.lookup(ctx, l.User)
	switch {
	case errors.Is(err, ErrUnknownUser):
		return frontendUnproven(ctx, peer, l.User)
	case err != nil && !unusable(err):
		return Secret{}, err
	}
	secret, failed := frontendClearText(ctx, peer, l.User, known)
	return secret, because(failed, err)
}

// challenge is methods md5 and scram-sha-256. As in PostgreSQL, md5 with a user who has
// a SCRAM verifier becomes scram-sha-256.
func (a *Authenticator) challenge(ctx context.Context, peer Peer, l Login, method Method) (Secret, error) {
	known, err := a.lookup(ctx, l.User)
	if err != nil && !unusable(err) {
		return Secret{}, err
	}
	if method == MD5 && a.prefersSCRAM(known) {
		method = SCRAM
	}
	secret, failed := a.exchange(ctx, peer, l, method, known)
	return secret, because(failed, err)
}

// prefersSCRAM also holds for an unknown user where the backends are asked for
// verifiers, since most roles there have a SCRAM one and he is to look like them.
func (a *Authenticator) prefersSCRAM(known Secret) bool {
	if known.IsZero() {
		return a.cfg.Query != nil
	}
	return !known.open().hasClear && known.open().md5 == ""
}

func (a *Authenticator) exchange(ctx context.Context, peer Peer, l Login, method Method, known Secret) (Secret, error) {
	switch method {
	case MD5:
		return frontendMD5(ctx, peer, l.User, known)
	case SCRAM:
		return a.frontendSCRAM(ctx, peer, l, known)
	}
	return frontendClearText(ctx, peer, l.User, known)
}

// because adds to a refusal why nothing usable was known of the user, for the log.
func because(failed, reason error) error {
	var shown *pgerr.Error
	if failed == nil || reason == nil || !errors.As(failed, &shown) || shown.Code != pgerr.InvalidPassword {
		return failed
	}
	return shown.Wrap(fmt.Errorf("%w: %w", reason, shown.Err))
}
