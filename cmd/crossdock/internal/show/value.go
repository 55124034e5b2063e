// Package show turns the suite's messages into what people read on a terminal, and into JSON for programs. It promises exact
// amounts, instants with their zone, JSON lists that are [] when empty, and no colour unless it was asked for. It leaves
// fetching to its callers.
package show

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/type/date"
	moneypb "google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/kernel/money"
)

// None is what stands where there is nothing.
const None = "-"

// Money is an amount with its currency, "13045.94 USD". What is no amount of its currency is shown as it came.
func Money(m *moneypb.Money) string {
	if m == nil {
		return None
	}
	a, err := money.FromUnitsNanos(m.GetUnits(), m.GetNanos(), m.GetCurrencyCode())
	if err != nil {
		return fmt.Sprintf("%d units %d nanos %s", m.GetUnits(), m.GetNanos(), m.GetCurrencyCode())
	}
	return a.Label()
}

// Time is an instant in UTC to the second, "2026-03-02 11:05:00Z".
func Time(t *timestamppb.Timestamp) string {
	if t == nil {
		return None
	}
	return Instant(t.AsTime())
}

// Instant is Time for a Go time.
func Instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// Date is a day, "2026-03-03".
func Date(d *date.Date) string {
	if d == nil {
		return None
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.GetYear(), d.GetMonth(), d.GetDay())
}

// EventTime is an instant as the clock on the wall of its place showed it, "2026-03-03 08:00 EST"; in UTC when the place has
// no zone that this machine knows.
func EventTime(e *typev1.EventTime) string {
	if e.GetTime() == nil {
		return None
	}
	zone, err := time.LoadLocation(e.GetZone())
	if err != nil || e.GetZone() == "" {
		return Time(e.GetTime())
	}
	return e.GetTime().AsTime().In(zone).Format("2006-01-02 15:04 MST")
}

// Quantity is a decimal with its unit, "120 EA".
func Quantity(q *typev1.Quantity) string {
	if q == nil {
		return None
	}
	return q.GetValue() + " " + q.GetUnit()
}

// Enum is a value's name in lower case with blanks, "partly released"; None where nothing was set.
func Enum(e protoreflect.Enum) string {
	d := e.Descriptor().Values().ByNumber(e.Number())
	if d == nil {
		return fmt.Sprint(e.Number())
	}
	if e.Number() == 0 {
		return None
	}
	return strings.ToLower(strings.ReplaceAll(string(d.Name()), "_", " "))
}

// Text is s, or None when it is empty.
func Text(s string) string {
	if s == "" {
		return None
	}
	return s
}

// ID is the last part of a resource name: "ord_..." of "orders/ord_...".
func ID(name string) string {
	return Text(name[strings.LastIndexByte(name, '/')+1:])
}
