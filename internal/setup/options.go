package setup

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

// Options says what Run makes.
type Options struct {
	// Mode is pgpool_setup's letter for the clustering mode: s, r, i, l or n.
	Mode string
	// Nodes is how many PostgreSQL servers there are, 1 to localpg.MaxNodes.
	Nodes int
	// Dir is the folder for everything; it has to be empty or new.
	Dir string
	// Port is pgchorus's; PCP has the next one.
	Port int
	// NodePort is the first server's, the others follow; 0 means Port + 2.
	NodePort int
	// KeepRunning leaves everything running at the end.
	KeepRunning bool
	// Program is the program file of pgchorus.
	Program string
	// Objects is SQL that makes what pgchorus needs in each database, where it replicates.
	Objects string
	// Out is where the progress goes.
	Out io.Writer

	noSync bool // for tests, which need not outlive a power failure
}

// The modes by their letters.
const (
	streaming = "s"
	native    = "r"
	snapshot  = "i"
	logical   = "l"
	raw       = "n"
)

// modeName is the value of backend_clustering_mode.
func modeName(letter string) (string, bool) {
	name, ok := map[string]string{
		streaming: "streaming_replication",
		native:    "native_replication",
		snapshot:  "snapshot_isolation",
		logical:   "logical_replication",
		raw:       "raw",
	}[letter]
	return name, ok
}

// complete fills in what is derived and refuses what cannot work, before anything is
// made.
func (o Options) complete() (Options, error) {
	if _, ok := modeName(o.Mode); !ok {
		return o, fmt.Errorf("-m %q: expected s (streaming), r (native replication), i (snapshot isolation), l (logical) or n (raw)", o.Mode)
	}
	if o.Nodes < 1 || o.Nodes > localpg.MaxNodes {
		return o, fmt.Errorf("-n %d: expected 1 to %d", o.Nodes, localpg.MaxNodes)
	}
	if o.NodePort == 0 {
		o.NodePort = o.Port + 2
	}
	if err := o.checkPorts(); err != nil {
		return o, err
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return o, err
	}
	if err := o.checkDir(); err != nil {
		return o, err
	}
	return o, o.tryPorts()
}

// minPort is where ports begin that need no privilege; pgpool.conf allows none below.
const minPort = 1024

func (o Options) checkPorts() error {
	if o.Port < minPort || o.Port+1 > 65535 {
		return fmt.Errorf("-p %d: expected %d to 65534, since PCP has the port after it", o.Port, minPort)
	}
	if o.NodePort < minPort || o.NodePort+o.Nodes-1 > 65535 {
		return fmt.Errorf("--pg %d: the ports of %d servers would not lie between %d and 65535", o.NodePort, o.Nodes, minPort)
	}
	if o.NodePort <= o.Port+1 && o.Port < o.NodePort+o.Nodes {
		return fmt.Errorf("--pg %d: the servers' ports would meet those of pgchorus, %d and %d", o.NodePort, o.Port, o.Port+1)
	}
	return nil
}

// tryPorts makes sure that nobody has the ports.
func (o Options) tryPorts() error {
	for _, port := range o.ports() {
		listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return fmt.Errorf("port %d cannot be used: %w: choose others with -p and --pg", port, err)
		}
		listener.Close()
	}
	return nil
}

// ports are all that the cluster uses.
func (o Options) ports() []int {
	all := []int{o.Port, o.Port + 1}
	for id := range o.Nodes {
		all = append(all, o.NodePort+id)
	}
	return all
}

// maxDir leaves room for the name of a Unix socket in a folder below Dir: sun_path has
// 107 bytes on Linux.
const maxDir = 107 - len("/run/.s.pgchorus.65535")

// checkDir refuses a folder with something in it, and a name that would need quoting
// in pgpool.conf, in a shell and in failover_command at once.
func (o Options) checkDir() error {
	if len(o.Dir) > maxDir {
		return fmt.Errorf("folder %s: its name is longer than %d bytes, so that no Unix socket could be in it", o.Dir, maxDir)
	}
	for _, r := range o.Dir {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/._-+@~ ", r) {
			return fmt.Errorf("folder %q: the character %q in its name is not supported", o.Dir, r)
		}
	}
	entries, err := os.ReadDir(o.Dir)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("folder %s is not empty", o.Dir)
	}
	return nil
}

// owner is the operating-system user who asked for the cluster; the cluster has a
// superuser and a database of that name, so that psql needs neither -U nor -d.
func owner() (string, error) {
	self, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("find out who we are: %w", err)
	}
	return self.Username, nil
}
