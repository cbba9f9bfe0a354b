package config

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// numberForm is the part of a text that is the number; the rest is the unit.
var numberForm = regexp.MustCompile(`^[+-]?(0[xX][0-9a-fA-F]+|[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?|\.[0-9]+([eE][+-]?[0-9]+)?)`)

// wholeForm is a number for strtol with base 0: decimal, 0x hexadecimal, 0 octal.
var wholeForm = regexp.MustCompile(`^[+-]?(0[xX][0-9a-fA-F]+|[0-9]+)$`)

// number is a parsed number in the parameter's own unit.
type number struct {
	value   int64
	rounded bool // the text said something that is no multiple of the unit
}

// parseNumber reads a whole number with an optional unit. Fractions are rounded
// to the nearest multiple of the parameter's unit, as in PostgreSQL.
func parseNumber(p *Param, text string) (number, error) {
	text = strings.Trim(text, blanks)
	digits := numberForm.FindString(text)
	if digits == "" {
		return number{}, invalid(p)
	}
	factor, err := unitFactor(p, strings.Trim(text[len(digits):], blanks))
	if err != nil {
		return number{}, err
	}
	n, err := factor.apply(p, digits)
	if err != nil {
		return number{}, err
	}
	if n.value < p.Min || n.value > p.Max {
		return number{}, outside(p, strconv.FormatInt(n.value, 10))
	}
	return n, nil
}

// ratio is a unit measured in another one; one of both numbers is 1.
type ratio struct{ times, per int64 }

// unitFactor is the written unit measured in the parameter's own.
func unitFactor(p *Param, unit string) (ratio, error) {
	if unit == "" {
		return ratio{1, 1}, nil
	}
	size, ok := p.Unit.sizeOf(unit)
	if !ok {
		return ratio{}, wrongUnit(p)
	}
	if own := p.Unit.size(); size < own {
		return ratio{1, own / size}, nil
	}
	return ratio{size / p.Unit.size(), 1}, nil
}

func (r ratio) apply(p *Param, digits string) (number, error) {
	if wholeForm.MatchString(digits) {
		n, err := strconv.ParseInt(digits, 0, 64)
		switch {
		case errors.Is(err, strconv.ErrRange):
			return number{}, outside(p, digits)
		case err != nil: // 089 is no octal number
			return number{}, invalid(p)
		}
		return r.applyWhole(p, digits, n)
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return number{}, outside(p, digits)
	}
	f = f * float64(r.times) / float64(r.per)
	near := math.RoundToEven(f)
	if math.Abs(near) >= math.MaxInt64 {
		return number{}, outside(p, digits)
	}
	return number{value: int64(near), rounded: near != f}, nil
}

func (r ratio) applyWhole(p *Param, digits string, n int64) (number, error) {
	if r.per > 1 {
		near := int64(math.RoundToEven(float64(n) / float64(r.per)))
		return number{value: near, rounded: n%r.per != 0}, nil
	}
	if n > math.MaxInt64/r.times || n < math.MinInt64/r.times {
		return number{}, outside(p, digits)
	}
	return number{value: n * r.times}, nil
}

// parseFloat reads a number without a unit.
func parseFloat(p *Param, text string) (float64, error) {
	text = strings.Trim(text, blanks)
	if numberForm.FindString(text) != text {
		return 0, invalid(p)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, invalid(p)
	}
	if f < float64(p.Min) || f > float64(p.Max) {
		return 0, outside(p, fmt.Sprintf("%g", f))
	}
	return f, nil
}
