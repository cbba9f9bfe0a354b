package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Patterns is a list of regular expressions that are matched as a whole and
// without regard to case: write_function_list and relatives.
type Patterns struct {
	texts    []string
	compiled []*regexp.Regexp
}

// Empty reports whether the list has no pattern.
func (p Patterns) Empty() bool { return len(p.texts) == 0 }

// Texts returns the patterns as written.
func (p Patterns) Texts() []string { return slices.Clone(p.texts) }

// Match reports whether one of the patterns matches all of s.
func (p Patterns) Match(s string) bool {
	for _, re := range p.compiled {
		if re.MatchString(s) {
			return true
		}
	}
	return false
}

// Redirect is one element of user_redirect_preference_list and relatives: a
// frontend whose name matches goes to the node with the given probability.
type Redirect struct {
	Pattern *regexp.Regexp
	Target  RedirectTarget
	Node    NodeID  // for RedirectNode
	Weight  float64 // 0 to 1; otherwise normal balancing
}

// RedirectTarget says what kind of node a Redirect names.
type RedirectTarget int

// The targets.
const (
	RedirectPrimary RedirectTarget = iota
	RedirectStandby
	RedirectNode
)

// Relationship is one element of dml_adaptive_object_relationship_list: after
// Object was used in a transaction, Dependent is read on the primary.
type Relationship struct {
	Object    Object
	Dependent Object
}

// Object is the name of a relation or, written with (), of a function.
type Object struct {
	Name     string
	Function bool
}

// maxElements bounds lists whose elements are compiled or built into structures.
const maxElements = 1000

// parsePatternList reads a comma list of regular expressions.
func parsePatternList(text string) (any, error) {
	return compilePatterns(splitList(text, ","))
}

// parseRoutingPatterns reads primary_routing_query_pattern_list: separated by
// semicolons, of which those behind a backslash belong to the pattern; \' is '.
func parseRoutingPatterns(text string) (any, error) {
	var parts []string
	var part []byte
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
			if text[i] != '\'' {
				part = append(part, '\\')
			}
			part = append(part, text[i])
		case text[i] == ';':
			parts = append(parts, strings.Trim(string(part), blanks))
			part = part[:0]
		default:
			part = append(part, text[i])
		}
	}
	parts = append(parts, strings.Trim(string(part), blanks))
	return compilePatterns(parts)
}

func compilePatterns(texts []string) (any, error) {
	if len(texts) > maxElements {
		return nil, tooMany()
	}
	var list Patterns
	for _, text := range texts {
		if text == "" {
			continue
		}
		re, err := compilePattern(text)
		if err != nil {
			return nil, err
		}
		list.texts = append(list.texts, text)
		list.compiled = append(list.compiled, re)
	}
	return list, nil
}

// compilePattern anchors the pattern as a whole. Pgpool-II puts ^ and $ at the
// two ends of the text, so that a|b matches every name beginning with a; a list
// of functions that do not write must not be that generous.
func compilePattern(text string) (*regexp.Regexp, error) {
	re, err := regexp.Compile(`(?is)^(?:` + text + `)$`)
	if err != nil {
		return nil, badText("pattern %q is no regular expression", text)
	}
	return re, nil
}

