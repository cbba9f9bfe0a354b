package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/copydata"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// In the data of a COPY, the word now in a column with a date or a time is the moment at which
// a node reads it. So while the data of such columns goes to several nodes it is looked through
// (internal/copydata), and a word is replaced by the time of the transaction, which is one on all
// nodes.

// copyWatch looks through the data of one COPY.
type copyWatch struct {
	watch *copydata.Watch
	names []string // of the fields, as far as they are known
	// refusal is why no more data is wanted; nil for nothing.
	refusal error
}

// maxColumns is how many columns a table may have (MaxHeapAttributeNumber, access/htup_details.h).
const maxColumns = 1600

// watchCopy is the watch for a statement; nil if nothing has to be looked for.
func (s *Session) watchCopy(ctx context.Context, stmt *parser.Statement) (*copyWatch, error) {
	in := stmt.CopyInput
	if in == nil || !s.replicates() || len(in.Delimiter) != 1 || len(in.Quote) != 1 || len(in.Escape) != 1 {
		return nil, nil
	}
	columns, names := s.copiedColumns(&stmt.Targets[0])
	if columns == nil {
		return nil, nil
	}
	words, err := s.timeWords(ctx, stmt)
	if err != nil {
		return nil, err
	}
	format := copydata.Format{
		CSV: in.CSV, Header: in.Header, Delimiter: in.Delimiter[0], Quote: in.Quote[0], Escape: in.Escape[0],
		Encoding: cmp.Or(in.Encoding, s.clientEncoding()), Ambiguous: in.TimeMarks,
	}
	return &copyWatch{watch: copydata.New(format, columns, words), names: names}, nil
}

func (s *Session) clientEncoding() string {
	if l := s.main(); l != nil {
		return l.conn.Params()["client_encoding"]
	}
	return ""
}

// copiedColumns are the columns that the fields of a COPY are for; none if no word means
// anything in any of them.
func (s *Session) copiedColumns(target *parser.Target) (columns []copydata.Column, names []string) {
	f := s.planFacts()
	var table *catalog.Table
	for range maxPlans {
		f.missing, f.ambiguous = catalog.Question{}, nil
		if table, _ = f.table(target.Relation); table != nil || !s.learn(f) {
			break
		}
	}
	switch {
	case table == nil:
		return slices.Repeat([]copydata.Column{copydata.Unclear}, maxColumns), target.Columns
	case !slices.ContainsFunc(table.Columns, func(c catalog.Column) bool { return c.TimeWords != catalog.NoWords }):
		return nil, nil
	case target.Columns == nil:
		columns, names = allColumns(table)
	default:
		columns, names = namedColumns(table, target.Columns), target.Columns
	}
	if !slices.ContainsFunc(columns, func(c copydata.Column) bool { return c != copydata.Free }) {
		return nil, nil
	}
	return columns, names
}

// allColumns are those that a COPY without a list brings.
func allColumns(table *catalog.Table) (columns []copydata.Column, names []string) {
	for i := range table.Columns {
		if c := &table.Columns[i]; !c.Generated {
			columns, names = append(columns, columnOf(c.TimeWords)), append(names, c.Name)
		}
	}
	return columns, names
}

func namedColumns(table *catalog.Table, names []string) []copydata.Column {
	columns := make([]copydata.Column, len(names))
	for i, name := range names {
		at := slices.IndexFunc(table.Columns, func(c catalog.Column) bool { return c.Name == name })
		if at >= 0 {
			columns[i] = columnOf(table.Columns[at].TimeWords)
		}
	}
	return columns
}

func columnOf(words catalog.TimeWords) copydata.Column {
	switch words {
	case catalog.NoWords:
		return copydata.Free
	case catalog.DateWords:
		return copydata.Moment
	case catalog.DatesWords:
		return copydata.Moments
	case catalog.ClockWords:
		return copydata.Clock
	}
	return copydata.Unclear
}

// timeWords are the words in the session's time zone at the transaction's time.
func (s *Session) timeWords(ctx context.Context, stmt *parser.Statement) (copydata.Words, error) {
	s.openForValues(stmt)
	at, err := s.moment(ctx)
	if err != nil {
		return copydata.Words{}, err
	}
	offset, err := s.zoneOffset(ctx, at)
	if err != nil {
		return copydata.Words{}, err
	}
	return wordsAt(at, offset), nil
}

// wordsAt are the words at a moment where clocks are that many seconds ahead of UTC.
func wordsAt(at time.Time, offset int) copydata.Words {
	local := at.In(time.FixedZone("", offset))
	day := func(days int) string { return local.AddDate(0, 0, days).Format(time.DateOnly) }
	return copydata.Words{
		Now:   local.Format("2006-01-02 15:04:05.000000") + offsetText(offset),
		Today: day(0), Tomorrow: day(1), Yesterday: day(-1),
	}
}

// offsetText is an offset from UTC as timestamptz_in reads it.
func offsetText(seconds int) string {
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	return fmt.Sprintf("%c%02d:%02d:%02d", sign, seconds/3600, seconds/60%60, seconds%60)
}

// zoneOffset is how many seconds the session's time zone is ahead of UTC at a moment. The
// servers know that best; without a name that cannot mean anything else, main is asked.
func (s *Session) zoneOffset(ctx context.Context, at time.Time) (int, error) {
	if l := s.main(); l != nil {
		switch l.conn.Params()["TimeZone"] {
		case "UTC", "Etc/UTC", "GMT":
			return 0, nil
		}
	}
	query := "SELECT pg_catalog.date_part('timezone', '" + at.UTC().Format("2006-01-02 15:04:05.000000") + "+00'::pg_catalog.timestamptz)::pg_catalog.int4"
	row, err := s.askAgain(ctx, query)
	if err != nil || len(row) != 1 {
		return 0, cmp.Or(err, errors.New("offset of the time zone: no row"))
	}
	offset, err := strconv.Atoi(string(row[0]))
	if err != nil {
		return 0, fmt.Errorf("offset of the time zone: %w", err)
	}
	return offset, nil
}

