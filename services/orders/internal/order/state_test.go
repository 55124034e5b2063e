package order_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"crossdock.dev/platform/platformtest/golden"
	"crossdock.dev/services/orders/internal/order"
)

// TestTransitions walks every state with every verb; the table is the golden file.
func TestTransitions(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "%-10s", "")
	for _, v := range order.Verbs {
		fmt.Fprintf(&b, " %-12s", v)
	}
	b.WriteString("\n")
	for _, from := range order.States {
		fmt.Fprintf(&b, "%-10s", from)
		for _, v := range order.Verbs {
			to, err := from.Next(v)
			var refused *order.TransitionError
			switch {
			case err == nil:
				fmt.Fprintf(&b, " %-12s", to)
			case errors.As(err, &refused):
				if refused.From != from || refused.Verb != v || to != from {
					t.Errorf("%s × %s: got %v, state %s", from, v, err, to)
				}
				fmt.Fprintf(&b, " %-12s", "-")
			default:
				t.Errorf("%s × %s: got error %v, want a *TransitionError", from, v, err)
			}
		}
		b.WriteString("\n")
	}
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	golden.Check(t, "transitions.txt", []byte(strings.Join(lines, "\n")))
}
