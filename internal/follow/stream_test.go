package follow

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// streamOf is a stream that gets these bytes and the end.
func streamOf(t testing.TB, sent []byte) *stream {
	t.Helper()
	ours, theirs := net.Pipe()
	go func() {
		theirs.Write(sent) //nolint:errcheck // the reader may have seen enough
		theirs.Close()
	}()
	t.Cleanup(func() { ours.Close() })
	return &stream{conn: patient{ours}, in: bufio.NewReader(ours)}
}

// patient has no deadlines, which a pipe refuses when its other end is closed.
type patient struct{ net.Conn }

func (patient) SetReadDeadline(time.Time) error { return nil }

func frame(kind byte, body ...[]byte) []byte {
	all := bytes.Join(body, nil)
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(4+len(all))), all...)
}

func walLine(text string) []byte {
	return frame(copyData, []byte{walData}, make([]byte, walDataHeader-1), []byte(text))
}

func alive(position uint64, asks byte) []byte {
	return frame(copyData, []byte{keepalive}, binary.BigEndian.AppendUint64(nil, position), make([]byte, 8), []byte{asks})
}

// TestStreamPassesOverValues: of a long row its beginning is read.
func TestStreamPassesOverValues(t *testing.T) {
	long := "table public.t: INSERT: v[text]:'" + strings.Repeat("x", 1<<20) + "'"
	s := streamOf(t, bytes.Join([][]byte{
		frame('W', []byte{0, 0, 0}), walLine("BEGIN 7"), walLine(long), frame('N', []byte("a notice")), alive(99, 1), walLine("COMMIT 7"),
	}, nil))
	for _, want := range []string{"BEGIN 7", long[:maxLine-walDataHeader]} {
		if n, err := s.read(); err != nil || string(n.line) != want {
			t.Fatalf("line is %.40q, %v, want %.40q", n.line, err, want)
		}
	}
	if n, err := s.read(); err != nil || n.line != nil || n.position != 99 || !n.asks {
		t.Errorf("keepalive is %+v, %v", n, err)
	}
	if n, err := s.read(); err != nil || string(n.line) != "COMMIT 7" {
		t.Errorf("line is %q, %v", n.line, err)
	}
	if _, err := s.read(); err == nil {
		t.Error("the end is no error")
	}
}

func TestStreamsThatEnd(t *testing.T) {
	refused, err := (&pgproto3.ErrorResponse{Severity: "ERROR", Code: "55000", Message: "no"}).Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		sent []byte
		want string
	}{
		{"error", refused, "no (SQLSTATE 55000)"},
		{"done", frame(copyDone), "the node has ended the stream"},
		{"empty message", frame(copyData), "none of a replication stream"},
		{"another message", frame(copyData, []byte("x")), "none of a replication stream"},
		{"short keepalive", frame(copyData, []byte("k")), "none of a replication stream"},
		{"length below itself", []byte{'d', 0, 0, 0, 3}, "message 'd' of -1 bytes"},
		{"length above all", []byte{'d', 0xff, 0xff, 0xff, 0xff}, "of 4294967291 bytes"},
		{"cut off", frame(copyData, []byte("w"))[:5], "EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, err := streamOf(t, tt.sent).read()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("read %+v, %v, want %q", n, err, tt.want)
			}
		})
	}
}

func FuzzStream(f *testing.F) {
	f.Add(walLine("BEGIN 7"))
	f.Add(alive(1, 0))
	f.Add(frame(errorResponse, []byte("SERROR\x00\x00")))
	f.Fuzz(func(t *testing.T, sent []byte) {
		s := streamOf(t, sent)
		for range len(sent) + 1 {
			if _, err := s.read(); err != nil {
				return
			}
		}
		t.Error("a stream does not end")
	})
}
