package session

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/auth"
	"github.com/pgchorus/pgchorus/internal/backend"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/pool"
	"github.com/pgchorus/pgchorus/internal/wire"
)

// errServed ends a connection that has got what it came for: a cancel was delivered.
var errServed = errors.New("request was served")

// maxNegotiations is how many SSLRequests and GSSENCRequests may come before the
// start-up packet: one of each.
const maxNegotiations = 2

// startup takes a frontend from its first packet to its first ReadyForQuery. A cancel
// is served without a place; who wants to come in waits for one in between, for as
// long as it takes. leave gives the place back; nil if there is none.
func (s *Session) startup(ctx context.Context) (leave func(), err error) {
	if err := s.meet(ctx); err != nil {
		return nil, err
	}
	if leave, err = s.Admit(ctx); err != nil {
		return nil, err
	}
	return leave, s.letIn(ctx)
}

// patience bounds a part of the log-in by authentication_timeout.
func (s *Session) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := s.Config().Auth.AuthenticationTimeout
	if limit <= 0 {
		return ctx, func() {}
	}
	s.front.SetDeadline(time.Now().Add(limit))
	return context.WithTimeout(ctx, limit)
}

// meet reads the first packet.
func (s *Session) meet(ctx context.Context) error {
	patient, stop := s.patience(ctx)
	defer stop()
	start, err := s.firstPacket(patient)
	if err != nil {
		return err
	}
	s.front.SetDeadline(time.Time{})
	return s.identify(start)
}

// letIn logs the frontend in.
func (s *Session) letIn(ctx context.Context) error {
	patient, stop := s.patience(ctx)
	defer stop()
	if err := s.admit(patient); err != nil {
		return err
	}
	if s.set != nil {
		if err := s.learnIsolation(); err != nil {
			return err
		}
		s.beginNumbering()
		s.beginLending()
	}
	s.front.SetDeadline(time.Time{})
	s.welcome()
	return s.gone
}

// firstPacket reads what the frontend asks for, securing the connection first if it
// asks for that.
func (s *Session) firstPacket(ctx context.Context) (wire.Start, error) {
	for range maxNegotiations + 1 {
		start, err := s.front.ReadStart()
		if err != nil {
			return start, badStart(err)
		}
		switch start.Request {
		case wire.RequestStartup:
			return start, nil
		case wire.RequestCancel:
			s.Registry.Cancel(ctx, start.PID, start.Secret)
			return start, errServed
		case wire.RequestSSL:
			err = s.secure(ctx)
		case wire.RequestGSSENC:
			err = s.answerByte('N')
		}
		if err != nil {
			return start, err
		}
	}
	return wire.Start{}, pgerr.Fatal(pgerr.ProtocolViolation, "too many requests before the startup packet")
}

func badStart(err error) error {
	switch {
	case errors.Is(err, wire.ErrProtocolVersion):
		return pgerr.Fatal(pgerr.FeatureNotSupported, err.Error())
	case errors.Is(err, wire.ErrBadCancel):
		return errServed // a cancel is never answered
	}
	if wire.IsFrontendGone(err) && !strings.Contains(err.Error(), "invalid length") {
		return err
	}
	return pgerr.Fatal(pgerr.ProtocolViolation, "invalid startup packet").Wrap(err).WithDetail("%v", err)
}

func (s *Session) answerByte(b byte) error {
	s.front.Append([]byte{b})
	return s.front.Flush()
}

// secure answers an SSLRequest. Bytes that came along with it were sent in clear text
// and could be an attacker's: they end the connection (CVE-2021-23214).
func (s *Session) secure(ctx context.Context) error {
	settings := s.FrontendTLS()
	if settings == nil || s.login.TLS {
		return s.answerByte('N')
	}
	if s.front.Buffered() > 0 {
		return pgerr.Fatal(pgerr.ProtocolViolation, "received unencrypted data after SSL request").
			WithDetail("This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.")
	}
	if err := s.answerByte('S'); err != nil {
		return err
	}
	secured := tls.Server(s.front.NetConn(), settings)
	if err := secured.HandshakeContext(ctx); err != nil {
		return &wire.PeerError{Side: wire.Frontend, Op: "tls handshake with", Err: err}
	}
	s.front.Upgrade(secured)
	state := secured.ConnectionState()
	s.login.TLS = true
	s.login.PeerCertCN = auth.PeerCN(state)
	s.login.ServerEndPoint = auth.ServerEndPoint(settings)
	return nil
}