// watchBound makes the watch for a COPY that was bound. Messages before it may change the time
// zone, so they are run first.
func (s *Session) watchBound(ctx context.Context, seg *segment, st *step) (ok bool, err error) {
	if st.prepared.stmt.CopyInput == nil || !st.where.all || !s.replicates() {
		return true, nil
	}
	if ok, err := seg.run(ctx, endNone); !ok || err != nil {
		return false, err
	}
	if st.portal.copies, err = s.watchCopy(ctx, st.prepared.stmt); err != nil {
		return s.refuseOrEnd(err)
	}
	return true, nil
}

// copies is the watch of the COPY that the segment executes last; nil for none.
func (g *segment) copies() *copyWatch {
	for _, st := range slices.Backward(g.steps) {
		if st.kind == wire.KindExecute && st.portal != nil {
			return st.portal.copies
		}
	}
	return nil
}

func (w *queryWork) copies() *copyWatch { return w.watch }

// copier is work that may be a COPY.
type copier interface{ copies() *copyWatch }

// copyingWatch is the watch of the work at hand; nil for none.
func (s *Session) copyingWatch() *copyWatch {
	if w, ok := s.work.(copier); ok {
		return w.copies()
	}
	return nil
}

func (w *copyWatch) refuses() bool { return w != nil && w.refusal != nil }

// watched moves one message of copy data, looked through.
func (w *copyWatch) watched(s *Session, links []*link) (done bool, err error) {
	if run := s.front.TakeRun(wire.KindCopyData); len(run) > 0 {
		w.run(links, run)
		return w.refusal != nil, nil
	}
	kind, total, err := s.front.Peek()
	if err != nil {
		return false, err
	}
	switch kind {
	case wire.KindCopyData:
		err = s.front.Pieces(total, w.unframed(links))
		return w.refusal != nil, err
	case wire.KindCopyDone:
		w.finish(links)
	}
	if w.refusal != nil {
		return true, s.front.Discard(total)
	}
	return s.copyOther(kind, total, links)
}

// run passes on whole messages, as they are for as long as they may stay so.
func (w *copyWatch) run(links []*link, run []byte) {
	from := 0 // what was not passed on yet
	for rest := run; len(rest) > 0 && w.refusal == nil; {
		at := len(run) - len(rest)
		frame, behind, _ := wire.CutFrame(rest)
		rest = behind
		out, changed, err := w.watch.Pass(frame.Body())
		if err != nil {
			w.refuse(err)
		} else if changed {
			sendCopy(links, run[from:at])
			sendCopyData(links, out)
			from = len(run) - len(rest)
		}
	}
	if w.refusal == nil {
		sendCopy(links, run[from:])
	}
}

// unframed passes on a message that comes in pieces: each becomes a message of its own, since
// the length of the whole is told in front of it.
func (w *copyWatch) unframed(links []*link) func([]byte) error {
	header := wire.HeaderSize
	return func(piece []byte) error {
		data := piece[min(header, len(piece)):]
		header -= len(piece) - len(data)
		if w.refusal != nil {
			return nil
		}
		out, changed, err := w.watch.Pass(data)
		if !changed {
			out = data
		}
		w.refuse(err)
		sendCopyData(links, out)
		return nil
	}
}

func (w *copyWatch) finish(links []*link) {
	out, err := w.watch.Finish()
	w.refuse(err)
	sendCopyData(links, out)
}

func (w *copyWatch) refuse(err error) {
	var found *copydata.Refusal
	if !errors.As(err, &found) {
		return
	}
	where := fmt.Sprintf("Line %d, field %d", found.Line, found.Field)
	if found.Field <= len(w.names) {
		where = fmt.Sprintf("Line %d, column %s", found.Line, w.names[found.Field-1])
	}
	what := strconv.Quote(found.Word)
	if found.Word == "" {
		what = "a word with more behind it, or with letters that are escaped or quoted"
	}
	w.refusal = pgerr.New(pgerr.FeatureNotSupported, "copy data cannot be replicated safely: a word stands for the time at which a node reads it").
		WithDetail("%s: %s.", where, what).
		WithHint("Write the date or time itself, or use INSERT.")
}

// maxCopied is how much copy data a message of ours has: it has to fit into an outbox.
const maxCopied = wire.OutboxSize - wire.HeaderSize

// sendCopyData appends copy data for the nodes, as messages.
func sendCopyData(links []*link, data []byte) {
	for part := range slices.Chunk(data, maxCopied) {
		for _, l := range links {
			if l.conn.Pending()+len(part) > maxCopied {
				l.conn.Flush() //nolint:errcheck // noticed when the answer is read
			}
			l.conn.SetOutbox(wire.AppendMessage(l.conn.Outbox(), wire.KindCopyData, part))
		}
	}
}

// takeRefusal is what the frontend is told in the place of the error with which main ends a
// COPY that was given up here; nil if that is not why.
func (s *Session) takeRefusal(frame wire.Frame) error {
	w := s.copyingWatch()
	if w == nil || w.refusal == nil || wire.ErrorField(frame.Body(), wire.FieldCode) != string(pgerr.QueryCanceled) {
		return nil
	}
	return w.refusal
}
