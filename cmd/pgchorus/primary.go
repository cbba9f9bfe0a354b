package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/auth"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/session"
	"github.com/pgchorus/pgchorus/internal/streaming"
	"github.com/pgchorus/pgchorus/lb"
)

// streamingSettings is what the configuration says of the search for the primary and of
// the standbys' lag.
func (p *program) streamingSettings() streaming.Settings {
	cfg := p.cfg.Load()
	check := cfg.StreamingCheck
	out := streaming.Settings{
		Logical:              cfg.ClusteringMode == config.LogicalReplication,
		CheckPeriod:          check.SRCheckPeriod,
		DelayThreshold:       check.DelayThreshold,
		DelayThresholdByTime: check.DelayThresholdByTime,
		LogStandbyDelay:      cfg.Log.LogStandbyDelay,
		SourceCommand:        check.ReplicationDelaySourceCmd,
		SourceTimeout:        check.ReplicationDelaySourceTimeout,
		DetachFalsePrimary:   cfg.Failover.DetachFalsePrimary,
		AutoFailback:         cfg.Failover.AutoFailback,
		AutoFailbackInterval: cfg.Failover.AutoFailbackInterval,
	}
	for _, node := range cfg.Backends {
		out.Nodes = append(out.Nodes, streaming.Node{
			ID: node.ID, Host: hostOf(node), Port: node.Port,
			ApplicationName: node.ApplicationName, AlwaysPrimary: node.Flag.AlwaysPrimary,
		})
	}
	return out
}

// connectChecker opens a connection of the replication check, as sr_check_user.
func (p *program) connectChecker(ctx context.Context, id config.NodeID) (*pgx.Conn, error) {
	cfg := p.cfg.Load()
	password, err := p.clearPassword(cfg.StreamingCheck.SRCheckUser, cfg.StreamingCheck.SRCheckPassword)
	if err != nil {
		return nil, fmt.Errorf("sr_check_password: %w", err)
	}
	settings, err := p.adminConfig(cfg, id, cfg.StreamingCheck.SRCheckUser, password, cfg.StreamingCheck.SRCheckDatabase)
	if err != nil {
		return nil, err
	}
	settings.RuntimeParams["application_name"] = "pgchorus replication check"
	return pgx.ConnectConfig(ctx, settings)
}

// clearPassword is a password of pgpool.conf in clear text: as it stands there, decrypted,
// or, if it is empty, that of the role in pool_passwd; none is the empty one.
func (p *program) clearPassword(user, text string) (string, error) {
	secret, err := p.passwordOf(user, text)
	if err != nil || secret.IsZero() {
		return "", err
	}
	password, ok := secret.Reveal()
	if !ok {
		return "", errors.New("a hash cannot be used to log in with: give clear text, TEXT or AES")
	}
	return password, nil
}

func (p *program) passwordOf(user, text string) (auth.Secret, error) {
	if text == "" {
		secret, err := p.access.Load().passwd.Lookup(user)
		if errors.Is(err, auth.ErrUnknownUser) {
			err = nil
		}
		return secret, err
	}
	key, _, err := auth.LoadPoolKey(auth.PoolKeyPath("", os.Getenv))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return auth.Secret{}, err
	}
	return auth.DecodePassword(text, key)
}

// shownDelay is the lag in SHOW POOL_NODES: bytes, or time where the threshold is one.
func (p *program) shownDelay(d streaming.Delay) string {
	if !d.Known {
		return ""
	}
	if p.cfg.Load().StreamingCheck.DelayThresholdByTime > 0 || d.ByCommand {
		unit := "second"
		if d.Time >= 2*time.Second {
			unit = "seconds"
		}
		return fmt.Sprintf("%.6f %s", d.Time.Seconds(), unit)
	}
	return strconv.FormatInt(d.Bytes, 10)
}

// standbys fits the monitor to what sessions ask.
type standbys struct{ monitor *streaming.Monitor }

var _ session.Standbys = standbys{}

// Lag implements lb.Lags.
func (s standbys) Lag(id config.NodeID) lb.Lag {
	d := s.monitor.Delay(id)
	return lb.Lag{Known: d.Known, Bytes: d.Bytes, Time: d.Time}
}

// Doubt implements session.Standbys.
func (s standbys) Doubt(id config.NodeID) { s.monitor.Doubt(id) }

// Recheck implements session.Standbys.
func (s standbys) Recheck() { s.monitor.Recheck() }

// Caught implements session.Standbys. It needs no context: the wait is a short one.
func (s standbys) Caught(id config.NodeID, since time.Time, wait time.Duration) bool {
	return s.monitor.Caught(context.Background(), id, since, wait)
}
