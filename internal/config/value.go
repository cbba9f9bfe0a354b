package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
)

// blanks are trimmed around numbers and the elements of lists.
const blanks = " \t\r\n"

// value is one setting, read and converted.
type value struct {
	text    string // as written, without the outer quotes
	number  int64  // Int, Duration: in the parameter's unit; Bool: 0 or 1; Enum: position in Words
	typed   any    // what the field of Config is set to
	rounded bool   // the text said something that is no multiple of the unit
	file    string
	line    int
}

// key names one setting: a parameter and, for indexed ones, its number.
type key struct {
	name  string
	index int // noIndex for the index-free form
}

const noIndex = -1

func (k key) String() string {
	if k.index == noIndex {
		return k.name
	}
	return fmt.Sprintf("%s%d", k.name, k.index)
}

type valueSet map[key]value

// convert reads text as a value of p.
func convert(p *Param, text string) (value, error) {
	v := value{text: text}
	var err error
	switch p.Type {
	case Bool:
		v.number, err = parseBool(p, text)
		v.typed = v.number == 1
	case Int, Duration:
		var n number
		n, err = parseNumber(p, text)
		v.number, v.rounded, v.typed = n.value, n.rounded, typedNumber(p, n.value)
	case Float:
		v.typed, err = parseFloat(p, text)
	case Enum:
		v.number, err = parseEnum(p, text)
		if err == nil {
			v.typed = p.Words[v.number]
		}
	case String:
		v.typed = text
	case List:
		v.typed = splitList(text, p.Separator)
	}
	if err == nil && p.grammar != nil {
		v.typed, err = p.grammar(text)
	}
	return v, err
}

// convertDefault reads the default of p. A default may lie outside the range: 0
// for a port that is not set.
func convertDefault(p *Param) value {
	v, err := convert(p, p.Default)
	if err != nil && p.Default == "0" {
		v = value{text: "0", typed: typedNumber(p, 0)}
	}
	return v
}

// typedNumber turns a number in the parameter's unit into what the field holds:
// a time.Duration, bytes, or the number itself. What a Duration cannot hold (292
// years) becomes the longest one.
func typedNumber(p *Param, n int64) any {
	if p.Unit.isTime() {
		unit := p.Unit.size() * int64(time.Microsecond)
		if n > math.MaxInt64/unit {
			return time.Duration(math.MaxInt64)
		}
		return time.Duration(n * unit)
	}
	if p.Unit == Kilobyte {
		return n * p.Unit.size()
	}
	return n
}

// boolWords are the texts of a boolean, by their shortest unique prefix.
var boolWords = []struct {
	word  string
	least int
	value int64
}{{"true", 1, 1}, {"false", 1, 0}, {"yes", 1, 1}, {"no", 1, 0}, {"on", 2, 1}, {"off", 2, 0}}

// parseBool takes PostgreSQL's words for booleans. Pgpool-II takes any other word
// for on; we refuse it, since nobody means that.
func parseBool(p *Param, text string) (int64, error) {
	switch text {
	case "1":
		return 1, nil
	case "0":
		return 0, nil
	}
	lower := strings.ToLower(text)
	for _, b := range boolWords {
		if len(lower) >= b.least && strings.HasPrefix(b.word, lower) {
			return b.value, nil
		}
	}
	return 0, invalid(p)
}

func parseEnum(p *Param, text string) (int64, error) {
	i := slices.Index(p.Words, strings.ToLower(text))
	if i < 0 {
		i = slices.IndexFunc(p.Words, func(w string) bool { return strings.EqualFold(w, text) })
	}
	if i < 0 {
		return 0, invalid(p)
	}
	return int64(i), nil
}

// splitList splits at the separator and removes blanks around the elements. An
// empty text is an empty list.
func splitList(text, separator string) []string {
	if strings.Trim(text, blanks) == "" {
		return nil
	}
	parts := strings.Split(text, separator)
	for i := range parts {
		parts[i] = strings.Trim(parts[i], blanks)
	}
	return parts
}

// store sets the field of c that belongs to p.
func (p *Param) store(c *Config, index int, v value) {
	if p.at == nil {
		return
	}
	field := reflect.ValueOf(p.at(c, index)).Elem()
	if v.typed == nil {
		field.SetZero()
		return
	}
	field.Set(reflect.ValueOf(v.typed).Convert(field.Type()))
}
