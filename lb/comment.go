package lb

import (
	"strings"
)

// The comments that are hints of ours, at the beginning of a text, in any case and with
// blanks around them.
const (
	hintNoLoadBalance = "NO LOAD BALANCE"
	hintReplication   = "REPLICATION"
)

// text looks at what the text itself asks for: a comment in front and the patterns of
// the configuration.
func (x *examiner) text(t *Traits, text string) {
	if comment, ok := leadingComment(text); ok {
		switch {
		case strings.EqualFold(comment, hintNoLoadBalance):
			t.stay(NoLoadBalanceHint, "")
		case x.policy.Mode.Replicates() && strings.EqualFold(comment, hintReplication):
			t.Everywhere = true
		case !x.policy.AllowSQLComments:
			t.stay(CommentInFront, "")
		}
	}
	if !x.policy.PrimaryPatterns.Empty() && x.matchesPattern(text) {
		t.stay(RoutingPattern, "")
	}
}

// matchesPattern compares the statement without its double quotes, and without the
// semicolon that psql leaves; with it too, since a pattern may ask for it.
func (x *examiner) matchesPattern(text string) bool {
	statement := strings.ReplaceAll(x.stmt.Text(text), `"`, "")
	if x.policy.PrimaryPatterns.Match(statement) {
		return true
	}
	whole := strings.ReplaceAll(text, `"`, "")
	return x.stmt.Length < 0 && whole != statement && x.policy.PrimaryPatterns.Match(whole)
}

// leadingComment returns what the comment says that text begins with, without blanks
// around it; ok is false if it begins with none. Of nested comments it is the text up
// to the first end, which is no hint.
func leadingComment(text string) (comment string, ok bool) {
	text = strings.TrimLeft(text, blanks)
	switch {
	case strings.HasPrefix(text, "--"):
		return "", true // no hint is written so
	case strings.HasPrefix(text, "/*"):
		inside, _, _ := strings.Cut(text[2:], "*/")
		return strings.Trim(inside, blanks), true
	}
	return "", false
}

// blanks are the blanks of PostgreSQL's lexer.
const blanks = " \t\n\r\f\v"
