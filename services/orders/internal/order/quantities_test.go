package order_test

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"crossdock.dev/kernel/decimal"
	"crossdock.dev/services/orders/internal/order"
)

func d(s string) decimal.Decimal { return decimal.MustParse(s) }

func restore(t testing.TB, n order.Numbers) order.Quantities {
	t.Helper()
	q, err := order.Restore(n)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestDimension(t *testing.T) {
	fresh := order.Numbers{Ordered: d("100")}
	done := order.Numbers{Ordered: d("40"), Released: d("40"), Planned: d("40"), Tendered: d("40"), Secured: d("40"), Shipped: d("40"),
		Accepted: d("40"), Authorized: d("40"), Billed: d("40")}
	for _, x := range []struct {
		name  string
		lines []order.Numbers
		want  order.Dimensions
	}{
		{"nothing happened", []order.Numbers{fresh}, order.Dimensions{Release: "UNRELEASED", Fulfilment: "OPEN", Billing: "NOT_BILLABLE"}},
		{"everything billed", []order.Numbers{done}, order.Dimensions{Release: "SECURED", Fulfilment: "DELIVERED", Billing: "BILLED"}},
		{"60 of 100 and 40 of 40 released, delivered and billed", []order.Numbers{
			{Ordered: d("100"), Released: d("60"), Planned: d("60"), Tendered: d("60"), Secured: d("60"), Shipped: d("60"), Accepted: d("60"), Authorized: d("60"), Billed: d("60")}, done},
			order.Dimensions{Release: "PARTLY_SECURED", Fulfilment: "PARTLY_DELIVERED", Billing: "PARTLY_BILLED"}},
		{"80 arrived: 76 accepted, 3 short, 1 damaged", []order.Numbers{
			{Ordered: d("80"), Released: d("80"), Planned: d("80"), Tendered: d("80"), Secured: d("80"), Shipped: d("80"), Accepted: d("76"), Short: d("3"), Damaged: d("1"), Authorized: d("76"), Billed: d("76")}},
			order.Dimensions{Release: "SECURED", Fulfilment: "PARTLY_DELIVERED", Billing: "PARTLY_BILLED"}},
		{"all refused", []order.Numbers{{Ordered: d("5"), Released: d("5"), Shipped: d("5"), Refused: d("5")}},
			order.Dimensions{Release: "RELEASED", Fulfilment: "OPEN", Billing: "NOT_BILLABLE"}},
		{"cancelled whole before release", []order.Numbers{{Ordered: d("5"), CancelledBefore: d("5")}},
			order.Dimensions{Release: "RELEASE_CANCELLED", Fulfilment: "OPEN", Billing: "NOT_BILLABLE"}},
		{"cancelled whole after release", []order.Numbers{{Ordered: d("5"), Released: d("5"), CancelledAfter: d("5")}},
			order.Dimensions{Release: "RELEASE_CANCELLED", Fulfilment: "OPEN", Billing: "NOT_BILLABLE"}},
		{"a cancelled part does not count", []order.Numbers{{Ordered: d("50"), CancelledBefore: d("10"), Released: d("40"), Planned: d("40"), Tendered: d("40")}},
			order.Dimensions{Release: "TENDERED", Fulfilment: "OPEN", Billing: "NOT_BILLABLE"}},
		{"half on the way", []order.Numbers{{Ordered: d("2"), Released: d("1"), Planned: d("1"), Shipped: d("1")}},
			order.Dimensions{Release: "PARTLY_PLANNED", Fulfilment: "PARTLY_IN_TRANSIT", Billing: "NOT_BILLABLE"}},
		{"part authorised", []order.Numbers{{Ordered: d("3"), Released: d("3"), Shipped: d("3"), Accepted: d("3"), Authorized: d("1")}},
			order.Dimensions{Release: "RELEASED", Fulfilment: "DELIVERED", Billing: "PARTLY_BILLABLE"}},
		{"authorised", []order.Numbers{{Ordered: d("3"), Released: d("3"), Shipped: d("3"), Accepted: d("3"), Authorized: d("3")}},
			order.Dimensions{Release: "RELEASED", Fulfilment: "DELIVERED", Billing: "BILLABLE"}},
		{"one line released, one not", []order.Numbers{{Ordered: d("3"), Released: d("3")}, fresh},
			order.Dimensions{Release: "PARTLY_RELEASED", Fulfilment: "OPEN", Billing: "NOT_BILLABLE"}},
	} {
		var qs []order.Quantities
		for _, n := range x.lines {
			qs = append(qs, restore(t, n))
		}
		if got := order.Dimension(qs); got != x.want {
			t.Errorf("%s: got %v, want %v", x.name, got, x.want)
		}
	}
}

func TestAlgebraIsRefused(t *testing.T) {
	released := restore(t, order.Numbers{Ordered: d("10"), Released: d("6")})
	shipped, err := released.Ship()
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := shipped.Deliver(order.Delivery{Accepted: d("4"), Short: d("2")})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name string
		do   func() (order.Quantities, error)
	}{
		{"order nothing", func() (order.Quantities, error) { return order.NewQuantities(d("0")) }},
		{"release more than unreleased", func() (order.Quantities, error) { return released.Release(d("4.1")) }},
		{"release less than nothing", func() (order.Quantities, error) { return released.Release(d("-1")) }},
		{"deliver what has not left", func() (order.Quantities, error) { return released.Deliver(order.Delivery{Accepted: d("1")}) }},
		{"deliver more than left", func() (order.Quantities, error) {
			return shipped.Deliver(order.Delivery{Accepted: d("6"), Damaged: d("1")})
		}},
		{"authorize more than accepted", func() (order.Quantities, error) { return accepted.Authorize(d("5")) }},
		{"bill what is not authorized", func() (order.Quantities, error) { return accepted.Bill(d("1")) }},
	} {
		if _, err := x.do(); !errors.Is(err, order.ErrAlgebra) {
			t.Errorf("%s: got error %v, want ErrAlgebra", x.name, err)
		}
	}
}

