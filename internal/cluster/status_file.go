package cluster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pgchorus/pgchorus/internal/config"
)

// StatusFile is pgpool_status: a word for each node, kept so that a restart does
// not readmit a node that was out of service. It is read once at start; while the
// program runs the View is the truth. Not safe for concurrent use.
type StatusFile struct {
	path string
}

// NewStatusFile names the file; it need not exist, its folder does.
func NewStatusFile(path string) *StatusFile { return &StatusFile{path: path} }

// Path returns the name of the file.
func (f *StatusFile) Path() string { return f.path }

const (
	// maxStatusFile is far above a word and a line end for each node.
	maxStatusFile = 16 << 10
	// oldStatusFile is the size of the file of Pgpool-II before 3.4: an array of
	// MAX_NUM_BACKENDS native integers of four bytes.
	oldStatusFile = config.MaxNodes * 4
)

// Read returns the status of the nodes 0, 1 and so on as written by us or by
// Pgpool-II, and how many lines could not be understood (those nodes are Unused).
// A file that does not exist has no entries.
func (f *StatusFile) Read() (statuses []Status, invalid int, err error) {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read status file: %w", err)
	}
	defer file.Close()

	content, err := io.ReadAll(io.LimitReader(file, maxStatusFile+1))
	if err != nil {
		return nil, 0, fmt.Errorf("read status file: %w", err)
	}
	if len(content) > maxStatusFile {
		return nil, 0, fmt.Errorf("read status file %s: longer than %d bytes", f.path, maxStatusFile)
	}
	if old, ok := parseOldStatus(content); ok {
		return old, 0, nil
	}
	statuses, invalid = parseStatus(string(content))
	return statuses, invalid, nil
}

func parseStatus(content string) (statuses []Status, invalid int) {
	for line := range strings.Lines(content) {
		if len(statuses) == config.MaxNodes {
			break
		}
		s, ok := parseStatusWord(strings.ToLower(line))
		if !ok {
			invalid++
		}
		statuses = append(statuses, s)
	}
	return statuses, invalid
}

// parseStatusWord looks at the start of the line only, as Pgpool-II does.
func parseStatusWord(line string) (Status, bool) {
	for _, s := range []Status{Up, Down, Unused} {
		if strings.HasPrefix(line, s.String()) {
			return s, true
		}
	}
	return Unused, false
}

// parseOldStatus reads the binary form, in which waiting (1) counts as up.
func parseOldStatus(content []byte) ([]Status, bool) {
	if len(content) != oldStatusFile {
		return nil, false
	}
	statuses := make([]Status, config.MaxNodes)
	for i := range statuses {
		n := binary.NativeEndian.Uint32(content[i*4:])
		if n > uint32(Down) {
			return nil, false
		}
		statuses[i] = Status(n)
		if statuses[i] == Waiting {
			statuses[i] = Up
		}
	}
	return statuses, true
}

// Write replaces the file as a whole: after a crash there is the old file or the
// new one. A view without a live node is not written, so that the file keeps
// saying which nodes were good last.
func (f *StatusFile) Write(v *View) error {
	if len(v.Live()) == 0 {
		return nil
	}
	if err := replaceFile(f.path, statusText(v)); err != nil {
		return fmt.Errorf("write status file: %w", err)
	}
	return nil
}

// statusText has a line for every number up to the highest ID in use.
func statusText(v *View) []byte {
	var text bytes.Buffer
	next := config.NodeID(0)
	for _, n := range v.Nodes {
		for ; next < n.ID; next++ {
			fmt.Fprintln(&text, Unused)
		}
		fmt.Fprintln(&text, savedWord(n.Status))
		next++
	}
	return text.Bytes()
}

// savedWord: a quarantined node stays up in the file, because the quarantine is
// this proxy's own doubt and ends with it.
func savedWord(s Status) Status {
	if s == Waiting || s == Quarantine {
		return Up
	}
	return s
}

// Discard removes the file (-D).
func (f *StatusFile) Discard() error {
	if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("discard status file: %w", err)
	}
	return nil
}

// replaceFile writes beside the file, to stable storage, and renames over it.
func replaceFile(path string, content []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	err = errors.Join(writeAndSync(temp, content), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return syncFolder(filepath.Dir(path))
}

func writeAndSync(file *os.File, content []byte) error {
	if _, err := file.Write(content); err != nil {
		return err
	}
	// Tools of other users read the file; it holds no secret.
	if err := file.Chmod(0o644); err != nil {
		return err
	}
	return file.Sync()
}

// syncFolder makes the rename itself survive a crash of the machine.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
