package capabilities

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"crossdock.dev/tests/conductor"
	"crossdock.dev/tests/sim"
)

var write = flag.Bool("write", false, "write docs/capabilities.md from the table")

// all are the numbers of what the users asked for: how many lines each chapter has.
var all = map[string]int{"S1": 10, "S2": 16, "S3": 12, "S4": 8, "S5": 16, "S6": 7, "S7": 6, "S8": 3, "S9": 8, "S10": 4, "S12": 5}

func TestTableHasEveryNumberOnce(t *testing.T) {
	seen := map[string]int{}
	for _, c := range Table() {
		seen[c.ID]++
		if c.What == "" || c.Check == nil && c.Missing == "" {
			t.Errorf("%s: what it is %q, missing %q: a line without a check says what is missing", c.ID, c.What, c.Missing)
		}
		if c.Kind == Disturbs && !c.Programs {
			t.Errorf("%s disturbs programs and does not say that it needs them", c.ID)
		}
	}
	for chapter, n := range all {
		for i := range n {
			if id := fmt.Sprintf("%s.%d", chapter, i+1); seen[id] != 1 {
				t.Errorf("%s stands in the table %d times, want once", id, seen[id])
			}
			delete(seen, fmt.Sprintf("%s.%d", chapter, i+1))
		}
	}
	for id := range seen {
		t.Errorf("%s is nobody's number", id)
	}
}

func TestSelect(t *testing.T) {
	if _, err := Select([]string{"S2.8", "S2.80"}); err == nil || !strings.Contains(err.Error(), "S2.80") {
		t.Errorf("a number that does not exist: got %v, want an error that names it", err)
	}
	got, err := Select([]string{"S4.4", "S2.8"})
	must(t, err)
	if len(got) != 2 || got[0].ID != "S4.4" || got[1].ID != "S2.8" {
		t.Errorf("got %v, want S4.4 and S2.8", got)
	}
}

// A claimed capability that fails is broken; one that misses something, or is not there, only falls short.
func TestRunTellsBroken(t *testing.T) {
	fine := func(context.Context, *World) (Evidence, error) { return Evidence{"seen"}, nil }
	list := []Capability{
		{ID: "S1.1", What: "a", Check: func(context.Context, *World) (Evidence, error) { return nil, errors.New("got 1, want 2") }},
		{ID: "S1.2", What: "b", Check: fine, Missing: "the chart"},
		{ID: "S1.3", What: "c", Check: fine},
		{ID: "S1.4", What: "d", Missing: "all of it"},
	}
	var out bytes.Buffer
	r, err := Run(t.Context(), nil, list, &out)
	must(t, err)
	want := "S1.1 falls short: got 1, want 2\n    a\nS1.2 falls short: the chart\n    b\n    - seen\nS1.3 works\n    c\n    - seen\n" +
		"S1.4 falls short: all of it\n    d\n\n1 of 4 work, 3 fall short; claimed and not so: S1.1\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	if len(r.Broken) != 1 || r.Broken[0] != "S1.1" {
		t.Errorf("broken: got %v, want S1.1", r.Broken)
	}
}

// row is a line of the page.
func row(c Capability) string {
	state, command := string(c.State()), "`make capabilities ONLY="+c.ID+"`"
	if c.Missing != "" {
		state += ": " + c.Missing
	}
	if c.Check == nil {
		command = ""
	}
	return fmt.Sprintf("| %s | %s | %s | %s |", c.ID, c.What, state, command)
}

var (
	ofPage = regexp.MustCompile(`(?m)^\| S\d+\.\d+ \|.*$`)
	counts = regexp.MustCompile(`\d+ work, \d+ work in part, \d+ are not there yet`)
)

