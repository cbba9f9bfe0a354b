package session

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/sequence"
	"github.com/pgchorus/pgchorus/parser"
)

// Where the values of a sequence cannot be put into the text (COPY, INSERT ... SELECT), each
// node draws by itself. All of them draw the same if they stand at the same place before, and
// nobody else draws in between.

// lockSequences keeps others from drawing from the sequences until the transaction ends, on
// main first and then on the other nodes, and has all nodes stand where main does.
func (s *Session) lockSequences(ctx context.Context, refs []parser.SequenceRef) error {
	s.drew.unsure++
	if err := s.runBefore(ctx); err != nil {
		return err
	}
	refs = slices.Clone(refs)
	slices.SortFunc(refs, func(a, b parser.SequenceRef) int { return cmp.Compare(a.Name, b.Name) })
	for _, ref := range refs {
		if s.tx.locked[ref.Name] {
			continue
		}
		if err := s.lockSequence(ctx, ref); err != nil {
			return err
		}
	}
	return nil
}

// lockSequencesAgain is for a transaction that was begun anew: its locks are gone, and some nodes may have drawn
// what others have not.
func (s *Session) lockSequencesAgain(ctx context.Context) error {
	if len(s.tx.relock) == 0 {
		return nil
	}
	var refs []parser.SequenceRef
	for _, name := range s.tx.relock {
		refs = append(refs, parser.SequenceRef{Name: name})
	}
	s.tx.relock = nil
	return s.lockSequences(ctx, refs)
}

func (s *Session) lockSequence(ctx context.Context, ref parser.SequenceRef) error {
	for range maxDraws {
		done, err := s.lockAndAlign(ctx, ref)
		if done || err != nil {
			return err
		}
	}
	return errNoNodes()
}

// lockAndAlign does it once. done is false if it has to be done again.
func (s *Session) lockAndAlign(ctx context.Context, ref parser.SequenceRef) (done bool, err error) {
	row, lost, err := s.askMain(ctx, sequence.Lock(ref.Name))
	switch {
	case lost || err != nil:
		return false, err
	case row == nil:
		return true, nil // the server will say that there is none
	}
	main := s.first()
	position, err := sequence.DecodePosition(row)
	if err != nil {
		return false, err
	}
	positions := map[config.NodeID]sequence.Position{main.ID(): position}
	lock := sequence.Lock(position.Name)
	rows, lost, err := s.askOthersRows(ctx, func(*link) string { return lock })
	if lost || err != nil {
		return false, err
	}
	for id, row := range rows {
		if row == nil {
			return false, errSequenceLacking(id, position.Name)
		}
		if positions[id], err = sequence.DecodePosition(row); err != nil {
			return false, err
		}
	}
	if lost, err := s.align(ctx, ref, positions); lost || err != nil {
		return false, err
	}
	if s.tx.locked == nil {
		s.tx.locked = map[string]bool{}
	}
	s.tx.locked[ref.Name] = true
	s.leases().Discard()
	return true, nil
}

func errSequenceLacking(id config.NodeID, name string) error {
	return pgerr.Newf(pgerr.SerializationFailure, "node %d has no sequence %s, the transaction is rolled back", id, name)
}

