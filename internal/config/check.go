package config

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Report writes what a configuration means, for `pgchorus check FILE`: nodes,
// mode and limits in a few lines, then what is dangerous, what is set without
// effect and why, and what reading the file warned about.
func Report(w io.Writer, cfg *Config, warnings []Warning) error {
	out := bufio.NewWriter(w)
	reportMeaning(out, cfg)
	reportList(out, "Dangerous:", dangers(cfg))
	reportList(out, "Set, but without effect:", WithoutEffect(cfg))
	reportList(out, "Warnings:", warningTexts(warnings))
	return out.Flush()
}

func reportMeaning(w io.Writer, c *Config) {
	fmt.Fprintf(w, "%s: clustering mode %s, %d %s\n", c.Files.ConfigFile, c.ClusteringMode, len(c.Backends), plural(len(c.Backends), "node"))
	for _, b := range c.Backends {
		_, address := b.Address()
		fmt.Fprintf(w, "  node %d: %s, %s, %s\n", b.ID, address, c.shareText(b.ID), b.checkText())
	}
	l := c.Listen
	fmt.Fprintf(w, "  frontends: %s\n", strings.Join(l.places(), ", "))
	fmt.Fprintf(w, "  limits: %d sessions", l.NumInitChildren)
	if l.ReservedConnections > 0 {
		fmt.Fprintf(w, " (%d of them reserved: refused, not queued)", l.ReservedConnections)
	}
	fmt.Fprintf(w, ", %d kept connections to each node\n", l.NumInitChildren*c.Pool.MaxPool)
	fmt.Fprintf(w, "  writes: %s\n", c.writesText())
	fmt.Fprintf(w, "  reads: %s\n", c.readsText())
}

func (c *Config) writesText() string {
	switch {
	case c.ClusteringMode.Replicates():
		return "run on all nodes"
	case !c.ClusteringMode.HasPrimary():
		return "sent to the main node"
	}
	for _, b := range c.Backends {
		if b.Flag.AlwaysPrimary {
			return fmt.Sprintf("sent to node %d (ALWAYS_PRIMARY)", b.ID)
		}
	}
	return "sent to the primary, which the nodes are asked for"
}

// firstNode is what the node is called that takes what is not balanced.
func (c *Config) firstNode() string {
	if c.ClusteringMode.HasPrimary() {
		return "primary"
	}
	return "main node"
}

func (c *Config) shareText(id NodeID) string {
	if c.ClusteringMode == Raw {
		return "no balanced reads"
	}
	return fmt.Sprintf("%.0f%% of balanced reads", c.share(id)*100)
}

func (b Backend) checkText() string {
	if b.HealthCheck.Period == 0 {
		return "no health check"
	}
	return fmt.Sprintf("checked every %s", b.HealthCheck.Period)
}

// places lists where frontends connect to.
func (l Listen) places() []string {
	var places []string
	for _, a := range l.ListenAddresses {
		places = append(places, fmt.Sprintf("%s port %d", a, l.Port))
	}
	for _, d := range l.UnixSocketDirectories {
		places = append(places, fmt.Sprintf("%s/.s.PGSQL.%d", d, l.Port))
	}
	return places
}

func (c *Config) readsText() string {
	switch {
	case c.ClusteringMode == Raw:
		return "sent to the main node"
	case c.ClusteringMode.Replicates() && c.Replication.ReplicateSelect:
		return "sent to all nodes (replicate_select)"
	case !c.LoadBalance.LoadBalanceMode:
		return "sent to the " + c.firstNode() + " (load_balance_mode is off)"
	case c.LoadBalance.StatementLevelLoadBalance:
		return "balanced, node chosen by statement"
	}
	return "balanced, node chosen by session"
}

// dangers lists settings that are allowed and that an operator may regret.
func dangers(c *Config) []string {
	list := clusterDangers(c)
	if !c.Auth.EnablePoolHBA {
		list = append(list, "enable_pool_hba = off: pool_hba.conf is not read; every host may try to log in, and only the nodes decide")
	} else {
		list = append(list, trustDangers(c.Auth.PoolHBAFile)...)
	}
	if c.Auth.AllowClearTextFrontendAuth && !c.SSL.Enabled {
		list = append(list, "allow_clear_text_frontend_auth = on with ssl = off: passwords cross the network readable")
	}
	if c.Auth.AuthenticationTimeout == 0 {
		list = append(list, "authentication_timeout = 0: who connects and stays silent occupies a session for ever")
	}
	if c.SSL.Enabled && (c.SSL.Cert == "" || c.SSL.Key == "") {
		list = append(list, "ssl = on without ssl_cert and ssl_key: frontends are not offered SSL")
	}
	return list
}

