package session

import (
	"context"
	"errors"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/capture"
	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/safety"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// Code that a statement sets off (triggers, functions, rules) may change any table. Where
// nodes could do it differently, main is asked before and after the statement what the
// transaction has changed, and the others are given the rows instead of the statement.

// elsewhere is that for one statement.
type elsewhere struct {
	// changes are the relations whose rows may be changed or deleted besides those that main returns.
	changes []catalog.Name
	// before is what main has told in front of the statement; nil if it was not asked.
	before *capture.Changes
	on     *link // that was asked
	// cursors see the tables of before.Watch as they were, at the same places.
	cursors []string
	// instead is what is done if main's rows cannot be had.
	instead *care
	// chooses: the statement itself computes or picks what is each node's own, not code. If main's rows cannot be had,
	// they are compared, or the operator is told.
	chooses bool
	stmt    *parser.Statement
	verdict *safety.Verdict
}

// fallBack is what is done instead.
func (s *Session) fallBack(e *elsewhere) *care {
	if !e.chooses {
		return e.instead
	}
	return s.tellPicked(e.instead, e.stmt, e.verdict)
}

// newElsewhere is that for a statement of which main returns what the plan says.
func newElsewhere(stmt *parser.Statement, plan *capture.Plan, v *safety.Verdict, instead *care) *elsewhere {
	e := &elsewhere{changes: v.Changes, instead: instead, stmt: stmt, verdict: v}
	if !plan.GivesTarget() {
		e.changes = changesOfRows(stmt, v)
	}
	return e
}

// changesOfRows are the relations whose rows a statement, or code that it sets off, may change or delete.
func changesOfRows(stmt *parser.Statement, v *safety.Verdict) []catalog.Name {
	names := v.Changes
	for i := range stmt.Targets {
		if t := &stmt.Targets[i]; t.Kind != parser.Insert && t.Kind != parser.CopyFrom || t.Conflict == parser.ConflictUpdates {
			names = append(slices.Clip(names), catalog.Name{Schema: t.Relation.Schema, Name: t.Relation.Name})
		}
	}
	return names
}

// minElsewhere is the first release that finds rows by a range of ctid.
const minElsewhere = 14

// wantsElsewhere reports whether code is to run on main alone. What is only a race is none
// where all nodes show the same.
func (s *Session) wantsElsewhere(stmt *parser.Statement, v *safety.Verdict) bool {
	switch found := v.Elsewhere; {
	case !found.Writes:
		return false
	case !found.Differs && (!found.Races || s.oneSnapshotEverywhere() || !s.knowsKeys(v.Changes)): // which locks keep alike
		return false
	}
	return s.mayElsewhere(stmt, v.Elsewhere)
}

// choosesElsewhere reports whether a statement is to run on main alone because it computes or picks itself what would be
// each node's own, and main cannot return its rows: c is what is done for it otherwise.
func (s *Session) choosesElsewhere(stmt *parser.Statement, c *care, unlike bool, v *safety.Verdict) bool {
	switch {
	case len(stmt.Targets) == 0, c != nil && (c.givesRows() || c.refusal != nil):
		return false
	case !unlike && !v.Picks && (c == nil || !c.plan.Chooses()):
		return false
	}
	return s.mayDiffer(stmt, v) && s.knowsAll(changesOfRows(stmt, v), func(t *catalog.Table) bool {
		return t.View || len(t.Effects.Firm) > 0 && !t.Children // what is below a view is among them
	})
}

// knowsKeys reports whether the rows of these relations can be told by a key, so that they can be given to the
// others if they are updated or deleted: nothing that is known says otherwise.
func (s *Session) knowsKeys(names []catalog.Name) bool {
	return s.knowsAll(names, func(t *catalog.Table) bool { return len(t.Keys) > 0 && !t.View && !t.Children })
}

// knowsAll reports whether nothing that is known of these relations says that one is not like this.
func (s *Session) knowsAll(names []catalog.Name, like func(*catalog.Table) bool) bool {
	f := s.planFacts()
	for range maxPlans {
		f.missing, f.ambiguous = catalog.Question{}, nil
		lacks := slices.ContainsFunc(names, func(n catalog.Name) bool {
			t, known := f.table(parser.Relation{Schema: n.Schema, Name: n.Name})
			return known && t.Exists && !like(t)
		})
		if lacks || !s.learn(f) {
			return !lacks
		}
	}
	return true
}

// mayDiffer is mayElsewhere for a statement that itself computes or picks what is each node's own.
func (s *Session) mayDiffer(stmt *parser.Statement, v *safety.Verdict) bool {
	found := v.Elsewhere
	found.Differs = true
	return s.mayElsewhere(stmt, found)
}

// mayElsewhere reports whether main can be asked for all that a statement has changed.
func (s *Session) mayElsewhere(stmt *parser.Statement, found safety.Elsewhere) bool {
	if found.Hidden || s.lacksQuiet() || s.alwaysFires(stmt) {
		return false
	}
	switch stmt.Kind {
	case parser.Insert, parser.Update, parser.Delete, parser.Merge, parser.Select, parser.Call, parser.Do, parser.CopyTo, parser.Explain:
		return (s.wantedWay() == capture.Rows || found.Differs) && s.rowsHaveExactText() && !s.Large.Has(elsewhereKey(stmt))
	}
	return false
}

// rowsHaveExactText: the text of values and names is the same everywhere.
func (s *Session) rowsHaveExactText() bool {
	l := s.main()
	if l == nil || l.majorVersion() < minElsewhere {
		return false
	}
	params := l.conn.Params()
	return params["client_encoding"] == "UTF8" && params["server_encoding"] == "UTF8" && len(params["DateStyle"]) >= 3 && params["DateStyle"][:3] == "ISO"
}

// elsewhereKey is under what a statement is remembered whose rows could not be had.
func elsewhereKey(stmt *parser.Statement) string {
	key := "elsewhere " + stmt.Body
	for i := range stmt.Targets {
		key += " " + stmt.Targets[i].Relation.String()
	}
	for i := range stmt.Functions {
		key += " " + stmt.Functions[i].String()
	}
	for i := range stmt.Reads {
		key += " " + stmt.Reads[i].String()
	}
	return strings.Join(slices.Concat([]string{key}, stmt.Operators, stmt.Casts), " ")
}

// careForTarget has main return the rows of the statement's own target, if it has one of
// which they can be captured. Others are looked for.
func (s *Session) careForTarget(stmt *parser.Statement, sql string) *care {
	sit := capture.Situation{OneSnapshot: s.oneSnapshotEverywhere(), Way: capture.Rows}
	if plan := s.decideCare(stmt, sit.Besides()); plan != nil && plan.Way == capture.Rows && plan.Obstacle == "" && !plan.LocksRows() {
		if c := s.careOf(plan, sql); c.givesRows() {
			return c
		}
	}
	return &care{plan: capture.Elsewhere(stmt)}
}

// locksFor are the table locks that a verdict asks for.
func (s *Session) locksFor(v *safety.Verdict) []capture.Lock {
	if !v.LocksAlways && s.oneSnapshotEverywhere() {
		return nil
	}
	var locks []capture.Lock
	add := func(names []catalog.Name, mode string) {
		for _, n := range names {
			locks = append(locks, capture.Lock{Relation: parser.Relation{Schema: n.Schema, Name: n.Name}, Mode: mode})
		}
	}
	add(v.Locks, capture.WriteMode)
	add(v.ReadLocks, capture.ReadMode)
	return locks
}

// askBefore asks main what the transaction has changed so far, in front of a statement whose
// code is to run on main alone. Where that cannot be had, something else is done for it.
func (s *Session) askBefore(ctx context.Context, stmt *parser.Statement) error {
	if s.care == nil || s.care.elsewhere == nil {
		return s.care.refused()
	}
	c, err := s.asked(ctx, s.care)
	s.care = c
	return err
}

// refused is why the statement is not run, or nil.
func (c *care) refused() error {
	if c == nil {
		return nil
	}
	return c.refusal
}

// asked is askBefore for a care.
func (s *Session) asked(ctx context.Context, c *care) (*care, error) {
	e := c.elsewhere
	if s.tx.kind == txNone {
		s.openBlock(txImplicit, plainBegin, nil)
	}
	for range maxDraws {
		l := s.first()
		if l == nil {
			break
		}
		row, lost, err := s.askMain(ctx, capture.BeforeSQL(mayReplicate(l.majorVersion()), e.changes))
		if err != nil {
			return c, err
		}
		if lost || len(row) != 1 {
			continue
		}
		before, err := capture.DecodeChanges(row[0])
		if err != nil {
			return c, err
		}
		if !before.Ready {
			c = s.fallBack(e)
			if !e.chooses {
				c = s.unkept(c, e.stmt, mayNotBeQuiet)
			}
			return c, c.refused()
		}
		if lost, err = s.watch(ctx, e, before); err != nil {
			return c, err
		}
		if lost {
			continue
		}
		e.before, e.on = before, l
		s.trailOn(l).Before(before)
		return c, nil
	}
	return s.fallBack(e), nil
}

// trailOn is what is known of the rows that the transaction has made on a node.
func (s *Session) trailOn(l *link) *capture.Trail {
	if s.tx.trail == nil || s.tx.trailOf != l {
		s.tx.trail, s.tx.trailOf = new(capture.Trail), l
	}
	return s.tx.trail
}

// askBeforeAgain is askBefore for a statement that is run again, or later than it was bound: what main has told was
// of a transaction that is gone, or others have written since.
func (s *Session) askBeforeAgain(ctx context.Context) error {
	if s.care == nil || s.care.elsewhere == nil || !s.care.givesRows() || s.care.elsewhere.before != nil || s.onlyBinds() {
		return nil
	}
	c, err := s.asked(ctx, s.care)
	s.care = c
	return err
}

// askNextMain is askBefore for a statement that the next node is to run first, since main was lost with it.
func (s *Session) askNextMain(ctx context.Context) {
	c := s.care
	if c == nil || c.elsewhere == nil || !c.givesRows() {
		return
	}
	c.elsewhere.before, c.elsewhere.cursors = nil, nil
	if next, err := s.asked(ctx, c); err == nil && next.refused() == nil {
		s.care = next
	}
}

// onlyRows reports whether nothing but main's rows keeps the nodes alike: locks do not.
func (c *care) onlyRows() bool {
	return c.elsewhere != nil || c.plan.Quiet()
}

// careWithoutRows is what is done when there are more rows than may be kept, or one is none:
// each node runs the statement under locks. A race is run again as it was.
func (s *Session) careWithoutRows(sql string) {
	c := s.care
	if !c.over && !c.broken {
		return
	}
	if e := c.elsewhere; e != nil && e.chooses {
		s.care = s.fallBack(e)
		return
	}
	s.warnText("nodes may compute a value differently", "code computes values on each node, and there are more rows than are captured (capture_max_bytes)")
	locked := s.careOf(c.plan.Locked(), sql)
	s.care = &care{plan: locked.plan, locks: locked.locks}
}

// gather asks main what the statement has changed, and makes what the others are given. If
// that cannot be had, each node runs the statement. An error is that main was lost.
func (s *Session) gather(c *care) error {
	if c.over {
		return nil // which is told
	}
	e := c.elsewhere
	l := c.main
	if l == nil || e.before == nil || e.on != l {
		s.tellAlone(c, "the main node is another one now")
		return nil
	}
	var replay []capture.Statement
	var obstacle string
	var err error
	l.besides(func() { replay, obstacle, err = s.gathered(l, c) })
	var lost *wire.PeerError
	switch {
	case errors.Is(err, errRaced):
		c.raced = true
	case errors.As(err, &lost):
		return err
	case err != nil:
		s.log.Warn("changes of a transaction not read", zap.Error(err))
		c.broken = true
	case obstacle != "" && !e.verdict.Elsewhere.Differs && s.attempt.mayStartAgain():
		s.noteObstacle()
		c.instead = true
	case obstacle != "":
		s.runAlone(c, obstacle)
	default:
		c.setReplay(replay)
	}
	return nil
}

// runAlone has each node run the statement, and tells the operator. The next time it is under
// locks, where they do.
func (s *Session) runAlone(c *care, obstacle string) {
	strict := s.Config().Replication.ReplicationSafety == config.SafetyStrict
	if strict || c.elsewhere.chooses || !c.elsewhere.verdict.Elsewhere.Differs {
		s.noteObstacle()
	}
	s.tellAlone(c, obstacle)
}

// tellAlone is runAlone for what is no obstacle the next time.
func (s *Session) tellAlone(c *care, obstacle string) {
	e := c.elsewhere
	compared := e.chooses && e.instead != nil && e.instead.digest
	if compared || s.Config().Replication.ReplicationSafety == config.SafetyStrict {
		c.broken = true
		return
	}
	c.plan = c.plan.Alone()
	c.text = ""
	s.warnText("nodes may compute a value differently", "the rows of code that a statement sets off cannot be given to the others: "+obstacle)
}

// noteObstacle has main not be asked any more for what the statement at hand changes.
func (s *Session) noteObstacle() {
	if w, ok := s.work.(careful); ok {
		if stmt, sql := w.cared(); stmt != nil {
			executed, _ := s.effectiveOf(stmt, sql)
			s.Large.Note(elsewhereKey(executed))
		}
	}
}

// manyHints is how many times capture_rows_hint is looked for in other tables. Locks, which
// are cheaper, do not keep the nodes alike there.
const manyHints = 10

// gathered makes the replay.
func (s *Session) gathered(l *link, c *care) (replay []capture.Statement, obstacle string, err error) {
	rows, err := l.askRunning(capture.AfterSQL(c.elsewhere.before))
	if err != nil || len(rows) != 1 {
		return nil, "main has not told what it has changed", err
	}
	now, err := capture.DecodeChanges([]byte(rows[0]))
	if err != nil {
		return nil, "", err
	}
	now.Complete(c.elsewhere.before)
	changes := now.Since(c.elsewhere.before)
	limit := int64(s.Config().Replication.CaptureRowsHint) * manyHints
	if at := slices.IndexFunc(changes, func(change *capture.Change) bool { return c.text != "" && c.plan.Covers(change, len(c.rows)) }); at >= 0 {
		if replay, err = c.plan.Replay(c.rows); err != nil {
			return nil, "", err
		}
		changes = slices.Delete(changes, at, at+1)
	}
	for _, change := range changes {
		limit -= change.Rows()
		change.Unsure, change.Watched = c.elsewhere.verdict.Elsewhere.Catches, c.elsewhere.cursorOf(change) != ""
		if obstacle := s.obstacleOf(change, limit); obstacle != "" {
			return nil, obstacle, nil
		}
	}
	besides, obstacle, err := s.allGiven(l, now, changes)
	if err == nil && len(c.elsewhere.cursors) > 0 && s.tx.kind == txExplicit {
		_, err = l.askRunning("CLOSE " + strings.Join(c.elsewhere.cursors, "; CLOSE "))
	}
	if len(besides) > 0 {
		replay = append(replay, capture.Hushed(besides)...)
	}
	return replay, obstacle, err
}

// allGiven makes what the others are given of the changes that main has told of now.
func (s *Session) allGiven(l *link, now *capture.Changes, changes []*capture.Change) (all []capture.Statement, obstacle string, err error) {
	newest := map[string]int64{}
	for _, change := range changes {
		if change.Kind == "S" {
			all = append(all, change.MoveSQL()...)
			continue
		}
		records, obstacle, err := s.found(l, change, newest)
		if obstacle != "" || err != nil {
			return nil, obstacle, err
		}
		removed, obstacle, err := s.removed(l, change, records)
		if obstacle != "" || err != nil {
			return nil, obstacle, err
		}
		given, err := change.Give(records)
		if err != nil {
			return nil, "", err
		}
		all = append(append(all, removed...), given...)
	}
	s.trailOn(l).After(now, newest)
	return all, "", nil
}

func (s *Session) obstacleOf(change *capture.Change, limit int64) string {
	switch {
	case limit < 0:
		return "there are more rows than are captured (capture_rows_hint)"
	case change.Kind == "S" && !s.hasLocked(change):
		return "it draws from sequence " + change.Name + ", which was not known beforehand"
	}
	return change.Obstacle()
}

// hasLocked reports whether the transaction has the sequence to itself.
func (s *Session) hasLocked(change *capture.Change) bool {
	return slices.ContainsFunc([]string{change.Schema + "." + change.Name, quoteName(change.Schema) + "." + quoteName(change.Name), change.Name},
		func(name string) bool { return s.tx.locked[name] })
}

// found are the rows of a change of a table. The command of the newest is put down in newest.
func (s *Session) found(l *link, change *capture.Change, newest map[string]int64) (records [][]byte, obstacle string, err error) {
	if change.Rows() == 0 {
		return nil, "", nil
	}
	since, known := s.trailOn(l).Since(s.care.elsewhere.before, change)
	for _, from := range change.Searches(known && !s.tx.changesSchema) {
		rows, err := l.askRunning(change.FindSQL(from, since))
		if err != nil {
			return nil, "", err
		}
		if int64(len(rows)) < change.Rows() {
			if from > 0 {
				continue
			}
			change.Unsure = true
			if obstacle := change.Obstacle(); obstacle != "" {
				return nil, obstacle, nil
			}
		}
		records, command, err := capture.Found(rows)
		if err != nil {
			return nil, "", err
		}
		if totalSize(records) > s.Config().Replication.CaptureMaxBytes {
			return nil, "there is more than is captured (capture_max_bytes)", nil
		}
		change.Note(command, newest)
		return records, "", nil
	}
	return nil, "table " + change.Name + " is too large to be searched for its new rows", nil
}

func totalSize(records [][]byte) (size int64) {
	for _, record := range records {
		size += int64(len(record))
	}
	return size
}
