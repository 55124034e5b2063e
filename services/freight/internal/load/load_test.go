package load_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/platform/platformtest/golden"

	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/refusal"
)

func TestTransitions(t *testing.T) {
	var out strings.Builder
	fmt.Fprintln(&out, "| state | verb | then |\n|---|---|---|")
	for _, from := range load.States() {
		for _, v := range load.Verbs() {
			then := "refused"
			l, err := load.Load{Name: "loads/load_1", State: from}.Move(v)
			var refused *refusal.TransitionError
			switch {
			case err == nil:
				then = string(l.State)
			case !errors.As(err, &refused) || refused.From != string(from) || refused.Verb != string(v):
				t.Errorf("%s × %s: error %v, want a TransitionError that names both", from, v, err)
			case l.State != from:
				t.Errorf("%s × %s was refused and left the load %s", from, v, l.State)
			}
			fmt.Fprintf(&out, "| %s | %s | %s |\n", from, v, then)
		}
	}
	golden.Check(t, "transitions.md", []byte(out.String()))
}

func TestNumber(t *testing.T) {
	for _, x := range []struct {
		day  string
		n    uint64
		want string
	}{
		{"2026-03-02", 1, "NL26030001"},
		{"2026-12-31", 42, "NL26120042"},
		{"2026-03-02", 10000, "NL260310000"},
	} {
		if got := load.Number(load.Series(calendar.MustParseDate(x.day)), x.n); got != x.want {
			t.Errorf("load %d planned on %s has number %s, want %s", x.n, x.day, got, x.want)
		}
	}
}