// TestPage holds docs/capabilities.md against the table: the same numbers, words and states.
func TestPage(t *testing.T) {
	page := filepath.Join(sim.Root(t), "docs", "capabilities.md")
	raw, err := os.ReadFile(page)
	must(t, err)
	var want []string
	states := map[State]int{}
	for _, c := range Table() {
		want = append(want, row(c))
		states[c.State()]++
	}
	total := fmt.Sprintf("%d work, %d work in part, %d are not there yet", states[Works], states[Partly], states[NotYet])
	if *write {
		head, _, _ := strings.Cut(counts.ReplaceAllString(string(raw), total), "| S1.1 |")
		must(t, os.WriteFile(page, []byte(head+strings.Join(want, "\n")+"\n"), 0o644))
		return
	}
	if diff := cmp.Diff(want, ofPage.FindAllString(string(raw), -1)); diff != "" {
		t.Errorf("the page (-table +page), `go test ./capabilities -run Page -write` writes it:\n%s", diff)
	}
	if got := counts.FindString(string(raw)); got != total {
		t.Errorf("the page counts %q, want %q", got, total)
	}
}

// played is a simulation on which the day was played.
func played(t *testing.T) *World {
	t.Helper()
	s, root := sim.New(t), sim.Root(t)
	players, err := conductor.Cast(conductor.Stage{
		Day: os.DirFS(filepath.Join(root, "tests", "day")), Own: t.TempDir(), Inbox: s.Inbox(), Outbox: s.OutboxDir(), Conn: s.Conn, REST: s.Call,
	})
	must(t, err)
	must(t, conductor.Play(t.Context(), conductor.Config{Suite: s, Players: players, End: conductor.End}))
	w, err := Open(t.Context(), s, root, 5000)
	must(t, err)
	w.Players = players
	return w
}

// What can be tried without programs is tried in a simulation: nothing that is claimed falls short. Then what is expected is
// changed, and each check that was told something wrong must say so.
func TestChecks(t *testing.T) {
	w := played(t)
	list := slices.DeleteFunc(Table(), func(c Capability) bool { return c.Programs })
	// What reads comes first: what is expected is of the day alone.
	wrong := map[string]func(day map[string]any){
		"S1.6":  func(day map[string]any) { set(day, 7.0, "orders", "fulfilment", "DELIVERED") },
		"S2.5":  func(day map[string]any) { set(day, "416108.44", "invoices", "ISSUED", "USD", "amount") },
		"S5.13": func(day map[string]any) { set(day, 3.0, "tenders", "EXPIRED") },
		"S9.8":  func(day map[string]any) { set(day, 6.0, "messages", "CXEE", "duplicate") },
		"S12.3": func(day map[string]any) { set(day, 41.0, "golden_flows", "pod_to_billing_authorisation") },
	}
	for id, change := range wrong {
		undo := changed(w.Expected.Day, change)
		c, err := Select([]string{id})
		must(t, err)
		var out bytes.Buffer
		r, err := Run(t.Context(), w, c, &out)
		must(t, err)
		if len(r.Broken) != 1 || !strings.HasPrefix(out.String(), id+" falls short: ") {
			t.Errorf("%s with another figure expected: broken %v\n%s", id, r.Broken, out.String())
		}
		undo()
	}
	var out bytes.Buffer
	r, err := Run(t.Context(), w, list, &out)
	must(t, err)
	if len(r.Broken) > 0 {
		t.Errorf("claimed and not so: %v\n%s", r.Broken, out.String())
	}
	claimed := 0
	for _, c := range list {
		if c.State() == Works {
			claimed++
		}
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if want := fmt.Sprintf("%d of %d work, %d fall short", claimed, len(list), len(list)-claimed); lines[len(lines)-1] != want {
		t.Errorf("last line %q, want %q", lines[len(lines)-1], want)
	}
}

// set puts another figure at a path.
func set(day map[string]any, figure any, path ...string) {
	for _, key := range path[:len(path)-1] {
		next, ok := day[key].(map[string]any)
		if !ok {
			return
		}
		day = next
	}
	day[path[len(path)-1]] = figure
}

// changed changes what is expected and returns what takes the change back.
func changed(day map[string]any, change func(map[string]any)) (undo func()) {
	kept := map[string]any{}
	for key, v := range day {
		kept[key] = clone(v)
	}
	change(day)
	return func() {
		for key, v := range kept {
			day[key] = v
		}
	}
}

func clone(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for key, x := range m {
		out[key] = clone(x)
	}
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
