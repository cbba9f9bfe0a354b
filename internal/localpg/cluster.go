package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// closeTimeout bounds Close; an immediate shutdown is PostgreSQL's own SIGKILL
// after 5 s (SIGKILL_CHILDREN_AFTER_SECS in postmaster.c) at the latest.
const closeTimeout = 15 * time.Second

// Cluster is a folder with PostgreSQL servers in it. Its methods are safe for
// concurrent use.
type Cluster struct {
	Dir      string
	BinDir   string
	User     string // the operating-system user that runs the servers
	CertFile string // the servers' certificate, also to verify it with; empty without SSL

	opts    Options
	account account
	remove  bool // Dir is ours to remove; fixed after Create

	mu      sync.Mutex // guards the fields below
	watcher *watcher   // nil when the nodes outlive us, and after Close
	nodes   []*Node
	ports   []*Port
}

// Create makes the folder and the data directories of all nodes. It starts none.
// When it fails, nothing of what it made is left.
func Create(ctx context.Context, opts Options) (*Cluster, error) {
	opts, err := opts.complete()
	if err != nil {
		return nil, err
	}
	who, err := serverAccount()
	if err != nil {
		return nil, err
	}
	c := &Cluster{BinDir: opts.BinDir, User: who.name, opts: opts, account: who}
	if err := c.create(ctx); err != nil {
		c.remove = c.Dir != "" // it was empty or not there
		return nil, errors.Join(err, c.discard())
	}
	return c, nil
}

func (c *Cluster) create(ctx context.Context) error {
	if err := c.makeFolder(); err != nil {
		return err
	}
	if !c.opts.Outlive {
		watcher, err := startWatcher(c.Dir, c.remove)
		if err != nil {
			return err
		}
		c.watcher = watcher // nobody else knows c yet
	}
	if c.opts.SSL {
		c.CertFile = filepath.Join(c.Dir, "server.crt")
		if err := c.writeCertificate(); err != nil {
			return fmt.Errorf("make a certificate: %w", err)
		}
	}
	return c.createNodes(ctx)
}

// createNodes copies one template to all nodes, or makes one for each.
func (c *Cluster) createNodes(ctx context.Context) error {
	if c.opts.OwnSystems {
		for range c.opts.Nodes {
			if _, err := c.Add(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	template, err := c.template(ctx)
	if err != nil {
		return err
	}
	for id := range c.opts.Nodes {
		if _, err := c.add(ctx, template, id); err != nil {
			return fmt.Errorf("node %d: %w", id, err)
		}
	}
	return c.dropTemplate(template)
}

// makeFolder makes the cluster's folder and sets c.Dir, without symbolic links,
// since the kernel reports working directories so.
func (c *Cluster) makeFolder() error {
	dir, err := c.opts.Dir, error(nil)
	if dir == "" {
		dir, err = os.MkdirTemp("", "pgchorus-")
		c.remove = true
	} else {
		err = makeEmptyDir(dir)
	}
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if c.Dir, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	if err := c.account.own(c.Dir); err != nil {
		return err
	}
	return c.account.reachable(c.Dir)
}

// makeEmptyDir refuses a folder with something in it: the folder is about to be
// given to the servers' user.
func makeEmptyDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("folder %s is not empty", dir)
	}
	return err
}

// Add makes one more node, empty like the others were, and does not start it.
func (c *Cluster) Add(ctx context.Context) (*Node, error) {
	template, err := c.template(ctx)
	if err != nil {
		return nil, err
	}
	id := len(c.Nodes())
	node, err := c.add(ctx, template, id)
	if err != nil {
		return nil, fmt.Errorf("node %d: %w", id, err)
	}
	return node, c.dropTemplate(template)
}

// add makes the data directory of node id as a copy of template.
func (c *Cluster) add(ctx context.Context, template string, id int) (*Node, error) {
	node, err := c.newNode(id)
	if err != nil {
		return nil, err
	}
	if err := c.copyTemplate(ctx, template, node.DataDir); err != nil {
		return nil, err
	}
	if err := c.account.writeFile(filepath.Join(node.DataDir, standbyFile), nil); err != nil {
		return nil, err
	}
	if err := c.configure(node); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes = append(c.nodes, node)
	return node, nil
}

// newNode says where node id is to be, and makes nothing of it but the port.
func (c *Cluster) newNode(id int) (*Node, error) {
	port, err := c.takePort(id)
	if err != nil {
		return nil, err
	}
	return &Node{
		ID:        id,
		Host:      "127.0.0.1",
		Port:      port,
		SocketDir: c.socketDir(),
		DataDir:   filepath.Join(c.Dir, "data"+strconv.Itoa(id)),
		LogFile:   filepath.Join(c.Dir, "node"+strconv.Itoa(id)+".log"),
		Superuser: c.opts.Superuser,
		Password:  c.opts.Password,
		cluster:   c,
	}, nil
}

// takePort is the port of node id: as configured, or a free one that is then ours.
func (c *Cluster) takePort(id int) (int, error) {
	if c.opts.Port != 0 {
		return c.opts.Port + id, nil
	}
	port, err := ReservePort()
	if err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ports = append(c.ports, port)
	return port.Number, nil
}

// maxSocketPath is the room in sockaddr_un.sun_path on Linux, without its final NUL.
const maxSocketPath = 107

// socketDir is the cluster's folder, or empty where a socket's path in it would
// be too long; such nodes have TCP only.
func (c *Cluster) socketDir() string {
	if len(c.Dir)+len("/.s.PGSQL.65535.lock") > maxSocketPath {
		return ""
	}
	return c.Dir
}

// Nodes returns the nodes in their order.
func (c *Cluster) Nodes() []*Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*Node(nil), c.nodes...)
}

