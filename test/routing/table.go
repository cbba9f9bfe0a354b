package routing

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Table is one file of the routing table.
type Table struct {
	File   string
	Modes  []string // of backend_clustering_mode, in which all of it holds
	Groups []Group
}

// Group is the scripts that are played on one configuration.
type Group struct {
	Line     int
	Name     string
	Settings []string // lines of pgpool.conf
	Scripts  []Script
}

// Protocol is a query protocol.
type Protocol string

// The two query protocols.
const (
	Simple   Protocol = "simple"
	Extended Protocol = "extended"
)

// Script is what one connection does.
type Script struct {
	Line       int
	Protocols  []Protocol // in each of which it is played
	Login      Login
	Statements []Statement
}

// Login is how a script connects; an empty field means what the player is told.
type Login struct {
	User, Database, Application string
}

// Statement is a line of a script.
type Statement struct {
	Line int
	Want Want
	SQL  string // with {} where its own token belongs, {s} for the script's
}

// Load reads a table. Its lines are:
//
//	mode MODE...           first of all
//	group NAME             begins a group; what stands before belongs to the first one
//	set PARAMETER = VALUE  of the group, before its statements
//	protocol P             simple, extended or both, for the scripts below in the group
//	login K=V...           user, database, application, for the scripts below in the group
//	NODES STATEMENT        a script (see Want for NODES)
//	  NODES STATEMENT      and how it goes on
//
// Lines that begin with # and empty ones are skipped, as is what follows two spaces
// and "# " behind a statement. A file without a mode is an error.
func Load(file string) (*Table, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := reader{table: &Table{File: file}}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		r.line++
		if err := r.read(lines.Text()); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, r.line, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(r.table.Modes) == 0 {
		return nil, fmt.Errorf("%s: no mode", file)
	}
	return r.table, nil
}

// reader is where in a file Load is.
type reader struct {
	table     *Table
	line      int
	protocols []Protocol
	login     Login
}

// read takes in one line.
func (r *reader) read(text string) error {
	text, _, _ = strings.Cut(text, "  # ")
	text = strings.TrimRight(text, " ")
	if text == "" || strings.HasPrefix(text, "#") {
		return nil
	}
	word, rest, _ := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	switch word {
	case "mode":
		r.table.Modes = strings.Fields(rest)
		return nil
	case "group":
		r.beginGroup(rest)
		return nil
	case "set":
		return r.set(rest)
	case "protocol":
		return r.setProtocol(rest)
	case "login":
		return r.setLogin(rest)
	}
	return r.statement(text)
}

func (r *reader) beginGroup(name string) {
	r.table.Groups = append(r.table.Groups, Group{Line: r.line, Name: name})
	r.protocols, r.login = []Protocol{Simple, Extended}, Login{}
}

// group is the one that the lines at hand belong to.
func (r *reader) group() *Group {
	if len(r.table.Groups) == 0 {
		r.beginGroup("defaults")
	}
	return &r.table.Groups[len(r.table.Groups)-1]
}

func (r *reader) set(setting string) error {
	g := r.group()
	if len(g.Scripts) > 0 {
		return errors.New("a setting behind statements of its group")
	}
	if !strings.Contains(setting, "=") {
		return fmt.Errorf("%q is no setting", setting)
	}
	g.Settings = append(g.Settings, setting)
	return nil
}

func (r *reader) setProtocol(name string) error {
	r.group()
	switch name {
	case string(Simple), string(Extended):
		r.protocols = []Protocol{Protocol(name)}
	case "both":
		r.protocols = []Protocol{Simple, Extended}
	default:
		return fmt.Errorf("%q is no protocol", name)
	}
	return nil
}

func (r *reader) setLogin(text string) error {
	r.group()
	r.login = Login{}
	for field := range strings.FieldsSeq(text) {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "user":
			r.login.User = value
		case "database":
			r.login.Database = value
		case "application":
			r.login.Application = value
		default:
			return fmt.Errorf("%q is nothing of a login", key)
		}
	}
	return nil
}

// statement begins a script, or goes on with the last one.
func (r *reader) statement(text string) error {
	nodes, sql, _ := strings.Cut(strings.TrimSpace(text), " ")
	want, err := parseWant(nodes)
	if err != nil {
		return err
	}
	g := r.group()
	if text[0] != ' ' {
		g.Scripts = append(g.Scripts, Script{Line: r.line, Protocols: r.protocols, Login: r.login})
	}
	if len(g.Scripts) == 0 {
		return errors.New("an indented line without a script")
	}
	last := &g.Scripts[len(g.Scripts)-1]
	last.Statements = append(last.Statements, Statement{Line: r.line, Want: want, SQL: strings.TrimSpace(sql)})
	return nil
}
