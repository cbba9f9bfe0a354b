package session

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/auth"
	"github.com/pgchorus/pgchorus/internal/backend"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/pool"
	"github.com/pgchorus/pgchorus/internal/wire"
)

// Transaction pooling (pool_mode = transaction): a session has its connections for a
// transaction, and gives them back where it waits for the frontend. What it has set comes
// along (loan_state.go), its prepared statements have names that others share
// (loan_names.go), and what cannot come along pins the session to its connections.

// lending is what a session knows of its loans.
type lending struct {
	// on: the session is pooled by transaction.
	on bool
	// settings is what the session has set, as calls of set_config.
	settings string
	// held is what main says of what ties the session to its connections; empty for nothing.
	held string
	// pinned is why it keeps them; empty if it does not.
	pinned string

	// unsure: settings and held may be outdated.
	unsure bool
	// shifted: since the last look, something has been set that may change what a text means.
	shifted bool
	// hides: it has run code that may have set what nobody can be asked for.
	hides bool
	// draws: the loan under way has to do with sequences.
	draws bool
	// own: the nodes know prepared statements by the frontend's names.
	own bool
	// tainted: a prepared statement cannot be given to other connections.
	tainted bool

	// told is what the frontend knows by ParameterStatus.
	told map[string]string
	// toldBy is the connection that has told it last, and toldAt its count of changes.
	toldBy *backend.Conn
	toldAt uint64
	// What a new set is told about, as of the log-in.
	isolation string
	timesOut  bool

	effects *effectMemo // nil until there is something to remember
}

// lends reports whether the session is one that is pooled by transaction. The databases whose
// connections are never kept (keepsConnections) are not.
func (s *Session) lends() bool {
	return s.Loans != nil && s.Config().Pool.LendsForTransactions() && !neverKept(s.login.Database)
}

// take gets a set for the log-in.
func (s *Session) take(ctx context.Context) (err error) {
	if !s.loan.on {
		s.set = s.Pool.Take(s.key)
		return nil
	}
	s.set, err = s.borrow(ctx, func(*pool.Set) int { return 1 })
	if err != nil {
		return err
	}
	for id, l := range s.lentLinks() {
		if l != nil && l.hasBroken() {
			s.Pool.Close(l.conn)
			delete(s.set.Conns, config.NodeID(id))
		}
	}
	return nil
}

// notServed gives a set back to whose connections the frontend has shown no right.
func (s *Session) notServed() {
	if !s.loan.on {
		s.Pool.CloseSet(s.set)
		return
	}
	s.Loans.Return(s.set)
	s.set = nil
}

// toldProcess is the number that the frontend is told as its process. Where connections are
// lent, that of a backend would name others' work.
func (s *Session) toldProcess() uint32 {
	if s.loan.on {
		return 0
	}
	return s.mainProcess()
}

// discard gives a set back whose connections are closed.
func (s *Session) discard() {
	if s.loan.on {
		s.Loans.Drop(s.set)
	} else {
		s.Pool.Discard()
	}
	s.set = nil
}

// borrow waits in the queue for a set, for query_wait_timeout at most.
func (s *Session) borrow(ctx context.Context, fits pool.Fits) (*pool.Set, error) {
	waiting, stop := s.running.await(ctx)
	defer stop()
	limit := s.Config().Pool.QueryWaitTimeout
	if limit > 0 {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(waiting, limit)
		defer cancel()
	}
	since := time.Now()
	s.note(Queued)
	set, err := s.Loans.Borrow(waiting, s.key, fits)
	s.note(Busy)
	switch {
	case err == nil:
		return set, nil
	case ctx.Err() != nil:
		return nil, stopping(ctx)
	case s.running.wasCancelled():
		return nil, errCancelled()
	}
	waited := time.Since(since)
	s.log.Warn("no connection became free", zap.Duration("waited", waited), zap.Int("queue", s.Loans.QueueOf(s.key)))
	return nil, pgerr.New(pgerr.TooManyConnections, "no connection became free within query_wait_timeout").
		WithDetail("All connections for user %q and database %q are lent to others.", s.login.User, s.login.Database).
		WithHint("Repeat the transaction later. The administrator may raise default_pool_size.").Wrap(err)
}

