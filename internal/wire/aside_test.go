package wire

import (
	"bytes"
	"io"
	"net"
	"testing"
)

func TestWhatIsFlushedAsideDoesNotCountAsSent(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	c := NewConn(near, Frontend)
	defer c.Close()
	got := make(chan string)
	go func() {
		b, _ := io.ReadAll(far)
		got <- string(b)
	}()
	write := func(text string) {
		if err := c.Append([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}

	write("before ")
	mark := c.Mark()
	write("notice ")
	if err := c.FlushAside(mark); err != nil {
		t.Fatal(err)
	}
	if c.SentAfter(mark) {
		t.Error("the notice counts as sent")
	}
	write("taken back ")
	c.Rewind(mark)
	write("again")
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if !c.SentAfter(mark) {
		t.Error("what was flushed does not count as sent")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if text, want := <-got, "before notice again"; text != want {
		t.Errorf("the peer got %q, want %q", text, want)
	}
}

func TestOnlyNotices(t *testing.T) {
	notice := AppendMessage(nil, KindNoticeResponse, []byte("SNOTICE\x00\x00"))
	tag := AppendMessage(nil, KindCommandComplete, []byte("DO\x00"))
	tests := []struct {
		name     string
		messages [][]byte
		want     bool
	}{
		{"none", nil, true},
		{"one", [][]byte{notice}, true},
		{"several", [][]byte{notice, notice, notice}, true},
		{"behind a part of an answer", [][]byte{tag, notice}, false},
		{"before one", [][]byte{notice, tag}, false},
		{"a part of a message", [][]byte{notice, notice[:3]}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := OnlyNotices(bytes.Join(tt.messages, nil)); got != tt.want {
				t.Errorf("OnlyNotices = %v, want %v", got, tt.want)
			}
		})
	}
}
