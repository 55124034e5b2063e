package store

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	ordersstoragev1 "crossdock.dev/gen/crossdock/orders/storage/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
	"crossdock.dev/platform/clock"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/services/orders/internal/order"
)

var at = time.Date(2026, 3, 2, 11, 5, 0, 0, time.UTC)

// bench is an open store; again is what a test calls between its steps.
type bench struct {
	t      *testing.T
	path   string
	s      Store
	reopen bool
}

// run runs a test on a store that stays open, and on one that is closed and opened again after each step.
func run(t *testing.T, test func(b *bench)) {
	for _, reopen := range []bool{false, true} {
		name := map[bool]string{false: "open", true: "reopened"}[reopen]
		t.Run(name, func(t *testing.T) {
			b := &bench{t: t, path: filepath.Join(t.TempDir(), "orders.db"), reopen: reopen}
			b.open()
			test(b)
			b.must(b.s.Close())
			report, err := platform.Verify(context.Background(), b.path, Schema())
			if err != nil || len(report.Breaches) > 0 {
				t.Errorf("verify: %v %q", err, report.Breaches)
			}
		})
	}
}

func (b *bench) open() {
	b.t.Helper()
	s, err := platform.Open(b.t.Context(), platform.Options{Path: b.path, Schema: Schema(), Clock: clock.Fixed(at), NoSync: true})
	b.must(err)
	b.s = Store{s}
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) again() {
	b.t.Helper()
	if b.reopen {
		b.must(b.s.Close())
		b.open()
	}
}

func (b *bench) change(fn func(tx *Tx) error) {
	b.t.Helper()
	_, _, err := b.s.Change(b.t.Context(), platform.Cause{Principal: "service/test", Method: "test"}, func(tx *Tx) (order.Change, error) {
		return order.Change{}, fn(tx)
	})
	b.must(err)
	b.again()
}

func (b *bench) view(fn func(r Reader) error) {
	b.t.Helper()
	b.must(b.s.View(b.t.Context(), fn))
}

