package parser

import (
	"strconv"
	"strings"
)

// A large object gets a number from each server that is asked to make it. For all nodes
// to give it the same, the call is changed so that it reads the number from a setting,
// which every node is given beforehand. So one text serves all executions.

// ObjectSetting is the setting with the number of the object that call i makes, from 1.
func ObjectSetting(i int) string { return "pgchorus.object" + strconv.Itoa(i) }

// MaxObjects bounds how many objects one statement has made in this way.
const MaxObjects = 100

// objectCall notes a call that has a large object made.
func (w *walker) objectCall(f Function) {
	if !createsObject(f.Schema, f.Name) {
		return
	}
	w.st.ObjectsCounted = (w.st.Objects == 0 || w.st.ObjectsCounted) && (w.at == once || w.at == selected)
	w.st.Objects++
}

func createsObject(schema, name string) bool {
	if schema != "" && schema != "pg_catalog" {
		return false
	}
	return name == "lo_creat" || name == "lo_create" || name == "lo_from_bytea"
}

// SpliceObjects changes the calls of sql that have a large object made, or returns false
// if there are none. lo_creat(mode) becomes lo_create(n) under its old name; in the
// others n takes the place of a 0 that is the first argument.
func SpliceObjects(sql string) (Filled, bool) {
	f := Filled{from: sql}
	var b strings.Builder
	done, calls := 0, 0
	for _, c := range objectCalls(sql) {
		calls++
		setting := "pg_catalog.current_setting('" + ObjectSetting(calls) + "')::pg_catalog.oid"
		put := func(start, end int, text string) {
			b.WriteString(sql[done:start])
			f.spans = append(f.spans, span{start: start, end: end, newStart: b.Len(), grew: len(text)})
			b.WriteString(text)
			done = end
		}
		if c.creat {
			put(c.start, c.end, "(SELECT pg_catalog.lo_create("+setting+") AS lo_creat)")
			continue
		}
		put(c.argument, c.argument, "coalesce(nullif((")
		put(c.argumentEnd, c.argumentEnd, ")::pg_catalog.oid, 0::pg_catalog.oid), "+setting+")")
	}
	b.WriteString(sql[done:])
	f.SQL = b.String()
	return f, calls > 0
}

// objectCallSite is a call by its bytes: the whole of it, and its first argument.
type objectCallSite struct {
	creat                 bool
	start, end            int
	argument, argumentEnd int
}

// objectCalls finds the calls, in order, in a text that was parsed. A call in the
// argument of another one is found with that one's end, and left alone.
func objectCalls(sql string) []objectCallSite {
	var calls []objectCallSite
	s := scanner{sql: sql}
	var before, beforeThat token
	for t := s.next(); t.kind != endToken; t = s.next() {
		start, schema := t.start, ""
		if before.kind == '.' {
			schema, start = wordOf(sql, beforeThat).text, beforeThat.start
		}
		if (t.kind == wordToken || t.kind == nameToken) && createsObject(schema, wordOf(sql, t).text) && s.peek().kind == '(' {
			c := objectCallSite{creat: wordOf(sql, t).text == "lo_creat", start: start}
			if s.objectArguments(&c) {
				calls = append(calls, c)
			}
		}
		beforeThat, before = before, t
	}
	return calls
}

// objectArguments reads the brackets of a call.
func (s *scanner) objectArguments(c *objectCallSite) bool {
	c.argument = s.next().end
	for depth := 1; depth > 0; {
		t := s.next()
		switch t.kind {
		case endToken:
			return false
		case '(', '[':
			depth++
		case ')', ']':
			depth--
		}
		if c.argumentEnd == 0 && (depth == 0 || depth == 1 && t.kind == ',') {
			c.argumentEnd = t.start
		}
		c.end = t.end
	}
	return true
}
