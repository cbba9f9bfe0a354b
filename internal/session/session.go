package session

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/cache"
	"github.com/pgchorus/pgchorus/internal/auth"
	"github.com/pgchorus/pgchorus/internal/backend"
	"github.com/pgchorus/pgchorus/internal/capture"
	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/commitlog"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/follow"
	"github.com/pgchorus/pgchorus/internal/oidmap"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/pool"
	"github.com/pgchorus/pgchorus/internal/safety"
	"github.com/pgchorus/pgchorus/internal/sequence"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/lb"
	"github.com/pgchorus/pgchorus/parser"
	"github.com/pgchorus/pgchorus/replicator"
)

// Env is what all sessions share. It does not change; what a reload changes is
// behind the functions.
type Env struct {
	Config      func() *config.Config
	Auth        func() *auth.Authenticator
	FrontendTLS func() *tls.Config // nil result: TLS is off
	Address     func(config.NodeID) backend.Address

	Cluster *cluster.Manager
	Pool    *pool.Pool
	Loans   *pool.Loans // nil: sessions keep their connections
	// SharedTexts belong to Loans.
	SharedTexts *SharedTexts
	Scripts     *parser.Cache
	Gate        *replicator.Gate
	Order       *replicator.Order
	Barrier     *replicator.Barrier
	// Tickets is nil where no statement goes to all nodes at once.
	Tickets *replicator.TicketOffice
	Window  *replicator.Window
	Large   *capture.Large
	Catalog *catalog.Cache
	Numbers *oidmap.Cache
	Leases  *sequence.Leases
	Commits *commitlog.Log // nil where one node takes the writes
	// Policy is what the configuration says about routing.
	Policy func() *lb.Policy
	// Safety is what it says about what may be repeated. Bodies and Notes are what all
	// sessions have read and told.
	Safety func() *safety.Policy
	Bodies *safety.Bodies
	Notes  *safety.Notes
	// Standbys and Mutations mean something in the modes with a primary only.
	Standbys  Standbys
	Mutations *lb.Mutations
	Registry  *Registry
	Counters  *Counters
	Show      Shower
	// Cache is the query cache, nil if it is off; Impacts and CacheVerdicts are what it is
	// known by of tables and statements.
	Cache         *cache.Cache
	Impacts       *catalog.Impacts
	CacheVerdicts *CacheVerdicts
	// Follower tells the cache of others' writes; nil if nobody does.
	Follower *follow.Follower
	// Admit waits for a place among the sessions that may run, or refuses.
	Admit func(ctx context.Context) (leave func(), err error)
	Log   *zap.Logger
}