func quantities(t *testing.T, ordered, released string) order.Quantities {
	t.Helper()
	q, err := order.Restore(order.Numbers{Ordered: decimal.MustParse(ordered), Released: decimal.MustParse(released)})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// full is an order in which every field says something.
func full(t *testing.T) (order.Order, order.Release) {
	moment := func(minutes int) order.Moment {
		return order.Moment{At: at.Add(time.Duration(minutes) * time.Minute), Zone: "America/New_York", Rule: "LOCAL_TO_PLACE"}
	}
	day := calendar.MustParseDate("2026-03-03")
	windows := order.Windows{ShipDate: day, PickupFrom: moment(1), PickupTo: moment(2), DeliveryDate: day.AddDays(1), DeliverFrom: moment(3), DeliverBy: moment(4), Rule: "earliest"}
	trust := order.Trust{Confidence: "NONE", Reasons: []string{"FEED_SILENT", "ONLY_SCHEDULED"}}
	id := order.ExternalID{System: "x12", Kind: "n1_st", Qualifier: "9", Value: "0003947268292"}
	o := order.Order{
		Name: "orders/ord_1", Customer: "parties/CUS-A", Number: "A-1", LegalEntity: "legalEntities/LE", ShipFrom: "locations/F", ShipTo: "locations/T", ShipToExternal: id,
		Mode: order.LTL, Currency: "USD", OrderDate: day, RequestedDate: day, PickupLocal: "2026-03-07T08:00", DeliveryLocal: "2026-03-08T08:00", Consolidate: true, EtaWatch: true,
		PaymentTerms: "net 30", StatedTotal: money.MustParse("13045.94", "USD"), Source: "interchanges/1/sets/1",
		Lines: []order.Line{
			{ID: "10", Item: "items/A", ExternalIDs: []order.ExternalID{id}, Description: "A", Unit: "EA", Price: decimal.MustParse("9.25"), Pack: 4, Quantities: quantities(t, "120", "60")},
			{ID: "20", Item: "items/B", Description: "B", Unit: "CS", Price: decimal.MustParse("1"), Pack: 1, Quantities: quantities(t, "1.5", "0")},
		},
		Commercial: order.Confirmed, Holds: []order.Hold{{Kind: order.HoldMasterData, Reason: "because", Fields: []string{"customer"}, Actor: "user/dev", Since: at}},
		Missing: []order.Missing{{Field: "customer", Reason: "because", Keys: []string{"parties/CUS-A", "other"}}},
		Promise: &order.Promise{Windows: windows, Estimate: moment(5), Trust: trust}, CancelReason: "not needed", Releases: 1, Revision: 1, Created: at, Update: at,
	}
	r := order.Release{Number: 1, Order: o.Name, Windows: windows, Contract: "contracts/A-1", At: at, SecuredBy: "tenders/1", Estimate: moment(6), Trust: trust, Milestone: moment(7),
		Documents: []string{"invoices/1"}, Lines: []order.ReleaseLine{{Line: "10", Place: 0, Quantities: quantities(t, "60", "60")}}}
	return o, r
}

func TestOrdersComeBackAsTheyWere(t *testing.T) {
	run(t, func(b *bench) {
		want, wantRelease := full(t)
		b.change(func(tx *Tx) error { return tx.Save(t.Context(), order.Change{Order: want, Release: &wantRelease}) })
		b.view(func(r Reader) error {
			got, err := r.Order(t.Context(), want.Name, "1")
			if err != nil {
				return err
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			releases, err := r.Releases(t.Context(), got, func(int) bool { return true })
			if err != nil {
				return err
			}
			if !reflect.DeepEqual(releases, []order.Release{wantRelease}) {
				t.Errorf("got  %+v\nwant %+v", releases, wantRelease)
			}
			if name, err := r.OrderByNumber(t.Context(), want.Customer, want.Number); err != nil || name != want.Name {
				t.Errorf("by number: %q %v, want %q", name, err, want.Name)
			}
			if _, err := r.Order(t.Context(), want.Name, "2"); !errors.Is(err, order.ErrStale) {
				t.Errorf("another revision: %v, want ErrStale", err)
			}
			if _, err := r.Order(t.Context(), "orders/ord_2", ""); !errors.Is(err, order.ErrNotFound) {
				t.Errorf("another order: %v, want ErrNotFound", err)
			}
			return nil
		})
		data, err := answers.Encode(order.Change{Order: want, Release: &wantRelease})
		b.must(err)
		answer, err := answers.Decode(data)
		b.must(err)
		if !reflect.DeepEqual(answer, order.Change{Order: want, Release: &wantRelease}) {
			t.Errorf("answer %+v\nwant %+v", answer, want)
		}
	})
}

func TestWaitingFollowsTheHold(t *testing.T) {
	run(t, func(b *bench) {
		o, r := full(t)
		b.change(func(tx *Tx) error { return tx.Save(t.Context(), order.Change{Order: o, Release: &r}) })
		waits := func(want string, keys ...string) {
			t.Helper()
			b.view(func(r Reader) error {
				names, err := r.Waiting(t.Context(), keys, "", 10)
				if got := strings.Join(names, " "); got != want {
					t.Errorf("waiting for %q: got %q, want %q", keys, got, want)
				}
				return err
			})
		}
		waits(o.Name, "parties/CUS-A", "other")
		waits("", "parties/CUS-B")
		o.Revision, o.Holds, o.Missing = 2, nil, []order.Missing{{Field: "mode", Reason: "x", Keys: []string{"other"}}}
		b.change(func(tx *Tx) error { return tx.Save(t.Context(), order.Change{Order: o}) })
		waits("", "parties/CUS-A")
		waits(o.Name, "other")
	})
}

// TestUnknownFieldsSurvive: a field that a later program wrote is there after this one has saved the order.
func TestUnknownFieldsSurvive(t *testing.T) {
	run(t, func(b *bench) {
		o, r := full(t)
		b.change(func(tx *Tx) error { return tx.Save(t.Context(), order.Change{Order: o, Release: &r}) })
		later := []byte{0xa2, 0x7d, 2, 'h', 'i'} // field 2004, two bytes
		keys := []struct {
			bucket *platform.Bucket
			key    []byte
		}{{orders, platform.Key("ord_1")}, {orderLines, platform.Key("ord_1", uint32(0))}}
		b.change(func(tx *Tx) error {
			for _, k := range keys {
				data, err := tx.tx.Get(t.Context(), k.bucket, k.key)
				if err != nil {
					return err
				}
				if err := tx.tx.Put(t.Context(), k.bucket, k.key, append(data, later...)); err != nil {
					return err
				}
			}
			return nil
		})
		o.Revision++
		o.Lines[0].Pack = 5
		b.change(func(tx *Tx) error { return tx.Save(t.Context(), order.Change{Order: o}) })
		b.view(func(r Reader) error {
			for _, k := range keys {
				data, err := r.r.Get(t.Context(), k.bucket, k.key)
				if err != nil {
					return err
				}
				if !strings.Contains(string(data), string(later)) {
					t.Errorf("bucket %s: the field of a later program is gone", k.bucket.Name)
				}
			}
			return nil
		})
	})
}

func TestMasterDataByKeys(t *testing.T) {
	run(t, func(b *bench) {
		item := func(vn string) *masterdatav1.Item {
			return &masterdatav1.Item{Name: "items/A", BaseUnit: "EA", GrossWeight: &typev1.Quantity{Value: "1.5", Unit: "LBR"}, UnitsPerCarton: 4,
				ExternalIds: []*typev1.ExternalId{{System: "x12", Qualifier: "VN", Value: vn}}}
		}
		find := func(vn string) int {
			n := 0
			b.view(func(r Reader) error {
				found, err := r.Catalog(t.Context()).ItemsByExternalID(order.ExternalID{System: "x12", Qualifier: "VN", Value: vn})
				n = len(found)
				return err
			})
			return n
		}
		b.change(func(tx *Tx) error {
			_, err := tx.PutMasterData(t.Context(), item("OLD"))
			return err
		})
		if got := find("OLD"); got != 1 {
			t.Errorf("by the first number: %d items, want 1", got)
		}
		b.change(func(tx *Tx) error {
			_, err := tx.PutMasterData(t.Context(), item("NEW"))
			return err
		})
		if old, now := find("OLD"), find("NEW"); old != 0 || now != 1 {
			t.Errorf("after the number changed: %d by the old one, %d by the new one, want 0 and 1", old, now)
		}
	})
}

// TestVerifyNamesBrokenQuantities: records that are whole byte for byte, but whose numbers do not add up, are breaches of I4.
func TestVerifyNamesBrokenQuantities(t *testing.T) {
	for _, x := range []struct {
		name   string
		bucket *platform.Bucket
		key    []byte
		record proto.Message
		want   string
	}{
		{"a line released beyond its order", orderLines, platform.Key("ord_1", uint32(0)),
			&ordersstoragev1.OrderLineRecord{Line: "10", Numbers: &ordersstoragev1.NumbersRecord{Ordered: "120", Released: "121"}}, "unreleased would be -1"},
		{"a line that is not the sum of its releases", orderLines, platform.Key("ord_1", uint32(0)),
			&ordersstoragev1.OrderLineRecord{Line: "10", Numbers: &ordersstoragev1.NumbersRecord{Ordered: "120", Released: "59"}}, "orders/ord_1 line 10"},
		{"a release that shipped more", releaseLines, platform.Key("ord_1", uint32(1), uint32(0)),
			&ordersstoragev1.ReleaseLineRecord{Line: "10", Numbers: &ordersstoragev1.NumbersRecord{Ordered: "60", Released: "60", Shipped: "60"}}, "orders/ord_1 line 10"},
	} {
		b := &bench{t: t, path: filepath.Join(t.TempDir(), "orders.db")}
		b.open()
		o, r := full(t)
		b.change(func(tx *Tx) error { return tx.Save(t.Context(), order.Change{Order: o, Release: &r}) })
		b.change(func(tx *Tx) error { return platform.PutProto(t.Context(), tx.tx, x.bucket, x.key, x.record) })
		b.must(b.s.Close())
		report, err := platform.Verify(t.Context(), b.path, Schema())
		b.must(err)
		if len(report.Breaches) != 1 || !strings.Contains(report.Breaches[0], "I4 quantities") || !strings.Contains(report.Breaches[0], x.want) {
			t.Errorf("%s: breaches %q, want one of I4 with %q", x.name, report.Breaches, x.want)
		}
	}
}
