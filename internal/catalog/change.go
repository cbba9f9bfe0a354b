package catalog

// Turn is a state of the catalogue, to be told from later ones.
type Turn struct{ facts, bodies uint64 }

// Turn is the state now.
func (d *Database) Turn() Turn { return Turn{d.generation.Load(), d.bodies.Load()} }

// Since reports what may have become another since a Turn: facts is anything, bodies are those of
// functions. What is being committed counts, since some nodes may have it and others not.
func (d *Database) Since(t Turn) (facts, bodies bool) {
	// In this order: who ends a change has counted it before.
	facts, bodies = d.changing.Load() > 0, d.changingBodies.Load() > 0
	now := d.Turn()
	return facts || now.facts != t.facts, bodies || now.bodies != t.bodies
}

// BeginChange is called before the first node is sent the COMMIT of DDL. bodies: functions may become
// others by it.
func (d *Database) BeginChange(bodies bool) { d.change(1, bodies) }

// EndChange is called when no node has anything left of it to do, and what was known is forgotten.
func (d *Database) EndChange(bodies bool) { d.change(-1, bodies) }

func (d *Database) change(by int32, bodies bool) {
	if bodies {
		d.changingBodies.Add(by)
	}
	d.changing.Add(by)
}

// Doubt forgets what was kept while a change was being committed: who has waited for a relation's lock to
// ask about it was told what it was before.
func (d *Database) Doubt() {
	if d.changing.Load() > 0 {
		d.ForgetTables()
	}
}

// maxPrepared bounds how many prepared transactions are remembered.
const maxPrepared = 10000

// NotePrepared remembers that a prepared transaction of that name (PREPARE TRANSACTION) will change nothing here.
func (d *Database) NotePrepared(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.prepared) < maxPrepared {
		if d.prepared == nil {
			d.prepared = map[string]bool{}
		}
		d.prepared[name] = true
	}
}

// TakePrepared forgets a prepared transaction. It reports whether it will change nothing.
func (d *Database) TakePrepared(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	harmless := d.prepared[name]
	delete(d.prepared, name)
	return harmless
}
