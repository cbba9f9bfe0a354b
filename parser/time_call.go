package parser

import (
	"slices"
	"sort"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// TimeKind says which value a TimeCall asks for.
type TimeKind uint8

// The kinds, with the type of their value. TimeNow has now() and
// transaction_timestamp().
const (
	TimeNow            TimeKind = iota // timestamptz
	TimeStatement                      // timestamptz: statement_timestamp()
	TimeClock                          // timestamptz: clock_timestamp()
	TimeCurrent                        // timestamptz: CURRENT_TIMESTAMP
	TimeDate                           // date: CURRENT_DATE
	TimeOfDay                          // timetz: CURRENT_TIME
	TimeLocalTimestamp                 // timestamp: LOCALTIMESTAMP
	TimeLocal                          // time: LOCALTIME
	TimeString                         // 'now', 'today' and so on, cast to a date or time type
)

// timeNames is indexed by TimeKind.
var timeNames = [...]string{
	"now", "statement_timestamp", "clock_timestamp", "current_timestamp", "current_date", "current_time",
	"localtimestamp", "localtime", "string",
}

func (k TimeKind) String() string {
	if int(k) < len(timeNames) {
		return timeNames[k]
	}
	return "invalid"
}

// TimeCall is a place in a text where the current time is asked for.
type TimeCall struct {
	Kind       TimeKind
	Start, End int // bytes within the whole string
	// Precision is the n of CURRENT_TIMESTAMP(n), or -1.
	Precision int
	// Column is the name that the call gives to an output column, "" for none.
	Column string
	// Nested: the column's expression has more than the call (a cast, brackets),
	// so that AS cannot follow the call.
	Nested bool
	// FromItem: the call is a table function in FROM, where no expression can
	// stand for it.
	FromItem bool
	// Constant: it is the string 'now' or 'today', behind which its type stands.
	Constant bool
}

// Spliceable reports whether a value can stand in place of the call. The
// others stay as they are; each node computes its own value for them.
func (c TimeCall) Spliceable() bool {
	return c.Kind != TimeString && !c.FromItem
}

// timeFunction recognises the functions that give the current time.
func timeFunction(f Function) (TimeKind, bool) {
	if f.Schema != "" && f.Schema != "pg_catalog" {
		return 0, false
	}
	switch f.Name {
	case "now", "transaction_timestamp":
		return TimeNow, true
	case "statement_timestamp":
		return TimeStatement, true
	case "clock_timestamp":
		return TimeClock, true
	}
	return 0, false
}

// timeOperator recognises the SQL standard's words.
func timeOperator(op pg.SQLValueFunctionOp) (TimeKind, bool) {
	switch op {
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP, pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP_N:
		return TimeCurrent, true
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_DATE:
		return TimeDate, true
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME, pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME_N:
		return TimeOfDay, true
	case pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP, pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP_N:
		return TimeLocalTimestamp, true
	case pg.SQLValueFunctionOp_SVFOP_LOCALTIME, pg.SQLValueFunctionOp_SVFOP_LOCALTIME_N:
		return TimeLocal, true
	}
	return 0, false
}

// timeSite is a time call whose end is not known yet: the tree has beginnings
// only.
type timeSite struct {
	kind      TimeKind
	start     int
	precision int
	fromItem  bool
	constant  bool
}

func (w *walker) valueFunction(n *pg.SQLValueFunction) {
	if kind, ok := timeOperator(n.Op); ok {
		w.sites = append(w.sites, timeSite{kind: kind, start: int(n.Location), precision: int(n.Typmod), fromItem: w.inFrom[n]})
	}
}

// timeTypes are the types that read 'now' and its like.
var timeTypes = map[string]bool{"date": true, "time": true, "timetz": true, "timestamp": true, "timestamptz": true}

// readsTime: the type of that name is one of them, or the SQL standard's domain over one.
func readsTime(names []*pg.Node) bool {
	last := names[len(names)-1].GetString_().GetSval()
	return timeTypes[last] || last == "time_stamp" && len(names) > 1 && names[len(names)-2].GetString_().GetSval() == "information_schema"
}

// timeCast looks for a magic word that is cast to a date or time type, through
// other casts if need be.
func (w *walker) timeCast(n *pg.TypeCast) {
	names := n.TypeName.GetNames()
	if len(names) == 0 || len(n.TypeName.ArrayBounds) > 0 || !readsTime(names) {
		return
	}
	w.timeConstant(n.Arg, constantKind(n))
}

// constantKind is what a string that is cast by n asks for, if it is one magic word and an
// expression of type timestamptz or date can stand for it: not so in TYPE 'now', which has
// no place of its own.
func constantKind(n *pg.TypeCast) TimeKind {
	if n.Location < 0 {
		return TimeString
	}
	names := n.TypeName.GetNames()
	typ := names[len(names)-1].GetString_().GetSval()
	switch word := strings.Trim(n.Arg.GetAConst().GetSval().GetSval(), " \t\n\r\f\v"); {
	case strings.EqualFold(word, "now"):
		return TimeNow
	case strings.EqualFold(word, "today") && (typ == "date" || typ == "timestamp" || typ == "timestamptz"):
		return TimeDate
	}
	return TimeString
}

func (w *walker) timeConstant(arg *pg.Node, kind TimeKind) {
	for arg.GetTypeCast() != nil {
		arg = arg.GetTypeCast().Arg
	}
	c := arg.GetAConst()
	if c == nil || c.GetSval() == nil || w.judged[c] {
		return
	}
	if w.judged == nil {
		w.judged = map[*pg.A_Const]bool{}
	}
	w.judged[c] = true
	if isMagic(c.GetSval().Sval) {
		w.marks = append(w.marks, int(c.Location))
		w.sites = append(w.sites, timeSite{kind: kind, start: int(c.Location), precision: -1, constant: true})
	}
}

// bareConstant looks for a magic word whose type only the server knows.
func (w *walker) bareConstant(c *pg.A_Const) {
	if c.GetSval() == nil || !isMagicWord(c.GetSval().Sval) || w.judged[c] {
		return
	}
	w.marks = append(w.marks, int(c.Location))
	w.st.UntypedTimeString = true
}

// magicWords are read as the current time or day by date_in and its relatives.
var magicWords = [...]string{"now", "today", "tomorrow", "yesterday"}

// isMagicWord reports whether text is nothing but a magic word.
func isMagicWord(text string) bool {
	text = strings.Trim(text, " \t\n\r\f\v")
	for _, word := range magicWords {
		if strings.EqualFold(text, word) {
			return true
		}
	}
	return false
}

// maxMagicLength bounds the strings that are searched for magic words, blanks at
// the ends not counted. 'yesterday 23:59:59.999999 America/Argentina/La_Rioja'
// has 52 bytes.
const maxMagicLength = 64

// IsTimeWord reports whether PostgreSQL, reading text as a date or time, would take the
// moment at which it is read: 'now', 'today' and their like.
func IsTimeWord(text string) bool { return isMagic(text) }

// isMagic reports whether text has a magic word in it, as in 'today 12:00'. Strip
// asks the same of what stands between the quotes.
func isMagic(text string) bool {
	text = strings.Trim(text, " \t\n\r\f\v")
	if len(text) > maxMagicLength {
		return false
	}
	for i := 0; i < len(text); i++ {
		if isLetter(text[i]) && (i == 0 || !isLetter(text[i-1])) && hasMagicAt(text[i:]) {
			return true
		}
	}
	return false
}

func hasMagicAt(text string) bool {
	switch text[0] | 0x20 {
	case 'n', 't', 'y':
	default:
		return false
	}
	for _, word := range magicWords {
		if len(text) >= len(word) && strings.EqualFold(text[:len(word)], word) &&
			(len(text) == len(word) || !isLetter(text[len(word)])) {
			return true
		}
	}
	return false
}

// output is a time call whose name becomes that of a column.
type output struct {
	name string
	bare bool
}

// nameOutputs notes the time calls that name a column of targets.
func (w *walker) nameOutputs(targets []*pg.Node) {
	for _, t := range targets {
		target := t.GetResTarget()
		if target == nil || target.Name != "" {
			continue
		}
		if start, name, ok := columnNamer(target.Val); ok {
			bare := target.Val.GetFuncCall() != nil || target.Val.GetSqlvalueFunction() != nil
			if w.outputs == nil {
				w.outputs = map[int]output{}
			}
			w.outputs[start] = output{name: name, bare: bare}
		}
	}
}

// columnNamer finds the time call that the server takes the column's name from,
// as FigureColname (parse_target.c) looks for it. A sub-select's own target list
// is looked at when the walk comes to it.
func columnNamer(n *pg.Node) (start int, name string, ok bool) {
	for n != nil {
		switch v := n.Node.(type) {
		case *pg.Node_FuncCall:
			parts := v.FuncCall.Funcname
			return int(v.FuncCall.Location), parts[len(parts)-1].GetString_().GetSval(), true
		case *pg.Node_SqlvalueFunction:
			kind, ok := timeOperator(v.SqlvalueFunction.Op)
			return int(v.SqlvalueFunction.Location), kind.String(), ok
		case *pg.Node_TypeCast:
			n = v.TypeCast.Arg
		case *pg.Node_CollateClause:
			n = v.CollateClause.Arg
		case *pg.Node_CaseExpr:
			n = v.CaseExpr.Defresult
		case *pg.Node_AIndirection:
			n = v.AIndirection.Arg
		default:
			return 0, "", false
		}
	}
	return 0, "", false
}

// timeCalls gives the sites their ends.
func (w *walker) timeCalls() []TimeCall {
	if len(w.sites) == 0 || !w.scan() {
		return nil
	}
	sort.SliceStable(w.sites, func(i, j int) bool { return w.sites[i].start < w.sites[j].start })
	var calls []TimeCall
	for _, site := range w.sites {
		if call, ok := w.measure(site); ok {
			calls = append(calls, call)
		}
	}
	return calls
}

// scan fetches the tokens of the text, without comments, once.
func (b *builder) scan() bool {
	if b.tokens != nil {
		return true
	}
	scanned, err := pg.Scan(b.sql)
	if err != nil {
		return false
	}
	b.tokens = slices.DeleteFunc(scanned.Tokens, func(t *pg.ScanToken) bool {
		return t.Token == pg.Token_C_COMMENT || t.Token == pg.Token_SQL_COMMENT
	})
	return true
}

const (
	openBracket  = pg.Token_ASCII_40
	closeBracket = pg.Token_ASCII_41
)

// measure finds the end of a site: the token itself, or the bracket that closes
// its empty argument list or its precision.
func (w *walker) measure(site timeSite) (TimeCall, bool) {
	at, found := slices.BinarySearchFunc(w.tokens, site.start, func(t *pg.ScanToken, start int) int {
		return int(t.Start) - start
	})
	if !found {
		return TimeCall{}, false
	}
	last := at
	if !site.constant && (site.kind <= TimeClock || site.precision >= 0) {
		for last < len(w.tokens)-1 && w.tokens[last].Token != closeBracket {
			last++
		}
	}
	call := TimeCall{Kind: site.kind, Start: site.start, End: int(w.tokens[last].End), Precision: site.precision, FromItem: site.fromItem, Constant: site.constant}
	if o, ok := w.outputs[site.start]; ok && call.Spliceable() {
		call.Column = o.name
		call.Nested = !o.bare || at > 0 && w.tokens[at-1].Token == openBracket
	}
	return call, true
}
