package verify

import (
	"reflect"
	"testing"
)

func TestJudge(t *testing.T) {
	tests := []struct {
		name   string
		values []string
		want   verdict
	}{
		{"all agree", []string{"a", "a", "a"}, verdict{proven: true}},
		{"two nodes: main is right by definition", []string{"a", "b"}, verdict{deviants: []int{1}, proven: true}},
		{"two nodes: main lacks it", []string{"", "b"}, verdict{deviants: []int{1}, proven: true}},
		{"a minority without main", []string{"a", "a", "b"}, verdict{deviants: []int{2}, proven: true}},
		{"main alone", []string{"a", "b", "b"}, verdict{reference: 1, deviants: []int{0}}},
		{"main lacks what the others have", []string{"", "b", "b"}, verdict{reference: 1, deviants: []int{0}}},
		{"all differ", []string{"a", "b", "c"}, verdict{deviants: []int{1, 2}}},
		{"two against two", []string{"a", "b", "a", "b"}, verdict{deviants: []int{1, 3}}},
		{"three against two, with main", []string{"a", "b", "a", "b", "a"}, verdict{deviants: []int{1, 3}, proven: true}},
		{"three against two, without main", []string{"a", "b", "a", "b", "b"}, verdict{reference: 1, deviants: []int{0, 2}}},
	}
	for _, tt := range tests {
		if got := judge(tt.values); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: judge(%q) = %+v, want %+v", tt.name, tt.values, got, tt.want)
		}
	}
}
