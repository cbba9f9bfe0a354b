package parser

// Resolved returns s with all offsets turned into those within sql, so that it can be
// compared with what Classify says of sql.
func Resolved(s *Script, sql string) *Script {
	r := *s
	r.Statements = append([]Statement(nil), s.Statements...)
	for i := range r.Statements {
		r.Statements[i].places = s.Statements[i].places.inText(sql)
	}
	return &r
}
