package parser

import (
	"strconv"
	"strings"
)

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