// align has all nodes stand where main does.
func (s *Session) align(ctx context.Context, ref parser.SequenceRef, at map[config.NodeID]sequence.Position) (lost bool, err error) {
	ids := make([]config.NodeID, 0, len(at))
	for id := range at {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	positions := make([]sequence.Position, len(ids))
	for i, id := range ids {
		positions[i] = at[id]
	}
	queries, ok := sequence.Align(positions)
	if !ok {
		s.warnText("nodes may draw other values", fmt.Sprintf("sequence %s cannot be aligned for want of a right to it", ref.Name))
		return false, nil
	}
	queryOf := func(l *link) string {
		if i := slices.Index(ids, l.ID()); i >= 0 {
			return queries[i]
		}
		return ""
	}
	if main := s.first(); main != nil && queryOf(main) != "" {
		if _, lost, err := s.askMain(ctx, queryOf(main)); lost || err != nil {
			return lost, err
		}
	}
	return s.askOthers(ctx, queryOf)
}

// prepareSequences is called before a statement runs on all nodes that may change sequences,
// or set them: leases from before are worth nothing then.
func (s *Session) prepareSequences(ctx context.Context, stmt *parser.Statement, sql string) error {
	if p := s.named(stmt); p != nil && stmt.Kind == parser.Execute {
		stmt, sql = p.effective(), p.text
	}
	if !s.replicates() {
		return nil
	}
	if err := s.lockForInsert(ctx, stmt, sql); err != nil {
		return err
	}
	if !changesSequences(stmt, sql) && !s.resetsUnseen(stmt) {
		return nil
	}
	s.holdLeases()
	if refs := setSequences(stmt); len(refs) > 0 && stmt.Block == parser.BlockAny {
		if s.tx.kind == txNone {
			s.openBlock(txImplicit, plainBegin, nil)
		}
		return s.lockSequences(ctx, refs)
	}
	return nil
}

// lockUnseen locks the sequences that functions and triggers draw from when a statement runs.
func (s *Session) lockUnseen(ctx context.Context, stmt *parser.Statement) error {
	if p := s.named(stmt); p != nil && stmt.Kind == parser.Execute {
		stmt = p.effective()
	}
	refs := s.drawsUnseen(stmt)
	if len(refs) == 0 || stmt.Block == parser.BlockNever {
		return nil
	}
	if stmt.Block == parser.BlockAny {
		s.openForValues(stmt)
	}
	if s.tx.kind == txNone {
		return nil // CALL and DO may commit by themselves
	}
	return s.lockSequences(ctx, refs)
}

// changesSequences reports whether a statement may set a sequence, or make another of it.
func changesSequences(stmt *parser.Statement, sql string) bool {
	switch stmt.Kind {
	case parser.Truncate:
		return mentionsRestart(sql)
	case parser.DDL, parser.Unknown:
		return !leavesSequences(stmt.Node)
	case parser.Do, parser.Call:
		return true
	}
	return slices.ContainsFunc(stmt.Functions, func(f parser.Function) bool {
		return f.Class == parser.Sequence && f.Name == "setval"
	})
}

func mentionsRestart(sql string) bool { return strings.Contains(strings.ToLower(sql), "restart") }

// leavesSequences names the statements that change nothing about sequences that there are.
func leavesSequences(node string) bool {
	switch node {
	case "CreateStmt", "CreateTableAsStmt", "CreateSeqStmt", "IndexStmt", "ViewStmt", "CommentStmt", "CreateSchemaStmt",
		"VacuumStmt", "RefreshMatViewStmt", "CreateFunctionStmt", "CreateTrigStmt", "CheckPointStmt", "ReindexStmt", "ClusterStmt":
		return true
	}
	return false
}

// setSequences are the sequences that setval is called for by name.
func setSequences(stmt *parser.Statement) []parser.SequenceRef {
	var refs []parser.SequenceRef
	for _, f := range stmt.Functions {
		if f.Class == parser.Sequence && f.Name == "setval" && len(f.Args) > 0 {
			refs = append(refs, parser.SequenceRef{Name: f.Args[0]})
		}
	}
	return refs
}

// holdLeases has nobody take from leases until the transaction has ended.
func (s *Session) holdLeases() {
	if !s.drew.holds {
		s.drew.holds = true
		s.leases().Hold()
	}
}

// releaseLeases ends what holdLeases has begun.
func (s *Session) releaseLeases() {
	if s.drew.holds {
		s.drew.holds = false
		s.leases().Release()
	}
}

// takenInVain reports whether the values of a lease that a statement was given are worth
// nothing any more: it has waited for a statement that set the sequence back.
func (s *Session) takenInVain() bool {
	taken := s.drew.taken
	s.drew.taken = false
	return taken && !s.leases().Valid(s.drew.generation)
}

// errTakenInVain is what the frontend is told then.
func errTakenInVain() error {
	return pgerr.New(pgerr.SerializationFailure, "a sequence was restarted while the statement waited, the transaction is rolled back").
		WithHint("The transaction might succeed if retried.")
}
