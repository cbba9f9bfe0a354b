package auth

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds of pool_hba.conf (Pgpool-II) and of the files that it includes (ours).
const (
	maxHBALine     = 8191   // bytes
	maxHBAToken    = 255    // bytes
	maxHBADepth    = 10     // @file within @file
	maxHBATokens   = 10000  // of one field, @file included
	maxHBAIncluded = 100000 // tokens taken from @files by the whole file
	maxFileLines   = 1000000
)

// Token is one word. A quoted word is never a keyword, a group or a file name.
type Token struct {
	Text   string
	Quoted bool
}

func (t Token) isKeyword(word string) bool { return !t.Quoted && t.Text == word }

func (t Token) isGroup() bool { return !t.Quoted && strings.HasPrefix(t.Text, "+") }

func (t Token) isFile() bool { return !t.Quoted && len(t.Text) > 1 && t.Text[0] == '@' }

var errTokenTooLong = fmt.Errorf("a word is longer than %d bytes", maxHBAToken)

// splitFields cuts a line into fields, each a list of tokens separated by commas.
// Blanks may follow a comma. A # outside quotes begins a comment.
func splitFields(line string) ([][]Token, error) {
	var fields [][]Token
	for {
		field, rest, err := nextField(line)
		if err != nil {
			return nil, err
		}
		if len(field) == 0 {
			return fields, nil
		}
		fields, line = append(fields, field), rest
	}
}

func nextField(line string) (field []Token, rest string, err error) {
	for more := true; more; {
		var token Token
		var found bool
		token, found, more, line, err = nextToken(line)
		if err != nil {
			return nil, "", err
		}
		if !found {
			break
		}
		field = append(field, token)
	}
	return field, line, nil
}

// nextToken reads one word. more says that a comma ended it. The rules for quotes are
// PostgreSQL's: they may begin anywhere, "" inside is a quote, and only a quote at the
// beginning takes keyword meaning away.
func nextToken(line string) (t Token, found, more bool, rest string, err error) {
	line = strings.TrimLeft(line, " \t\r\n\v\f,")
	if line == "" || line[0] == '#' {
		return Token{}, false, false, "", nil
	}
	t.Quoted = line[0] == '"'
	var text strings.Builder
	end, more := scanToken(line, &text)
	if text.Len() > maxHBAToken {
		return Token{}, false, false, "", errTokenTooLong
	}
	t.Text = text.String()
	return t, true, more, line[end:], nil
}

func scanToken(line string, text *strings.Builder) (end int, comma bool) {
	inQuotes, wasQuote := false, false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case inQuotes && c != '"':
			text.WriteByte(c)
		case c == '"':
			inQuotes = !inQuotes
			if inQuotes && wasQuote {
				text.WriteByte('"')
			}
		case c == ',':
			return i + 1, true
		case c == '#' || strings.IndexByte(" \t\r\n\v\f", c) >= 0:
			return i, false
		default:
			text.WriteByte(c)
		}
		wasQuote = c == '"' && !inQuotes
	}
	return len(line), false
}

// includer replaces @file by the words in that file, also within it.
type includer struct {
	open  func(name string) (io.ReadCloser, error)
	taken int // tokens taken so far, against a file that includes itself many times
}

func (in *includer) expand(field []Token, depth int) ([]Token, error) {
	var all []Token
	for _, t := range field {
		if !t.isFile() {
			all = append(all, t)
			continue
		}
		words, err := in.read(t.Text[1:], depth+1)
		if err != nil {
			return nil, err
		}
		if all = append(all, words...); len(all) > maxHBATokens {
			return nil, fmt.Errorf("a list is longer than %d words", maxHBATokens)
		}
	}
	return all, nil
}

func (in *includer) read(name string, depth int) (words []Token, err error) {
	if depth > maxHBADepth {
		return nil, fmt.Errorf("@%s: files are nested deeper than %d", name, maxHBADepth)
	}
	if in.open == nil {
		return nil, fmt.Errorf("@%s: no files can be read here", name)
	}
	f, err := in.open(name)
	if err != nil {
		return nil, fmt.Errorf("@%s: %w", name, err)
	}
	defer func() { _ = f.Close() }()
	err = eachLine(f, func(_ int, line string, lineErr error) error {
		if lineErr != nil {
			return lineErr
		}
		fields, err := splitFields(line)
		for _, field := range fields {
			if in.taken += len(field); in.taken > maxHBAIncluded {
				return errors.New("too many words in included files")
			}
			more, err := in.expand(field, depth)
			if err != nil {
				return err
			}
			words = append(words, more...)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("@%s: %w", name, err)
	}
	return words, nil
}

// eachLine calls do for each line, with an error in place of a line that is too long.
// It stops at the first error that do returns.
func eachLine(r io.Reader, do func(number int, line string, lineErr error) error) error {
	buffered := bufio.NewReaderSize(r, maxHBALine+2)
	for number := 1; number <= maxFileLines; number++ {
		line, err := readLine(buffered)
		if err == io.EOF {
			return nil
		}
		if err != nil && !errors.Is(err, errLineTooLong) {
			return err
		}
		if err := do(number, line, err); err != nil {
			return err
		}
	}
	return fmt.Errorf("more than %d lines", maxFileLines)
}

var errLineTooLong = fmt.Errorf("the line is longer than %d bytes", maxHBALine)

// readLine returns a line without its end. Of one that is too long it reads to the end
// and keeps nothing.
func readLine(r *bufio.Reader) (string, error) {
	text, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = r.ReadSlice('\n')
		}
		if err == nil || err == io.EOF {
			err = errLineTooLong
		}
		return "", err
	}
	if err != nil && (err != io.EOF || len(text) == 0) {
		return "", err
	}
	line := strings.TrimRight(string(text), "\r\n")
	if len(line) > maxHBALine {
		return "", errLineTooLong
	}
	return line, nil
}