// Session serves one frontend. It belongs to the goroutine of Run.
type Session struct {
	*Env
	log *zap.Logger

	front *wire.Conn
	// gone is why the frontend can no longer be written to.
	gone error
	// beforeTag is the place in front of the last CommandComplete.
	beforeTag wire.Mark
	// warning is told in front of the next command tag; empty for none.
	warning string
	heard   []byte // notifications that the frontend has not been told
	// notices were raised for the next statement before it was sent.
	notices []byte
	// closing: the work that comes next is the last of what the frontend waits for.
	closing bool
	// answered: the frontend has had its ReadyForQuery for the work under way.
	answered bool
	// tentative: what is being run may be taken back and run again in another way.
	tentative bool
	// ending: the nodes are being told to commit or to roll back.
	ending bool
	// undefined: code that the work at hand has set off has left the catalogue as it was, says main.
	undefined bool
	alone     bool // the primary alone knows what it has set
	ack       acknowledgement
	// kept is scratch space for what is held back during a COMMIT.
	kept []byte
	// terminated is the FATAL error with which a node that is alive ended its
	// connection: somebody called pg_terminate_backend.
	terminated []byte

	login    auth.Login
	protocol uint32
	params   map[string]string // of the start-up packet
	key      pool.Key
	secret   []byte // the cancel key
	id       uint32
	process  uint32 // told to the frontend as its process, with the cancel key
	started  time.Time

	// What pools and log-in need for a connection that is opened later.
	credential auth.Secret
	source     auth.SecretSource
	set        *pool.Set

	links  []*link // by node number; nil where there is none
	view   *cluster.View
	lb     config.NodeID   // load balance node
	draw   uint64          // for the choice of lb
	warned map[string]bool // reasons that the log was told of; nil for none
	ranOn  config.NodeID   // the node that work was last done by; noNode for all of them
	// track is what the session has written; wroteAt is when the primary had the last of it.
	track   lb.Track
	wroteAt time.Time
	work    work
	// query is the memory of the frontend's statement by simple query, and seg that of its
	// segment: there is one at a time. What we ask in between has memory of its own.
	query   queryWork
	seg     segment
	attempt attempt
	auto    *autoPrepare // nil until a read comes that may be prepared
	// care is what is done for the statement at hand besides running it; nil for nothing.
	// unlike is what its plan has left for each node to compute.
	care    *care
	unlike  []parser.Reason
	rights  *rights
	scratch []byte // for a row on its way
	// unanswered is the error that a question about the statement has met; nil if all were answered.
	unanswered []byte
	// basis is what was last judged.
	basis   basis
	utility utility // the command at hand, if it is one

	memo     parser.Memo
	verdicts *shapeMemo[judged] // nil until there is something to remember
	tx       transaction
	st       statements
	batch    batch
	settings sessionSettings
	running  running
	numbers  numbering
	drew     drew
	marking  marking
	caching  caching
	loan     lending
	tickets  ticketing

	// What others may see of the session; see Activity.
	identity  atomic.Pointer[identity]
	state     atomic.Uint32
	shownNode atomic.Int32
	mainPID   atomic.Uint32 // of the main node's backend; 0 for none
	shownPin  atomic.Pointer[string]
	stop      context.CancelFunc // ends the session, as the end of the server does
	unwatch   func() bool        // ends what waits for that
	// giveUpPlace gives back the session's place among all; nil for none.
	giveUpPlace func()
	entered     bool // the frontend was let in
	// terminates is the session that the statement at hand ends; 0 for none.
	terminates uint32
}

// sessionSettings is what SQL has set and decides about routing.
type sessionSettings struct {
	// isolation is default_transaction_isolation, if the session has set it.
	isolation string
	// temporary are the names of which the session has made temporary tables.
	temporary map[string]bool
	// timesOut: statement_timeout or its like may be set.
	timesOut bool
	kept     settingsKept
	// seeded: setseed was called, so that random() is the session's own.
	seeded bool
	// bound is the primary that alone has a part of the session; nil for none.
	bound *config.NodeID
	// locksOn is the node that has the session's advisory locks; nil for none.
	locksOn *config.NodeID
	// channels are those of LISTEN: messages may come while nobody asks. nil for none.
	channels map[string]bool
	// custom are the names of settings that the session has made up ("my.own"), which
	// no catalogue lists.
	custom map[string]bool
	// own are parameters changed by PGPOOL SET; nil for none.
	own *config.Config
	// policy is what own says about routing; nil until it is asked for.
	policy *lb.Policy
}

// New makes a session for an accepted connection.
func New(env *Env, nc net.Conn) *Session {
	s := &Session{
		Env:     env,
		front:   wire.NewConn(nc, wire.Frontend),
		started: time.Now(),
		lb:      noNode,
		draw:    rand.Uint64(),
		st:      newStatements(),
	}
	s.tx.reset()
	s.signLog()
	return s
}

// config is the configuration in force for the session.
func (s *Session) config() *config.Config {
	if s.settings.own != nil {
		return s.settings.own
	}
	return s.Config()
}

// errTerminated ends a session in which the frontend said good-bye.
var errTerminated = errors.New("frontend has terminated")