// beginLending is for a session that has logged in.
func (s *Session) beginLending() {
	if !s.loan.on {
		return
	}
	s.loan.told = maps.Clone(s.knowing().conn.Params())
	s.loan.isolation, s.loan.timesOut = s.set.Isolation, s.set.TimesOut
	s.rememberGreeting()
}

// unpark sees to it that the session has connections. ok is false if it has none; the frontend
// has been told.
func (s *Session) unpark(ctx context.Context) (ok bool, err error) {
	if s.set != nil {
		return true, nil
	}
	if err := s.takeLoan(ctx); err != nil {
		return s.refuseOrEnd(err)
	}
	return true, nil
}

// takeLoan borrows a set and makes it the session's.
func (s *Session) takeLoan(ctx context.Context) error {
	set, err := s.borrow(ctx, s.suits)
	if err != nil {
		return err
	}
	s.set = set
	s.refreshView()
	s.takeIn(set)
	err = s.fill(ctx)
	if err == nil {
		err = s.setAgain(ctx)
	}
	if err != nil {
		s.dropLinks()
		s.discard()
		return err
	}
	s.ownLinks()
	s.tellParameters()
	return nil
}

// suits ranks an idle set. One with the session's settings is best; one whose connections
// were opened by somebody who has shown something else serves nobody but them.
func (s *Session) suits(set *pool.Set) int {
	for _, conn := range set.Conns {
		if !conn.Opened().Serves(s.credential) {
			return 0
		}
	}
	if set.Settings == s.loan.settings {
		return 2
	}
	return 1
}

// lentLinks are the links that came with the set.
func (s *Session) lentLinks() []*link {
	if kept, ok := s.set.Kept.(*lentLinks); ok {
		return kept.links
	}
	return nil
}

// lentLinks is what a set keeps of its connections from one borrower to the next.
type lentLinks struct{ links []*link }

// takeIn makes links of the set's connections, as far as they are usable.
func (s *Session) takeIn(set *pool.Set) {
	if set.Isolation == "" {
		set.Isolation, set.TimesOut = s.loan.isolation, s.loan.timesOut
	}
	for id, l := range s.lentLinks() {
		if l == nil {
			continue
		}
		if !s.view.Up(config.NodeID(id)) || l.hasBroken() {
			s.Pool.Close(l.conn)
			continue
		}
		s.place(s.takeOver(l))
	}
}

// hasBroken: the connection has not outlasted the time in which nobody had it.
func (l *link) hasBroken() bool {
	return l.conn.WasCut() || !l.conn.Quiet() && l.conn.Idle(nil) != nil
}

// takeOver makes a link the session's.
func (s *Session) takeOver(l *link) *link {
	l.s, l.home = s, s.Numbers.Node(l.conn.Node())
	l.begin()
	return l
}

// linkTo is the link to a connection of the session's set at log-in.
func (s *Session) linkTo(conn *backend.Conn) *link {
	for _, l := range s.lentLinks() {
		if l != nil && l.conn == conn {
			conn.Heard = l.heard
			s.running.own(conn)
			return s.takeOver(l)
		}
	}
	return newLink(s, conn)
}

// place puts a link where it belongs.
func (s *Session) place(l *link) {
	for int(l.ID()) >= len(s.links) {
		s.links = append(s.links, nil)
	}
	s.links[l.ID()] = l
}

// fill opens the connections that the set lacks. A node that is dead is left out.
func (s *Session) fill(ctx context.Context) error {
	if s.isComplete() {
		return nil
	}
	if err := s.connectOthers(ctx); err != nil {
		return errNotOpened(err)
	}
	s.refreshView()
	if s.first() == nil {
		return s.reconnect(ctx)
	}
	return nil
}

// isComplete reports whether there is a link to every node that the session wants.
func (s *Session) isComplete() bool {
	for _, id := range s.wanted() {
		if s.link(id) == nil {
			return false
		}
	}
	return true
}

// errNotOpened is told when a node lets the session in no more, or has no room: the session
// stays, since it has nothing to lose.
func errNotOpened(cause error) error {
	var refused *auth.BackendError
	if !errors.As(cause, &refused) {
		return cause
	}
	return pgerr.New(refused.Code(), "connection to a node was refused").
		WithDetail("%s", wire.ErrorField(refused.Body, wire.FieldMessage)).Wrap(cause)
}

