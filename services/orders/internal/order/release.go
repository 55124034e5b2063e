package order

import (
	"fmt"
	"slices"
	"time"

	"crossdock.dev/kernel/decimal"
)

// Release is a shippable portion of an order that was handed to planning, and how far it has come. What carriers and billing
// tell is kept here, per release, so that telling it again adds nothing; the order's lines are sums over its releases.
type Release struct {
	Number    int // 1 is the first
	Order     string
	Windows   Windows
	Contract  string // the customer's contract version in force
	At        time.Time
	SecuredBy string   // the tender that a carrier accepted; empty when none
	Estimate  Moment   // the latest estimate of its delivery; zero when none was told
	Trust     Trust    // how far that can be trusted
	Milestone Moment   // its last milestone; zero when none was told
	Documents []string // authorisations and invoices that have taken effect
	Lines     []ReleaseLine
}

// ReleaseLine is the part of an order line that is in a release. Its quantities count the released quantity as ordered.
type ReleaseLine struct {
	Line       string
	Place      int // of the order line
	Quantities Quantities
}

// LineQuantity is a quantity of one line.
type LineQuantity struct {
	Line     string
	Quantity decimal.Decimal
	Unit     string
}

// LineDelivery is what became of one line at delivery.
type LineDelivery struct {
	Line string
	Delivery
}

// Name is the release's resource name.
func (r Release) Name() string { return fmt.Sprintf("%s/releases/%d", r.Order, r.Number) }

func (r Release) clone() Release {
	r.Lines, r.Documents = slices.Clone(r.Lines), slices.Clone(r.Documents)
	return r
}

func (r Release) same(x Release) bool {
	return r.SecuredBy == x.SecuredBy && r.Estimate == x.Estimate && r.Trust.same(x.Trust) && r.Milestone == x.Milestone && slices.Equal(r.Documents, x.Documents) &&
		slices.EqualFunc(r.Lines, x.Lines, func(a, b ReleaseLine) bool { return a.Quantities.n.Equal(b.Quantities.n) })
}

// each applies a verb to all lines.
func (r Release) each(verb func(Quantities) (Quantities, error)) (Release, error) {
	r = r.clone()
	for i := range r.Lines {
		var err error
		if r.Lines[i].Quantities, err = verb(r.Lines[i].Quantities); err != nil {
			return r, fmt.Errorf("line %s: %w", r.Lines[i].Line, err)
		}
	}
	return r, nil
}

// line applies a verb to one line.
func (r Release) line(id string, verb func(Quantities) (Quantities, error)) (Release, error) {
	i := slices.IndexFunc(r.Lines, func(l ReleaseLine) bool { return l.Line == id })
	if i < 0 {
		return r, fmt.Errorf("%s has no line %s: %w", r.Name(), id, ErrNotFound)
	}
	r = r.clone()
	var err error
	if r.Lines[i].Quantities, err = verb(r.Lines[i].Quantities); err != nil {
		return r, fmt.Errorf("line %s: %w", id, err)
	}
	return r, nil
}

// Plan: it is part of a planned load.
func (r Release) Plan() (Release, error) { return r.each(Quantities.Plan) }

// Tender: its load is offered to a carrier. The offer that a carrier has accepted already changes nothing.
func (r Release) Tender(tender string) (Release, error) {
	if tender != "" && tender == r.SecuredBy {
		return r, nil
	}
	r.SecuredBy = ""
	return r.each(Quantities.Tender)
}

// Secure: a carrier accepted the offer.
func (r Release) Secure(tender string) (Release, error) {
	r.SecuredBy = tender
	return r.each(Quantities.Secure)
}

// FallBack: no carrier is left to ask.
func (r Release) FallBack() (Release, error) {
	r.SecuredBy = ""
	return r.each(Quantities.FallBack)
}

// Depart: it left the ship-from.
func (r Release) Depart(at Moment) (Release, error) {
	r.Milestone = later(r.Milestone, at)
	return r.each(Quantities.Ship)
}

// HandOver: it was handed over, and so has left; what was accepted only the proof says. An estimate is over then.
func (r Release) HandOver(at Moment) (Release, error) {
	r.Trust = Trust{}
	return r.Depart(at)
}

// Prove: the proof of delivery says what became of each line. A later proof replaces an earlier one.
func (r Release) Prove(lines []LineDelivery, at Moment) (Release, error) {
	r, err := r.HandOver(at)
	for _, l := range lines {
		if err != nil {
			return r, err
		}
		r, err = r.line(l.Line, func(q Quantities) (Quantities, error) { return q.Deliver(l.Delivery) })
	}
	return r, err
}

// Expect: the carrier's estimate of the delivery, and how far it can be trusted. A zero moment leaves the estimate as it was.
func (r Release) Expect(at Moment, t Trust) (Release, error) {
	if !at.At.IsZero() {
		r.Estimate = at
	}
	r.Trust = t
	return r, nil
}

// alive reports whether anything of it is not cancelled.
func (r Release) alive() bool {
	return slices.ContainsFunc(r.Lines, func(l ReleaseLine) bool { return l.Quantities.live().Sign() > 0 })
}

// CallOff: its load was cancelled before it left.
func (r Release) CallOff() (Release, error) {
	r.SecuredBy, r.Trust = "", Trust{}
	return r.each(Quantities.CallOff)
}

// Authorize: a document permits to bill quantities. Each document counts once.
func (r Release) Authorize(document string, lines []LineQuantity) (Release, error) {
	return r.document(document, lines, Quantities.Authorize)
}

