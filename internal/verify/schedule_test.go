package verify_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/pgchorus/pgchorus/internal/verify"
)

func TestScheduleComparesAgainAndAgain(t *testing.T) {
	t.Parallel()
	nodes := startEqual(t, 2)
	core, logs := observer.New(zap.InfoLevel)
	rounds := make(chan struct{}, 100)
	log := zap.New(core, zap.Hooks(func(e zapcore.Entry) error {
		if e.Message == "nodes compared" {
			rounds <- struct{}{}
		}
		return nil
	}))
	found := make(chan *verify.Report, 100)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	schedule := &verify.Schedule{
		Options:  func() verify.Options { return optionsFor(nodes...) },
		Interval: func() time.Duration { return time.Nanosecond },
		Found:    func(r *verify.Report) { found <- r },
		Log:      log,
	}
	go func() { ended <- schedule.Run(ctx) }()
	<-rounds
	if n := logs.FilterMessage("nodes differ").Len(); n > 0 {
		t.Errorf("equal nodes: %v", logs.FilterMessage("nodes differ").All())
	}
	nodes[1].Exec("DELETE FROM shop.item WHERE id = 8")
	report := <-found
	if len(report.Differences) != 1 || report.Differences[0].Key != "(id)=(8)" {
		t.Errorf("found %+v", report.Differences)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	wantNothingLeft(t, nodes...)
	entries := logs.FilterMessage("nodes differ").All()
	if len(entries) == 0 || !strings.Contains(entries[0].ContextMap()["difference"].(string), "table shop.item: (id)=(8): missing on node 1") {
		t.Errorf("logged %v", entries)
	}
}

func TestScheduleThatIsOffDoesNothing(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	asked := make(chan struct{}, 10)
	schedule := &verify.Schedule{
		Options:  func() verify.Options { t.Error("compared"); return verify.Options{} },
		Interval: func() time.Duration { asked <- struct{}{}; return 0 },
		Log:      zap.NewNop(),
	}
	ended := make(chan error, 1)
	go func() { ended <- schedule.Run(ctx) }()
	<-asked
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
