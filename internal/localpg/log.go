package localpg

import (
	"io"
	"os"
	"strings"
)

// maxLogTail bounds what LogTail reads of a log's end, in bytes.
const maxLogTail = 64 << 10

// LogTail returns the last lines of the server's log, at most so many, or what
// went wrong when it was read.
func (n *Node) LogTail(lines int) string {
	file, err := os.Open(n.LogFile)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	if size, err := file.Seek(0, io.SeekEnd); err == nil {
		_, err = file.Seek(max(0, size-maxLogTail), io.SeekStart)
		if err != nil {
			return err.Error()
		}
	}
	text, err := io.ReadAll(io.LimitReader(file, maxLogTail))
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
