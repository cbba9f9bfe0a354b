package config

import (
	"fmt"
	"strings"
)

// valueError says why a text is no value of a parameter: in our words for files,
// and in Pgpool-II's for PGPOOL SET.
type valueError struct {
	kind valueFault
	text string // what would be accepted
	hint string // HINT of Pgpool-II
	got  string // the number that is out of range
}

type valueFault int

const (
	notValid valueFault = iota
	outOfRange
)

func (e *valueError) Error() string { return e.text }

// invalid says what p accepts.
func invalid(p *Param) error {
	switch p.Type {
	case Bool:
		return &valueError{text: "expected on or off"}
	case Enum:
		words := strings.Join(p.Words, ", ")
		return &valueError{text: "expected one of " + words, hint: "Available values: " + words + "."}
	case Int, Duration:
		if p.Unit != NoUnit {
			return wrongUnit(p)
		}
		return &valueError{text: "expected a whole number from " + p.limits(" to ")}
	}
	return &valueError{text: "expected a number from " + p.limits(" to ")}
}

// wrongUnit says which units p accepts.
func wrongUnit(p *Param) error {
	if p.Unit == NoUnit {
		return &valueError{text: "expected a number without a unit"}
	}
	return &valueError{
		text: fmt.Sprintf("expected a number in %s, or with one of the units %s", p.Unit, p.Unit.names()),
		hint: fmt.Sprintf("Valid units for this parameter are %s.", p.Unit.names()),
	}
}

func outside(p *Param, got string) error {
	text := fmt.Sprintf("outside the valid range %s", p.limits(" to "))
	if p.Octal {
		text += "; write it in octal, with a leading 0"
	}
	return &valueError{kind: outOfRange, text: text, got: got}
}

// limits is the range of p as text.
func (p *Param) limits(between string) string {
	format := "%d%s%d%s"
	if p.Octal {
		format = "%04o%s%04o%s"
	}
	unit := ""
	if p.Unit != NoUnit {
		unit = " " + string(p.Unit)
	}
	return fmt.Sprintf(format, p.Min, between, p.Max, unit)
}
