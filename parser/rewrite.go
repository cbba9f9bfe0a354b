package parser

import (
	"strconv"
	"strings"
	"time"
)

// SpliceTime returns sql with each of calls replaced by the instant at, cut to
// microseconds, as an expression of the same type. The rest of the text stays as
// it is, byte for byte. Values that depend on the session's TimeZone, such as
// CURRENT_DATE, are left to the server to derive, which each node does alike.
// Names of output columns stay the same.
//
// calls are the TimeCalls of a Statement of a Script of this very text, or of
// several in the order of the text. Those that are not Spliceable are left.
func SpliceTime(sql string, calls []TimeCall, at time.Time) string {
	return splice(sql, calls, "'"+at.UTC().Format("2006-01-02 15:04:05.000000")+"+00'")
}

// ParamTime is SpliceTime for the extended query protocol: in place of the
// instant it puts the parameter $param, one for all calls, whose value is a
// timestamptz.
func ParamTime(sql string, calls []TimeCall, param int) string {
	return splice(sql, calls, "$"+strconv.Itoa(param))
}

func splice(sql string, calls []TimeCall, value string) string {
	var b strings.Builder
	b.Grow(len(sql) + 80*len(calls))
	done := 0
	for _, call := range calls {
		if !call.Spliceable() || call.Start < done || call.End > len(sql) || call.End < call.Start {
			continue
		}
		b.WriteString(sql[done:call.Start])
		writeTime(&b, call, value)
		done = call.End
		if call.Column != "" && done < len(sql) && isWord(sql[done]) {
			b.WriteByte(' ') // now()FROM is right, nowFROM is not
		}
	}
	b.WriteString(sql[done:])
	return b.String()
}

// writeTime writes a bracketed expression, which may stand wherever a call may
// except in FROM. A call that names a column is given that name: by AS behind it,
// or, where more of the expression follows, as the column of a sub-select, which
// lends its name as a function does.
func writeTime(b *strings.Builder, call TimeCall, value string) {
	if call.Nested {
		b.WriteString("(SELECT ")
	}
	writeInstant(b, call, value)
	if call.Column != "" {
		b.WriteString(" AS ")
		b.WriteString(call.Column)
	}
	if call.Nested {
		b.WriteByte(')')
	}
}

// writeInstant writes (value::timestamptz), or ((value::timestamptz)::date).
func writeInstant(b *strings.Builder, call TimeCall, value string) {
	name := castName(call.Kind)
	if name != "" {
		b.WriteByte('(')
	}
	b.WriteByte('(')
	b.WriteString(value)
	b.WriteString("::pg_catalog.timestamptz")
	if name != "" {
		b.WriteString(")::pg_catalog.")
		b.WriteString(name)
	}
	if call.Precision >= 0 {
		b.WriteByte('(')
		b.WriteString(strconv.Itoa(call.Precision))
		b.WriteByte(')')
	}
	b.WriteByte(')')
}

// castName is the type to derive from a timestamptz, or "".
func castName(k TimeKind) string {
	switch k {
	case TimeDate:
		return "date"
	case TimeOfDay:
		return "timetz"
	case TimeLocalTimestamp:
		return "timestamp"
	case TimeLocal:
		return "time"
	}
	return ""
}
