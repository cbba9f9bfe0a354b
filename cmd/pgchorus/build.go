package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/admin"
	"github.com/pgchorus/pgchorus/internal/auth"
	"github.com/pgchorus/pgchorus/internal/backend"
	"github.com/pgchorus/pgchorus/internal/capture"
	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/commitlog"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/oidmap"
	"github.com/pgchorus/pgchorus/internal/pool"
	"github.com/pgchorus/pgchorus/internal/safety"
	"github.com/pgchorus/pgchorus/internal/sequence"
	"github.com/pgchorus/pgchorus/internal/server"
	"github.com/pgchorus/pgchorus/internal/session"
	"github.com/pgchorus/pgchorus/internal/streaming"
	"github.com/pgchorus/pgchorus/internal/task"
	"github.com/pgchorus/pgchorus/lb"
	"github.com/pgchorus/pgchorus/parser"
	"github.com/pgchorus/pgchorus/replicator"
)

// program is all parts, joined. This file is the only place that knows them all.
type program struct {
	log   *zap.Logger
	flags serveFlags
	cfg   atomic.Pointer[config.Config]
	// policy is what cfg says about routing.
	policy atomic.Pointer[lb.Policy]
	// safety is what it says about what may be repeated.
	safety atomic.Pointer[safety.Policy]

	access   atomic.Pointer[access]
	saltKey  auth.SaltKey
	cluster  *cluster.Manager
	monitor  *streaming.Monitor // of the primary and its standbys
	commits  *commitlog.Log     // nil where one node takes the writes
	pool     *pool.Pool
	registry *session.Registry
	counters *session.Counters
	server   *server.Server
	control  *controlServer
	env      session.Env
}

// access is what a reload replaces as a whole: who may come in, and how connections
// are secured.
type access struct {
	authenticator *auth.Authenticator
	hba           *auth.HBA    // nil: none is used, or it has errors
	passwd        *auth.Passwd // nil: there is none
	frontendTLS   *tls.Config  // nil: off
	backendTLS    map[config.NodeID]*tls.Config
}

// scriptCacheBytes is how much the facts about statements may take.
const scriptCacheBytes = 64 << 20

