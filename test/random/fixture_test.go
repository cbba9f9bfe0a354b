package random

import (
	"context"
	"maps"
	"slices"
)

// roundsOfASchema is after how many rounds another schema is made up.
const roundsOfASchema = 20

func patiently() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

func sortedKeys(m map[string]int) []string { return slices.Sorted(maps.Keys(m)) }
