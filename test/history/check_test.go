package history

import (
	"strings"
	"testing"
)

func appends(key, number int) Operation       { return Operation{Key: key, Append: number} }
func reads(key int, numbers ...int) Operation { return Operation{Key: key, Read: numbers} }
func commits(client int, ops ...Operation) Transaction {
	return Transaction{Client: client, Operations: ops, Outcome: Committed}
}

func TestCheck(t *testing.T) {
	aborted := commits(1, appends(1, 10))
	aborted.Outcome = Aborted
	unknown := commits(1, appends(1, 10))
	unknown.Outcome = Unknown
	skew := []Transaction{commits(1, reads(1), appends(2, 20)), commits(2, reads(2), appends(1, 10))}
	skewed := map[int][]int{1: {10}, 2: {20}}
	fractured := []Transaction{commits(1, appends(1, 10), appends(2, 20)), commits(2, reads(1), reads(2, 20))}
	tests := []struct {
		name    string
		level   Level
		history []Transaction
		final   map[int][]int
		want    string // "" if it is sound
	}{
		{"nothing", Serializable, nil, nil, ""},
		{"one after the other", Serializable, []Transaction{commits(1, appends(1, 10)), commits(2, reads(1, 10), appends(1, 11))}, map[int][]int{1: {10, 11}}, ""},
		{"own append", Serializable, []Transaction{commits(1, appends(1, 10), reads(1, 10), appends(1, 11))}, map[int][]int{1: {10, 11}}, ""},
		{"an acknowledged append is missing", ReadCommitted, []Transaction{commits(1, appends(1, 10))}, nil, "lacks 10"},
		{"an append of an aborted transaction is there", ReadCommitted, []Transaction{aborted}, map[int][]int{1: {10}}, "told to be aborted"},
		{"an append of an aborted transaction is not there", ReadCommitted, []Transaction{aborted}, nil, ""},
		{"nobody knows, and it is there", ReadCommitted, []Transaction{unknown}, map[int][]int{1: {10}}, ""},
		{"nobody knows, and it is not there", ReadCommitted, []Transaction{unknown}, nil, ""},
		{"twice", ReadCommitted, []Transaction{commits(1, appends(1, 10))}, map[int][]int{1: {10, 10}}, "twice"},
		{"from nowhere", ReadCommitted, nil, map[int][]int{1: {10}}, "nobody has appended"},
		{"read of an aborted append", ReadCommitted, []Transaction{aborted, commits(2, reads(1, 10))}, nil, "not a beginning"},
		{"another order", ReadCommitted, []Transaction{commits(1, appends(1, 10)), commits(2, appends(1, 11)), commits(3, reads(1, 11))}, map[int][]int{1: {10, 11}}, "not a beginning"},
		{"read of half a transaction", ReadCommitted, []Transaction{commits(1, appends(1, 10), appends(1, 11)), commits(2, reads(1, 10))}, map[int][]int{1: {10, 11}}, "G1b"},
		{"client does not see its own write", ReadCommitted, []Transaction{commits(1, appends(1, 10)), commits(1, reads(1))}, map[int][]int{1: {10}}, "backwards"},
		{"client no longer sees what it has read", ReadCommitted, []Transaction{commits(1, appends(1, 10)), commits(2, reads(1, 10)), commits(2, reads(1))}, map[int][]int{1: {10}}, "backwards"},
		{"another client does not see it yet", ReadCommitted, []Transaction{commits(1, appends(1, 10)), commits(2, reads(1))}, map[int][]int{1: {10}}, ""},
		{"writes in opposite orders", ReadCommitted, []Transaction{commits(1, appends(1, 10), appends(2, 20)), commits(2, appends(2, 21), appends(1, 11))}, map[int][]int{1: {10, 11}, 2: {21, 20}}, "G1c"},
		{"each read the other's write", ReadCommitted, []Transaction{commits(1, appends(1, 10), reads(2, 20)), commits(2, appends(2, 20), reads(1, 10))}, skewed, "G1c"},
		{"half of another transaction is seen", ReadCommitted, fractured, skewed, ""},
		{"half of another transaction is seen in a snapshot", SnapshotIsolation, fractured, skewed, "G-single"},
		{"write skew", SnapshotIsolation, skew, skewed, ""},
		{"write skew, serializable", Serializable, skew, skewed, "G2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := strings.Join(Check(tt.level, tt.history, tt.final), "\n")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}
