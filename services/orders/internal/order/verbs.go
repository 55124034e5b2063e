package order

import (
	"fmt"
	"slices"
	"time"

	"crossdock.dev/kernel/decimal"
)

// Change is what a verb made: the order, the release that it made or moved, and the facts to tell, in order. A verb that had
// nothing to do leaves the order's revision as it was.
type Change struct {
	Order   Order
	Release *Release
	Facts   []Fact
}

// us is who places the holds that follow from our own checks.
const us = "service/orders"

// Create takes an order in. What cannot be meant is refused, all bad fields at once (*FieldErrors). What master data lacks
// puts a MASTER_DATA hold on the order, and a stated total that is not the sum of the lines a CUSTOMER hold. With no hold it
// is confirmed and, where the customer's terms say so, released.
func Create(d Draft, c Catalog, p Policy, now time.Time) (Change, error) {
	o, err := d.order()
	if err != nil {
		return Change{}, err
	}
	o.Commercial, o.Revision, o.Created, o.Update = Drafted, 1, now, now
	o, basis, missing, err := o.Resolve(c, p, now)
	if err != nil {
		return Change{}, err
	}
	var held []Fact
	if len(missing) > 0 {
		o, held = o.lack(missing, now)
	}
	o, wrong, err := o.checkTotal("", now)
	if err != nil {
		return Change{}, err
	}
	held = append(held, wrong...)
	ch := Change{Order: o, Facts: append([]Fact{OrderCreated{o.clone()}}, held...)}
	return ch.goOn(o, basis, now)
}

// checkTotal puts a CUSTOMER hold on an order whose stated total is not the sum of its lines. It looks once: when the order's
// currency has become known, which was not known before.
func (o Order) checkTotal(before string, now time.Time) (Order, []Fact, error) {
	if o.StatedTotal.Currency() == "" || o.Currency == "" || before != "" {
		return o, nil, nil
	}
	total, err := o.Total()
	if err != nil || total == o.StatedTotal {
		return o, nil, err
	}
	h := Hold{Kind: HoldCustomer, Fields: []string{"stated_total"}, Actor: us, Since: now,
		Reason: fmt.Sprintf("the order says %s, its lines add up to %s", o.StatedTotal.Label(), total.Label())}
	o = o.clone()
	o.Holds = append(o.Holds, h)
	return o, []Fact{OrderHeld{o.clone(), h}}, nil
}

// goOn confirms and releases what nothing holds any more; before is the order as it was before the verb.
func (ch Change) goOn(before Order, b Basis, now time.Time) (Change, error) {
	o := ch.Order.clone()
	if len(o.Holds) == 0 {
		if o.Commercial == Drafted {
			o.Commercial, o.Promise = Confirmed, &Promise{Windows: b.Windows}
			ch.Facts = append(ch.Facts, OrderConfirmed{o.clone()})
		}
		if b.Terms.AutoRelease && o.CancelReason == "" && o.anyUnreleased() {
			var r Release
			var err error
			if o, r, err = o.release(o.unreleased(), b, now); err != nil {
				return Change{}, err
			}
			ch.Release = &r
			ch.Facts = append(ch.Facts, OrderReleased{o.clone(), r})
		}
	}
	ch.Order = o
	ch.Facts = append(ch.Facts, o.commitment(before, Moment{})...)
	return ch, nil
}

// Confirm promises a draft that nothing holds, and releases it where the terms say so. Confirming a confirmed order changes
// nothing.
func (o Order) Confirm(c Catalog, p Policy, now time.Time) (Change, error) {
	if _, err := o.Commercial.Next(VerbConfirm); err != nil {
		return Change{}, err
	}
	if o.Commercial != Drafted {
		return Change{Order: o}, nil
	}
	if len(o.Holds) > 0 {
		return Change{}, &HeldError{o.Holds}
	}
	before := o
	o, basis, missing, err := o.touch(now).Resolve(c, p, now)
	if err != nil {
		return Change{}, err
	}
	if len(missing) > 0 {
		return Change{}, &MissingError{missing}
	}
	return Change{Order: o}.goOn(before, basis, now)
}

// Revalidate looks again for what a MASTER_DATA hold is about. When all is there, the hold goes and the order goes on; when
// something else is missing now, another hold that says so takes its place.
func (o Order) Revalidate(c Catalog, p Policy, now time.Time) (Change, error) {
	hold, ok := o.Hold(HoldMasterData)
	if !ok {
		return Change{Order: o}, nil
	}
	before := o
	o, basis, missing, err := o.touch(now).Resolve(c, p, now)
	if err != nil {
		return Change{}, err
	}
	if len(missing) > 0 && slices.EqualFunc(missing, before.Missing, func(a, b Missing) bool { return a.Field == b.Field && a.Reason == b.Reason }) {
		return Change{Order: before}, nil
	}
	o = o.withoutHold(HoldMasterData)
	told := []Fact{OrderHoldReleased{o.clone(), hold}}
	o, wrong, err := o.checkTotal(before.Currency, now)
	if err != nil {
		return Change{}, err
	}
	told = append(told, wrong...)
	if len(missing) == 0 {
		return Change{Order: o, Facts: told}.goOn(before, basis, now)
	}
	o, held := o.lack(missing, now)
	return Change{Order: o, Facts: append(told, held...)}, nil
}