// build makes every part and opens the ports.
func build(ctx context.Context, cfg *config.Config, flags serveFlags, log *zap.Logger) (*program, error) {
	p := &program{log: log, flags: flags, saltKey: auth.NewSaltKey(), registry: session.NewRegistry(), counters: &session.Counters{}}
	p.use(cfg)
	p.pool = pool.New(cfg.Pool.MaxPool * cfg.Listen.NumInitChildren)
	var loans *pool.Loans
	if cfg.Pool.LendsForTransactions() {
		loans = pool.NewLoans(p.pool, p.lendingLimits)
	}
	granted, err := p.newAccess(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Auth.EnablePoolHBA && granted.hba == nil {
		log.Error("no frontend is let in, for lack of rules")
	}
	p.access.Store(granted)

	// Attaching a node waits until no transaction writes; detaching one cuts every
	// connection to it, so that nobody waits for its answers.
	barrier := replicator.NewBarrier()
	status := cluster.NewStatusFile(filepath.Join(cfg.Files.WorkDir, "pgpool_status"))
	p.cluster = cluster.NewManager(clusterConfig(cfg, flags), &cluster.PostgresProber{}, barrier, status, log, p.viewChanged)

	p.cluster.UseChecker(nodeChecker{p})

	p.monitor = streaming.New(p.streamingSettings, p.cluster, p.connectChecker, log)
	p.env = session.Env{
		Config:      p.cfg.Load,
		Policy:      p.policy.Load,
		Safety:      p.safety.Load,
		Bodies:      &safety.Bodies{},
		Notes:       &safety.Notes{},
		Auth:        func() *auth.Authenticator { return p.access.Load().authenticator },
		FrontendTLS: func() *tls.Config { return p.access.Load().frontendTLS },
		Address:     p.address,
		Cluster:     p.cluster,
		Pool:        p.pool,
		Loans:       loans,
		SharedTexts: session.NewSharedTexts(),
		Scripts:     parser.NewCache(scriptCacheBytes, 0),
		Gate:        replicator.NewGate(),
		Order:       replicator.NewOrder(session.AnySpoke),
		Barrier:     barrier,
		Window:      replicator.NewWindow(),
		Large:       capture.NewLarge(),
		Catalog:     catalog.New(cfg.RelationCache.RelcacheSize, cfg.RelationCache.RelcacheExpire, time.Now),
		Numbers:     oidmap.New(),
		Leases:      sequence.New(time.Now),
		Standbys:    standbys{p.monitor},
		Mutations:   lb.NewMutations(cfg.LoadBalance.TrackTableMutationTableSize, time.Now),
		Registry:    p.registry,
		Counters:    p.counters,
		Show:        shower{admin.NewTables(reporter{p}, version)},
		Log:         log,
	}
	if cfg.ClusteringMode.Replicates() {
		p.commits = p.newCommitLog(cfg, log)
		if cfg.Replication.ParallelDispatch {
			p.env.Tickets = replicator.NewTicketOffice()
		}
		p.env.Commits = p.commits
		p.cluster.UseAdmission(p.commits.Admit)
	}
	if err := p.buildCache(cfg); err != nil {
		return nil, err
	}
	p.env.Follower = p.newFollower(cfg)
	p.server = server.New(cfg.Listen, p.serveFrontend, log)
	p.env.Admit = p.server.Admit
	if err := p.server.Listen(ctx); err != nil {
		return nil, err
	}
	if p.control, err = listenControl(cfg, p.cluster, log); err != nil {
		return nil, err
	}
	p.control.forget = p.clearCache
	p.control.hold = holdCommits(p.env.Window, p.cluster.View)
	return p, nil
}

// use puts a configuration in force.
func (p *program) use(cfg *config.Config) {
	p.policy.Store(lb.PolicyOf(cfg))
	p.safety.Store(safety.PolicyOf(cfg))
	p.cfg.Store(cfg)
}

func (p *program) serveFrontend(ctx context.Context, nc net.Conn) error {
	return session.New(&p.env, nc).Run(ctx)
}

// viewChanged cuts the connections to the nodes that went out of service.
func (p *program) viewChanged(old, next *cluster.View) {
	before, _ := old.Main()
	if main, known := next.Main(); known && main != before {
		p.env.Mutations.StartCold()
	}
	for _, node := range next.Nodes {
		if old.Up(node.ID) && !next.Up(node.ID) {
			p.env.Numbers.Left(node.ID)
			p.pool.CutNode(node.ID)
		}
	}
	p.forgetAnswers() // of nodes that have left, whose connections are cut by now
}

// sweepInterval is how often idle connections are looked at.
const sweepInterval = 5 * time.Second

// run serves until the contexts end. The cluster outlives the sessions, which may
// have to fence a node to the very last.
func (p *program) run(accepting, sessions context.Context) error {
	ctx, stop := context.WithCancelCause(context.WithoutCancel(sessions))
	defer stop(errStopped)
	var group task.Group
	group.Add(task.Part{Name: "cluster", Init: p.cluster.Init, Run: p.cluster.Run})
	if p.cfg.Load().ClusteringMode.HasPrimary() {
		group.Add(task.Part{Name: "primary", Run: p.monitor.Run})
	}
	if p.commits != nil {
		group.Add(task.Part{Name: "commits", Init: p.commits.Init, Run: p.commits.Run})
		group.Add(task.Part{Name: "deadlocks", Run: p.newDetector(p.log).Run})
	}
	if p.env.Cache != nil {
		group.Add(task.Part{Name: "query cache", Run: p.env.Cache.Run})
	}
	if p.env.Follower != nil {
		group.Add(task.Part{Name: "query cache follower", Run: p.env.Follower.Run})
	}
	group.Add(task.Part{Name: "pool", Run: p.sweep})
	group.Add(task.Part{Name: "control", Run: p.control.run})
	if p.cfg.Load().ClusteringMode.Replicates() {
		group.Add(task.Part{Name: "comparison", Run: p.newSchedule(p.log).Run})
		group.Add(task.Part{Name: "node check", Run: p.newWatch().Run})
	}
	group.Add(task.Part{Name: "server", Run: func(context.Context) error { return p.server.Run(accepting, sessions) }})
	err := group.Run(ctx)
	p.pool.CloseIdle()
	return err
}

func (p *program) sweep(ctx context.Context) error {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			p.pool.Sweep(now, idleLifetime(p.cfg.Load().Pool))
			if delay, known := p.monitor.MaxDelay(); known {
				p.env.Mutations.ObserveDelay(p.policy.Load(), delay)
			}
		}
	}
}

