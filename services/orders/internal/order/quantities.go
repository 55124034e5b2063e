package order

import (
	"errors"
	"fmt"
	"slices"

	"crossdock.dev/kernel/decimal"
)

// ErrAlgebra is what every verb on quantities returns that would break their algebra.
var ErrAlgebra = errors.New("quantities do not add up")

// Numbers are the quantities of a line that are not computed from others, in the line's unit.
type Numbers struct {
	Ordered          decimal.Decimal
	CancelledBefore  decimal.Decimal // cancelled before release
	Released         decimal.Decimal // ever
	Planned          decimal.Decimal // of released
	Tendered         decimal.Decimal // of planned
	Secured          decimal.Decimal // of tendered
	Shipped          decimal.Decimal // left the ship-from
	CancelledAfter   decimal.Decimal // cancelled after release
	Lost             decimal.Decimal // declared lost
	Accepted         decimal.Decimal // these four arrived
	Short            decimal.Decimal
	Damaged          decimal.Decimal
	Refused          decimal.Decimal
	Authorized       decimal.Decimal // may be billed
	Billed, Credited decimal.Decimal
}

func (n *Numbers) fields() []*decimal.Decimal {
	return []*decimal.Decimal{&n.Ordered, &n.CancelledBefore, &n.Released, &n.Planned, &n.Tendered, &n.Secured, &n.Shipped,
		&n.CancelledAfter, &n.Lost, &n.Accepted, &n.Short, &n.Damaged, &n.Refused, &n.Authorized, &n.Billed, &n.Credited}
}

func (n Numbers) list() []string {
	var out []string
	for _, f := range n.fields() {
		out = append(out, f.Trim().String())
	}
	return out
}

// Equal reports whether all numbers are the same.
func (n Numbers) Equal(x Numbers) bool {
	return slices.Equal(n.list(), x.list())
}

// Quantities are the numbers of an order line, or of the part of it that is in one release. They obey
//
//	ordered  = released + unreleased + cancelled before release
//	released = shipped + cancelled after release + open
//	shipped  = in transit + lost + arrived
//	arrived  = accepted + short + damaged + refused
//	billed − credited ≤ authorized ≤ accepted, and secured ≤ tendered ≤ planned ≤ released − cancelled after release
//
// with no number below zero. Four of them are computed, so the sums hold by construction; the rest is checked by every verb.
type Quantities struct{ n Numbers }

// NewQuantities is a line of which nothing has happened yet. The quantity must be more than zero.
func NewQuantities(ordered decimal.Decimal) (Quantities, error) {
	if ordered.Sign() <= 0 {
		return Quantities{}, fmt.Errorf("%w: ordered %s", ErrAlgebra, ordered)
	}
	return Restore(Numbers{Ordered: ordered})
}

// Restore makes quantities of stored numbers, or says which rule they break.
func Restore(n Numbers) (Quantities, error) {
	q := Quantities{n}
	parts := []struct {
		name  string
		value decimal.Decimal
	}{
		{"ordered", n.Ordered}, {"cancelled before release", n.CancelledBefore}, {"released", n.Released}, {"unreleased", q.Unreleased()},
		{"planned", n.Planned}, {"tendered", n.Tendered}, {"secured", n.Secured}, {"shipped", n.Shipped},
		{"cancelled after release", n.CancelledAfter}, {"open", q.Open()}, {"lost", n.Lost}, {"in transit", q.InTransit()},
		{"accepted", n.Accepted}, {"short", n.Short}, {"damaged", n.Damaged}, {"refused", n.Refused},
		{"authorized", n.Authorized}, {"billed", n.Billed}, {"credited", n.Credited},
		{"released and not cancelled, less planned", q.live().Sub(n.Planned)},
		{"planned less tendered", n.Planned.Sub(n.Tendered)},
		{"tendered less secured", n.Tendered.Sub(n.Secured)},
		{"accepted less authorized", n.Accepted.Sub(n.Authorized)},
		{"authorized less billed", n.Authorized.Sub(q.billedNet())},
		{"billed less credited", q.billedNet()},
	}
	for _, p := range parts {
		if p.value.Sign() < 0 {
			return Quantities{}, fmt.Errorf("%w: %s would be %s", ErrAlgebra, p.name, p.value)
		}
	}
	return q, nil
}

// Numbers are the numbers to store.
func (q Quantities) Numbers() Numbers { return q.n }

// Unreleased is what is neither released nor cancelled before.
func (q Quantities) Unreleased() decimal.Decimal {
	return q.n.Ordered.Sub(q.n.Released).Sub(q.n.CancelledBefore)
}

// Open is what is released and still to leave.
func (q Quantities) Open() decimal.Decimal { return q.live().Sub(q.n.Shipped) }

