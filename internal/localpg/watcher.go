package localpg

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"syscall"
)

// watchScript waits for a line "done", which ends it, or for end of file, which
// means that we died without it. Then it asks every process in the folder to
// quit, wakes the stopped ones so that they can, and after five seconds kills
// what is left. SIGQUIT is PostgreSQL's immediate shutdown, so the postmaster
// also gives back its shared memory.
//
// It is a shell script because it has to run when our own program cannot: a
// helper that starts our binary again would need its help in every main and in
// every package's TestMain.
const watchScript = `
dir=$1
remove=$2
while read -r word; do
	[ "$word" = done ] && exit 0
done
family() {
	find /proc/[0-9]*/cwd -maxdepth 0 -printf '%h %l\n' 2>/dev/null |
	while read -r proc link; do
		case $link in
		"$dir" | "$dir"/*) echo "${proc#/proc/}" ;;
		esac
	done
}
signal=QUIT
round=0
while pids=$(family) && [ -n "$pids" ] && [ $round -lt 100 ]; do
	kill -$signal $pids
	kill -CONT $pids
	round=$((round + 1))
	[ $round -lt 50 ] || signal=KILL
	sleep 0.1
done
[ "$remove" != true ] || rm -rf -- "$dir"
`

// watcher is the process that cleans up after us.
type watcher struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser // only we hold this end; the kernel closes it when we die
}

// startWatcher starts a watcher for the processes in dir, which it removes at
// the end if so told. It runs as ourselves, so that it may do both.
func startWatcher(dir string, remove bool) (*watcher, error) {
	cmd := exec.Command("/bin/sh", "-c", watchScript, "pgchorus-watch", dir, strconv.FormatBool(remove))
	cmd.Dir = "/"
	// A session of its own: what ends our process group must not end the watcher.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the watcher of %s: %w", dir, err)
	}
	return &watcher{cmd: cmd, pipe: pipe}, nil
}

// dismiss sends the watcher home and waits until it has gone.
func (w *watcher) dismiss() error {
	_, err := io.WriteString(w.pipe, "done\n")
	return errors.Join(err, w.pipe.Close(), w.cmd.Wait())
}
