package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
)

// errStopped is the cause with which the program's contexts end.
var errStopped = errors.New("pgchorus is stopping")

// serve runs the server until it is told to stop.
func serve(ctx context.Context, flags serveFlags) error {
	if ctx == nil {
		ctx = context.Background() // the root of all contexts
	}
	cfg, warnings, err := config.Load(flags.configFile)
	if err != nil {
		return err
	}
	log, err := newLogger(cfg.Log, flags.debug)
	if err != nil {
		return err
	}
	defer log.Sync() //nolint:errcheck // nobody is left to tell
	for _, warning := range warnings {
		log.Warn(warning.String())
	}
	for _, text := range config.WithoutEffect(cfg) {
		log.Warn("set, but without effect: " + text)
	}
	if err := writePIDFile(cfg.Files.PIDFileName); err != nil {
		return err
	}
	defer os.Remove(cfg.Files.PIDFileName)
	program, err := build(ctx, cfg, flags, log)
	if err != nil {
		return err
	}
	return program.runUntilSignalled(ctx)
}

// runUntilSignalled serves; SIGHUP reloads, SIGTERM lets the frontends finish, SIGINT
// and SIGQUIT do not.
func (p *program) runUntilSignalled(ctx context.Context) error {
	accepting, stopAccepting := context.WithCancelCause(ctx)
	sessions, stopSessions := context.WithCancelCause(ctx)
	defer stopSessions(errStopped)
	defer stopAccepting(errStopped)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
	defer signal.Stop(signals)

	ended := make(chan error, 1)
	go func() { ended <- p.run(accepting, sessions) }()
	for {
		select {
		case err := <-ended:
			return err
		case received := <-signals:
			switch received {
			case syscall.SIGHUP:
				p.reload(sessions)
			case syscall.SIGTERM:
				p.log.Info("smart shutdown: waiting for the frontends to leave")
				stopAccepting(errStopped)
			default:
				p.log.Info("fast shutdown")
				stopAccepting(errStopped)
				stopSessions(errStopped)
			}
		}
	}
}

// newLogger writes to standard error at the level of log_min_messages.
func newLogger(cfg config.Log, debug bool) (*zap.Logger, error) {
	settings := zap.NewProductionConfig()
	settings.Encoding = "console"
	settings.EncoderConfig.EncodeTime = logTime
	settings.EncoderConfig.TimeKey = "time"
	settings.DisableCaller, settings.DisableStacktrace = true, true
	settings.Sampling = nil
	settings.Level = zap.NewAtomicLevelAt(logLevel(cfg.LogMinMessages))
	if debug {
		settings.Level.SetLevel(zap.DebugLevel)
	}
	log, err := settings.Build()
	if err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	return log, nil
}