// Start starts all nodes that do not run, at the same time, and waits until they
// accept connections.
func (c *Cluster) Start(ctx context.Context) error {
	return c.each(func(n *Node) error {
		if n.Running() {
			return nil
		}
		return n.Start(ctx)
	})
}

// Stop stops all nodes at the same time and waits for them.
func (c *Cluster) Stop(ctx context.Context, mode StopMode) error {
	return c.each(func(n *Node) error { return n.Stop(ctx, mode) })
}

// each calls do for all nodes at once and joins the errors.
func (c *Cluster) each(do func(*Node) error) error { return atOnce(c.Nodes(), do) }

func atOnce(nodes []*Node, do func(*Node) error) error {
	errs := make([]error, len(nodes))
	var all sync.WaitGroup
	for i, node := range nodes {
		all.Go(func() {
			if err := do(node); err != nil {
				errs[i] = fmt.Errorf("node %d: %w", node.ID, err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// Close stops the nodes and removes the folder if it was a temporary one. Nodes
// that outlive this process are left alone. A temporary cluster is stopped
// without a checkpoint, since nobody will read it again.
func (c *Cluster) Close() error {
	if c.opts.Outlive {
		return nil
	}
	// Cleaning up must not depend on the caller's context, which may have ended already.
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	mode := StopFast
	if c.remove {
		mode = StopImmediate
	}
	return errors.Join(c.Stop(ctx, mode), c.discard())
}

// discard gives back everything but running servers. A second call does nothing.
func (c *Cluster) discard() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	if c.remove {
		errs = append(errs, os.RemoveAll(c.Dir))
	}
	if c.watcher != nil {
		errs = append(errs, c.watcher.dismiss())
		c.watcher = nil
	}
	for _, port := range c.ports {
		errs = append(errs, port.Release())
	}
	c.ports = nil
	return errors.Join(errs...)
}

// Command is one of PostgreSQL's programs, such as pg_basebackup, to be run as
// the servers' user in the cluster's folder. The caller runs it.
func (c *Cluster) Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	return c.command(ctx, filepath.Join(c.BinDir, program), args...)
}

func (c *Cluster) command(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = c.Dir
	cmd.Env = environment()
	cmd.SysProcAttr = c.account.attributes()
	return cmd
}