// ReleaseLines hands quantities to planning: those that are asked for, or all that is unreleased when none are. The order must
// be confirmed and free of holds.
func (o Order) ReleaseLines(want []LineQuantity, c Catalog, p Policy, now time.Time) (Change, error) {
	if _, err := o.Commercial.Next(VerbRelease); err != nil {
		return Change{}, err
	}
	if len(o.Holds) > 0 {
		return Change{}, &HeldError{o.Holds}
	}
	if o.CancelReason != "" {
		return Change{}, ErrCallingOff
	}
	if !o.anyUnreleased() {
		return Change{}, ErrNothingUnreleased
	}
	quantities := o.unreleased()
	if len(want) > 0 {
		var err error
		if quantities, err = o.wanted(want); err != nil {
			return Change{}, err
		}
	}
	before := o
	o, basis, missing, err := o.touch(now).Resolve(c, p, now)
	if err != nil {
		return Change{}, err
	}
	if len(missing) > 0 {
		return Change{}, &MissingError{missing}
	}
	o, r, err := o.release(quantities, basis, now)
	if err != nil {
		return Change{}, err
	}
	return Change{Order: o, Release: &r, Facts: append([]Fact{OrderReleased{o.clone(), r}}, o.commitment(before, Moment{})...)}, nil
}

// wanted checks what is to be released, by place of the line.
func (o Order) wanted(want []LineQuantity) ([]decimal.Decimal, error) {
	var bad FieldErrors
	out := make([]decimal.Decimal, len(o.Lines))
	for i, w := range want {
		path := fmt.Sprintf("lines[%d]", i)
		place := o.line(w.Line)
		if place < 0 {
			bad.Add(path+".line", "the order has no line %s", w.Line)
			continue
		}
		left := o.Lines[place].Quantities.Unreleased()
		switch {
		case !out[place].IsZero():
			bad.Add(path+".line", "line %s is there twice", w.Line)
		case w.Unit != o.Lines[place].Unit:
			bad.Add(path+".quantity.unit", "line %s is counted in %s", w.Line, o.Lines[place].Unit)
		case w.Quantity.Sign() <= 0:
			bad.Add(path+".quantity.value", "must be more than zero")
		case left.Less(w.Quantity):
			bad.Fields = append(bad.Fields, FieldError{Path: path + ".quantity.value", Reason: MoreThanUnreleased,
				Description: fmt.Sprintf("line %s: %s is more than the %s that is unreleased", w.Line, w.Quantity, left)})
		}
		out[place] = w.Quantity
	}
	return out, bad.Err()
}

// unreleased is all that is left, by place of the line.
func (o Order) unreleased() []decimal.Decimal {
	out := make([]decimal.Decimal, len(o.Lines))
	for i, l := range o.Lines {
		out[i] = l.Quantities.Unreleased()
	}
	return out
}

func (o Order) anyUnreleased() bool {
	return slices.ContainsFunc(o.unreleased(), func(d decimal.Decimal) bool { return d.Sign() > 0 })
}

// release makes the next release. It keeps the promised dates while they are feasible; else the release has the earliest
// feasible ones, and the promise an estimate.
func (o Order) release(quantities []decimal.Decimal, b Basis, now time.Time) (Order, Release, error) {
	o = o.clone()
	o.Releases++
	r := Release{Number: o.Releases, Order: o.Name, Windows: o.Promise.Windows, Contract: b.Terms.Contract, At: now}
	if r.Windows.ShipDate.Before(b.Windows.ShipDate) {
		r.Windows, r.Estimate = b.Windows, b.Windows.DeliverBy
		o.Promise.Estimate = later(o.Promise.Estimate, r.Estimate)
	}
	for i, x := range quantities {
		if x.IsZero() {
			continue
		}
		l := &o.Lines[i]
		var err error
		if l.Quantities, err = l.Quantities.Release(x); err != nil {
			return o, Release{}, fmt.Errorf("line %s: %w", l.ID, err)
		}
		part, err := NewQuantities(x)
		if err == nil {
			part, err = part.Release(x)
		}
		if err != nil {
			return o, Release{}, fmt.Errorf("line %s: %w", l.ID, err)
		}
		r.Lines = append(r.Lines, ReleaseLine{Line: l.ID, Place: i, Quantities: part})
	}
	return o, r, nil
}