// identify takes over who is there and what is wanted.
func (s *Session) identify(start wire.Start) error {
	version, unknown, negotiate := start.Negotiate()
	if negotiate {
		s.reply(func(b []byte) []byte { return wire.AppendNegotiate(b, version, unknown) })
	}
	s.protocol = version
	s.params = start.Params
	maps.DeleteFunc(s.params, func(name, _ string) bool { return strings.HasPrefix(name, "_pq_.") })
	user := s.params["user"]
	if user == "" {
		return pgerr.Fatal(pgerr.InvalidAuthorization, "no PostgreSQL user name specified in startup packet")
	}
	if s.params["database"] == "" {
		s.params["database"] = user
	}
	if replication := s.params["replication"]; replication != "" && !isOff(replication) {
		return pgerr.Fatal(pgerr.FeatureNotSupported, "replication connections are not supported").
			WithHint("Connect to a node directly.")
	}
	s.login.User, s.login.Database = user, s.params["database"]
	s.login.Origin = originOf(s.front.NetConn().RemoteAddr())
	s.key = pool.KeyOf(s.params)
	s.signLog()
	return nil
}

func isOff(value string) bool {
	switch strings.ToLower(value) {
	case "off", "false", "no", "0":
		return true
	}
	return false
}

func originOf(addr net.Addr) auth.Origin {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		ip, _ := netip.AddrFromSlice(tcp.IP)
		return auth.Origin{Addr: ip.Unmap()}
	}
	return auth.Origin{Local: true}
}

// admit finds out whether the frontend may come in, and gets its connections.
func (s *Session) admit(ctx context.Context) error {
	s.view = s.Cluster.View()
	s.lb = s.pickLoadBalanceNode()
	peer := wire.Login{Conn: s.front}
	authenticator := s.Auth()
	credential, err := authenticator.Frontend(ctx, peer, s.login)
	if err != nil {
		return err
	}
	s.credential = credential
	s.source = authenticator.SecretSource(peer, s.login)
	defer func() { s.source = nil }() // the frontend is asked for its password at log-in only
	s.loan.on = s.lends()
	if known, err := s.greetAgain(ctx, authenticator, peer); known || err != nil {
		return err
	}
	if err := s.reuse(ctx, authenticator, peer); err != nil {
		return err
	}
	if err := s.connectAll(ctx); err != nil || !s.loan.on {
		return err
	}
	return s.setAgain(ctx)
}

// reuse takes a set of connections from the pool, as far as the frontend has shown what
// their backends were shown.
func (s *Session) reuse(ctx context.Context, authenticator *auth.Authenticator, peer auth.Peer) error {
	if err := s.take(ctx); err != nil || len(s.set.Conns) == 0 {
		return err
	}
	if err := s.showAgain(ctx, authenticator, peer, s.mainOf(s.set).Opened()); err != nil {
		s.notServed()
		return err
	}
	for id, conn := range s.set.Conns {
		if s.view.Up(id) && conn.Opened().Serves(s.credential) {
			s.setLink(s.linkTo(conn))
		} else {
			s.Pool.Close(conn)
		}
	}
	clear(s.set.Conns)
	return nil
}

// showAgain has the frontend show what the backend of a connection that was opened before has asked for, if it has
// shown nothing yet.
func (s *Session) showAgain(ctx context.Context, authenticator *auth.Authenticator, peer auth.Peer, asked auth.Opened) error {
	if !s.credential.IsZero() {
		return nil
	}
	credential, err := authenticator.AskAgain(ctx, peer, s.login, asked)
	if err == nil && !credential.IsZero() {
		s.credential, s.source = credential, nil
	}
	return err
}

// mainOf is the connection to the lowest node of a set.
func (s *Session) mainOf(set *pool.Set) *backend.Conn {
	var main *backend.Conn
	for _, conn := range set.Conns {
		if main == nil || conn.Node() < main.Node() {
			main = conn
		}
	}
	return main
}

