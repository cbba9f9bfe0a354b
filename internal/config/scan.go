package config

import (
	"bytes"
	"fmt"
	"strings"
)

// setting is one "name = value" of a file.
type setting struct {
	name, text string
	line       int
}

// scanner takes a file apart. The file is a stream of tokens, not of lines: a
// setting is a name, perhaps =, and one value, and several may share a line.
//
// Values that Pgpool-II reads in a way that nobody means (an unquoted path is its
// first character) are errors here, with the advice to quote.
type scanner struct {
	src  []byte
	pos  int
	line int
}

func newScanner(src []byte) *scanner {
	return &scanner{src: bytes.TrimPrefix(src, []byte("\xef\xbb\xbf")), line: 1}
}

// next returns the next setting, or ok = false at the end. After an error the
// scanner goes on at the following line.
func (s *scanner) next() (set setting, ok bool, err error) {
	s.skipToName()
	if s.atEnd() {
		return setting{}, false, nil
	}
	set.line = s.line
	if set.name = s.name(); set.name == "" {
		return set, true, s.refuse("expected the name of a parameter, found %s", s.rest())
	}
	s.skipBlanks()
	if s.peek() == '=' {
		s.pos++
		s.skipBlanks()
	}
	set.text, err = s.value()
	return set, true, err
}

// value reads one value. What follows it must be separated from it.
func (s *scanner) value() (string, error) {
	if s.atLineEnd() {
		return "", s.refuse("expected a value")
	}
	if s.peek() == '\'' {
		return s.quoted()
	}
	from := s.pos
	for !s.atLineEnd() && !isBlank(s.peek()) && s.peek() != '\'' {
		s.pos++
	}
	text := string(s.src[from:s.pos])
	if len(text) > maxValue {
		return "", s.refuse("value is longer than %d bytes", maxValue)
	}
	if !plainValue(text) || s.peek() == '\'' {
		return text, s.refuse("the value needs single quotes")
	}
	return text, nil
}

// plainValue reports whether Pgpool-II reads an unquoted text as one token: a
// word, a number with a unit, or a single other character such as *.
func plainValue(text string) bool {
	switch {
	case isLetter(text[0]):
		return strings.Trim(text, wordBytes) == "" || isKey(text)
	case len(text) == 1:
		return text != "="
	}
	number := numberForm.FindString(text)
	if number == "" {
		return false
	}
	unit := text[len(number):]
	return unit == "" || len(unit) <= 3 && isKey(unit) && wholeForm.MatchString(number)
}

// wordBytes may stand in an unquoted word behind its first letter.
const wordBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:/"

// quoted reads '...' on one line. A quote behind a backslash does not end the
// value as long as another quote follows on the line. The text between the outer
// quotes is the value, backslashes included.
func (s *scanner) quoted() (string, error) {
	from, end := s.pos+1, -1
	for i := from; i < len(s.src) && s.src[i] != '\n'; i++ {
		if s.src[i] != '\'' {
			continue
		}
		end = i
		if s.src[i-1] != '\\' {
			break
		}
	}
	if end < 0 {
		return "", s.refuse("the value's closing quote is missing")
	}
	text := string(s.src[from:end])
	s.pos = end + 1
	switch {
	case len(text) > maxValue:
		return "", s.refuse("value is longer than %d bytes", maxValue)
	case s.peek() == '\'':
		return text, s.refuse(`a quote inside a value is written \', not ''`)
	}
	return text, nil
}

// name reads a parameter's name, or returns nothing.
func (s *scanner) name() string {
	from := s.pos
	if s.atEnd() || !isLetter(s.peek()) {
		return ""
	}
	for !s.atEnd() && (isLetter(s.peek()) || isDigit(s.peek())) {
		s.pos++
	}
	return string(s.src[from:s.pos])
}

// refuse makes an error and moves on to the next line.
func (s *scanner) refuse(format string, args ...any) error {
	for !s.atEnd() && s.src[s.pos] != '\n' {
		s.pos++
	}
	return fmt.Errorf(format, args...)
}

// rest shows the begin of what is left of the line.
func (s *scanner) rest() string {
	const most = 30
	line, _, _ := bytes.Cut(s.src[s.pos:], []byte("\n"))
	return fmt.Sprintf("%.*q", most, string(line))
}

func (s *scanner) skipToName() {
	for {
		s.skipBlanks()
		switch {
		case s.atEnd():
			return
		case s.peek() == '\n':
			s.line++
			s.pos++
		case s.peek() == '#':
			s.skipComment()
		default:
			return
		}
	}
}

func (s *scanner) skipComment() {
	for !s.atEnd() && s.peek() != '\n' {
		s.pos++
	}
}

func (s *scanner) skipBlanks() {
	for !s.atEnd() && isBlank(s.peek()) {
		s.pos++
	}
}

func (s *scanner) atEnd() bool { return s.pos >= len(s.src) }

func (s *scanner) atLineEnd() bool {
	return s.atEnd() || s.peek() == '\n' || s.peek() == '#'
}

// peek is the next byte, or a line's end where there is none.
func (s *scanner) peek() byte {
	if s.atEnd() {
		return '\n'
	}
	return s.src[s.pos]
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' || b == '\r' }

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func isLetter(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_' || b >= 0x80
}

func isKey(text string) bool {
	for i := range len(text) {
		if !isLetter(text[i]) && (i == 0 || !isDigit(text[i])) {
			return false
		}
	}
	return text != ""
}
