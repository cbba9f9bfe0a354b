package cluster

import "syscall"

// mkfifo makes a pipe with a name: opening it for reading waits for a writer, which
// is how a test waits for a command.
func mkfifo(path string) error { return syscall.Mkfifo(path, 0o600) }