// connectAll connects to the nodes that the session wants: to the first one, which
// decides what the frontend is asked (enable_pool_hba = off), then to the others at the
// same time.
func (s *Session) connectAll(ctx context.Context) error {
	for {
		wanted := s.wanted()
		if len(wanted) == 0 {
			return errNoNodes()
		}
		if s.link(wanted[0]) == nil {
			if err := s.join(ctx, wanted[0]); err != nil {
				return err
			}
		}
		if err := s.connectOthers(ctx); err != nil {
			return err
		}
		s.refreshView()
		if s.first() != nil {
			return nil
		}
	}
}

func (s *Session) connectOthers(ctx context.Context) error {
	var dialled sync.WaitGroup
	type result struct {
		id   config.NodeID
		conn *backend.Conn
		err  error
	}
	var results []*result
	for _, id := range s.wanted() {
		if s.link(id) != nil {
			continue
		}
		r := &result{id: id}
		results = append(results, r)
		dialled.Go(func() { r.conn, r.err = s.connect(ctx, id) })
	}
	dialled.Wait()
	var failed error
	for _, r := range results {
		if r.err == nil {
			s.setLink(newLink(s, r.conn))
		} else if err := s.notReached(ctx, r.id, r.err); err != nil && !s.readElsewhere(r.id) {
			failed = err
		}
	}
	return failed
}

// learnIsolation finds out at what level transactions run that say nothing about it:
// postgresql.conf, the role, the database or the start-up packet may have set it.
func (s *Session) learnIsolation() error {
	if s.set.Isolation == "" {
		rows, err := s.knowing().ask(logInQuery)
		if err != nil || len(rows) != 1 {
			return pgerr.Fatal(pgerr.ConnectionFailure, "the session's settings cannot be read").Wrap(err)
		}
		isolation, set, _ := strings.Cut(rows[0], ",")
		s.set.Isolation, s.set.TimesOut = isolation, set != noTimeoutSet
	}
	s.settings.timesOut = s.set.TimesOut
	s.settings.isolation = s.set.Isolation
	return nil
}

// welcome tells the frontend that it is in.
func (s *Session) welcome() {
	s.Registry.add(s, s.toldProcess())
	defer s.logConnection()
	s.signLog()
	s.introduce()
	s.reply(func(b []byte) []byte { return wire.AppendMessage(b, wire.KindAuthentication, []byte{0, 0, 0, 0}) })
	for name, value := range s.parametersToTell() {
		s.reply(func(b []byte) []byte { return wire.AppendParameterStatus(b, name, value) })
	}
	s.reply(func(b []byte) []byte { return wire.AppendKeyData(b, s.process, s.secret) })
	s.reply(func(b []byte) []byte { return wire.AppendReady(b, wire.TxIdle) })
	s.flush()
}

// parametersToTell are those that the frontend is to know (ParameterStatus).
func (s *Session) parametersToTell() map[string]string {
	if s.loan.on {
		return s.loan.told
	}
	return s.knowing().conn.Params()
}

// mainProcess is the number of the main node's process for the session, or 0. The frontend
// is told it as its own: it is what pg_locks, pg_stat_activity, pg_blocking_pids and
// notifications name on that node, where waits are waited for.
func (s *Session) mainProcess() uint32 {
	if main := s.main(); main != nil {
		return main.conn.PID()
	}
	return 0
}

// refuse tells a frontend why it cannot come in.
func (s *Session) refuse(err error) {
	s.dropLinks()
	if s.set != nil {
		s.discard()
	}
	if errors.Is(err, errServed) {
		return
	}
	level := zap.InfoLevel
	if wire.IsFrontendGone(err) || pgerr.CodeOf(err) == pgerr.ProtocolViolation {
		level = zap.DebugLevel // anybody can cause these at any rate
	}
	s.log.Log(level, "frontend not let in", zap.Error(err))
	s.tellFatal(err)
}

// farewellTimeout bounds the writing of a last error to a frontend that may not read.
const farewellTimeout = time.Second

func (s *Session) boundFarewell() { s.front.SetDeadline(time.Now().Add(farewellTimeout)) }
