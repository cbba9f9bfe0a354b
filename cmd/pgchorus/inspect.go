//go:build pprof

package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"runtime"
	"time"
)

const (
	// inspectAddress is the environment variable with the address on which profiles are
	// served (host:port; there is no authentication, so loopback).
	inspectAddress = "PGCHORUS_PPROF"
	// inspectLocks is set to have waiting for locks and channels recorded, which costs.
	inspectLocks = "PGCHORUS_PPROF_LOCKS"
	// inspectHeaderTimeout bounds how long a peer may take to say what it wants.
	inspectHeaderTimeout = 10 * time.Second
)

// inspect serves net/http/pprof for the life of the process, in a program that was built
// with -tags pprof and is told an address. It is how bench profiles the server.
func inspect() error {
	address := os.Getenv(inspectAddress)
	if address == "" {
		return nil
	}
	if os.Getenv(inspectLocks) != "" {
		runtime.SetBlockProfileRate(1)
		runtime.SetMutexProfileFraction(1)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("%s: %w", inspectAddress, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: inspectHeaderTimeout}
	go server.Serve(listener) //nolint:errcheck // ends with the process
	return nil
}
