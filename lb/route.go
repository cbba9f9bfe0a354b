package lb

// Route says where one statement goes. It reads its argument and nothing else: same
// input, same answer.
func Route(in *Input) Decision {
	rules := in.Policy.Mode.rules()
	last := len(rules) - 1
	for _, r := range rules[:last] {
		if in.applies(r) {
			return in.decide(r)
		}
	}
	return in.decide(rules[last])
}
