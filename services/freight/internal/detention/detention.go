// Package detention is for what a carrier is owed because its truck had to wait at a delivery stop. It promises that waiting is
// owed only when the carrier's claims prove it, priced by the contract that priced the load; that a corrected time changes the
// amount; and that the same claims tell nothing new. Who is told is left to package app, who bears it to package cost.
package detention

import (
	"errors"
	"fmt"
	"time"

	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/rating"

	"crossdock.dev/services/freight/internal/cost"
	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/milestone"
)

// Due is what waiting at one stop costs. Its amount is zero where the claims prove that nothing is owed.
type Due struct {
	Stop     load.Stop
	Charge   cost.Charge
	Evidence string // the claims and their times, in words
	Why      rating.Node
}

// Owed prices the waiting at the delivery stops of a load where arrival and departure are both claimed, in order of the stops.
// That goods were handed over is no departure. It waits from the later of arrival and appointment, which is the beginning of the
// stop's window. Without terms for detention nothing is owed; an error says that the tariff is unusable.
func Owed(l load.Load, h milestone.History, t rating.Tariff) ([]Due, error) {
	zero, err := money.Zero(t.Currency)
	if err != nil {
		return nil, err
	}
	var out []Due
	for _, s := range l.Stops {
		known := h.Stops[s.Sequence]
		if s.Role != load.Delivery || known.Arrived.IsZero() || known.Departed.IsZero() {
			continue
		}
		d := Due{Stop: s, Charge: cost.Charge{Code: string(rating.DetentionCharge), Amount: zero}, Evidence: evidence(s, known)}
		c, err := rating.RateDetention(t, rating.Dwell{
			Stop: s.Sequence, Delivery: true, Appointment: s.WindowFrom.Instant, Arrived: known.Arrived.Instant, Departed: known.Departed.Instant,
		})
		how := c.Explain.Rule
		switch {
		case errors.Is(err, rating.ErrNoPrice):
			return nil, nil
		case errors.Is(err, rating.ErrMove): // one of the two times will be corrected
			how = "it departed before it arrived"
		case err != nil:
			return nil, err
		default:
			d.Charge.Amount, d.Why = c.Amount, c.Explain
			d.Evidence += fmt.Sprintf(": waited %d min, %d min free", waited(s, known), t.Detention.FreeMinutes)
			if !c.Amount.IsZero() {
				how = c.Quantity.Value().Trim().String() + " h at " + c.Rate.String()
			}
		}
		d.Charge.Description = fmt.Sprintf("Detention at stop %d, %s", s.Sequence, how)
		out = append(out, d)
	}
	return out, nil
}

// waited is in whole minutes.
func waited(s load.Stop, known milestone.Standing) int {
	from := known.Arrived.Instant
	if s.WindowFrom.Instant.After(from) {
		from = s.WindowFrom.Instant
	}
	return max(0, int(known.Departed.Instant.Sub(from)/time.Minute))
}

func evidence(s load.Stop, known milestone.Standing) string {
	say := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	return fmt.Sprintf("stop %d: appointment %s, arrived %s (%s), departed %s (%s)", s.Sequence, say(s.WindowFrom.Instant),
		say(known.Arrived.Instant), known.ArrivedBy, say(known.Departed.Instant), known.DepartedBy)
}

// Changed are those of after whose amount is another than before, where absence is zero. Claims are kept for ever, so what was
// due before stands in after too.
func Changed(before, after []Due) []Due {
	was := map[int]money.Amount{}
	for _, d := range before {
		was[d.Stop.Sequence] = d.Charge.Amount
	}
	var out []Due
	for _, d := range after {
		if old, ok := was[d.Stop.Sequence]; ok && old == d.Charge.Amount || !ok && d.Charge.Amount.IsZero() {
			continue
		}
		out = append(out, d)
	}
	return out
}
