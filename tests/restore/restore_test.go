package restore

import (
	"maps"
	"slices"
	"testing"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/tests/sim"
)

// An older copy of one service is restored while the others are ahead of it.
func TestOlderBackupWhileReadersAreAhead(t *testing.T) {
	for _, c := range []struct {
		service string
		readers []string // whose effects are orphaned
		fence   string   // after one order is through and one is offered
	}{
		{"orders", []string{"billing", "tower", "workflow"}, "up true: "},
		{"freight", []string{"billing", "edi", "orders", "tower", "workflow"}, "up true: loads/NL2603 3"},
		{"billing", []string{"orders", "tower", "workflow"}, "up true: invoices/NLS26 2"},
		{"edi", []string{"tower"}, "up true: control/ZZ/NORTHLINE>02/CXEE 3"},
	} {
		t.Run(c.service, func(t *testing.T) {
			w := newWorld(t)
			w.order("R-1")
			w.finish("R-1")
			w.wantEnded("R-1")
			w.order("R-2")
			dir := w.save(c.service)
			w.finish("R-2")
			w.order("R-3")
			w.finish("R-3")
			w.wantEnded("R-2")
			w.wantEnded("R-3")

			w.lose(c.service, dir)
			w.settle()
			found := w.forked(c.service)
			if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, c.readers) {
				t.Errorf("readers that wait at the fork = %q, want %q", got, c.readers)
			}
			for reader, orphans := range found {
				if orphans == 0 {
					t.Errorf("%s: no orphan is listed", reader)
				}
			}
			f, err := w.log(c.service).GetFence(t.Context(), &eventlogv1.GetFenceRequest{})
			must(t, err)
			if got := fenced(f); got != c.fence {
				t.Errorf("fence = %s, want %s", got, c.fence)
			}
			for _, name := range sim.Names { // nothing of what waits is lost with a restart
				w.Close(name)
				w.Open(name)
			}
			w.settle()

			before, err := w.Outbox(t.Context())
			must(t, err)
			w.decide(c.service)
			if after, err := w.Outbox(t.Context()); err != nil || c.service == "edi" && len(after) != len(before) {
				t.Errorf("%d messages were sent, %d after the restore, %v: what was sent was sent again", len(before), len(after), err)
			}
			if left := w.forked(c.service); len(left) > 0 {
				t.Errorf("still at the fork: %v", left)
			}
			must(t, w.Settle(t.Context())) // no reader stands still any more
			for _, po := range []string{"R-4", "R-5"} {
				w.order(po)
				w.finish(po)
				w.wantEnded(po)
			}
			for reader, want := range found { // they stand, and stay listed
				list, err := w.log(reader).ListConsumers(t.Context(), &eventlogv1.ListConsumersRequest{})
				must(t, err)
				for _, x := range list.GetConsumers() {
					if x.GetLog() != c.service {
						continue
					}
					if d := x.GetDecisions(); len(d) != 1 || d[0].GetActor() == "" || int(d[0].GetOrphans()) != want {
						t.Errorf("%s: decisions = %v, want one about %d orphans", reader, d, want)
					}
				}
			}
			w.verify()
		})
	}
}
