package config

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Bounds on what is read. A file of Pgpool-II's own sample size is 50 kB.
const (
	maxFileSize     = 1 << 20
	maxFiles        = 64   // read by one Load, includes counted
	maxIncludeDepth = 10   // Pgpool-II's
	maxValue        = 8192 // bytes of one value
	maxProblems     = 100  // reading ends there
	maxWarnings     = 1000
)

// Load reads the configuration file at path and the files that it includes. The
// error lists everything that is wrong (Problems); a file that cannot be read is
// an error, too, where Pgpool-II would start with defaults.
func Load(path string) (*Config, []Warning, error) {
	src, err := readFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, src, readFile)
}

// Parse reads src as the configuration file called name; open reads the files
// that it includes, by a path relative to the working directory.
func Parse(name string, src []byte, open func(path string) ([]byte, error)) (*Config, []Warning, error) {
	p := newParser(open)
	p.file(name, src, 0)
	p.settleClusteringMode()
	cfg := p.finish(name)
	if len(p.problems) > 0 {
		return nil, p.warnings, p.problems
	}
	return cfg, p.warnings, nil
}

// readFile reads a file of at most maxFileSize bytes.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, err
	}
	return src, nil
}

// parser collects what files say. Not safe for concurrent use.
type parser struct {
	open     func(path string) ([]byte, error)
	values   valueSet
	old      map[string]value // the switches that become a clustering mode
	files    int
	problems Problems
	warnings []Warning
}

func newParser(open func(path string) ([]byte, error)) *parser {
	return &parser{open: open, values: valueSet{}, old: map[string]value{}}
}

// finish makes a Config of what was read and checks it as a whole.
func (p *parser) finish(name string) *Config {
	p.warnAboutRounding()
	cfg := build(name, p.values)
	p.warnAboutLostNodes(cfg)
	problems, warnings := validate(cfg)
	for _, problem := range problems {
		p.refuse(problem)
	}
	for _, w := range warnings {
		p.warn(w.File, w.Line, w.Name, w.Text)
	}
	cfg.warnings = p.warnings
	return cfg
}

// file reads one file.
func (p *parser) file(name string, src []byte, depth int) {
	p.files++
	if len(src) > maxFileSize {
		p.refuse(&Problem{File: name, Text: fmt.Sprintf("file is longer than %d bytes", maxFileSize)})
		return
	}
	s := newScanner(src)
	for {
		set, ok, err := s.next()
		if !ok || len(p.problems) >= maxProblems {
			return
		}
		switch {
		case err != nil:
			p.refuse(&Problem{File: name, Line: set.line, Name: set.name, Value: masked(set.name, set.text), Text: err.Error()})
		case set.name == "include":
			p.include(name, set, depth)
		default:
			p.set(name, set)
		}
	}
}

// include reads the file that set names; relative names start at the directory
// of the including file.
func (p *parser) include(from string, set setting, depth int) {
	problem := &Problem{File: from, Line: set.line, Name: "include", Value: set.text}
	path := relativeTo(filepath.Dir(from), set.text)
	switch {
	case depth >= maxIncludeDepth:
		problem.Text = fmt.Sprintf("files are included more than %d levels deep", maxIncludeDepth)
	case p.files >= maxFiles:
		problem.Text = fmt.Sprintf("more than %d files are included", maxFiles)
	case set.text == "":
		problem.Text = "expected the name of a file"
	default:
		src, err := p.open(path)
		if err == nil {
			p.file(path, src, depth+1)
			return
		}
		problem.Text = err.Error()
	}
	p.refuse(problem)
}

// set takes one setting.
func (p *parser) set(file string, set setting) {
	name, text := p.rename(file, set)
	if name == "" {
		return
	}
	param, k, err := resolve(name)
	if err != nil {
		p.refuse(&Problem{File: file, Line: set.line, Name: set.name, Text: err.Error()})
		return
	}
	v, err := convert(param, text)
	if err != nil {
		p.refuse(&Problem{File: file, Line: set.line, Name: set.name, Value: masked(set.name, set.text), Text: err.Error()})
		return
	}
	v.file, v.line = file, set.line
	if before, twice := p.values[k]; twice {
		p.warn(file, set.line, k.String(), "given twice; this replaces "+at(before))
	}
	p.values[k] = v
}

// resolve finds the parameter that name means and its index.
func resolve(name string) (*Param, key, error) {
	if p, ok := byName[name]; ok {
		if p.Index != NoIndex && !p.IndexFree {
			return nil, key{}, fmt.Errorf("parameter %q expects the index value: %s0", name, name)
		}
		return p, key{name, noIndex}, nil
	}
	base := strings.TrimRight(name, "0123456789")
	p, ok := byName[base]
	if !ok || p.Index == NoIndex {
		return nil, key{}, unknownName(name)
	}
	i, err := strconv.Atoi(name[len(base):])
	if err != nil || i >= p.Index.limit() {
		return nil, key{}, fmt.Errorf("%s index outside the valid range for parameter %q (0 .. %d)", name[len(base):], base, p.Index.limit()-1)
	}
	return p, key{base, i}, nil
}

func unknownName(name string) error {
	if near := nearest(name); near != "" {
		return fmt.Errorf("unknown parameter; did you mean %s?", near)
	}
	return errors.New("unknown parameter")
}

// masked is a value for a message.
func masked(name, text string) string {
	p, ok := byName[strings.TrimRight(name, "0123456789")]
	if ok && p.Secret {
		return mask
	}
	return text
}

func (p *parser) refuse(problem *Problem) {
	if len(p.problems) < maxProblems {
		p.problems = append(p.problems, problem)
	}
}

func (p *parser) warn(file string, line int, name, text string) {
	if len(p.warnings) < maxWarnings {
		p.warnings = append(p.warnings, Warning{file, line, name, text})
	}
}

// warnAboutRounding names the settings whose fraction was lost: "100ms" for a
// parameter in seconds is 0, which often means "off".
func (p *parser) warnAboutRounding() {
	for _, k := range sortedKeys(p.values) {
		if v := p.values[k]; v.rounded {
			param := byName[k.name]
			p.warn(v.file, v.line, k.String(), fmt.Sprintf("%q is rounded to %d%s", v.text, v.number, spaced(param.Unit)))
		}
	}
}

// warnAboutLostNodes names settings of nodes that do not exist.
func (p *parser) warnAboutLostNodes(cfg *Config) {
	for _, k := range sortedKeys(p.values) {
		if byName[k.name].Index != Nodes || k.index == noIndex {
			continue
		}
		if _, ok := cfg.Backend(NodeID(k.index)); !ok {
			v := p.values[k]
			p.warn(v.file, v.line, k.String(), fmt.Sprintf("node %d does not exist, since backend_port%d is not set", k.index, k.index))
		}
	}
}

func spaced(u Unit) string {
	if u == NoUnit {
		return ""
	}
	return " " + string(u)
}

// sortedKeys is the keys in the order of the table, then by index.
func sortedKeys(values valueSet) []key {
	keys := make([]key, 0, len(values))
	for i := range table {
		for index := noIndex; index < table[i].Index.limit(); index++ {
			k := key{table[i].Name, index}
			if _, ok := values[k]; ok {
				keys = append(keys, k)
			}
			if table[i].Index == NoIndex {
				break
			}
		}
	}
	return keys
}

// relativeTo completes a relative name; an empty one stays empty.
func relativeTo(dir, name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

func (values valueSet) clone() valueSet { return maps.Clone(values) }