// Run serves the frontend until it leaves, ctx ends, or the protocol breaks. It is
// the only goroutine that writes to the frontend. When it returns, the
// connections to the nodes are back in the pool or closed.
//
// What stands on the stack while a session waits for its frontend is kept small: with less than a
// quarter of it in use the runtime halves it (shrinkstack in runtime/stack.go).
func (s *Session) Run(ctx context.Context) error {
	defer s.close()
	ctx, err := s.open(ctx)
	if err == nil {
		err = s.serve(ctx)
		s.leave(ctx, err)
	}
	if errors.Is(err, errTerminated) {
		return nil
	}
	return err
}

// open lets the frontend in, or tells it why not.
func (s *Session) open(ctx context.Context) (context.Context, error) {
	ctx, s.stop = context.WithCancel(ctx)
	s.unwatch = context.AfterFunc(ctx, func() {
		s.front.SetReadDeadline(time.Unix(1, 0))
		s.Cancel(context.WithoutCancel(ctx)) // has a bound of its own
	})
	var err error
	aside(func() { err = s.letInOrRefuse(ctx) })
	return ctx, err
}

// letInOrRefuse logs the frontend in.
func (s *Session) letInOrRefuse(ctx context.Context) (err error) {
	if s.giveUpPlace, err = s.startup(ctx); err != nil {
		s.refuse(err)
		return err
	}
	s.entered = true
	s.lendSlot()
	return nil
}

// aside runs f on a goroutine of its own and waits for it. A stack that a log-in has needed is halved by garbage
// collections only, and an idle session makes no garbage; this one goes with its goroutine. A fault in f is the
// caller's.
func aside(f func()) {
	faults := make(chan error)
	go func() {
		defer close(faults)
		defer func() {
			if fault := recover(); fault != nil {
				faults <- fmt.Errorf("%v\n%s", fault, debug.Stack())
			}
		}()
		f()
	}()
	if fault := <-faults; fault != nil {
		panic(fault)
	}
}

// close gives back what the session has, however it has come to its end. A fault in one part leaves the others.
func (s *Session) close() {
	defer s.front.Close()
	if s.stop != nil {
		defer s.stop()
		defer s.unwatch()
	}
	if s.giveUpPlace != nil {
		defer s.giveUpPlace()
	}
	if s.entered {
		defer s.Registry.remove(s)
		defer s.tickets.holding.Release()
		defer s.releaseLeases()
		defer s.leaveCache()
		defer s.giveBackSlot()
		defer s.closeChanges()
		s.logDisconnection()
	}
}

// serve is the loop of the session.
func (s *Session) serve(ctx context.Context) error {
	for {
		if err := s.runBeforeCopyData(ctx); err != nil {
			return err
		}
		frame, err := s.next(ctx)
		if err != nil {
			return err
		}
		if err := s.dispatch(ctx, frame); err != nil {
			return err
		}
	}
}

// runBeforeCopyData runs a batch with a COPY in it once data for it comes in: the
// COPY takes the data from there.
func (s *Session) runBeforeCopyData(ctx context.Context) error {
	if len(s.batch.messages) == 0 || !s.front.HasFrame() {
		return nil
	}
	switch kind, _, err := s.front.Peek(); {
	case err != nil:
		return err
	case kind == wire.KindCopyData, kind == wire.KindCopyDone, kind == wire.KindCopyFail:
		return s.runBatch(ctx, endNone)
	}
	return nil
}

