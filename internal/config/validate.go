package config

import (
	"fmt"
	"slices"
	"strings"
)

// mask stands for a secret.
const mask = "*****"

// validate checks what values have to agree with each other, and gives what is
// refused and what is odd.
func validate(c *Config) ([]*Problem, []Warning) {
	v := &validator{c: c}
	v.nodes()
	v.portless()
	v.itself()
	v.flags()
	v.listen()
	v.workers()
	v.recovery()
	v.watchdog()
	v.cache()
	v.authQuery()
	v.redirects()
	v.functionLists()
	v.writeRule()
	v.streamingCheck()
	v.lag()
	v.failback()
	return v.problems, v.warnings
}

type validator struct {
	c        *Config
	problems []*Problem
	warnings []Warning
}

// refuse blames the setting called name, where the files have it.
func (v *validator) refuse(name string, index int, format string, args ...any) {
	k := key{name, index}
	p := &Problem{File: v.c.Files.ConfigFile, Name: k.String(), Text: fmt.Sprintf(format, args...)}
	if set, ok := v.c.values[k]; ok {
		p.File, p.Line, p.Value = set.file, set.line, masked(name, set.text)
	}
	v.problems = append(v.problems, p)
}

// warn speaks of the setting called name, where the files have it.
func (v *validator) warn(name string, index int, format string, args ...any) {
	k := key{name, index}
	w := Warning{File: v.c.Files.ConfigFile, Name: k.String(), Text: fmt.Sprintf(format, args...)}
	if set, ok := v.c.values[k]; ok {
		w.File, w.Line = set.file, set.line
	}
	v.warnings = append(v.warnings, w)
}

func (v *validator) nodes() {
	if len(v.c.Backends) == 0 {
		v.problems = append(v.problems, &Problem{File: v.c.Files.ConfigFile,
			Text: "no backend is configured; give at least backend_hostname0 and backend_port0"})
	}
	type address struct {
		host string
		port int
	}
	seen := map[address]NodeID{}
	for _, b := range v.c.Backends {
		a := address{strings.ToLower(b.Hostname), b.Port}
		if dir, ok := b.SocketDir(); ok {
			a.host = dir
		}
		if first, twice := seen[a]; twice {
			v.refuse("backend_port", int(b.ID), "node %d is at the same host and port as node %d", b.ID, first)
			continue
		}
		seen[a] = b.ID
	}
}

// portless refuses nodes that have a host and no port: a node that was meant is
// not there.
func (v *validator) portless() {
	for _, k := range sortedKeys(v.c.values) {
		if k.name == "backend_hostname" && !v.c.has(Nodes, k.index) {
			v.refuse(k.name, k.index, "node %d has no port; set backend_port%d, or remove the node's lines", k.index, k.index)
		}
	}
}

// itself refuses a node that is the proxy.
func (v *validator) itself() {
	l := v.c.Listen
	for _, b := range v.c.Backends {
		places := l.ListenAddresses
		host := b.Hostname
		if dir, ok := b.SocketDir(); ok {
			places, host = l.UnixSocketDirectories, dir
		}
		if b.Port == l.Port && (slices.Contains(places, host) || local(host) && slices.ContainsFunc(places, local)) {
			v.refuse("backend_port", int(b.ID), "node %d is where frontends connect to: the proxy would talk to itself; change port or this", b.ID)
		}
	}
}

// local reports whether an address to listen at or to connect to means this
// machine, whatever it is called.
func local(host string) bool {
	return slices.Contains([]string{"localhost", "127.0.0.1", "::1", "*"}, strings.ToLower(host))
}

func (v *validator) listen() {
	l := v.c.Listen
	if len(l.ListenAddresses) == 0 && len(l.UnixSocketDirectories) == 0 {
		v.refuse("listen_addresses", noIndex, "both this and unix_socket_directories are empty, so no frontend could connect")
	}
	if l.ReservedConnections >= l.NumInitChildren {
		v.refuse("reserved_connections", noIndex, "must be less than num_init_children, which is %d", l.NumInitChildren)
	}
	for _, name := range []string{"listen_addresses", "unix_socket_directories", "pcp_listen_addresses", "pcp_socket_dir"} {
		for _, element := range splitList(v.c.lookup(key{name, noIndex}).text, ",") {
			if element == "" {
				v.refuse(name, noIndex, "an element of the list is empty")
				break
			}
		}
	}
	pcp := v.c.PCP
	if l.Port == pcp.Port && (overlap(l.ListenAddresses, pcp.ListenAddresses) || overlap(l.UnixSocketDirectories, pcp.SocketDir)) {
		v.refuse("pcp_port", noIndex, "is the same as port")
	}
}

// overlap reports whether two lists of places to listen at have one in common.
func overlap(a, b []string) bool {
	for _, x := range a {
		if x == "*" && len(b) > 0 || slices.Contains(b, x) || slices.Contains(b, "*") {
			return true
		}
	}
	return false
}

// workers checks what has a meaning in Pgpool-II only, so that a file which is
// accepted here is accepted there.
func (v *validator) workers() {
	p := v.c.Pool
	if p.ProcessManagementMode != "dynamic" {
		return
	}
	if p.MaxSpareChildren <= p.MinSpareChildren {
		v.refuse("max_spare_children", noIndex, "must be greater than min_spare_children, which is %d", p.MinSpareChildren)
	}
	if v.c.Listen.NumInitChildren < p.MaxSpareChildren {
		v.refuse("max_spare_children", noIndex, "must not be greater than num_init_children, which is %d", v.c.Listen.NumInitChildren)
	}
}

func (v *validator) recovery() {
	r := v.c.Recovery
	if r.Recovery1stStageCommand == "" && r.Recovery2ndStageCommand == "" {
		return
	}
	for _, b := range v.c.Backends {
		if b.DataDirectory == "" {
			v.refuse("backend_data_directory", int(b.ID), "must be set when a recovery command is")
		}
	}
}

func (v *validator) watchdog() {
	if w := v.c.Watchdog; w.UseWatchdog && len(w.Nodes) == 0 {
		v.refuse("use_watchdog", noIndex, "needs hostnameN, wd_portN and pgpool_portN of every proxy")
	}
}

func (v *validator) cache() {
	c := v.c.Cache
	switch {
	case !c.MemoryCacheEnabled:
		return
	case c.MemqcacheMethod == "memcached":
		if c.MemqcacheMemcachedHost == "" {
			v.refuse("memqcache_memcached_host", noIndex, "is empty, but memqcache_method is memcached; name its host, or a socket by its path")
		}
		return
	}
	if c.MemqcacheMaxcache > c.MemqcacheCacheBlockSize {
		v.refuse("memqcache_maxcache", noIndex, "must not be greater than memqcache_cache_block_size, which is %d", c.MemqcacheCacheBlockSize)
	}
	if c.MemqcacheTotalSize < c.MemqcacheCacheBlockSize {
		v.refuse("memqcache_total_size", noIndex, "must not be less than memqcache_cache_block_size, which is %d", c.MemqcacheCacheBlockSize)
	}
}

func (v *validator) authQuery() {
	a := v.c.Auth
	if a.AuthQuery == "" {
		return
	}
	if a.AuthQueryUser == "" {
		v.refuse("auth_query", noIndex, "needs auth_query_user, the role that runs it")
	}
	if !strings.Contains(a.AuthQuery, "$1") {
		v.refuse("auth_query", noIndex, "needs $1 where the user's name belongs")
	}
}
