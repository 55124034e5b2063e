// Package capabilities tries what the suite is said to be able to do, one capability after the other, on a suite on which the
// working day was played.
//
// It promises that every word "works" comes from this run: a check reads the suite and holds it against what was worked out by
// hand beforehand (tests/day), against another door of the suite or its logs, or tries something of its own and looks at what
// came of it. What is missing from a capability is said in the table, and then it is not said to work.
package capabilities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// State is how much of a capability there is.
type State string

// The states of the page docs/capabilities.md.
const (
	Works  State = "works"
	Partly State = "partly"
	NotYet State = "not yet"
)

// Kind says what a check does to the suite. Checks are made in this order.
type Kind int

const (
	// Reads looks only.
	Reads Kind = iota
	// Acts sends in orders and messages of its own.
	Acts
	// Disturbs stops or kills programs, too.
	Disturbs
)

// Capability is one line of what the users asked for.
type Capability struct {
	// ID is its number, such as "S2.8".
	ID string
	// What it is, in a few words.
	What string
	// Missing is what is not there; empty when nothing is.
	Missing string
	// Check tries what is there; nil when nothing is.
	Check func(ctx context.Context, w *World) (Evidence, error)
	Kind  Kind
	// Programs says that the check needs running programs, not a simulation.
	Programs bool
}

// State is what is claimed of the capability.
func (c Capability) State() State {
	switch {
	case c.Check == nil:
		return NotYet
	case c.Missing != "":
		return Partly
	}
	return Works
}

// Evidence is what a check saw: ids, amounts, times; one thing a line.
type Evidence []string

func (e *Evidence) say(format string, args ...any) { *e = append(*e, fmt.Sprintf(format, args...)) }

// Table is every capability, in the order of its numbers.
func Table() []Capability {
	return slices.Concat(s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s12)
}

// Select returns the capabilities with the given numbers; none given means all. A number that does not exist is an error.
func Select(ids []string) ([]Capability, error) {
	all := Table()
	if len(ids) == 0 {
		return all, nil
	}
	var out []Capability
	for _, id := range ids {
		i := slices.IndexFunc(all, func(c Capability) bool { return c.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("there is no capability %q", id)
		}
		out = append(out, all[i])
	}
	return out, nil
}

// Limit is how long one check may take on a loaded machine.
const Limit = 2 * time.Minute

// Result counts what was tried.
type Result struct {
	Works, Short int
	// Broken are those that are claimed, wholly or in part, and whose check failed.
	Broken []string
}

// Run tries capabilities and prints a line for each, with its evidence below, and the total. What reads comes first, what
// disturbs last. The error is the writer's.
func Run(ctx context.Context, w *World, list []Capability, out io.Writer) (Result, error) {
	var r Result
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Capability) int { return int(a.Kind) - int(b.Kind) })
	for _, c := range list {
		evidence, why := try(ctx, w, c)
		switch {
		case why == nil && c.Missing == "":
			r.Works++
		case why == nil:
			r.Short++
			why = errors.New(c.Missing)
		default:
			r.Short++
			r.Broken = append(r.Broken, c.ID)
		}
		if err := tell(out, c, evidence, why); err != nil {
			return r, err
		}
	}
	_, err := fmt.Fprintf(out, "\n%d of %d work, %d fall short", r.Works, r.Works+r.Short, r.Short)
	if err == nil && len(r.Broken) > 0 {
		_, err = fmt.Fprintf(out, "; claimed and not so: %s", strings.Join(r.Broken, ", "))
	}
	if err == nil {
		_, err = fmt.Fprintln(out)
	}
	return r, err
}

func try(ctx context.Context, w *World, c Capability) (Evidence, error) {
	if c.Check == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	return c.Check(ctx, w)
}

func tell(out io.Writer, c Capability, evidence Evidence, why error) error {
	line := c.ID + " works\n"
	if why != nil {
		line = c.ID + " falls short: " + strings.ReplaceAll(why.Error(), "\n", " ") + "\n"
	}
	line += "    " + c.What + "\n"
	for _, e := range evidence {
		line += "    - " + strings.ReplaceAll(e, "\n", "\n      ") + "\n"
	}
	_, err := io.WriteString(out, line)
	return err
}

// same is an error when two things that must be the same are not.
func same[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s: got %v, want %v", what, got, want)
	}
	return nil
}

// first is the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// inOrder takes steps one after the other, up to the first that fails.
func inOrder(ctx context.Context, steps ...func(context.Context) error) error {
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// contains is an error when a text does not hold another.
func contains(what, text, want string) error {
	if strings.Contains(text, want) {
		return nil
	}
	return fmt.Errorf("%s does not hold %s: %s", what, want, text)
}