// trustDangers looks for the method trust in pool_hba.conf. It is a look, not a
// reading of the file by its rules: that is auth's business, and so is a file that
// is missing or wrong.
func trustDangers(path string) []string {
	src, err := readFile(path)
	if err != nil {
		return nil
	}
	var list []string
	for i, line := range strings.Split(string(src), "\n") {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) > 0 && strings.HasPrefix(fields[0], "host") && slices.Contains(fields, "trust") && len(list) < maxWarnings {
			list = append(list, fmt.Sprintf("%strust: whoever comes from there is let in as any user that the line names", place(path, i+1)))
		}
	}
	return list
}

func clusterDangers(c *Config) []string {
	var list []string
	if len(c.Backends) < 2 && c.ClusteringMode.Replicates() {
		list = append(list, "one node only: nothing is replicated, and its death is the end of service")
	}
	for _, b := range c.Backends {
		list = append(list, healthDangers(b)...)
		if !b.Flag.AllowToFailover {
			list = append(list, fmt.Sprintf("backend_flag%d = DISALLOW_TO_FAILOVER: node %d is never detached; while it is dead every write fails", b.ID, b.ID))
		}
	}
	if c.LoadBalance.LoadBalanceMode && c.ClusteringMode != Raw && c.totalWeight() == 0 {
		list = append(list, "every backend_weight is 0: all reads go to the "+c.firstNode())
	}
	if c.Replication.ReplicationSafety == SafetyCompat {
		list = append(list, "replication_safety = compat: what Pgpool-II lets diverge is found, not prevented")
	}
	return list
}

func healthDangers(b Backend) []string {
	h := b.HealthCheck
	switch {
	case h.Period == 0:
		return []string{fmt.Sprintf("health_check_period is 0 for node %d: a silent node is only noticed by its sockets", b.ID)}
	case h.User == "":
		return []string{fmt.Sprintf("health_check_user is empty for node %d: the server refuses the check's log-in", b.ID)}
	case h.Timeout == 0 || h.Timeout > time.Minute:
		return []string{fmt.Sprintf("health_check_timeout is %s for node %d: a dead host may hold writes that long", h.Timeout, b.ID)}
	}
	return nil
}

func (c *Config) totalWeight() (sum float64) {
	for _, b := range c.Backends {
		sum += b.Weight
	}
	return sum
}

// WithoutEffect lists what the file sets to something else than the default and
// that changes nothing, or nothing in this clustering mode, with the reason.
func WithoutEffect(c *Config) []string {
	var list []string
	if slices.Contains(c.Log.LogDestination, "syslog") {
		v := c.lookup(key{"log_destination", noIndex})
		list = append(list, place(v.file, v.line)+"log_destination = syslog: "+noSyslog)
	}
	for _, k := range sortedKeys(c.values) {
		p, v := byName[k.name], c.values[k]
		reason := p.withoutEffect(c.ClusteringMode)
		if reason == "" || p.Name == replicationMode || same(v, convertDefault(p)) {
			continue
		}
		list = append(list, fmt.Sprintf("%s%s = %s: %s", place(v.file, v.line), k, p.showText(v, k.index), reason))
	}
	return list
}

// withoutEffect says why p changes nothing in mode m; empty if it does.
func (p *Param) withoutEffect(m ClusteringMode) string {
	if p.NoEffect == "" && !p.Scope.Covers(m) {
		return fmt.Sprintf("has an effect in %s only", p.Scope)
	}
	return p.NoEffect
}

func warningTexts(warnings []Warning) []string {
	texts := make([]string, len(warnings))
	for i, w := range warnings {
		texts[i] = w.String()
	}
	return texts
}

func reportList(w io.Writer, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "%s\n", title)
	for _, line := range lines {
		fmt.Fprintf(w, "  %s\n", line)
	}
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
