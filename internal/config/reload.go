package config

import (
	"fmt"
	"reflect"
)

// Change is one value that a reload changed.
type Change struct {
	Name     string // with its number when indexed
	Old, New string // as PGPOOL SHOW displays them; secrets masked
}

// Reload reads the file again for a running server. The new Config has the
// changed values that may change while running; the others keep their old value
// and are named in needRestart. As in Pgpool-II, a parameter that is no longer in
// the file keeps its value.
//
// A node may be added (it is the caller's business to begin it as down); to
// remove one or to change its address needs a restart. When anything in the file
// is wrong nothing of it is applied: err lists it all and the old Config stays.
func Reload(old *Config, path string) (cfg *Config, changed []Change, needRestart []string, err error) {
	src, err := readFile(path)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("read configuration: %w", err)
	}
	return reload(old, path, src, readFile)
}

func reload(old *Config, path string, src []byte, open func(string) ([]byte, error)) (*Config, []Change, []string, error) {
	p := newParser(open)
	p.file(path, src, 0)
	p.settleClusteringMode()
	if len(p.problems) > 0 {
		return nil, nil, nil, p.problems
	}
	needRestart := p.keepWhatIsFixed(old)
	needRestart = append(needRestart, p.missingNodes(old)...)
	for k, v := range old.values {
		if _, given := p.values[k]; !given {
			p.values[k] = v
		}
	}
	cfg := p.finish(path)
	if len(p.problems) > 0 {
		return nil, nil, nil, p.problems
	}
	return cfg, changes(old, cfg), needRestart, nil
}

// keepWhatIsFixed drops the settings that differ from old and need a restart,
// and returns their names.
func (p *parser) keepWhatIsFixed(old *Config) []string {
	var names []string
	for _, k := range sortedKeys(p.values) {
		if !fixed(old, k) {
			continue
		}
		if !same(old.lookup(k), p.values[k]) && k.name != replicationMode { // backend_clustering_mode speaks for it
			names = append(names, k.String())
		}
		delete(p.values, k)
		if v, ok := old.values[k]; ok {
			p.values[k] = v
		}
	}
	return names
}

// missingNodes names the nodes in use that the file no longer has.
func (p *parser) missingNodes(old *Config) []string {
	var names []string
	for _, b := range old.Backends {
		k := key{"backend_port", int(b.ID)}
		if _, given := p.values[k]; !given {
			names = append(names, k.String())
		}
	}
	return names
}

// fixed reports whether a running server keeps its value: the context says so,
// or it is the address of a node in use.
func fixed(old *Config, k key) bool {
	switch k.name {
	case "backend_hostname", "backend_port":
		return old.has(Nodes, k.index)
	}
	return byName[k.name].Context == AtStart
}

// same compares what was meant, not how it was written.
func same(a, b value) bool {
	pa, isPattern := a.typed.(Patterns)
	if pb, ok := b.typed.(Patterns); ok && isPattern {
		return reflect.DeepEqual(pa.texts, pb.texts)
	}
	if _, ok := a.typed.([]Redirect); ok {
		return a.text == b.text
	}
	return reflect.DeepEqual(a.typed, b.typed)
}

// changes lists what differs, in the order of the table.
func changes(old, cfg *Config) []Change {
	union := old.values.clone()
	for k, v := range cfg.values {
		union[k] = v
	}
	var list []Change
	for _, k := range sortedKeys(union) {
		before, after := old.lookup(k), cfg.lookup(k)
		if same(before, after) {
			continue
		}
		p := byName[k.name]
		list = append(list, Change{Name: k.String(), Old: p.showText(before, k.index), New: p.showText(after, k.index)})
	}
	return list
}
