package config

import (
	"path/filepath"
	"slices"
)

// build makes a Config of what a file says: defaults first, then the settings
// for all nodes, then the nodes with their own.
func build(file string, values valueSet) *Config {
	c := &Config{values: values}
	c.setFiles(file)
	for i := range table {
		p := &table[i]
		if p.Index != NoIndex && !p.IndexFree {
			continue
		}
		v, ok := values[key{p.Name, noIndex}]
		if !ok {
			v = convertDefault(p)
		}
		c.storeValue(p, noIndex, v)
	}
	c.makeNodes(values)
	for _, k := range sortedKeys(values) {
		if k.index != noIndex && c.has(byName[k.name].Index, k.index) {
			c.storeValue(byName[k.name], k.index, values[k])
		}
	}
	c.Pool.ConnectTimeout = c.HealthCheckDefaults.ConnectTimeout
	return c
}

// setFiles notes where the configuration came from and what lies beside it.
func (c *Config) setFiles(file string) {
	c.Files.ConfigFile = file
	c.Files.ConfigDir = filepath.Dir(file)
	c.Auth.PoolHBAFile = relativeTo(c.Files.ConfigDir, "pool_hba.conf")
	c.PCP.ConfFile = relativeTo(c.Files.ConfigDir, "pcp.conf")
}

func (c *Config) storeValue(p *Param, index int, v value) {
	if p.File {
		v.typed = relativeTo(c.Files.ConfigDir, v.text)
	}
	p.store(c, index, v)
}

// makeNodes adds the nodes that the settings name, with defaults. A backend
// exists when its port is set; a proxy of the watchdog when anything of it is.
func (c *Config) makeNodes(values valueSet) {
	for _, k := range sortedKeys(values) {
		p := byName[k.name]
		if k.index == noIndex || c.has(p.Index, k.index) {
			continue
		}
		switch {
		case k.name == "backend_port":
			c.Backends = append(c.Backends, Backend{ID: NodeID(k.index), HealthCheck: c.HealthCheckDefaults})
			c.storeDefaults(Nodes, k.index)
		case p.Index == WatchdogNodes:
			c.Watchdog.Nodes = append(c.Watchdog.Nodes, WatchdogNode{ID: k.index})
			c.storeDefaults(WatchdogNodes, k.index)
		case p.Index == Heartbeats:
			c.Watchdog.Heartbeats = append(c.Watchdog.Heartbeats, Heartbeat{ID: k.index})
			c.storeDefaults(Heartbeats, k.index)
		}
	}
	slices.SortFunc(c.Backends, func(a, b Backend) int { return int(a.ID - b.ID) })
	slices.SortFunc(c.Watchdog.Nodes, func(a, b WatchdogNode) int { return a.ID - b.ID })
	slices.SortFunc(c.Watchdog.Heartbeats, func(a, b Heartbeat) int { return a.ID - b.ID })
}

func (c *Config) storeDefaults(x Index, index int) {
	for i := range table {
		if p := &table[i]; p.Index == x && !p.IndexFree {
			c.storeValue(p, index, convertDefault(p))
		}
	}
}

// has reports whether entry i of the index exists.
func (c *Config) has(x Index, i int) bool {
	return slices.Contains(c.entries(x), i)
}

// entries lists the numbers of an index that exist.
func (c *Config) entries(x Index) []int {
	var ids []int
	switch x {
	case Nodes:
		for _, b := range c.Backends {
			ids = append(ids, int(b.ID))
		}
	case WatchdogNodes:
		for _, n := range c.Watchdog.Nodes {
			ids = append(ids, n.ID)
		}
	case Heartbeats:
		for _, h := range c.Watchdog.Heartbeats {
			ids = append(ids, h.ID)
		}
	}
	return ids
}

// node is where backend_*N is kept. The entry exists (makeNodes).
func (c *Config) node(i int) *Backend {
	return &c.Backends[slices.IndexFunc(c.Backends, func(b Backend) bool { return int(b.ID) == i })]
}

// health is where health_check_*N is kept, or the index-free value.
func (c *Config) health(i int) *HealthCheck {
	if i == noIndex {
		return &c.HealthCheckDefaults
	}
	return &c.node(i).HealthCheck
}

// watchdogNode is where hostnameN and relatives are kept. The entry exists.
func (c *Config) watchdogNode(i int) *WatchdogNode {
	nodes := c.Watchdog.Nodes
	return &nodes[slices.IndexFunc(nodes, func(n WatchdogNode) bool { return n.ID == i })]
}

// heartbeat is where heartbeat_*N is kept. The entry exists.
func (c *Config) heartbeat(i int) *Heartbeat {
	beats := c.Watchdog.Heartbeats
	return &beats[slices.IndexFunc(beats, func(h Heartbeat) bool { return h.ID == i })]
}
