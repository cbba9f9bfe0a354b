package setup

import (
	"crypto/md5"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The scripts read what differs from cluster to cluster from etc/cluster.sh.
//
//go:embed files
var scripts embed.FS

// writeFiles writes the configuration, the scripts and the README.
func (w *work) writeFiles() error {
	for _, dir := range []string{"etc", "log", "run"} {
		if err := w.cluster.MakeDir(filepath.Join(w.cluster.Dir, dir)); err != nil {
			return err
		}
	}
	for _, file := range []struct {
		name, content string
		mode          os.FileMode
	}{
		{"etc/pgpool.conf", w.configuration(), 0o644},
		{"etc/pcp.conf", fmt.Sprintf("%s:%x\n", w.owner, md5.Sum([]byte(w.owner))), 0o600},
		{"etc/pool_passwd", w.passwords(), 0o600},
		{"etc/cluster.sh", w.variables(), 0o644},
		{"pcppass", fmt.Sprintf("localhost:%[1]d:%[2]s:%[2]s\n", w.opts.Port+1, w.owner), 0o600},
		{"bashrc.ports", fmt.Sprintf("export PGPOOL_PORT=%d\nexport PCP_PORT=%d\nexport PCPPASSFILE=%s\n",
			w.opts.Port, w.opts.Port+1, shellQuote(filepath.Join(w.cluster.Dir, "pcppass"))), 0o644},
		{"README", w.readme(), 0o644},
	} {
		if err := w.cluster.WriteFile(filepath.Join(w.cluster.Dir, file.name), []byte(file.content), file.mode); err != nil {
			return err
		}
	}
	return w.writeScripts()
}

// writeScripts writes the scripts that the mode has a use for.
func (w *work) writeScripts() error {
	names := []string{"startall", "shutdownall", "pgpool_reload"}
	switch w.opts.Mode {
	case streaming:
		names = append(names, "rejoin", "etc/failover.sh", "etc/follow_primary.sh")
	case logical:
		names = append(names, "everywhere")
	}
	for _, name := range names {
		text, err := fs.ReadFile(scripts, "files/"+strings.TrimSuffix(filepath.Base(name), ".sh")+".sh")
		if err != nil {
			return err
		}
		if err := w.cluster.WriteFile(filepath.Join(w.cluster.Dir, name), text, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// passwords are of pool_passwd. They are clear text because a proxy can log in with
// SCRAM by no other means.
func (w *work) passwords() string {
	text := superuser + ":TEXT" + superuser + "\n"
	if w.owner != superuser {
		text += w.owner + ":TEXT" + w.owner + "\n"
	}
	return text
}

// variables is etc/cluster.sh.
func (w *work) variables() string {
	var ids []string
	for _, node := range w.cluster.Nodes() {
		ids = append(ids, strconv.Itoa(node.ID))
	}
	return fmt.Sprintf(`# What the scripts have to know of this cluster. Written by pgchorus setup.
dir=%s
bin=%s
pgchorus=${PGCHORUS:-%s} # the variable is for another build
account=%s
superuser=%s
nodes="%s"
port=%d
node_port=%d # of node 0; the others follow
database=%s
publication=%s
`, shellQuote(w.cluster.Dir), shellQuote(w.cluster.BinDir), shellQuote(w.opts.Program), shellQuote(w.cluster.User), superuser,
		strings.Join(ids, " "), w.opts.Port, w.opts.NodePort, testDatabase, publication) + common
}

// common is what several scripts do.
const common = `
# The servers run as one user. Root becomes that user, others have to be it.
become_account() {
	[ "$(id -un)" != "$account" ] || return 0
	[ "$(id -u)" = 0 ] || { echo "run this as $account or root" >&2; exit 1; }
	script=$1
	shift
	exec runuser -u "$account" -- "$script" "$@"
}

sql_on() { # node database statement
	"$bin/psql" -X -q -At -v ON_ERROR_STOP=1 -h 127.0.0.1 -p $((node_port + $1)) -U "$superuser" -d "$2" -c "$3"
}

start_node() {
	"$bin/pg_ctl" -D "$dir/data$1" -l "$dir/node$1.log" -t 60 -w start >/dev/null ||
		{ echo "node $1 did not start; see $dir/node$1.log" >&2; return 1; }
}

stop_node() {
	if "$bin/pg_ctl" -D "$dir/data$1" status >/dev/null; then
		"$bin/pg_ctl" -D "$dir/data$1" -t 60 -m fast -w stop >/dev/null
	fi
}

proxy_runs() {
	[ -s "$dir/run/pgpool.pid" ] && kill -0 "$(cat "$dir/run/pgpool.pid")" 2>/dev/null
}
`

// shellQuote quotes a word for /bin/sh.
func shellQuote(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
