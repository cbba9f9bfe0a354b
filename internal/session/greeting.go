package session

import (
	"context"
	"maps"

	"github.com/pgchorus/pgchorus/internal/auth"
	"github.com/pgchorus/pgchorus/internal/oidmap"
)

// Where connections are lent for a transaction, a log-in borrows some for what its frontend is to be told.
// The next one with the same start-up packet is told the same and borrows none, so that a frontend which is
// answered from memory never needs any.

// greeting is what a log-in has found out. It is shared: nobody may change it.
type greeting struct {
	// opened is how main's connection was opened, which says what a frontend has to show.
	opened auth.Opened
	// told are main's parameters (ParameterStatus) of before anything was set.
	told map[string]string
	// isolation, timesOut and scope are those of pool.Set; scope may be unknown.
	isolation string
	timesOut  bool
	scope     string
	// spoken is the main node, in whose numbers a session speaks.
	spoken oidmap.Node
}

// greetAgain takes over what a log-in like this one has found out. known is false if there is none, or it is of
// another main node, or the frontend has shown something else.
func (s *Session) greetAgain(ctx context.Context, authenticator *auth.Authenticator, peer auth.Peer) (known bool, err error) {
	if !s.loan.on {
		return false, nil
	}
	g, is := s.Loans.Remembered(s.key).(*greeting)
	if !is || !s.isCurrent(g) {
		return false, nil
	}
	if err := s.showAgain(ctx, authenticator, peer, g.opened); err != nil {
		return false, err
	}
	if !g.opened.Serves(s.credential) {
		return false, nil
	}
	s.takeGreeting(g)
	return true, nil
}

// isCurrent reports whether what was found out is what would be now: of the same main node, and of nodes whose
// numbers are known.
func (s *Session) isCurrent(g *greeting) bool {
	if main := s.mainID(); main == noNode || s.Numbers.Node(main) != g.spoken {
		return false
	}
	if !s.replicates() {
		return true
	}
	numbers := s.Numbers.Database(s.login.Database)
	for _, id := range s.view.Live() {
		if _, _, listed := numbers.Listed(s.Numbers.Node(id)); !listed {
			return false
		}
	}
	return true
}

func (s *Session) takeGreeting(g *greeting) {
	s.loan.told = maps.Clone(g.told)
	s.loan.isolation, s.loan.timesOut = g.isolation, g.timesOut
	s.settings.isolation, s.settings.timesOut = g.isolation, g.timesOut
	if s.replicates() {
		s.numbers = numbering{on: true, spoken: g.spoken, known: s.Numbers.Database(s.login.Database)}
	}
	if s.Cache != nil && g.scope != "" {
		s.caching.lease = s.Follower.Lease(s.login.Database)
		s.takeScope(g.scope)
	}
}

// rememberGreeting keeps what this log-in has found out, where connections are lent.
func (s *Session) rememberGreeting() {
	main := s.main()
	if main == nil {
		return
	}
	s.Loans.Remember(s.key, &greeting{
		opened: main.conn.Opened(), told: maps.Clone(s.loan.told), isolation: s.loan.isolation, timesOut: s.loan.timesOut,
		scope: s.set.Scope, spoken: main.home,
	})
}

// rememberScope adds the scope of the query cache to it, which was not asked for at log-in.
func (s *Session) rememberScope(scope string) {
	if !s.loan.on {
		return
	}
	if g, is := s.Loans.Remembered(s.key).(*greeting); is && g.spoken == s.numbers.spoken {
		more := *g
		more.scope = scope
		s.Loans.Remember(s.key, &more)
	}
}
