package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/auth"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
)

// newAccess reads the files that say who may come in and how connections are secured.
func (p *program) newAccess(ctx context.Context, cfg *config.Config) (*access, error) {
	settings := auth.Config{
		EnablePoolHBA:  cfg.Auth.EnablePoolHBA,
		AllowClearText: cfg.Auth.AllowClearTextFrontendAuth,
		SaltKey:        p.saltKey,
		ClearTextUsed: func(user string, asked auth.Method) {
			p.log.Info("using clear text authentication with frontend", zap.String(logkey.User, user),
				zap.String(logkey.Reason, "allow_clear_text_frontend_auth is on; backend will still use "+string(asked)))
		},
	}
	var err error
	if cfg.Auth.EnablePoolHBA {
		settings.HBA = p.loadHBA(cfg)
	}
	if settings.Passwd, err = p.loadPasswd(cfg); err != nil {
		return nil, err
	}
	if cfg.Auth.AuthQuery != "" {
		settings.Query = p.authQuery(cfg)
	}
	granted := &access{authenticator: auth.New(settings), hba: settings.HBA, passwd: settings.Passwd, backendTLS: map[config.NodeID]*tls.Config{}}
	if !cfg.SSL.Enabled {
		return granted, nil
	}
	return granted, p.loadTLS(ctx, cfg, granted)
}

// loadHBA reads pool_hba.conf. A file that is missing or has errors lets nobody in, and
// does not keep the server from starting, as with Pgpool-II.
func (p *program) loadHBA(cfg *config.Config) *auth.HBA {
	path := cfg.Auth.PoolHBAFile
	if p.flags.hbaFile != "" {
		path = p.flags.hbaFile
	}
	file, err := os.Open(path)
	if err == nil {
		defer file.Close()
		dir := filepath.Dir(path)
		hba, parseErr := auth.ParseHBA(file, path, func(name string) (io.ReadCloser, error) {
			if !filepath.IsAbs(name) {
				name = filepath.Join(dir, name)
			}
			return os.Open(name)
		})
		if parseErr == nil {
			return hba
		}
		err = parseErr
	}
	p.log.Error("pool_hba.conf cannot be used", zap.Error(err))
	return nil
}

// loadPasswd reads pool_passwd. A file that does not exist is empty.
func (p *program) loadPasswd(cfg *config.Config) (*auth.Passwd, error) {
	if cfg.Auth.PoolPasswd == "" {
		return nil, nil
	}
	key, warning, err := auth.LoadPoolKey(auth.PoolKeyPath("", os.Getenv))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if warning != "" {
		p.log.Warn(warning)
	}
	passwd, err := auth.LoadPasswdWithKey(cfg.Auth.PoolPasswd, key)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, warning := range passwd.Warnings() {
		p.log.Warn(warning)
	}
	return passwd, nil
}

func (p *program) loadTLS(ctx context.Context, cfg *config.Config, granted *access) error {
	files := auth.TLSFiles{
		Cert: cfg.SSL.Cert, Key: cfg.SSL.Key, CACert: cfg.SSL.CACert, CACertDir: cfg.SSL.CACertDir, CRLFile: cfg.SSL.CRLFile,
		Ciphers: cfg.SSL.Ciphers, ECDHCurve: cfg.SSL.ECDHCurve, PreferServerCiphers: cfg.SSL.PreferServerCiphers,
		PassphraseCommand: cfg.SSL.PassphraseCommand,
	}
	var err error
	if files.Cert != "" || files.Key != "" {
		var warnings []string
		if granted.frontendTLS, warnings, err = auth.FrontendTLS(ctx, files); err != nil {
			return fmt.Errorf("ssl: %w", err)
		}
		for _, warning := range warnings {
			p.log.Warn(warning)
		}
	}
	for _, node := range cfg.Backends {
		if granted.backendTLS[node.ID], err = auth.BackendTLS(files, node.Hostname, false); err != nil {
			return fmt.Errorf("ssl towards node %d: %w", node.ID, err)
		}
	}
	return nil
}

// authQuery asks the main node what it stores for a user, as auth_query_user. The
// search_path is fixed, so that no object of somebody else's is found.
func (p *program) authQuery(cfg *config.Config) auth.VerifierQuery {
	return func(ctx context.Context, user string) (string, error) {
		main, ok := p.cluster.View().Main()
		if !ok {
			return "", errors.New("no node is live")
		}
		settings, err := p.adminConfig(cfg, main, cfg.Auth.AuthQueryUser, cfg.Auth.AuthQueryPassword, cfg.Auth.AuthQueryDatabase)
		if err != nil {
			return "", err
		}
		settings.RuntimeParams["application_name"] = "pgchorus auth_query"
		return askVerifier(ctx, settings, cfg.Auth.AuthQuery, user)
	}
}

// adminConfig is how a connection of our own to a node is made: as the role that the
// configuration names for it, and secured as the sessions' are. The search_path is
// fixed, so that no object of somebody else's is found.
func (p *program) adminConfig(cfg *config.Config, id config.NodeID, user, password, database string) (*pgx.ConnConfig, error) {
	settings, err := pgx.ParseConfig("sslmode=prefer")
	if err != nil {
		return nil, err
	}
	node, _ := cfg.Backend(id)
	settings.Host, settings.Port = hostOf(node), uint16(node.Port)
	settings.User, settings.Password, settings.Database = user, password, cmp.Or(database, "postgres")
	settings.TLSConfig = p.access.Load().backendTLS[id]
	settings.Fallbacks = []*pgconn.FallbackConfig{{Host: settings.Host, Port: settings.Port}} // plain, as for sessions
	settings.RuntimeParams = map[string]string{"search_path": "pg_catalog"}
	return settings, nil
}

func askVerifier(ctx context.Context, settings *pgx.ConnConfig, query, user string) (string, error) {
	conn, err := pgx.ConnectConfig(ctx, settings)
	if err != nil {
		return "", fmt.Errorf("auth_query: %w", err)
	}
	defer conn.Close(ctx)
	var name string
	var verifier *string
	err = conn.QueryRow(ctx, query, user).Scan(&name, &verifier)
	switch {
	case errors.Is(err, pgx.ErrNoRows), err == nil && (verifier == nil || name != user):
		return "", auth.ErrUnknownUser
	case err != nil:
		return "", fmt.Errorf("auth_query: %w", err)
	}
	return *verifier, nil
}
