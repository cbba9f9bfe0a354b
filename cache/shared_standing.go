package cache

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// writesUnmarked registers a write that is not marked, if that is how it has to be: the
// proxy is without, or has not got there in time.
func (s *Shared) writesUnmarked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stands == within || s.stands == returning {
		return false
	}
	s.open++
	return true
}

// isWithout reports whether writes are not marked now.
func (s *Shared) isWithout() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stands == leaving || s.stands == without
}

func (s *Shared) endUnmarked() {
	s.mu.Lock()
	s.open--
	last := s.open == 0
	s.mu.Unlock()
	if last {
		s.wake()
	}
}

// owe notes counters that may have a mark that nobody takes away.
func (s *Shared) owe(slots []Slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, slot := range slots {
		s.owed[slot] = struct{}{}
	}
}

// leave begins to go without: memcached could not be told of a write.
func (s *Shared) leave(err error) {
	s.mu.Lock()
	leaves := s.stands == within || s.stands == returning
	if leaves {
		s.ready.Store(false)
		s.stands, s.passed = leaving, make(chan struct{})
		if s.delay == 0 || time.Since(s.returned) > s.timing.maxPause {
			s.delay = s.timing.pause
		} else {
			s.delay = min(s.timing.maxPause, 2*s.delay)
		}
	}
	s.mu.Unlock()
	if leaves {
		s.log.Warn("memcached does not answer: the query cache is off until it does, and the other proxies are told through the nodes", zap.Error(err))
		s.wake()
	}
}

// awaitOthers waits until the other proxies have had the time to notice.
func (s *Shared) awaitOthers() {
	s.mu.Lock()
	passed, leaves := s.passed, s.stands == leaving
	s.mu.Unlock()
	if !leaves {
		return
	}
	limit := time.NewTimer(s.timing.patience)
	defer limit.Stop()
	select {
	case <-passed:
	case <-limit.C:
		s.log.Error("neither memcached nor the nodes could be told of a write: another proxy may answer from memory what is no longer so, until this one has told them",
			zap.Duration("waited", s.timing.patience))
	}
}

// Run keeps up what the proxies tell each other, until ctx ends.
func (s *Shared) Run(ctx context.Context) error {
	tick := time.NewTicker(s.timing.beat)
	defer tick.Stop()
	defer s.nodes.Close()
	for {
		s.step(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-s.kick:
		}
	}
}

func (s *Shared) step(ctx context.Context) {
	s.mu.Lock()
	stands := s.stands
	s.mu.Unlock()
	switch stands {
	case leaving:
		s.goWithout(ctx)
	case without:
		s.stayWithout(ctx)
	case returning:
		s.finishReturn(ctx)
	}
	s.watch(ctx)
	s.catchUp()
	s.withdraw(ctx)
}

// goWithout tells the nodes, and waits for the others to notice.
func (s *Shared) goWithout(ctx context.Context) {
	if err := s.declare(ctx); err != nil {
		s.log.Warn("nodes not told that the query cache is off", zap.Error(err))
		return
	}
	grace := time.NewTimer(s.timing.grace)
	defer grace.Stop()
	select {
	case <-grace.C:
	case <-ctx.Done(): // those who wait have their patience
		return
	}
	s.mu.Lock()
	s.stands, s.returnAt = without, time.Now().Add(s.delay)
	close(s.passed)
	s.mu.Unlock()
}

func (s *Shared) declare(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, s.timing.call)
	defer stop()
	return s.nodes.Declare(ctx, s.token)
}

// stayWithout keeps up what the nodes were told, and tries whether memcached is back.
func (s *Shared) stayWithout(ctx context.Context) {
	if err := s.declare(ctx); err != nil {
		s.log.Warn("nodes not told that the query cache is off", zap.Error(err))
	}
	s.mu.Lock()
	early := time.Now().Before(s.returnAt)
	owed := make([]Slot, 0, len(s.owed)+1)
	for slot := range s.owed {
		owed = append(owed, slot)
	}
	s.mu.Unlock()
	if early {
		return
	}
	for _, slot := range append(owed, everything) {
		if s.server.Delete(counterKey(slot)) != nil {
			return
		}
	}
	s.mu.Lock()
	for _, slot := range owed {
		delete(s.owed, slot)
	}
	s.stands = returning
	s.mu.Unlock()
	s.finishReturn(ctx)
}

// finishReturn ends being without when the last unmarked write has ended. Everything that
// was kept until then is made worthless before the others go on.
func (s *Shared) finishReturn(ctx context.Context) {
	s.mu.Lock()
	open := s.open
	s.mu.Unlock()
	if open > 0 {
		return
	}
	if err := s.invalidateAll(); err != nil {
		s.leave(err)
		return
	}
	ctx, stop := context.WithTimeout(ctx, s.timing.call)
	defer stop()
	if err := s.nodes.Return(ctx, s.token); err != nil {
		s.log.Info("nodes not told that the query cache is on again: the other proxies wait before they use it", zap.Error(err))
	}
	s.old, s.oldUntil, s.token = s.token, time.Now().Add(2*s.timing.grace), newToken()
	s.v.Touch(everything)
	s.mu.Lock()
	if s.stands == returning {
		s.stands, s.returned = within, time.Now()
	}
	s.mu.Unlock()
	s.log.Info("memcached answers: the query cache is on again")
}

// withdraw takes back what was shown to say that the proxy has returned.
func (s *Shared) withdraw(ctx context.Context) {
	if s.old == 0 || time.Now().Before(s.oldUntil) {
		return
	}
	ctx, stop := context.WithTimeout(ctx, s.timing.call)
	defer stop()
	if err := s.nodes.Withdraw(ctx, s.old); err != nil {
		s.log.Debug("token not withdrawn", zap.Error(err))
	}
	s.old = 0
}

// catchUp does what makes all answers worthless, and says whether answers may be used.
func (s *Shared) catchUp() {
	want := s.forgets.Load()
	s.mu.Lock()
	stands := s.stands
	s.mu.Unlock()
	if stands != within {
		return
	}
	if want != s.forgotten.Load() {
		if err := s.invalidateAll(); err != nil {
			s.log.Debug("memcached not told to forget", zap.Error(err))
			return
		}
		s.forgotten.Store(want)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready.Store(s.stands == within && s.forgets.Load() == s.forgotten.Load() && s.others.away(time.Now()))
}
