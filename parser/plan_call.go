package parser

// replaceCall returns what is put in place of a call; ok is false if it stays. behind are
// the sites behind it, those in its arguments among them.
func (p *planner) replaceCall(text string, s site, behind []site) (pieces []piece, ok bool) {
	c := s.call
	if c.function.Class == Sequence {
		return p.replaceSequence(c)
	}
	source, typ := sourceOf(c.function, c.args, p.opt)
	if source == FromMain && (p.asking || c.function.Class == UnknownFunction && p.alike(c.function)) {
		return nil, false // main computes it within the question, or each node alike
	}
	slot := Slot{Source: source, Type: typ, Everywhere: c.function.Class == UnknownFunction && source == FromMain && typ == ""}
	if slot.Everywhere && p.st.Kind == Explain && len(p.st.Targets) == 0 {
		return nil, false // what it returns is stored nowhere
	}
	if typ == "" && p.opt.Extended {
		slot.Type = p.assignedType(c.assigned)
	}
	if kind := p.obstacle(c, &slot); kind != 0 {
		p.reason(kind, c.function.String()+"()")
		return nil, false
	}
	if source == FromMain {
		slot.ask = p.question(text[s.start:s.end], moveSites(inside(s, behind), -s.start))
		if typ != slot.Type {
			slot.ask = append(slot.ask, piece{text: "::" + slot.Type, slot: noSlot})
		}
	}
	return []piece{{slot: p.slot(slot)}}, true
}

// assignedType is the type of the column that is given the value, or "".
func (p *planner) assignedType(a assignment) string {
	if !a.made || a.target >= len(p.st.Targets) {
		return ""
	}
	table, known := p.facts.Table(p.st.Targets[a.target].Relation)
	if !known || table == nil {
		return ""
	}
	for i := range table.Columns {
		if a.name != "" && table.Columns[i].Name == a.name || a.name == "" && i == a.place {
			return table.Columns[i].Type
		}
	}
	return ""
}

func moveSites(all []site, shift int) []site {
	moved := make([]site, len(all))
	for i, s := range all {
		s.start += shift
		s.end += shift
		moved[i] = s
	}
	return moved
}

// question is an expression for main, in which the time and what the proxy makes are
// replaced already.
func (p *planner) question(text string, inner []site) []piece {
	was := p.asking
	p.asking = true
	defer func() { p.asking = was }()
	return stitch(text, p.replace(text, inner))
}

// alike: the catalogue says that nodes agree on what the function returns.
func (p *planner) alike(f Function) bool {
	facts, known := p.facts.Function(f)
	return known && facts.Alike
}

// obstacle is why a call cannot be replaced, or 0.
func (p *planner) obstacle(c *valueCall, slot *Slot) ReasonKind {
	switch {
	case c.end == 0, c.special:
		return SpecialCall
	case c.function.Class == NodeLocal && c.args == 0 && isNonVolatileBuiltin(c.function.Name):
		// The same throughout the statement, wherever it stands.
	default:
		if kind := p.countable(c.times, c.target, slot.Everywhere); kind != 0 {
			return kind
		}
	}
	switch {
	case slot.Source != FromMain:
		return 0
	case c.refers&refersToColumn != 0:
		return NeedsRow
	case c.refers&refersToParameter != 0:
		return NeedsParameter
	case c.refers&refersToQuery != 0:
		return NeedsQuery
	case slot.Type == "" && p.opt.Extended:
		return TypeNotKnown
	}
	return 0
}

// countable is why one value will not do for all evaluations, or 0. effects: what is
// evaluated may do more than return a value.
func (p *planner) countable(times evaluation, target int, effects bool) ReasonKind {
	switch times {
	case once:
		return 0
	case atMostOnce:
		return when(effects, Conditional)
	case selected, selectedAtMost:
		if p.makesSets() {
			return EachRow
		}
		return when(effects && times == selectedAtMost, Conditional)
	case eachRow, eachRowAtMost:
		if !p.changesOneRow(target) {
			return EachRow
		}
		return when(effects && times == eachRowAtMost, Conditional)
	}
	return Uncounted
}

func when(condition bool, kind ReasonKind) ReasonKind {
	if condition {
		return kind
	}
	return 0
}

// makesSets: a SELECT list without FROM may have more rows than one.
func (p *planner) makesSets() bool {
	if p.places.makesSets {
		return true
	}
	for _, f := range p.st.UnknownFunctions {
		if facts, known := p.facts.Function(f); !known || facts.ReturnsSet {
			return true
		}
	}
	return false
}

// changesOneRow: the WHERE of an UPDATE has the whole of a unique key.
func (p *planner) changesOneRow(target int) bool {
	if target >= len(p.st.Targets) {
		return false
	}
	t := &p.st.Targets[target]
	table, known := p.facts.Table(t.Relation)
	if !known || table == nil || table.Children || table.View {
		return false
	}
	for _, key := range table.Keys {
		if len(key) > 0 && containsAll(t.Equal, key) {
			return true
		}
	}
	return false
}

func containsAll(set, names []string) bool {
	for _, name := range names {
		if !contains(set, name) {
			return false
		}
	}
	return true
}

func contains(set []string, name string) bool {
	for _, s := range set {
		if s == name {
			return true
		}
	}
	return false
}
