package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// The signals of Pgpool-II (3.13 of its interfaces).
const reloadSignal = syscall.SIGHUP

var stopSignals = map[string]syscall.Signal{
	"smart": syscall.SIGTERM, "s": syscall.SIGTERM,
	"fast": syscall.SIGINT, "f": syscall.SIGINT,
	"immediate": syscall.SIGQUIT, "i": syscall.SIGQUIT,
}

// stopPatience is how long `pgchorus stop` waits for the end.
const stopPatience = time.Minute

// writePIDFile notes our process number, and refuses if another server lives by the
// same file.
func writePIDFile(path string) error {
	if path == "" {
		return nil
	}
	if pid, err := readPIDFile(path); err == nil && syscall.Kill(pid, 0) == nil && pid != os.Getpid() {
		return fmt.Errorf("%s: another pgchorus runs with process number %d", path, pid)
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return fmt.Errorf("pid_file_name: %w", err)
	}
	return nil
}

func readPIDFile(path string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("%s does not hold a process number", path)
	}
	return pid, nil
}

// runningPID is the process number of the server with that configuration.
func runningPID(configFile string) (int, error) {
	cfg, _, err := config.Load(configFile)
	if err != nil {
		return 0, err
	}
	pid, err := readPIDFile(cfg.Files.PIDFileName)
	if errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("no pgchorus runs with %s: %w", configFile, err)
	}
	return pid, err
}

func signalRunning(configFile string, signal syscall.Signal) error {
	pid, err := runningPID(configFile)
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, signal); err != nil {
		return fmt.Errorf("signal process %d: %w", pid, err)
	}
	return nil
}

// stopRunning signals the server and waits until it has ended.
func stopRunning(configFile string, signal syscall.Signal) error {
	pid, err := runningPID(configFile)
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, signal); err != nil {
		return fmt.Errorf("signal process %d: %w", pid, err)
	}
	for end := time.Now().Add(stopPatience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if syscall.Kill(pid, 0) != nil {
			return nil
		}
	}
	return fmt.Errorf("process %d still runs after %v; its frontends have not left", pid, stopPatience)
}
