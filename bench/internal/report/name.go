package report

import (
	"maps"
	"slices"
	"strings"
)

// camel makes "CreateOrder" of "create-order", as benchmarks are named.
func camel(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "-") {
		if part != "" {
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return b.String()
}

func sorted(m map[string]float64) []string { return slices.Sorted(maps.Keys(m)) }
