package verify

// verdict says who deviates from whom.
type verdict struct {
	reference int   // whose value is taken for right
	deviants  []int // by rising number
	// proven: main is the reference and a majority agrees with it, or there are only
	// two nodes and main is right by definition (replication-correctness 6.4).
	proven bool
}

// judge compares what the nodes have, main first; absent is a value of its own. Pure.
func judge(values []string) verdict {
	votes := map[string]int{}
	for _, value := range values {
		votes[value]++
	}
	v := verdict{proven: len(values) == 2}
	for i, value := range values {
		if 2*votes[value] > len(values) {
			v.reference, v.proven = i, v.proven || i == 0
			break
		}
	}
	for i, value := range values {
		if value != values[v.reference] {
			v.deviants = append(v.deviants, i)
		}
	}
	return v
}
