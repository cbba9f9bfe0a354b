package parser_test

import (
	"fmt"
	"reflect"

	"github.com/pgchorus/pgchorus/parser"
)

// compareScripts says where two scripts differ. Of an error only its presence
// counts: an equal text gives an equal error anyway.
func compareScripts(got, want *parser.Script) string {
	a, b := *got, *want
	if (a.Err == nil) != (b.Err == nil) {
		return fmt.Sprintf("error %v, want %v", a.Err, b.Err)
	}
	a.Err, b.Err = nil, nil
	if reflect.DeepEqual(a, b) {
		return ""
	}
	if len(a.Statements) != len(b.Statements) {
		return fmt.Sprintf("%d statements, want %d", len(a.Statements), len(b.Statements))
	}
	for i := range a.Statements {
		if diff := compareFields(a.Statements[i], b.Statements[i]); diff != "" {
			return fmt.Sprintf("statement %d: %s", i, diff)
		}
	}
	return compareFields(a, b)
}

func compareFields(a, b any) string {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range x.NumField() {
		if !x.Type().Field(i).IsExported() {
			continue
		}
		if !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			return fmt.Sprintf("%s is %+v, want %+v", x.Type().Field(i).Name, x.Field(i).Interface(), y.Field(i).Interface())
		}
	}
	return ""
}
