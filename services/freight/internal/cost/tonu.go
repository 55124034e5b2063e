package cost

import (
	"time"

	"crossdock.dev/kernel/rating"

	"crossdock.dev/services/freight/internal/network"
)

// Withdrawal is a booked load that is taken back from its carrier.
type Withdrawal struct {
	At     time.Time
	Pickup time.Time     // as planned
	Window time.Duration // before the pick-up; zero where the carrier's terms owe nothing for a truck not used
}

// Late reports whether it comes inside the window, its first instant included. After the planned pick-up it is late too.
func (w Withdrawal) Late() bool { return w.Window > 0 && !w.At.Before(w.Pickup.Add(-w.Window)) }

// NotUsed is what a carrier is owed for a truck that was ordered and not used, in place of what was booked. A contract without
// that charge is rating.ErrNoPrice.
func NotUsed(c network.Contract, booked Rated, w Withdrawal) (Rated, error) {
	ch, err := rating.RateTONU(c.Tariff)
	if err != nil {
		return Rated{}, err
	}
	return Rated{
		Carrier: booked.Carrier, Contract: c.Name, Total: ch.Amount,
		Charges: []Charge{{Code: string(ch.Code), Description: describe(ch), Amount: ch.Amount}},
		Explain: rating.Node{
			Label: "truck ordered, not used", Value: ch.Amount.Label(),
			Rule:     "withdrawn " + before(w) + ", the window is " + w.Window.String() + "; replaces " + booked.Total.Label() + " as booked",
			Source:   "withdrawn " + w.At.UTC().Format(time.RFC3339) + ", pick-up planned " + w.Pickup.UTC().Format(time.RFC3339),
			Children: []rating.Node{ch.Explain},
		},
	}, nil
}

func before(w Withdrawal) string {
	if d := w.Pickup.Sub(w.At); d >= 0 {
		return d.String() + " before the planned pick-up"
	}
	return "after the planned pick-up"
}
