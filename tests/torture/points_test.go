package torture

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"crossdock.dev/tests/sim"
)

// points are the named instants at which a program is killed, with the programs that pass them while flows are in flight. masterdata
// changes nothing then.
var points = map[string][]string{
	"store.commit.before":    {"orders", "freight", "billing", "workflow", "edi", "edge", "tower"},
	"store.commit.after":     {"orders", "freight", "billing", "workflow", "edi", "edge", "tower"},
	"consumer.read.after":    {"orders", "billing", "workflow", "edi", "edge", "tower"},
	"consumer.apply.after":   {"orders", "billing", "workflow", "edi", "edge", "tower"},
	"tasks.send.before":      {"workflow", "edi", "edge"},
	"tasks.send.after":       {"workflow", "edi", "edge"},
	"tasks.done.after":       {"workflow", "edi", "edge"},
	"rpc.answer.before":      {"orders", "freight", "billing"},
	"edi.inbox.claim.before": {"edi"},
	"edi.inbox.claim.after":  {"edi"},
	"edi.inbox.done.before":  {"edi"},
	"edi.inbox.done.after":   {"edi"},
	"edi.outbox.before":      {"edi"},
	"edi.outbox.after":       {"edi"},
	"webhook.send.before":    {"edge"},
	"webhook.send.after":     {"edge"},
}

// Every point that stands in the source is used, and every one that is used stands there.
func TestPointsAreKnown(t *testing.T) {
	hit := regexp.MustCompile(`failpoint\.Hit\("([^"]+)"\)`)
	found := map[string]bool{}
	root := sim.Root(t)
	for _, folder := range []string{"platform", "services", "integrations"} {
		must(t, filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range hit.FindAllStringSubmatch(string(text), -1) {
				found[m[1]] = true
			}
			return err
		}))
	}
	if got, want := slices.Sorted(maps.Keys(found)), slices.Sorted(maps.Keys(points)); !slices.Equal(got, want) {
		t.Errorf("in the source: %q\nused here:     %q", got, want)
	}
}

// job is one kill at a point: a program, and how often it passes the point before.
type job struct {
	program, point string
	at             int
}

// jobs are the kills, by program in random order.
func (a *attack) jobs(each int) map[string][]job {
	out := map[string][]job{}
	for _, point := range slices.Sorted(maps.Keys(points)) {
		programs := slices.Clone(points[point])
		a.r.Shuffle(len(programs), func(i, j int) { programs[i], programs[j] = programs[j], programs[i] })
		for n := range each {
			p := programs[n%len(programs)]
			out[p] = append(out[p], job{p, point, 1 + a.r.IntN(10)})
		}
	}
	for _, p := range slices.Sorted(maps.Keys(out)) {
		a.r.Shuffle(len(out[p]), func(i, j int) { out[p][i], out[p][j] = out[p][j], out[p][i] })
	}
	return out
}

// Programs die at each named instant, again and again, several programs at a time.
func TestFailpoints(t *testing.T) {
	a := begin(t, 60*time.Second)
	armory := t.TempDir()
	t.Setenv("CROSSDOCK_FAILPOINTS", armory)
	w := openWorld(a, pointed)
	l := w.startLoad(40)
	each := times(3, 20)
	var lanes sync.WaitGroup
	for program, todo := range a.jobs(each) {
		lanes.Go(func() {
			for i, j := range todo {
				if err := errors.Join(w.killAt(armory, j), w.calm(program, i+1)); err != nil {
					t.Error(err)
					return
				}
			}
			a.say("%s was killed at %d points", program, len(todo))
		})
	}
	lanes.Wait()
	begun := l.count()
	l.check()
	a.over("%d points, each %d times, %d flows begun until the last", len(points), each, begun)
}

// killAt arms a program, waits until it has died there, and until it is ready again.
func (w *world) killAt(armory string, j job) error {
	had := len(w.suite.PIDs(j.program))
	file := filepath.Join(armory, j.program)
	if err := os.WriteFile(file+".new", fmt.Appendf(nil, "%s %d", j.point, j.at), 0o600); err != nil {
		return err
	}
	if err := os.Rename(file+".new", file); err != nil {
		return err
	}
	err := w.suite.Up.Until(w.Context(), fmt.Sprintf("%s dies at %s", j.program, j.point), func() bool {
		_, err := os.Stat(file)
		return errors.Is(err, fs.ErrNotExist)
	})
	if err != nil {
		return err
	}
	_, _, err = w.ready(w.Context(), j.program, had)
	return err
}
