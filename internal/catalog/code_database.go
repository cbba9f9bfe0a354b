package catalog

// Code returns what is known of the bodies of the functions of that name; false if that
// is nothing, or too old. It is shared: nobody may change it.
func (d *Database) Code(n Name) (*Code, bool) { return d.code.get(n, d.now) }

// Surroundings returns what is known to happen besides when the relations of that name
// are changed; false if that is nothing, or too old. It is shared: nobody may change it.
func (d *Database) Surroundings(n Name) (*Surroundings, bool) { return d.surroundings.get(n, d.now) }

// Ages reports whether facts are forgotten by their age, so that what was concluded from
// them has to be looked at again.
func (d *Database) Ages() bool { return d.expire > 0 }

// KeepCode is Keep for the answer to a CodeQuestion.
func (d *Database) KeepCode(a CodeAnswer, generation uint64) {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dropped || d.opened.all > 0 || d.generation.Load() != generation {
		return
	}
	for n, c := range a.code {
		d.code.put(n, c, d.until(now, c.Exists))
	}
	for n, s := range a.surroundings {
		if !ofOneSession(n) && !d.opened.holds(n.Name) {
			d.surroundings.put(n, s, d.until(now, s.Exists))
		}
	}
}
