package cluster

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
)

func oldStatus(statuses ...uint32) string {
	content := make([]byte, oldStatusFile)
	for i, s := range statuses {
		binary.NativeEndian.PutUint32(content[i*4:], s)
	}
	return string(content)
}

func oldStatuses(statuses ...Status) []Status {
	return append(statuses, make([]Status, config.MaxNodes-len(statuses))...)
}

func TestStatusFileRead(t *testing.T) {
	tests := []struct {
		name    string
		content string
		want    []Status
		invalid int
	}{
		{"as we write it", "up\ndown\nunused\n", []Status{Up, Down, Unused}, 0},
		{"upper case and no last line end", "UP\nDown", []Status{Up, Down}, 0},
		{"the word is a prefix", "up and running\r\ndown\r\n", []Status{Up, Down}, 0},
		{"a line that says nothing", "up\n???\ndown\n", []Status{Up, Unused, Down}, 1},
		{"an empty line", "up\n\ndown\n", []Status{Up, Unused, Down}, 1},
		{"empty", "", nil, 0},
		{"binary, before Pgpool-II 3.4", oldStatus(2, 1, 3, 0), oldStatuses(Up, Up, Down, Unused), 0},
		{"the size of the binary form, but text", strings.Repeat("up\n", 170) + "up", repeatStatus(Up, config.MaxNodes), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "pgpool_status")
			writeFile(t, path, tt.content)
			got, invalid, err := NewStatusFile(path).Read()
			if err != nil || invalid != tt.invalid || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Read = %v, %d, %v, want %v, %d", got, invalid, err, tt.want, tt.invalid)
			}
		})
	}
}

func repeatStatus(s Status, n int) []Status {
	statuses := make([]Status, n)
	for i := range statuses {
		statuses[i] = s
	}
	return statuses
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestStatusFileThatIsNotThereHasNoEntries(t *testing.T) {
	got, invalid, err := NewStatusFile(filepath.Join(t.TempDir(), "pgpool_status")).Read()
	if got != nil || invalid != 0 || err != nil {
		t.Errorf("Read = %v, %d, %v", got, invalid, err)
	}
}

func TestStatusFileThatIsTooLongIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pgpool_status")
	writeFile(t, path, strings.Repeat("up\n", maxStatusFile))
	if _, _, err := NewStatusFile(path).Read(); err == nil {
		t.Error("Read accepted a file without bound")
	}
}

func TestStatusFileWrite(t *testing.T) {
	tests := []struct {
		name  string
		nodes []Node
		want  string
	}{
		{"a line for each node", []Node{{ID: 0, Status: Up}, {ID: 1, Status: Down}, {ID: 2, Status: Unused}}, "up\ndown\nunused\n"},
		{"waiting is up", []Node{{ID: 0, Status: Waiting}}, "up\n"},
		{"a quarantine ends with the program", []Node{{ID: 0, Status: Up}, {ID: 1, Status: Quarantine}}, "up\nup\n"},
		{"gaps are unused", []Node{{ID: 1, Status: Up}, {ID: 3, Status: Down}}, "unused\nup\nunused\ndown\n"},
		{"nothing is written when none is live", []Node{{ID: 0, Status: Down}}, "before"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			path := filepath.Join(folder, "pgpool_status")
			writeFile(t, path, "before")
			if err := NewStatusFile(path).Write(NewView(1, tt.nodes)); err != nil {
				t.Fatal(err)
			}
			if got := readFile(t, path); got != tt.want {
				t.Errorf("file %q, want %q", got, tt.want)
			}
			if entries, _ := os.ReadDir(folder); len(entries) != 1 {
				t.Errorf("%d files in the folder, want the one", len(entries))
			}
		})
	}
}

func TestStatusFileWriteLeavesNothingBehindWhenItCannotReplace(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "pgpool_status")
	if err := os.MkdirAll(filepath.Join(path, "a folder in its place"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := NewStatusFile(path).Write(NewView(1, []Node{{ID: 0, Status: Up}})); err == nil {
		t.Error("Write replaced a folder")
	}
	if entries, _ := os.ReadDir(folder); len(entries) != 1 {
		t.Errorf("%d entries in the folder, want one", len(entries))
	}
}

func TestStatusFileReadsWhatItWrites(t *testing.T) {
	f := NewStatusFile(filepath.Join(t.TempDir(), "pgpool_status"))
	if err := f.Write(NewView(1, []Node{{ID: 0, Status: Down}, {ID: 1, Status: Up}, {ID: 4, Status: Up}})); err != nil {
		t.Fatal(err)
	}
	got, _, err := f.Read()
	if want := []Status{Down, Up, Unused, Unused, Up}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Read = %v, %v, want %v", got, err, want)
	}
	if err := f.Discard(); err != nil {
		t.Error(err)
	}
	if err := f.Discard(); err != nil {
		t.Errorf("Discard of no file: %v", err)
	}
}

func FuzzStatusFile(f *testing.F) {
	f.Add([]byte("up\ndown\n"))
	f.Add([]byte(oldStatus(2, 3)))
	f.Fuzz(func(t *testing.T, content []byte) {
		if old, ok := parseOldStatus(content); ok && len(old) != config.MaxNodes {
			t.Errorf("%d statuses of a binary file", len(old))
		}
		statuses, invalid := parseStatus(string(content))
		if len(statuses) > config.MaxNodes || invalid > len(statuses) {
			t.Errorf("%d statuses, %d invalid", len(statuses), invalid)
		}
		for _, s := range statuses {
			if s != Up && s != Down && s != Unused {
				t.Errorf("status %v", s)
			}
		}
	})
}
