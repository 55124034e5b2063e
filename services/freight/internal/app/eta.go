package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	platform "crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"

	"crossdock.dev/services/freight/internal/eta"
	"crossdock.dev/services/freight/internal/eventtime"
	"crossdock.dev/services/freight/internal/fact"
	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/milestone"
	"crossdock.dev/services/freight/internal/network"
	"crossdock.dev/services/freight/internal/shipment"
	"crossdock.dev/services/freight/internal/store"
)

// watch brings a shipment's trust to what its carrier's claims make of it at an instant, and moves its timer to when that
// changes next. What was handed over or called off has neither. The shipment is not saved.
func (a *App) watch(tx *store.Tx, l load.Load, s *shipment.Shipment, h milestone.History, at time.Time) error {
	if !s.EtaWatch {
		return nil
	}
	var trust eta.Trust
	var next time.Time
	if s.Watched() {
		c, err := tx.Carrier(l.Carrier)
		if err != nil && !absent(err) {
			return err
		}
		trust, next = word(l, *s, c, h).Trust(at)
	}
	if s.WatchTask != "" {
		if err := tx.Never(s.WatchTask); err != nil {
			return err
		}
	}
	s.Trust, s.WatchTask = trust, ""
	if next.IsZero() {
		return nil
	}
	s.WatchTask = a.ids.New("task")
	return tx.Later(tasks.Task{ID: s.WatchTask, Kind: KindSilence, Subject: s.Name, Due: next, Effect: tasks.Keyed})
}

func word(l load.Load, s shipment.Shipment, c network.Carrier, h milestone.History) eta.Word {
	from, _ := l.StopOf(s.Name, load.Pickup)
	return eta.Word{Interval: c.Interval, Newest: h.Newest, Departed: s.OnTheWay(), Scheduled: from.WindowTo.Instant}
}

// trusts are the facts of a trust that has changed; estimated says that an estimate of the shipment is told anyway, with its trust.
// A shipment that was handed over needs neither.
func trusts(about fact.About, was, is shipment.Shipment, h milestone.History, estimated bool) []fact.Fact {
	var out []fact.Fact
	if is.Watched() && !is.Trust.Same(was.Trust) && !estimated {
		out = append(out, fact.EtaChanged{About: about, Shipment: is, Estimate: estimate(about.Load, is, h)})
	}
	silent := func(s shipment.Shipment) bool { return s.Trust.Confidence == eta.None }
	switch {
	case silent(is) && !silent(was):
		out = append(out, fact.ExceptionRaised{About: about, Shipment: is, Reason: eta.FeedSilent, Detail: silence(about.Load, h)})
	case silent(was) && !silent(is):
		out = append(out, fact.ExceptionCleared{About: about, Shipment: is, Reason: eta.FeedSilent})
	}
	return out
}

func estimate(l load.Load, s shipment.Shipment, h milestone.History) eventtime.Time {
	to, _ := l.StopOf(s.Name, load.Delivery)
	return h.Estimate(l, to)
}

func silence(l load.Load, h milestone.History) string {
	if h.Newest.IsZero() {
		return fmt.Sprintf("not a word of load %s from %s", l.Number, l.Carrier)
	}
	return fmt.Sprintf("no word of load %s from %s since %s", l.Number, l.Carrier, h.Newest.UTC().Format(time.RFC3339))
}

// listen is the timer: nothing was heard until it was due. What changed by then is told as of then, so that a service which was
// down tells every change in its order.
func (a *App) listen(_ context.Context, task tasks.Task) (tasks.Done, error) {
	return func(ctx context.Context, ptx *platform.Tx) error {
		tx := store.Wrap(ctx, ptx)
		s, err := tx.Shipment(task.Subject)
		if err != nil {
			return err
		}
		l, err := tx.Load(s.Load)
		if err != nil {
			return err
		}
		claims, err := tx.Claims(l.Name)
		if err != nil {
			return err
		}
		h := milestone.Fold(claims)
		was := s
		if err := a.watch(tx, l, &s, h, task.Due); err != nil {
			return err
		}
		if err := tx.PutShipment(&s); err != nil {
			return err
		}
		aboard, err := tx.Aboard(l)
		if err != nil {
			return err
		}
		tx.OccurAt(task.Due)
		return tx.Tell(trusts(fact.About{Load: l, Shipments: aboard}, was, s, h, false)...)
	}, nil
}

// estimated reports whether an estimate of a shipment stands among the facts.
func estimated(facts []fact.Fact, s shipment.Shipment) bool {
	return slices.ContainsFunc(facts, func(f fact.Fact) bool {
		e, ok := f.(fact.EtaChanged)
		return ok && e.Shipment.Name == s.Name
	})
}