// idleLifetime is how long connections are kept unused: child_life_time was a bound on
// the process that held them, connection_life_time is one on themselves.
func idleLifetime(cfg config.Pool) time.Duration {
	switch {
	case cfg.ConnectionLifeTime == 0:
		return cfg.ChildLifeTime
	case cfg.ChildLifeTime == 0:
		return cfg.ConnectionLifeTime
	}
	return min(cfg.ConnectionLifeTime, cfg.ChildLifeTime)
}

// address is where a node listens. A configuration is never reloaded with another
// address for a node, so it is always found.
func (p *program) address(id config.NodeID) backend.Address {
	node, _ := p.cfg.Load().Backend(id)
	return backend.Address{Host: hostOf(node), Port: node.Port, TLS: p.access.Load().backendTLS[id]}
}

// hostOf: an empty backend_hostname is the Unix socket in /tmp.
func hostOf(node config.Backend) string {
	if node.Hostname == "" {
		return "/tmp"
	}
	return node.Hostname
}

func clusterConfig(cfg *config.Config, flags serveFlags) cluster.Config {
	out := cluster.Config{
		HasPrimary:                cfg.ClusteringMode.HasPrimary(),
		FailoverOnBackendError:    cfg.Failover.FailoverOnBackendError,
		FailoverOnBackendShutdown: cfg.Failover.FailoverOnBackendShutdown,
		FailoverCommand:           cfg.Failover.FailoverCommand,
		FailbackCommand:           cfg.Failover.FailbackCommand,
		DiscardStatus:             flags.discardStatus,
	}
	if cfg.ClusteringMode == config.StreamingReplication {
		out.FollowPrimaryCommand = cfg.Failover.FollowPrimaryCommand
	}
	for _, node := range cfg.Backends {
		check := node.HealthCheck
		out.Nodes = append(out.Nodes, cluster.NodeConfig{
			ID: node.ID, Host: node.Hostname, Port: node.Port, DataDirectory: node.DataDirectory, Weight: node.Weight,
			DisallowToFailover: !node.Flag.AllowToFailover,
			AlwaysPrimary:      node.Flag.AlwaysPrimary,
			ApplicationName:    node.ApplicationName,
			ConnectTimeout:     check.ConnectTimeout,
			HealthCheck: cluster.HealthCheck{
				Period: check.Period, Timeout: check.Timeout, MaxRetries: check.MaxRetries, RetryDelay: check.RetryDelay,
				User: check.User, Database: check.Database,
			},
		})
	}
	return out
}

// reload reads the configuration again. With an error in it the old one stays.
func (p *program) reload(ctx context.Context) {
	next, changed, needRestart, err := config.Reload(p.cfg.Load(), p.flags.configFile)
	if err != nil {
		p.log.Error("configuration not reloaded, the running one stays", zap.Error(err))
		return
	}
	granted, err := p.newAccess(ctx, next)
	if err != nil {
		p.log.Error("configuration not reloaded, the running one stays", zap.Error(err))
		return
	}
	if next.Auth.EnablePoolHBA && granted.hba == nil {
		p.log.Error("configuration not reloaded, the running one stays: pool_hba.conf cannot be used")
		return
	}
	p.use(next)
	p.access.Store(granted)
	if err := p.cluster.Reload(ctx, clusterConfig(next, p.flags)); err != nil {
		p.log.Error("health checks not reloaded", zap.Error(err))
	}
	for _, c := range changed {
		p.log.Info("parameter changed", zap.String("parameter", c.Name), zap.String("old", c.Old), zap.String("new", c.New))
	}
	for _, name := range needRestart {
		p.log.Warn("parameter needs a restart to change", zap.String("parameter", name))
	}
	p.monitor.Recheck()
	p.env.Notes.Forget()
	p.log.Info(fmt.Sprintf("configuration reloaded: %d parameters changed", len(changed)))
}
