package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Item is one row of SHOW POOL_STATUS, PGPOOL SHOW ALL and pcp_pool_status.
type Item struct {
	Name        string // at most 63 bytes
	Value       string // at most 511 bytes in Status
	Description string // at most 79 bytes
	Live        bool   // Value is empty: it is not configuration, whoever knows it fills it in
}

// groups are the names that PGPOOL SHOW knows for several parameters, with their
// parameters in Pgpool-II's order.
var groups = []struct {
	name   string
	index  Index
	params []string
}{
	{"backend", Nodes, []string{"backend_hostname", "backend_port", "backend_weight", "backend_data_directory", "backend_application_name", "backend_flag"}},
	{"watchdog", WatchdogNodes, []string{"hostname", "pgpool_port", "wd_port"}},
	{"heartbeat", Heartbeats, []string{"heartbeat_device", "heartbeat_hostname", "heartbeat_port"}},
	{"health_check", Nodes, []string{"health_check_period", "health_check_timeout", "health_check_user", "health_check_password",
		"health_check_database", "health_check_max_retries", "health_check_retry_delay", "connect_timeout"}},
}

// Show gives the value of one parameter, as PGPOOL SHOW name displays it, and its
// description. An indexed parameter is named with its number. ok is false for
// unknown names and for those that need ShowRows.
func (c *Config) Show(name string) (value, description string, ok bool) {
	p, k, err := resolve(currentName(name))
	if err != nil || p.IndexFree && k.index == noIndex {
		return "", "", false
	}
	if k.index != noIndex && !c.has(p.Index, k.index) {
		return "", p.Description, k.index < p.Index.limit()
	}
	return p.showText(c.lookup(k), k.index), p.Description, true
}

// currentName is today's name of a parameter.
func currentName(name string) string {
	if name, ok := newName(name); ok {
		return name
	}
	return name
}

// ShowRows gives the rows of PGPOOL SHOW for ALL (in any case), for a group
// (backend, watchdog, heartbeat, health_check) and for an indexed parameter named
// without a number. ok is false for every other name.
func (c *Config) ShowRows(name string) (rows []Item, ok bool) {
	if strings.EqualFold(name, "all") {
		return c.showAll(), true
	}
	for _, g := range groups {
		if g.name == name {
			return c.showIndexed(g.index, g.params), true
		}
	}
	if p, known := byName[name]; known && p.Index != NoIndex {
		return c.showIndexed(p.Index, []string{name}), true
	}
	return nil, false
}

// showIndexed gives the index-free values, then those of each entry.
func (c *Config) showIndexed(x Index, names []string) []Item {
	var rows []Item
	for _, name := range names {
		if byName[name].IndexFree {
			rows = append(rows, c.showItem(key{name, noIndex}))
		}
	}
	for _, i := range c.entries(x) {
		for _, name := range names {
			rows = append(rows, c.showItem(key{name, i}))
		}
	}
	return rows
}

func (c *Config) showItem(k key) Item {
	p := byName[k.name]
	return Item{Name: k.String(), Value: p.showText(c.lookup(k), k.index), Description: p.Description}
}

// showAll gives the groups, then the rest, longest name first, without the old
// spellings.
func (c *Config) showAll() []Item {
	var rows []Item
	for _, g := range groups {
		rows = append(rows, c.showIndexed(g.index, g.params)...)
	}
	var rest []string
	for i := range table {
		if p := &table[i]; p.Index == NoIndex && p.AliasOf == "" {
			rest = append(rest, p.Name)
		}
	}
	slices.SortStableFunc(rest, func(a, b string) int { return len(b) - len(a) })
	for _, name := range rest {
		rows = append(rows, c.showItem(key{name, noIndex}))
	}
	return rows
}

// SessionErrorKind says why PGPOOL SET or RESET was refused.
type SessionErrorKind int

// The reasons.
const (
	UnknownName SessionErrorKind = iota
	NotInSession
	BadValue
)

// SessionError is a refused PGPOOL SET or RESET, in Pgpool-II's words.
type SessionError struct {
	Kind    SessionErrorKind
	Name    string
	Message string
	Hint    string
}

func (e *SessionError) Error() string { return e.Message }

// WithSession returns a copy with one parameter changed for a session (PGPOOL
// SET name TO value). The error is a *SessionError.
func (c *Config) WithSession(name, text string) (*Config, error) {
	p, k, err := sessionParam(name)
	if err != nil {
		return nil, err
	}
	v, err := convert(p, text)
	if err != nil {
		return nil, badSessionValue(p, text, err)
	}
	return c.withSessionValue(p, k, v), nil
}

// WithDefault returns a copy in which a parameter has the file's value again
// (PGPOOL SET name TO DEFAULT, PGPOOL RESET name). The error is a *SessionError.
func (c *Config) WithDefault(name string) (*Config, error) {
	p, k, err := sessionParam(name)
	if err != nil {
		return nil, err
	}
	next := c.withSessionValue(p, k, value{})
	delete(next.session, k)
	p.store(next, noIndex, next.lookup(k))
	return next, nil
}

// withSessionValue copies c. Session parameters are plain fields of the parts,
// so the copy shares lists and nodes, which nobody changes.
func (c *Config) withSessionValue(p *Param, k key, v value) *Config {
	next := *c
	next.session = valueSet{}
	for k, v := range c.session {
		next.session[k] = v
	}
	next.session[k] = v
	p.store(&next, noIndex, v)
	return &next
}

func sessionParam(name string) (*Param, key, error) {
	if p, ok := byName[name]; ok && p.Index != NoIndex && !p.IndexFree {
		return nil, key{}, &SessionError{Kind: UnknownName, Name: name, Message: fmt.Sprintf("parameter %q expects the index value", name)}
	}
	p, k, err := resolve(currentName(name))
	if err != nil {
		return nil, key{}, &SessionError{Kind: UnknownName, Name: name, Message: fmt.Sprintf("unrecognized configuration parameter %q", name)}
	}
	if p.Context != InSession {
		return nil, key{}, &SessionError{Kind: NotInSession, Name: name,
			Message: fmt.Sprintf("invalid Context, value for parameter %q cannot be changed", name)}
	}
	return p, k, nil
}

func badSessionValue(p *Param, text string, err error) error {
	e := &SessionError{Kind: BadValue, Name: p.Name, Message: fmt.Sprintf("invalid value for parameter %q: %q", p.Name, text)}
	var fault *valueError
	if errors.As(err, &fault) {
		e.Hint = fault.hint
		if fault.kind == outOfRange {
			e.Message = fmt.Sprintf("%s is outside the valid range for parameter %q (%d .. %d)", fault.got, p.Name, p.Min, p.Max)
		}
	}
	return e
}
