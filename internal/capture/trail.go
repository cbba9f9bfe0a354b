package capture

// A statement's new rows in a large table are looked for in a part of it, near the end.
// Other rows of the same transaction may lie there too, while the statement's own lie
// elsewhere: where VACUUM has made room. What is found counts only if it is known from which
// command on rows are the statement's own.

// Trail is what is known of the rows that a transaction has made on one node. The zero value
// knows nothing.
type Trail struct {
	base   *Changes // when the transaction had changed nothing
	last   *Changes // behind the last statement that was asked about
	newest map[string]int64
}

// anyCommand is in front of all commands of a transaction.
const anyCommand = -1

// Before takes in what the node has told in front of a statement.
func (t *Trail) Before(now *Changes) {
	if now.Fresh {
		*t = Trail{base: now, last: now, newest: map[string]int64{}}
	}
}

// Since is the command behind which rows of a table are those of the statement in front of
// which the node has told before; ok is false if that is not known.
func (t *Trail) Since(before *Changes, c *Change) (command int64, ok bool) {
	if t.base == nil {
		return 0, false
	}
	if sameCounts(t.base, before, c.number) {
		return anyCommand, true
	}
	command, ok = t.newest[c.number]
	return command, ok && sameCounts(t.last, before, c.number)
}

// After takes in what the node has told behind a statement, and the newest commands of those
// tables whose rows were found (Change.Note).
func (t *Trail) After(now *Changes, newest map[string]int64) {
	if t.base == nil {
		return
	}
	for number := range now.Tables {
		if command, found := newest[number]; found {
			t.newest[number] = command
		} else if !sameCounts(t.last, now, number) {
			delete(t.newest, number)
		}
	}
	t.last = now
}

// Note puts down the command that has made the newest row of the change.
func (c *Change) Note(command int64, newest map[string]int64) { newest[c.number] = command }

// sameCounts reports whether a table has not been changed between two answers.
func sameCounts(one, other *Changes, number string) bool {
	a, b := one.Tables[number], other.Tables[number]
	if a == nil || b == nil {
		return a == b
	}
	return a.Inserted == b.Inserted && a.Updated == b.Updated && a.Deleted == b.Deleted
}
