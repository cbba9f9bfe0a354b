package config

import (
	"slices"
	"strings"
)

// FunctionRule is one element of function_policy.
type FunctionRule struct {
	Class  string // one of FunctionClasses
	Action string // one that the class allows
}

// functionClasses are the classes of function_policy with what can be done about calls of
// their functions, the default first. Values that are made alike have no other action:
// nobody is served by nodes that are told to differ.
var functionClasses = []struct {
	class   string
	actions []string
}{
	{"time", []string{"rewrite", "deny"}},
	{"random", []string{"rewrite", "deny"}},
	{"uuid", []string{"rewrite", "deny"}},
	{"sequence", []string{"lease", "deny"}},
	{"lo", []string{"rewrite", "broadcast", "warn", "deny"}},
	{"advisory", []string{"main", "broadcast", "warn", "deny"}},
	{"notify", []string{"main", "broadcast", "warn", "deny"}},
	{"filesystem", []string{"deny", "main", "broadcast", "warn"}},
	{"dblink", []string{"deny", "main", "broadcast", "warn"}},
	{"replication", []string{"deny", "main", "broadcast", "warn"}},
	{"admin", []string{"deny", "main", "broadcast", "warn"}},
	{"signal", []string{"map", "main", "deny"}},
}

// DefaultFunctionPolicy are the rules that hold for classes that function_policy does not
// name.
func DefaultFunctionPolicy() []FunctionRule {
	rules := make([]FunctionRule, len(functionClasses))
	for i, c := range functionClasses {
		rules[i] = FunctionRule{Class: c.class, Action: c.actions[0]}
	}
	return rules
}

// defaultFunctionPolicy is the same as text.
func defaultFunctionPolicy() string {
	var texts []string
	for _, rule := range DefaultFunctionPolicy() {
		texts = append(texts, rule.Class+":"+rule.Action)
	}
	return strings.Join(texts, ",")
}

// parseFunctionPolicy reads a comma list of class:action. Of two elements for one class
// the last one counts.
func parseFunctionPolicy(text string) (any, error) {
	var rules []FunctionRule
	for _, part := range splitList(text, ",") {
		class, action, _ := strings.Cut(part, ":")
		class, action = strings.Trim(class, blanks), strings.Trim(action, blanks)
		actions := actionsOf(class)
		switch {
		case actions == nil:
			return nil, badText("%q is not class:action with a class of %s", part, strings.Join(classNames(), ", "))
		case !slices.Contains(actions, action):
			return nil, badText("%q is not class:action; class %s has the actions %s", part, class, strings.Join(actions, ", "))
		}
		rules = append(rules, FunctionRule{class, action})
	}
	return rules, nil
}

func actionsOf(class string) []string {
	for _, c := range functionClasses {
		if c.class == class {
			return c.actions
		}
	}
	return nil
}

func classNames() []string {
	var names []string
	for _, c := range functionClasses {
		names = append(names, c.class)
	}
	return names
}