// algebra checks the equations on the numbers as they are published, written out anew.
func algebra(t fataler, what string, q order.Quantities) {
	n := q.Numbers()
	sum := func(ds ...decimal.Decimal) decimal.Decimal {
		total := decimal.Zero
		for _, x := range ds {
			if x.Sign() < 0 {
				t.Fatalf("%s: a number below zero: %v", what, x)
			}
			total = total.Add(x)
		}
		return total
	}
	for _, eq := range []struct {
		name  string
		left  decimal.Decimal
		right decimal.Decimal
	}{
		{"ordered", n.Ordered, sum(n.Released, q.Unreleased(), n.CancelledBefore)},
		{"released", n.Released, sum(n.Shipped, n.CancelledAfter, q.Open())},
		{"shipped", n.Shipped, sum(q.InTransit(), n.Lost, q.Arrived())},
		{"arrived", q.Arrived(), sum(n.Accepted, n.Short, n.Damaged, n.Refused)},
	} {
		if !eq.left.Equal(eq.right) {
			t.Fatalf("%s: %s is %s, its parts %s", what, eq.name, eq.left, eq.right)
		}
	}
	if n.Accepted.Less(n.Billed.Sub(n.Credited)) {
		t.Fatalf("%s: billed %s of accepted %s", what, n.Billed, n.Accepted)
	}
}

// TestAlgebra does verbs in random order to an order of random lines. Whatever is refused leaves the order as it was; the
// algebra holds at every step, and every line is the sum of its parts in the releases.
func TestAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newRandomOrder(t)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			w.step(t)
			for _, l := range w.o.Lines {
				algebra(t, "line "+l.ID, l.Quantities)
			}
			if err := w.o.CheckReleases(w.releases); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestFactsInAnyOrder tells departure, hand-over and proof in every order, each once or twice, before or after the carrier is
// known: the numbers are the same.
func TestFactsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newRandomOrder(t)
		w.o.Commercial = order.Confirmed
		w.release(nil)
		r := w.releases[0]
		var lines []order.LineDelivery
		for _, l := range r.Lines {
			lines = append(lines, order.LineDelivery{Line: l.Line, Delivery: order.Delivery{Accepted: l.Quantities.Numbers().Released}})
		}
		at := order.Moment{At: now}
		moves := []func(order.Release) (order.Release, error){
			func(r order.Release) (order.Release, error) { return r.Depart(at) },
			func(r order.Release) (order.Release, error) { return r.HandOver(at) },
			func(r order.Release) (order.Release, error) { return r.Prove(lines, at) },
		}
		planned := []func(order.Release) (order.Release, error){
			order.Release.Plan,
			func(r order.Release) (order.Release, error) { return r.Tender("tenders/1") },
			func(r order.Release) (order.Release, error) { return r.Secure("tenders/1") },
		}
		told := append(rapid.Permutation(slices.Concat(moves, moves)).Draw(t, "order"), planned...)
		told = append(told, planned...) // told again
		for _, m := range told {
			w.progress(t, 1, m)
		}
		for _, l := range w.o.Lines {
			n := l.Quantities.Numbers()
			for name, got := range map[string]decimal.Decimal{"released": n.Released, "planned": n.Planned, "tendered": n.Tendered,
				"secured": n.Secured, "shipped": n.Shipped, "accepted": n.Accepted} {
				if !got.Equal(n.Ordered) {
					t.Fatalf("line %s: %s is %s, want %s", l.ID, name, got, n.Ordered)
				}
			}
		}
		if got, want := w.o.Dimensions(), (order.Dimensions{Release: "SECURED", Fulfilment: "DELIVERED", Billing: "NOT_BILLABLE"}); got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}
