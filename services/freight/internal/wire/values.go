// Package wire turns freight's domain values into the messages of its contract and back. It promises that From and To are each
// other's inverse for what the service itself wrote; checking what came from outside is left to package api. Records on disk
// hold the same messages, so one mapping serves the log, the answers and the store.
package wire

import (
	"fmt"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/type/date"
	gmoney "google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/types/known/timestamppb"

	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/kernel/rating"

	"crossdock.dev/services/freight/internal/eventtime"
)

// reader collects the first error of reading a message, so that mappings read as lists.
type reader struct{ err error }

func (r *reader) fail(err error) {
	if r.err == nil && err != nil {
		r.err = err
	}
}

// Timestamp is nil for the zero time.
func Timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// Instant is the zero time for nil.
func Instant(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// Date is nil for no date.
func Date(d calendar.Date) *date.Date {
	if d.IsZero() {
		return nil
	}
	return &date.Date{Year: int32(d.Year()), Month: int32(d.Month()), Day: int32(d.Day())}
}

// ToDate reads a date; nil is no date.
func ToDate(d *date.Date) (calendar.Date, error) {
	if d == nil {
		return calendar.Date{}, nil
	}
	return calendar.NewDate(int(d.GetYear()), time.Month(d.GetMonth()), int(d.GetDay()))
}

func (r *reader) date(d *date.Date) calendar.Date {
	out, err := ToDate(d)
	r.fail(err)
	return out
}

// Quantity is nil for the zero value.
func Quantity(q quantity.Quantity) *typev1.Quantity {
	if q.Unit() == "" {
		return nil
	}
	return &typev1.Quantity{Value: q.Value().String(), Unit: string(q.Unit())}
}

// ToQuantity reads a quantity; nil is the zero value.
func ToQuantity(q *typev1.Quantity) (quantity.Quantity, error) {
	if q == nil {
		return quantity.Quantity{}, nil
	}
	return quantity.Parse(q.GetValue(), quantity.Unit(q.GetUnit()))
}

func (r *reader) quantity(q *typev1.Quantity) quantity.Quantity {
	out, err := ToQuantity(q)
	r.fail(err)
	return out
}

// Money is nil for an amount without currency.
func Money(a money.Amount) *gmoney.Money {
	if a.Currency() == "" {
		return nil
	}
	units, nanos := a.UnitsNanos()
	return &gmoney.Money{CurrencyCode: a.Currency(), Units: units, Nanos: nanos}
}

// ToMoney reads an amount; nil is the amount without currency.
func ToMoney(m *gmoney.Money) (money.Amount, error) {
	if m == nil {
		return money.Amount{}, nil
	}
	return money.FromUnitsNanos(m.GetUnits(), m.GetNanos(), m.GetCurrencyCode())
}

func (r *reader) money(m *gmoney.Money) money.Amount {
	out, err := ToMoney(m)
	r.fail(err)
	return out
}

var rules = pairs[eventtime.Rule, typev1.EventTime_Rule]{
	{"", typev1.EventTime_RULE_UNSPECIFIED},
	{eventtime.AsGiven, typev1.EventTime_AS_GIVEN},
	{eventtime.LocalToPlace, typev1.EventTime_LOCAL_TO_PLACE},
	{eventtime.GapShifted, typev1.EventTime_GAP_SHIFTED_FORWARD},
	{eventtime.OverlapFirst, typev1.EventTime_OVERLAP_FIRST},
}

// EventTime is nil for what is not known.
func EventTime(t eventtime.Time) *typev1.EventTime {
	if t.IsZero() {
		return nil
	}
	return &typev1.EventTime{Time: timestamppb.New(t.Instant), Zone: t.Zone, Rule: rules.to(t.Rule)}
}

// ToEventTime reads an instant with its zone; nil is not known.
func ToEventTime(t *typev1.EventTime) eventtime.Time {
	if t.GetTime() == nil {
		return eventtime.Time{}
	}
	return eventtime.Time{Instant: t.GetTime().AsTime(), Zone: t.GetZone(), Rule: rules.from(t.GetRule())}
}

func explanation(n rating.Node) *typev1.Explanation {
	out := &typev1.Explanation{Label: n.Label, Value: n.Value, Rule: n.Rule, Source: n.Source}
	for _, c := range n.Children {
		out.Children = append(out.Children, explanation(c))
	}
	return out
}

func toNode(e *typev1.Explanation) rating.Node {
	out := rating.Node{Label: e.GetLabel(), Value: e.GetValue(), Rule: e.GetRule(), Source: e.GetSource()}
	for _, c := range e.GetChildren() {
		out.Children = append(out.Children, toNode(c))
	}
	return out
}

// pairs maps the values of an enumeration to those of the contract, both ways.
type pairs[D, W comparable] []struct {
	domain D
	wire   W
}

func (p pairs[D, W]) to(d D) W {
	for _, x := range p {
		if x.domain == d {
			return x.wire
		}
	}
	var none W
	return none
}

func (p pairs[D, W]) from(w W) D {
	for _, x := range p {
		if x.wire == w {
			return x.domain
		}
	}
	var none D
	return none
}

func read[T any](r *reader, what string, v T) (T, error) {
	if r.err != nil {
		var none T
		return none, fmt.Errorf("read %s: %w", what, r.err)
	}
	return v, nil
}

// etag is a revision as callers see it.
func etag(revision uint64) string { return strconv.FormatUint(revision, 10) }

func revision(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