// byCustomer is why an order was cancelled when nobody said.
const byCustomer = "cancelled by the customer"

// Cancel cancels all of an order of which nothing is released; its holds go. Of a released order it notes the wish: the carriers of
// the releases that are alive are called off first, and the order is cancelled when their loads are. releases are all of the order's,
// with their lines. What has left cannot be cancelled (*ShippedError). Cancelling again changes nothing.
func (o Order) Cancel(releases []Release, reason string, now time.Time) (Change, error) {
	if _, err := o.Commercial.Next(VerbCancel); err != nil {
		return Change{}, err
	}
	if o.Commercial == Cancelled || o.CancelReason != "" {
		return Change{Order: o}, nil
	}
	var shipped []string
	for _, l := range o.Lines {
		if l.Quantities.n.Shipped.Sign() > 0 {
			shipped = append(shipped, l.ID)
		}
	}
	if len(shipped) > 0 {
		return Change{}, &ShippedError{shipped}
	}
	before := o
	o = o.touch(now)
	if o.CancelReason = reason; reason == "" {
		o.CancelReason = byCustomer
	}
	var alive []string
	for _, r := range releases {
		if r.alive() {
			alive = append(alive, r.Name())
		}
	}
	if len(alive) > 0 {
		return Change{Order: o, Facts: []Fact{OrderCancellationRequested{o.clone(), alive}}}, nil
	}
	o, facts, err := o.cancelled()
	if err != nil {
		return Change{}, err
	}
	return Change{Order: o, Facts: append(facts, o.commitment(before, Moment{})...)}, nil
}

// PlaceHold puts a hold on an order. Where one of the kind stands already, it stays and nothing changes.
func (o Order) PlaceHold(h Hold, now time.Time) (Change, error) {
	to, err := o.Commercial.Next(VerbPlaceHold)
	if err != nil {
		return Change{}, err
	}
	if _, ok := o.Hold(h.Kind); ok {
		return Change{Order: o}, nil
	}
	o = o.touch(now)
	h.Since = now
	o.Commercial, o.Holds = to, append(o.Holds, h)
	return Change{Order: o, Facts: []Fact{OrderHeld{o.clone(), h}}}, nil
}

// ReleaseHold takes a hold away; with the last one gone the order goes on. A MASTER_DATA hold goes only when nothing is
// missing any more (*MissingError). Where no hold of the kind stands, nothing changes.
func (o Order) ReleaseHold(k HoldKind, c Catalog, p Policy, now time.Time) (Change, error) {
	if _, err := o.Commercial.Next(VerbReleaseHold); err != nil {
		return Change{}, err
	}
	h, ok := o.Hold(k)
	if !ok {
		return Change{Order: o}, nil
	}
	if k == HoldMasterData {
		ch, err := o.Revalidate(c, p, now)
		if err != nil {
			return Change{}, err
		}
		if _, still := ch.Order.Hold(k); still {
			return Change{}, &MissingError{ch.Order.Missing}
		}
		return ch, nil
	}
	before := o
	o = o.touch(now).withoutHold(k)
	told := []Fact{OrderHoldReleased{o.clone(), h}}
	if len(o.Holds) > 0 {
		return Change{Order: o, Facts: told}, nil
	}
	o, basis, missing, err := o.Resolve(c, p, now)
	if err != nil {
		return Change{}, err
	}
	if len(missing) > 0 {
		o, held := o.lack(missing, now)
		return Change{Order: o, Facts: append(told, held...)}, nil
	}
	return Change{Order: o, Facts: told}.goOn(before, basis, now)
}

// touch is the order as the next revision, apart from the one before.
func (o Order) touch(now time.Time) Order {
	o = o.clone()
	o.Revision++
	o.Update = now
	return o
}

func (o Order) withoutHold(k HoldKind) Order {
	o = o.clone()
	o.Holds = slices.DeleteFunc(o.Holds, func(h Hold) bool { return h.Kind == k })
	if k == HoldMasterData {
		o.Missing = nil
	}
	return o
}

// maxReason bounds the words of a hold, in characters; its fields are always complete.
const (
	maxReason = 400
	andMore   = " ... and more"
)

// lack puts the MASTER_DATA hold.
func (o Order) lack(missing []Missing, now time.Time) (Order, []Fact) {
	o = o.clone()
	h := Hold{Kind: HoldMasterData, Actor: us, Since: now}
	for _, m := range missing {
		h.Fields = append(h.Fields, m.Field)
	}
	h.Reason = reasons(missing)
	if words := []rune(h.Reason); len(words) > maxReason {
		h.Reason = string(words[:maxReason-len(andMore)]) + andMore
	}
	o.Holds, o.Missing = append(o.Holds, h), missing
	return o, []Fact{OrderHeld{o.clone(), h}}
}