// Bill: a document invoices quantities. Each document counts once.
func (r Release) Bill(document string, lines []LineQuantity) (Release, error) {
	return r.document(document, lines, Quantities.Bill)
}

func (r Release) document(name string, lines []LineQuantity, verb func(Quantities, decimal.Decimal) (Quantities, error)) (Release, error) {
	if slices.Contains(r.Documents, name) {
		return r, nil
	}
	r = r.clone()
	r.Documents = append(r.Documents, name)
	var err error
	for _, l := range lines {
		if r, err = r.line(l.Line, func(q Quantities) (Quantities, error) { return verb(q, l.Quantity) }); err != nil {
			return r, err
		}
	}
	return r, nil
}

// Progress moves one of the order's releases on. releases are all of the order's, their lines only needed of the one that
// moves. What is known already changes nothing; when everything wanted is billed, the order closes.
func (o Order) Progress(releases []Release, number int, now time.Time, move func(Release) (Release, error)) (Change, error) {
	if _, err := o.Commercial.Next(VerbProgress); err != nil {
		return Change{}, err
	}
	if number < 1 || number > len(releases) {
		return Change{}, fmt.Errorf("%s has no release %d: %w", o.Name, number, ErrNotFound)
	}
	was := releases[number-1]
	is, err := move(was)
	if err != nil {
		return Change{}, fmt.Errorf("%s: %w", was.Name(), err)
	}
	if is.same(was) {
		return Change{Order: o}, nil
	}
	before := o
	o = o.touch(now)
	for i, l := range is.Lines {
		if o.Lines[l.Place].Quantities, err = o.Lines[l.Place].Quantities.Exchange(was.Lines[i].Quantities, l.Quantities); err != nil {
			return Change{}, fmt.Errorf("%s: line %s: %w", is.Name(), l.Line, err)
		}
	}
	var milestone, estimate Moment
	var trust Trust
	for i, r := range releases {
		if i == number-1 {
			r = is
		}
		milestone, estimate = later(milestone, r.Milestone), later(estimate, r.Estimate)
		trust = least(trust, r.Trust)
	}
	if estimate.At.Equal(o.Promise.DeliverBy.At) {
		estimate = Moment{}
	}
	o.Promise.Estimate, o.Promise.Trust = estimate, trust
	ch := Change{Release: &is}
	if ch.Order, ch.Facts, err = o.end(); err != nil {
		return Change{}, err
	}
	ch.Facts = append(ch.Order.commitment(before, milestone), ch.Facts...)
	return ch, nil
}

// end closes an order of which everything wanted is billed, and cancels one of which nothing is wanted any more: what the
// customer called off is cancelled as soon as no release of it is alive. Goods that have left first end the wish to cancel.
func (o Order) end() (Order, []Fact, error) {
	some := func(of func(Quantities) bool) bool {
		return slices.ContainsFunc(o.Lines, func(l Line) bool { return of(l.Quantities) })
	}
	alive := some(func(q Quantities) bool { return q.live().Sign() > 0 })
	wanted := some(func(q Quantities) bool { return q.Wanted().Sign() > 0 })
	switch {
	case o.Commercial == Closed || o.Commercial == Cancelled:
	case !wanted, !alive && o.CancelReason != "":
		return o.cancelled()
	case !some(func(q Quantities) bool { return !q.Settled() }):
		var err error
		if o.Commercial, err = o.Commercial.Next(VerbClose); err != nil {
			return o, nil, err
		}
		return o, []Fact{OrderClosed{o.clone()}}, nil
	case o.CancelReason != "" && some(func(q Quantities) bool { return q.n.Shipped.Sign() > 0 }):
		reason := o.CancelReason
		o.CancelReason = ""
		return o, []Fact{OrderCancellationRefused{o.clone(), reason}}, nil
	}
	return o, nil, nil
}

// cancelled is the order with all that is unreleased cancelled too, and its holds gone.
func (o Order) cancelled() (Order, []Fact, error) {
	var err error
	if o.Commercial, err = o.Commercial.Next(VerbCancel); err != nil {
		return o, nil, err
	}
	o = o.clone()
	for i := range o.Lines {
		if o.Lines[i].Quantities, err = o.Lines[i].Quantities.CancelUnreleased(); err != nil {
			return o, nil, err
		}
	}
	holds := o.Holds
	o.Holds, o.Missing = nil, nil
	facts := []Fact{OrderCancelled{o.clone(), o.CancelReason}}
	for _, h := range holds {
		facts = append(facts, OrderHoldReleased{o.clone(), h})
	}
	return o, facts, nil
}

// CheckReleases says whether each line's released numbers are the sums of its parts in the releases, all with their lines.
func (o Order) CheckReleases(releases []Release) error {
	parts := make([]Quantities, len(o.Lines))
	for _, r := range releases {
		for _, l := range r.Lines {
			if l.Place >= len(o.Lines) || o.Lines[l.Place].ID != l.Line {
				return fmt.Errorf("%s: line %s: %w", r.Name(), l.Line, ErrNotFound)
			}
			parts[l.Place] = parts[l.Place].plus(l.Quantities)
		}
	}
	for i, l := range o.Lines {
		sum, is := parts[i].n, l.Quantities.n
		sum.Ordered, sum.CancelledBefore = is.Ordered, is.CancelledBefore
		if !sum.Equal(is) {
			return fmt.Errorf("%s line %s: %w: the line has %v, its releases %v", o.Name, l.ID, ErrAlgebra, is.list(), sum.list())
		}
	}
	return nil
}

func later(a, b Moment) Moment {
	if b.At.After(a.At) {
		return b
	}
	return a
}
