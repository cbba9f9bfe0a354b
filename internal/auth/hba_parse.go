package auth

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// LineError is one bad line of a file.
type LineError struct {
	File string
	Line int // from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

// Unwrap gives the reason.
func (e *LineError) Unwrap() error { return e.Err }

var errNoRules = errors.New("the file has no rule, everybody would be refused")

// ParseHBA reads pool_hba.conf. The name is for messages; open opens an @file, whose
// name is relative to the directory of pgpool.conf. One bad line makes the whole file
// bad, and so does a file without a rule; the error then joins a *LineError for each
// bad line.
func ParseHBA(r io.Reader, name string, open func(name string) (io.ReadCloser, error)) (*HBA, error) {
	p := &hbaParser{file: name, includes: includer{open: open}}
	if err := eachLine(r, p.line); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(p.bad) > 0 {
		return nil, errors.Join(p.bad...)
	}
	if len(p.rules) == 0 {
		return nil, fmt.Errorf("%s: %w", name, errNoRules)
	}
	return &HBA{Rules: p.rules, Resolver: net.DefaultResolver, Networks: interfaceNetworks, Warnings: p.warnings}, nil
}

type hbaParser struct {
	file     string
	includes includer
	rules    []Rule
	warnings []string
	bad      []error
}

func (p *hbaParser) line(number int, line string, err error) error {
	var fields [][]Token
	if err == nil {
		fields, err = splitFields(line)
	}
	if err == nil && len(fields) == 0 {
		return nil
	}
	var rule Rule
	if err == nil {
		rule, err = p.rule(fields)
	}
	if err != nil {
		p.bad = append(p.bad, &LineError{p.file, number, err})
		return nil
	}
	rule.Line = number
	p.rules = append(p.rules, rule)
	p.warn(rule)
	return nil
}

// warn notes words that are accepted for old files and never match.
func (p *hbaParser) warn(r Rule) {
	for _, t := range r.Databases {
		if t.isKeyword("samegroup") || t.isKeyword("samerole") {
			p.warnings = append(p.warnings, fmt.Sprintf("%s:%d: %s never matches", p.file, r.Line, t.Text))
		}
	}
	for _, t := range r.Users {
		if t.isGroup() {
			p.warnings = append(p.warnings, fmt.Sprintf("%s:%d: %s never matches, membership is not known", p.file, r.Line, t.Text))
		}
	}
}

// rule reads the fields of one line in their order.
func (p *hbaParser) rule(fields [][]Token) (Rule, error) {
	f := &fieldReader{fields: fields}
	var r Rule
	var err error
	if r.Kind, err = f.kind(); err != nil {
		return r, err
	}
	if r.Databases, err = p.list(f, "database specification"); err != nil {
		return r, err
	}
	if r.Users, err = p.list(f, "role specification"); err != nil {
		return r, err
	}
	if r.Kind != LocalConn {
		if r.Address, err = f.address(); err != nil {
			return r, err
		}
	}
	method, err := f.one("authentication method")
	if err != nil {
		return r, err
	}
	if r.Method, err = parseMethod(method.Text); err != nil {
		return r, err
	}
	return r, checkOptions(f.fields)
}

func (p *hbaParser) list(f *fieldReader, what string) ([]Token, error) {
	field, err := f.next(what)
	if err != nil {
		return nil, err
	}
	return p.includes.expand(field, 0)
}

// fieldReader takes the fields off the front.
type fieldReader struct {
	fields [][]Token
}

func (f *fieldReader) next(what string) ([]Token, error) {
	if len(f.fields) == 0 {
		return nil, fmt.Errorf("end-of-line before %s", what)
	}
	field := f.fields[0]
	f.fields = f.fields[1:]
	return field, nil
}

func (f *fieldReader) one(what string) (Token, error) {
	field, err := f.next(what)
	if err != nil {
		return Token{}, err
	}
	if len(field) > 1 {
		return Token{}, fmt.Errorf("multiple values specified for %s", what)
	}
	return field[0], nil
}

func (f *fieldReader) kind() (ConnKind, error) {
	t, err := f.one("connection type")
	if err != nil {
		return "", err
	}
	switch kind := ConnKind(t.Text); kind {
	case LocalConn, Host, HostSSL, HostNoSSL:
		return kind, nil
	}
	return "", fmt.Errorf("invalid connection type %q", t.Text)
}

func (f *fieldReader) address() (Address, error) {
	t, err := f.one("IP address specification")
	if err != nil {
		return Address{}, err
	}
	return parseAddress(t, func() (Token, error) { return f.one("netmask specification") })
}

func parseMethod(name string) (Method, error) {
	switch m := Method(name); m {
	case Trust, Reject, Password, MD5, SCRAM, Cert:
		return m, nil
	}
	switch name {
	case "pam", "ldap":
		return "", fmt.Errorf("authentication method %q is not supported; use scram-sha-256, or password and let the backends check it", name)
	}
	return "", fmt.Errorf("invalid authentication method %q", name)
}

// checkOptions refuses everything behind the method: only pam and ldap have options.
func checkOptions(fields [][]Token) error {
	for _, field := range fields {
		if len(field) == 0 {
			continue
		}
		name, _, ok := strings.Cut(field[0].Text, "=")
		if !ok {
			return fmt.Errorf("authentication option not in name=value format: %s", field[0].Text)
		}
		return fmt.Errorf("unrecognized authentication option name: %q", name)
	}
	return nil
}