// parseRedirects reads a comma list of pattern:node or pattern:node(weight).
func parseRedirects(text string) (any, error) {
	var list []Redirect
	parts := splitList(text, ",")
	if len(parts) > maxElements {
		return nil, tooMany()
	}
	for _, part := range parts {
		r, err := parseRedirect(part)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

func parseRedirect(text string) (Redirect, error) {
	colon := strings.LastIndexByte(text, ':')
	if colon < 0 {
		return Redirect{}, badText("%q is not pattern:node or pattern:node(weight)", text)
	}
	re, err := compilePattern(text[:colon])
	if err != nil {
		return Redirect{}, err
	}
	node, weight, err := splitWeight(text[colon+1:])
	if err != nil {
		return Redirect{}, err
	}
	r := Redirect{Pattern: re, Weight: weight}
	switch {
	case strings.EqualFold(node, "primary"):
		r.Target = RedirectPrimary
	case strings.EqualFold(node, "standby"):
		r.Target = RedirectStandby
	default:
		id, err := strconv.Atoi(node)
		if err != nil || id < 0 || id >= MaxNodes {
			return Redirect{}, badText("wrong redirect db node spec: %q; a node is primary, standby or 0 to %d", node, MaxNodes-1)
		}
		r.Target, r.Node = RedirectNode, NodeID(id)
	}
	return r, nil
}

// splitWeight takes node(weight) apart; the weight is 1 when left out.
func splitWeight(text string) (node string, weight float64, err error) {
	node, rest, found := strings.Cut(text, "(")
	if !found {
		return node, 1, nil
	}
	inner, closed := strings.CutSuffix(rest, ")")
	weight, err = strconv.ParseFloat(inner, 64)
	if !closed || err != nil || !(weight >= 0 && weight <= 1) {
		return "", 0, badText("weight %q is not (0) to (1)", "("+rest)
	}
	return node, weight, nil
}

// parseRelationships reads a comma list of object:dependent.
func parseRelationships(text string) (any, error) {
	var list []Relationship
	parts := splitList(text, ",")
	if len(parts) > maxElements {
		return nil, tooMany()
	}
	for _, part := range parts {
		left, right, found := strings.Cut(part, ":")
		if !found || left == "" || right == "" {
			return nil, badText("%q is not object:dependent", part)
		}
		list = append(list, Relationship{parseObject(left), parseObject(right)})
	}
	return list, nil
}

func parseObject(text string) Object {
	name, function := strings.CutSuffix(strings.Trim(text, blanks), "()")
	return Object{name, function}
}

// parseFlag reads backend_flagN: words separated by |.
func parseFlag(text string) (any, error) {
	var allow, disallow, primary bool
	for _, word := range strings.Split(text, "|") {
		switch word {
		case "":
		case "ALLOW_TO_FAILOVER":
			allow = true
		case "DISALLOW_TO_FAILOVER":
			disallow = true
		case "ALWAYS_PRIMARY", "ALWAYS_MASTER":
			primary = true
		default:
			return nil, badText("%q is no flag; flags are ALLOW_TO_FAILOVER, DISALLOW_TO_FAILOVER and ALWAYS_PRIMARY, separated by |", word)
		}
	}
	if allow && disallow {
		return nil, badText("ALLOW_TO_FAILOVER and DISALLOW_TO_FAILOVER exclude each other")
	}
	return Flag{AllowToFailover: !disallow, AlwaysPrimary: primary}, nil
}

// String is the flag as SHOW displays it.
func (f Flag) String() string {
	text := "ALLOW_TO_FAILOVER"
	if !f.AllowToFailover {
		text = "DISALLOW_TO_FAILOVER"
	}
	if f.AlwaysPrimary {
		text += "|ALWAYS_PRIMARY"
	}
	return text
}

// parseLogDestination reads a comma list of stderr and syslog.
func parseLogDestination(text string) (any, error) {
	words := splitList(text, ",")
	for _, word := range words {
		if word != "stderr" && word != "syslog" {
			return nil, badText("unknown destination :%s; destinations are stderr and syslog", word)
		}
	}
	return words, nil
}

// parseCheckTempTable turns the words of Pgpool-II before 4.1 into today's.
func parseCheckTempTable(text string) (any, error) {
	switch word := strings.ToLower(text); word {
	case "on":
		return "catalog", nil
	case "off":
		return "none", nil
	default:
		return word, nil
	}
}

func splitCommas(text string) (any, error) { return splitList(text, ","), nil }

func splitSemicolons(text string) (any, error) { return splitList(text, ";"), nil }

func tooMany() error { return badText("more than %d elements", maxElements) }

func badText(format string, args ...any) error {
	return &valueError{kind: notValid, text: fmt.Sprintf(format, args...)}
}