// Arrived is what came to the consignee, with all exceptions.
func (q Quantities) Arrived() decimal.Decimal {
	return q.n.Accepted.Add(q.n.Short).Add(q.n.Damaged).Add(q.n.Refused)
}

// InTransit is what is on the way.
func (q Quantities) InTransit() decimal.Decimal { return q.n.Shipped.Sub(q.n.Lost).Sub(q.Arrived()) }

// Wanted is what is ordered and not cancelled.
func (q Quantities) Wanted() decimal.Decimal {
	return q.n.Ordered.Sub(q.n.CancelledBefore).Sub(q.n.CancelledAfter)
}

func (q Quantities) live() decimal.Decimal      { return q.n.Released.Sub(q.n.CancelledAfter) }
func (q Quantities) billedNet() decimal.Decimal { return q.n.Billed.Sub(q.n.Credited) }

// Settled reports whether everything wanted is billed.
func (q Quantities) Settled() bool { return q.billedNet().Equal(q.Wanted()) }

// Release hands x of the unreleased quantity to planning.
func (q Quantities) Release(x decimal.Decimal) (Quantities, error) {
	if x.Sign() <= 0 {
		return Quantities{}, fmt.Errorf("%w: release of %s", ErrAlgebra, x)
	}
	n := q.n
	n.Released = n.Released.Add(x)
	return Restore(n)
}

// CancelUnreleased cancels all that is unreleased.
func (q Quantities) CancelUnreleased() (Quantities, error) {
	n := q.n
	n.CancelledBefore = n.CancelledBefore.Add(q.Unreleased())
	return Restore(n)
}

// Plan puts all that is released into a planned load. What is further already stays there.
func (q Quantities) Plan() (Quantities, error) {
	n := q.n
	n.Planned = q.live()
	return Restore(n)
}

// Tender offers all that is released to a carrier; no carrier holds it then.
func (q Quantities) Tender() (Quantities, error) {
	n := q.n
	n.Planned, n.Tendered, n.Secured = q.live(), q.live(), decimal.Zero
	return Restore(n)
}

// Secure commits a carrier to all that is released.
func (q Quantities) Secure() (Quantities, error) {
	n := q.n
	n.Planned, n.Tendered, n.Secured = q.live(), q.live(), q.live()
	return Restore(n)
}

// FallBack takes all that is released back to a planned load that no carrier is asked for.
func (q Quantities) FallBack() (Quantities, error) {
	n := q.n
	n.Planned, n.Tendered, n.Secured = q.live(), decimal.Zero, decimal.Zero
	return Restore(n)
}

// CallOff cancels all that is released and has not left.
func (q Quantities) CallOff() (Quantities, error) {
	n := q.n
	n.CancelledAfter = n.CancelledAfter.Add(q.Open())
	left := q.n.Shipped
	n.Planned, n.Tendered, n.Secured = left, left, left
	return Restore(n)
}

// Ship says that all that is released has left; without a warehouse's confirmation departure is the proof of it.
func (q Quantities) Ship() (Quantities, error) {
	n := q.n
	n.Shipped = q.live()
	return Restore(n)
}

// Delivery is what became of a quantity at the consignee.
type Delivery struct {
	Accepted, Short, Damaged, Refused decimal.Decimal
}

// Deliver says what became of the shipped quantity. A later proof replaces an earlier one.
func (q Quantities) Deliver(d Delivery) (Quantities, error) {
	n := q.n
	n.Accepted, n.Short, n.Damaged, n.Refused = d.Accepted, d.Short, d.Damaged, d.Refused
	return Restore(n)
}

// Authorize permits to bill x more.
func (q Quantities) Authorize(x decimal.Decimal) (Quantities, error) {
	n := q.n
	n.Authorized = n.Authorized.Add(x)
	return Restore(n)
}

// Bill says that x more is invoiced.
func (q Quantities) Bill(x decimal.Decimal) (Quantities, error) {
	n := q.n
	n.Billed = n.Billed.Add(x)
	return Restore(n)
}

// Exchange replaces, within an order line's quantities, those of one release by what they have become. Both count the same
// released quantity.
func (q Quantities) Exchange(was, is Quantities) (Quantities, error) {
	return Restore(q.minus(was).plus(is).n)
}

// plus and minus work number by number; the result need not be anybody's quantities.
func (q Quantities) plus(x Quantities) Quantities  { return q.with(x, decimal.Decimal.Add) }
func (q Quantities) minus(x Quantities) Quantities { return q.with(x, decimal.Decimal.Sub) }

func (q Quantities) with(x Quantities, op func(a, b decimal.Decimal) decimal.Decimal) Quantities {
	to, other := q.n.fields(), x.n.fields()
	for i := range to {
		*to[i] = op(*to[i], *other[i])
	}
	return q
}