// freshQuery takes everything back that a session may have set (the parts of DISCARD ALL that
// may run together).
const freshQuery = "CLOSE ALL;SET SESSION AUTHORIZATION DEFAULT;RESET ALL;DEALLOCATE ALL;UNLISTEN *;SELECT pg_catalog.pg_advisory_unlock_all();DISCARD PLANS;DISCARD TEMP;DISCARD SEQUENCES"

// setAgain gives the connections the session's settings, where they have others.
func (s *Session) setAgain(ctx context.Context) error {
	var changed []*link
	for _, l := range s.links {
		if l != nil && (l.stale || l.settings != s.loan.settings) {
			l.startSetting()
			changed = append(changed, l)
		}
	}
	for _, l := range changed {
		if err := l.finishSetting(); err != nil && l.answer.Failed() {
			return pgerr.Fatal(pgerr.Code(l.answer.Code()), "the session's settings cannot be made again").
				WithDetail("%s", wire.ErrorField(l.answer.Err, wire.FieldMessage)).WithHint("Connect again.")
		} else if err != nil {
			s.lost(ctx, l, err)
		}
	}
	if s.first() == nil {
		return s.reconnect(ctx)
	}
	return nil
}

// startSetting sends what makes the settings of the connection the session's.
func (l *link) startSetting() {
	sql := "RESET ALL"
	switch {
	case l.stale:
		sql = freshQuery
	case l.settings == "":
		sql = ""
	}
	if l.s.loan.settings != "" {
		sql = strings.TrimPrefix(sql+";SELECT "+l.s.loan.settings, ";")
	}
	l.begin()
	l.appendQuery(hidden(wire.ExpectQuery), sql)
	l.conn.Flush() //nolint:errcheck // noticed when the answer is read
}

func (l *link) finishSetting() error {
	if err := l.conn.Receive(&l.exchange, nil, &l.answer); err != nil {
		return err
	}
	if l.answer.Failed() {
		return errAnswered
	}
	if l.stale {
		l.stale, l.drawnBy = false, 0
		l.forgetStatements()
	}
	l.settings = l.s.loan.settings
	return nil
}

// ownLinks notes the connections as the session's, for cancels and for the search for
// deadlocks.
func (s *Session) ownLinks() {
	now := time.Now()
	s.running.mu.Lock()
	for _, l := range s.links {
		if l != nil {
			l.conn.Heard = l.heard
			s.running.underWay.own(l.conn, now)
		}
	}
	s.running.mu.Unlock()
	s.noteProcess()
}

// tellParameters tells the frontend what is otherwise than it knows: the configuration of a
// server may have changed in between.
func (s *Session) tellParameters() {
	l := s.knowing()
	if l == nil || s.knowsParameters(l.conn) {
		return
	}
	for name, value := range l.conn.Params() {
		if told, known := s.loan.told[name]; !known || told != value {
			s.reply(func(b []byte) []byte { return wire.AppendParameterStatus(b, name, value) })
			s.loan.told[name] = value
		}
	}
	s.loan.toldBy, s.loan.toldAt = l.conn, l.conn.Changes()
}

// park gives the connections back where the session waits for the frontend, unless something
// ties it to them.
func (s *Session) park(ctx context.Context) error {
	if s.set == nil || !s.mayPark() {
		return nil
	}
	n := &s.loan
	if n.unsure {
		if _, err := s.learnHoldings(ctx); err != nil {
			return err
		}
		s.tellHeard() // what has come with the answer would wait for the next
	}
	s.showPin(s.pin())
	if n.pinned == "" {
		s.returnLoan()
	}
	return nil
}

// mayPark reports whether the session is between two transactions and nobody is to be
// answered. A frontend that has said more already goes on, unless others wait.
func (s *Session) mayPark() bool {
	b := &s.batch
	switch {
	case s.tx.kind != txNone, s.tx.inside, len(b.messages) > 0, b.skipping, b.copied, b.executed, b.pinned:
		return false
	case s.terminated != nil, s.alone:
		return false
	case s.front.HasFrame() && !s.loan.unsure && !s.loan.shifted && !s.Loans.Wanted(s.set):
		return false
	}
	for _, l := range s.links {
		if l != nil && (l.unsynced || l.begun || l.conn.Skipping || l.conn.Status != wire.TxIdle) {
			return false
		}
	}
	return true
}

// showPin keeps why the session keeps its connections.
func (s *Session) showPin(why string) {
	if why == s.loan.pinned {
		return
	}
	s.log.Debug("session keeps its connections", zap.String(logkey.Reason, why))
	s.loan.pinned = why
	s.shownPin.Store(&why)
}

