package session

import (
	"testing"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/parser"
)

func TestDoubtsAboutParameters(t *testing.T) {
	t.Parallel()
	tests := []struct {
		how  parser.UseKind
		typ  string
		oid  uint32
		want doubts
	}{
		{parser.Assigned, "integer", parser.Int4, 0},
		{parser.Assigned, "smallint", parser.Int4, failsUnasked},
		{parser.Assigned, "integer", parser.Int8, failsUnasked},
		{parser.Assigned, "bigint", parser.Int8, 0},
		{parser.Assigned, "numeric", parser.Int4, failsUnasked}, // of how many digits is not known
		{parser.Assigned, "double precision", parser.Numeric, 0},
		{parser.Assigned, "real", parser.Numeric, failsUnasked},
		{parser.Assigned, "public.positive", parser.Int4, failsUnasked},
		{parser.Assigned, "", parser.Int4, failsUnasked},
		{parser.Assigned, "text", parser.Unspecified, 0},
		{parser.Assigned, "character varying", parser.Unspecified, failsUnasked},
		{parser.Assigned, "date", parser.Unspecified, meansElse},
		{parser.Assigned, "uuid", parser.Unspecified, meansElse},
		{parser.Assigned, "timestamp without time zone", parser.Unspecified, meansElse},
		{parser.Assigned, "interval", parser.Unspecified, meansElse},
		{parser.Assigned, "interval[]", parser.Unspecified, meansElse},
		{parser.Assigned, "", parser.Unspecified, meansElse},
		{parser.Compared, "integer", parser.Int4, 0},
		{parser.Compared, "numeric", parser.Numeric, 0},
		{parser.Compared, "oid", parser.Int8, failsUnasked},
		{parser.Compared, "uuid", parser.Unspecified, 0},
		{parser.Compared, "text", parser.Unspecified, failsUnasked},
		{parser.Compared, "character varying", parser.Unspecified, failsUnasked},
		{parser.Compared, "date", parser.Unspecified, meansElse},
		{parser.Compared, "character", parser.Unspecified, meansElse},
		{parser.Operand, "", parser.Int4, 0},
		{parser.Operand, "", parser.Int8, failsUnasked},
		{parser.Operand, "", parser.Unspecified, meansElse},
	}
	for _, tt := range tests {
		table := &catalog.Table{Columns: []catalog.Column{{Name: "id", Type: "integer"}, {Name: "v", Type: tt.typ}}}
		if got := doubtsOf(parser.Use{How: tt.how, Column: "v"}, tt.oid, table); got != tt.want {
			t.Errorf("%d, %s, %d: %b, want %b", tt.how, tt.typ, tt.oid, got, tt.want)
		}
		if tt.how == parser.Assigned {
			if got := doubtsOf(parser.Use{How: tt.how, Place: 1}, tt.oid, table); got != tt.want {
				t.Errorf("by its place, %s, %d: %b, want %b", tt.typ, tt.oid, got, tt.want)
			}
		}
	}
}

func TestInsertsThatMayBeTriedTwice(t *testing.T) {
	t.Parallel()
	table := &catalog.Table{Columns: []catalog.Column{{Name: "id", Volatile: true}, {Name: "v"}, {Name: "at", Volatile: true}}}
	tests := []struct {
		name     string
		target   parser.Target
		defaults []int
		want     bool
	}{
		{"all columns in order", parser.Target{Cells: 3}, nil, true},
		{"the last one left out", parser.Target{Cells: 2}, nil, false},
		{"all volatile ones listed", parser.Target{Columns: []string{"at", "id"}, Cells: 2}, nil, true},
		{"one left out", parser.Target{Columns: []string{"id", "v"}, Cells: 2}, nil, false},
		{"a constant one by DEFAULT", parser.Target{Cells: 3}, []int{1}, true},
		{"the last one by DEFAULT", parser.Target{Cells: 3}, []int{2}, false},
		{"a listed one by DEFAULT", parser.Target{Columns: []string{"at", "id"}, Cells: 2}, []int{0}, false},
	}
	for _, tt := range tests {
		stmt := &parser.Statement{Targets: []parser.Target{tt.target}, Point: &parser.Point{Defaults: tt.defaults}}
		if got := givesAll(stmt, table, nil); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
	}
}

func TestShapeIsGivenUp(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		shape      autoShape
		code       string
		kept, anew bool
	}{
		{"data that the statement does not fit", autoShape{runs: 5}, "23505", true, false},
		{"no row", autoShape{runs: 5}, "", true, false},
		{"every second run", autoShape{runs: 100, vain: 50}, "23505", false, false},
		{"every tenth run", autoShape{runs: 1000, vain: 100}, "23505", true, false},
		{"the node's own trouble", autoShape{runs: 5}, "53100", false, false},
		{"a table of other columns", autoShape{runs: 5}, string(pgerr.FeatureNotSupported), false, true},
	}
	for _, tt := range tests {
		shape := tt.shape
		shape.judged, shape.statement = true, &autoStatement{}
		shape.giveUp(tt.code)
		if kept, anew := shape.statement != nil, !shape.judged; kept != tt.kept || anew != tt.anew {
			t.Errorf("%s: kept %t, judged anew %t; want %t, %t", tt.name, kept, anew, tt.kept, tt.anew)
		}
	}
}