// dispatch is the table of contents of this package: one line a message. A
// statement's own error is answered inside; an error that comes back here ends
// the session.
func (s *Session) dispatch(ctx context.Context, frame wire.Frame) error {
	switch frame.Kind() {
	case wire.KindFlush, wire.KindSync:
		if len(frame.Body()) > 0 {
			return s.failMessage(ctx, frame.Kind())
		}
	}
	switch frame.Kind() {
	case wire.KindQuery:
		return s.simpleQuery(ctx, frame)
	case wire.KindParse, wire.KindBind, wire.KindDescribe, wire.KindExecute, wire.KindClose:
		return s.collect(ctx, frame)
	case wire.KindFlush:
		return s.runBatch(ctx, endFlush)
	case wire.KindSync:
		return s.runBatch(ctx, endSync)
	case wire.KindFunctionCall:
		return s.functionCall(ctx, frame)
	case wire.KindCopyData, wire.KindCopyDone, wire.KindCopyFail:
		return nil // late data of a COPY that has failed (protocol chapter 55.2.6)
	case wire.KindTerminate:
		return errTerminated
	}
	return pgerr.Fatalf(pgerr.ProtocolViolation, "invalid frontend message type %d", frame.Kind())
}

// failMessage answers a Flush or Sync that makes no sense. The messages before it are
// dropped. A Sync still ends the extended query.
func (s *Session) failMessage(ctx context.Context, kind wire.Kind) error {
	if s.batch.skipping && kind == wire.KindFlush {
		return nil
	}
	s.replyError(malformed(wire.ErrMalformed))
	s.batch.skipping = true
	s.tx.failed = s.tx.kind != txNone
	s.batch.forget()
	if kind == wire.KindSync {
		return s.sync(ctx)
	}
	return nil
}

// next waits for the frontend's next message.
func (s *Session) next(ctx context.Context) (wire.Frame, error) {
	if s.loan.on {
		if err := s.park(ctx); err != nil {
			return nil, err
		}
	}
	if s.front.HasFrame() {
		return s.front.Next(wire.MaxMessage)
	}
	s.flush()
	if s.gone != nil {
		return nil, s.gone
	}
	s.note(Idle)
	if err := s.awaitFrontend(ctx); err != nil {
		return nil, err
	}
	frame, err := s.front.Next(wire.MaxMessage)
	switch {
	case err == nil:
		s.note(Busy)
		return frame, nil
	case ctx.Err() != nil:
		return nil, stopping(ctx)
	case errors.Is(err, wire.ErrTooLong), errors.Is(err, wire.ErrBadLength):
		return nil, pgerr.Fatal(pgerr.ProtocolViolation, "invalid message length").Wrap(err)
	}
	return nil, err
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// stopping is what a frontend is told when the server ends under it.
func stopping(ctx context.Context) error {
	return pgerr.Fatal(pgerr.AdminShutdown, "terminating connection due to administrator command").Wrap(context.Cause(ctx))
}

// leave ends the session towards the frontend and gives the connections back. They
// are kept only after a clean good-bye (Pgpool-II, 9.3 of its behaviour).
func (s *Session) leave(ctx context.Context, err error) {
	if !errors.Is(err, errTerminated) {
		s.tellFatal(err)
	}
	if s.loan.on {
		s.leaveLoan(ctx, errors.Is(err, errTerminated))
		s.leaveBarrier()
		return
	}
	if errors.Is(err, errTerminated) && s.keepsConnections() && s.reset(ctx) {
		s.giveBack()
	} else {
		s.dropLinks()
		s.Pool.Discard()
	}
	s.leaveBarrier()
}

// giveBack returns the connections to the pool.
func (s *Session) giveBack() {
	clear(s.set.Conns)
	for _, l := range s.links {
		if l != nil {
			l.conn.Heard = nil
			s.set.Conns[l.ID()] = l.conn
		}
	}
	s.links = nil
	s.Pool.Put(s.set)
}

func (s *Session) dropLinks() {
	for id, l := range s.links {
		if l != nil {
			s.Pool.Close(l.conn)
			s.links[id] = nil
		}
	}
}

// pickLoadBalanceNode chooses the node that reads go to, by weight and redirect lists.
func (s *Session) pickLoadBalanceNode() config.NodeID {
	return lb.Choose(lb.ChooseInput{
		Policy: s.policy(), View: s.view, Main: s.mainID(),
		User: s.login.User, Database: s.login.Database, Application: s.params["application_name"],
		Lags: s.Standbys, Random: s.draw,
	}).Node
}