// returnLoan gives the connections back.
func (s *Session) returnLoan() {
	set := s.set
	s.noteTold()
	kept, ok := set.Kept.(*lentLinks)
	if !ok {
		kept = &lentLinks{}
		set.Kept = kept
	}
	s.disown()
	set.Settings = s.loan.settings
	for id, l := range s.links {
		s.keepConn(set, config.NodeID(id), l)
	}
	kept.links, s.links = s.links, kept.links[:0]
	s.set = nil
	s.loan.draws, s.loan.shifted = false, false
	s.Loans.Return(set)
}

// noteTold keeps what the frontend has been told by now.
func (s *Session) noteTold() {
	l := s.knowing()
	if l == nil || s.knowsParameters(l.conn) {
		return
	}
	for name, value := range l.conn.Params() {
		if s.loan.told[name] != value {
			s.loan.told[name] = value
		}
	}
	s.loan.toldBy, s.loan.toldAt = l.conn, l.conn.Changes()
}

// knowsParameters reports whether the frontend knows all that a connection has told.
func (s *Session) knowsParameters(conn *backend.Conn) bool {
	return s.loan.toldBy == conn && s.loan.toldAt == conn.Changes()
}

// disown takes the connections out of what others may see of the session.
func (s *Session) disown() {
	s.running.mu.Lock()
	clear(s.running.underWay.owned)
	s.running.mu.Unlock()
	s.mainPID.Store(0)
}

// keepConn prepares a connection for its next borrower.
func (s *Session) keepConn(set *pool.Set, id config.NodeID, l *link) {
	if l == nil {
		delete(set.Conns, id)
		return
	}
	l.settings = s.loan.settings
	l.conn.Heard = nil
	l.begun, l.unsynced, l.snapshot, l.limit = false, false, false, lockLimit{}
	l.listens, l.eased, l.reported = false, false, false
	if l.forgotten = l.forgotten[:0]; len(l.aside) > 0 {
		l.aside, l.drawnBy = l.aside[:0], ^uint32(0) // what was to be discarded is still there
	}
	if set.Conns[id] != l.conn {
		set.Conns[id] = l.conn
	}
}

// leaveLoan ends the loans of a session that ends. Connections are kept if the frontend has
// left between two transactions, or has said good-bye.
func (s *Session) leaveLoan(ctx context.Context, farewell bool) {
	if s.set == nil {
		return
	}
	if s.mayPark() && ctx.Err() == nil {
		if s.loan.unsure {
			s.learnHoldings(ctx) //nolint:errcheck // what is not known is a pin
		}
		if s.pin() == "" && s.first() != nil {
			s.returnLoan()
			return
		}
	}
	if farewell && s.first() != nil && s.terminated == nil && s.reset(ctx) {
		s.freshLinks()
		s.returnLoan()
		return
	}
	s.dropLinks()
	s.discard()
}

// endsNames follows DEALLOCATE ALL: no node has prepared statements of the session any more.
func (n *lending) endsNames() { n.own, n.tainted = false, false }

// startsAnew follows DISCARD ALL.
func (n *lending) startsAnew() { n.hides = false }

// freshLinks is for connections on which reset_query_list was run, whatever it did.
func (s *Session) freshLinks() {
	s.loan.settings = ""
	for _, l := range s.links {
		if l != nil {
			l.stale = true
		}
	}
}

// giveSettings gives a node that joins what the session has set, when no other node is left to
// be asked. What is tied to the lost ones is lost with them.
func (s *Session) giveSettings(l *link) error {
	if s.loan.pinned != "" || s.loan.unsure {
		return pgerr.Fatal(pgerr.ConnectionFailure, "every node that knew the session's state was lost").
			WithDetail("The session had: %s.", s.pin()).WithHint("Connect again.")
	}
	l.startSetting()
	return l.finishSetting()
}

// unparkForBatch is unpark for what was collected of an extended query, unless it is answered
// without a node. What was answered from memory is taken out of it.
func (s *Session) unparkForBatch(ctx context.Context, end batchEnd) (ok bool, err error) {
	if s.set != nil || s.batchAsksNoNode() {
		return true, nil
	}
	if s.parseFromMemory(end) || s.answerParked(end) {
		s.batch.forget()
		return true, nil
	}
	return s.unpark(ctx)
}
