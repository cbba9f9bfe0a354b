package cachepolicy

import "strings"

// Hint is what a comment in front of a statement asks for.
type Hint uint8

// The hints.
const (
	NoHint Hint = iota
	// Force keeps the answer although a function, a view or the kind of a table speaks
	// against it (/*FORCE QUERY CACHE*/).
	Force
	// Never neither gives an answer from memory nor keeps it (/*NO QUERY CACHE*/).
	Never
)

const (
	forceComment = "/*FORCE QUERY CACHE*/"
	neverComment = "/*NO QUERY CACHE*/"
)

// HintOf reads the hint at the very beginning of a text, in any case, as Pgpool-II does.
func HintOf(text string) Hint {
	switch {
	case !strings.HasPrefix(text, "/*"):
		return NoHint
	case hasPrefixFold(text, forceComment):
		return Force
	case hasPrefixFold(text, neverComment):
		return Never
	}
	return NoHint
}

func hasPrefixFold(text, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}
