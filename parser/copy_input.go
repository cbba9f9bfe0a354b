package parser

import (
	"slices"
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// CopyInput says how the data of a COPY FROM STDIN in text or CSV format is written; see COPY in
// the PostgreSQL manual. What is not given has its default.
type CopyInput struct {
	CSV    bool
	Header bool
	// Delimiter, Quote and Escape are one character each, unless the statement will fail.
	Delimiter, Quote, Escape string
	// Encoding is "" for that of the client.
	Encoding string
	// TimeMarks: the string that stands for NULL, or for a default, has a word of the time in it.
	TimeMarks bool
}

// copyInput is how the data of a COPY is written; nil in binary format.
func copyInput(options []*pg.Node) *CopyInput {
	in := &CopyInput{Delimiter: "\t", Quote: `"`}
	for _, option := range options {
		e := option.GetDefElem()
		value := optionText(e.GetArg())
		switch e.GetDefname() {
		case "format":
			if strings.EqualFold(value, "binary") {
				return nil
			}
			in.CSV = strings.EqualFold(value, "csv")
		case "header":
			in.Header = e.GetArg() == nil || !slices.Contains([]string{"false", "off", "0"}, strings.ToLower(value))
		case "null", "default":
			in.TimeMarks = in.TimeMarks || isMagic(value)
		case "encoding":
			in.Encoding = value
		}
	}
	in.characters(options)
	return in
}

// characters are those that part the data, whose defaults hang on the format.
func (in *CopyInput) characters(options []*pg.Node) {
	if in.CSV {
		in.Delimiter = ","
	}
	for _, option := range options {
		e := option.GetDefElem()
		switch value := optionText(e.GetArg()); e.GetDefname() {
		case "delimiter":
			in.Delimiter = value
		case "quote":
			in.Quote = value
		case "escape":
			in.Escape = value
		}
	}
	if in.Escape == "" {
		in.Escape = in.Quote
	}
}

// optionText is the value of an option as text.
func optionText(n *pg.Node) string {
	switch {
	case n.GetString_() != nil:
		return n.GetString_().Sval
	case n.GetBoolean() != nil:
		return strconv.FormatBool(n.GetBoolean().Boolval)
	case n.GetInteger() != nil:
		return strconv.Itoa(int(n.GetInteger().Ival))
	}
	return ""
}
