package store_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	storagev1 "crossdock.dev/gen/crossdock/freight/storage/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/kernel/rating"
	"crossdock.dev/platform/clock"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"

	"crossdock.dev/services/freight/internal/cost"
	"crossdock.dev/services/freight/internal/eta"
	"crossdock.dev/services/freight/internal/eventtime"
	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/milestone"
	"crossdock.dev/services/freight/internal/network"
	"crossdock.dev/services/freight/internal/pod"
	"crossdock.dev/services/freight/internal/shipment"
	"crossdock.dev/services/freight/internal/store"
	"crossdock.dev/services/freight/internal/tender"
)

var (
	now  = time.Date(2026, 3, 2, 11, 6, 0, 0, time.UTC)
	when = eventtime.Time{Instant: now, Zone: "America/New_York", Rule: eventtime.GapShifted}
	lb   = quantity.MustParse("3156", quantity.Pound)
	ft   = quantity.MustParse("231.61", quantity.CubicFoot)
)

func usd(s string) money.Amount { return money.MustParse(s, "USD") }

// The values have every field set, so that one that is not kept shows.
func aShipment() shipment.Shipment {
	return shipment.Shipment{
		Name: "shipments/shp_1", OrderRelease: "orders/ord_1/releases/1", Order: "orders/ord_1", CustomerOrderNumber: "PO-1",
		Customer: "parties/CUS-XYZ", LegalEntity: "legalEntities/LE-US", ShipFrom: "locations/A", ShipTo: "locations/B", Mode: "LTL",
		Terms: network.PrepaidAndAdd, Load: "loads/load_1", GrossWeight: lb, Cartons: 314, Volume: ft, State: shipment.Booked,
		PickupFrom: when, PickupTo: when, DeliverFrom: when, DeliverBy: when, Departed: when, Delivered: when, Proof: "proofsOfDelivery/pod_1",
		CreateTime: now, EtaWatch: true, Trust: eta.Trust{Confidence: eta.None, Reasons: []eta.Reason{eta.FeedSilent, eta.OnlyScheduled}}, WatchTask: "task_3",
		Lines: []shipment.Line{
			{Line: "1", Item: "items/A", Description: "SMALL WIDGET", Quantity: quantity.MustParse("120", quantity.Each), GrossWeight: lb, Class: "92.5", Cartons: 30},
			{Line: "2", Item: "items/B", Quantity: quantity.MustParse("0.5", quantity.Each), GrossWeight: lb, Cartons: 1},
		},
	}
}

func aLoad() load.Load {
	return load.Load{
		Name: "loads/load_1", Number: "NL26030001", LegalEntity: "legalEntities/LE-US", Mode: "LTL", Equipment: "LTL", Lane: "lanes/L",
		Shipments: []string{"shipments/shp_1"}, State: load.InTransit, Carrier: "parties/CAR-CXBB", CarrierReference: "PRO", Tender: "tenders/tnd_1",
		Charges: aPrice(), ShipDate: calendar.MustParseDate("2026-03-03"), GrossWeight: lb, Cartons: 314, Volume: ft, CreateTime: now,
		Skipped: []load.Skipped{{Carrier: "parties/CAR-CXCC", Rank: 1, Reason: "no price", At: now}},
		Stops: []load.Stop{
			{Sequence: 1, Role: load.Pickup, Location: "locations/A", Zone: "America/New_York", WindowFrom: when, WindowTo: when, Shipments: []string{"shipments/shp_1"}, Arrived: when, Departed: when},
			{Sequence: 2, Role: load.Delivery, Location: "locations/B", Zone: "America/Chicago", Shipments: []string{"shipments/shp_1"}},
		},
		JoinUntil: now.Add(load.JoinWindow), OfferTask: "task_2",
	}
}

func aPrice() *cost.Rated {
	return &cost.Rated{
		Carrier: "parties/CAR-CXBB", Contract: "contracts/C-1", Total: usd("425.24"), Gross: usd("830.54"), Discount: usd("-498.32"),
		Charges: []cost.Charge{{Code: "LHS", Description: "Line-haul", Amount: usd("332.22")}, {Code: "FUE", Amount: usd("93.02")}},
		Allocations: []cost.Allocation{{
			Shipment: "shipments/shp_1", Total: usd("425.24"),
			Charges: []cost.Charge{{Code: "LHS", Description: "Line-haul", Amount: usd("332.22")}, {Code: "FUE", Amount: usd("93.02")}},
		}},
		Explain: rating.Node{Label: "total", Value: "425.24 USD", Rule: "sum", Source: "contracts/C-1", Children: []rating.Node{{Label: "fuel"}}},
	}
}

func aTender() tender.Tender {
	return tender.Tender{
		Name: "tenders/tnd_1", Load: "loads/load_1", LoadNumber: "NL26030001", Carrier: "parties/CAR-CXBB", SCAC: "CXBB", Rank: 1, State: tender.Accepted,
		SendTime: now, RespondBy: when, Charges: aPrice(), Stops: aLoad().Stops, GrossWeight: lb, Cartons: 314, DeclineReason: tender.Capacity, Note: "n",
		AnswerTime: now, MethodOfPayment: "PP", CustomerOrderNumbers: []string{"PO-1"}, ExpiryTask: "task_1",
	}
}

func aClaim() milestone.Claim {
	return milestone.Claim{
		Name: "loads/load_1/claims/clm_1", Occurred: when, ReceiveTime: now, Advanced: true,
		Report: milestone.Report{
			Milestone: milestone.EtaChanged, Stop: 2, OccurTime: now, LocalTime: "2026-03-02T06:06", City: "SOLON", State: "OH", Estimate: now.Add(time.Hour),
			CarrierCode: "AG", ReasonCode: "NS", Source: milestone.Telematics, Reference: "interchanges/edi_1/sets/1",
		},
	}
}

func aProof() pod.Proof {
	return pod.Proof{
		Name: "proofsOfDelivery/pod_1", Shipment: "shipments/shp_1", Customer: "parties/CUS-XYZ", Carrier: "parties/CAR-CXBB", State: pod.Received, ReceiveTime: now,
		Statement: pod.Statement{
			Load: "NL26030001", Order: "PO-1", Type: pod.ESignature, SignedAt: now, Pieces: 310, DocumentSHA256: strings.Repeat("a", 64),
			Exceptions: []pod.Exception{{Line: "1", Kind: pod.Refused, Quantity: quantity.MustParse("3", quantity.Each), Note: "wet"}},
		},
	}
}

var equal = cmp.Options{
	cmp.Comparer(func(a, b decimal.Decimal) bool { return a.Equal(b) && a.String() == b.String() }),
	cmp.Comparer(func(a, b quantity.Quantity) bool { return a.String() == b.String() }),
	cmp.Comparer(func(a, b money.Amount) bool { return a == b }),
	cmp.Comparer(func(a, b calendar.Date) bool { return a == b }),
}

func open(t *testing.T, path string) *platform.Store {
	t.Helper()
	db, err := platform.Open(t.Context(), platform.Options{Path: path, Schema: store.Schema(), Clock: clock.Fixed(now), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func change(t *testing.T, db *platform.Store, fn func(tx *store.Tx) error) {
	t.Helper()
	_, err := db.Change(t.Context(), platform.Cause{Principal: "user/dev"}, func(tx *platform.Tx) ([]byte, error) {
		return nil, fn(store.Wrap(t.Context(), tx))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What is written is read back as it was, fresh and after the store was opened again.
func TestConformance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "freight.db")
	db := open(t, path)
	s, l, x := aShipment(), aLoad(), aTender()
	change(t, db, func(tx *store.Tx) error {
		if _, err := tx.Draw("NL2603"); err != nil {
			return err
		}
		for _, err := range []error{
			tx.AddShipment(&s), tx.PutLoad(&l), tx.PutTender(&x), tx.AddClaim(l.Name, aClaim()), tx.AddProof(aProof(), "J. Example"),
			tx.Later(tasks.Task{ID: s.WatchTask, Kind: "timer.feed_silence", Subject: s.Name, Due: now, Effect: tasks.Keyed}),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	if s.Revision != 1 || l.Revision != 1 || x.Revision != 1 {
		t.Errorf("revisions %d, %d, %d; want 1", s.Revision, l.Revision, x.Revision)
	}
	check := func(when string) {
		t.Helper()
		err := store.New(db).View(t.Context(), func(r store.Reader) error {
			same := func(what string, got, want any, err error) {
				t.Helper()
				if err != nil {
					t.Errorf("%s: %s: %v", when, what, err)
				} else if diff := cmp.Diff(want, got, equal); diff != "" {
					t.Errorf("%s: %s differs (-want +got):\n%s", when, what, diff)
				}
			}
			gotShipment, err := r.Shipment(s.Name)
			same("shipment", gotShipment, s, err)
			gotShipment, err = r.ShipmentOfRelease(s.OrderRelease)
			same("shipment of the release", gotShipment, s, err)
			gotLoad, err := r.Load(l.Name)
			same("load", gotLoad, l, err)
			gotLoad, err = r.LoadByNumber(l.Number)
			same("load by number", gotLoad, l, err)
			gotTender, err := r.Tender(x.Name)
			same("tender", gotTender, x, err)
			gotClaims, err := r.Claims(l.Name)
			same("claims", gotClaims, []milestone.Claim{aClaim()}, err)
			gotProof, err := r.Proof(aProof().Name)
			same("proof", gotProof, aProof(), err)
			by, err := r.Signatory(aProof().Name)
			same("signatory", by, "J. Example", err)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	check("fresh")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, path)
	check("reopened")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := platform.Verify(context.Background(), path, store.Schema())
	if err != nil || len(r.Breaches) > 0 {
		t.Errorf("verify: %v %v", r.Breaches, err)
	}
}

// Fields that a later program wrote survive a rewrite by this one.
func TestUnknownFields(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "freight.db"))
	defer db.Close()
	later := protowire.AppendString(protowire.AppendTag(nil, 900, protowire.BytesType), "from the future")
	l := aLoad()
	change(t, db, func(tx *store.Tx) error { return tx.PutLoad(&l) })
	bucket := bucketNamed(t, "loads")
	_, err := db.Change(t.Context(), platform.Cause{Principal: "user/dev"}, func(tx *platform.Tx) ([]byte, error) {
		raw, err := tx.Get(t.Context(), bucket, platform.Key(l.Name))
		if err != nil {
			return nil, err
		}
		return nil, tx.Put(t.Context(), bucket, platform.Key(l.Name), append(raw, later...))
	})
	if err != nil {
		t.Fatal(err)
	}
	l.CarrierReference = "CHANGED"
	change(t, db, func(tx *store.Tx) error { return tx.PutLoad(&l) })
	err = db.View(t.Context(), func(r platform.Reader) error {
		raw, err := r.Get(t.Context(), bucket, platform.Key(l.Name))
		if !strings.Contains(string(raw), "from the future") || !strings.Contains(string(raw), "CHANGED") {
			t.Errorf("the record lost the unknown field or the change: %q", raw)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func bucketNamed(t *testing.T, name string) *platform.Bucket {
	t.Helper()
	for _, b := range store.Schema().Buckets {
		if b.Name == name {
			return b
		}
	}
	t.Fatalf("no bucket %s", name)
	return nil
}

// both writes a shipment and its load after something was done to them.
func both(change func(s *shipment.Shipment, l *load.Load)) func(tx *store.Tx) error {
	return func(tx *store.Tx) error {
		s, l := aShipment(), aLoad()
		change(&s, &l)
		if err := tx.AddShipment(&s); err != nil {
			return err
		}
		return tx.PutLoad(&l)
	}
}

// Each invariant speaks when it is broken, and names the records.
func TestInvariants(t *testing.T) {
	for _, x := range []struct {
		name, says string
		write      func(tx *store.Tx) error
	}{
		{"a load carries what does not exist", "loads/load_1 carries shipments/shp_1, which does not exist", func(tx *store.Tx) error {
			l := aLoad()
			return tx.PutLoad(&l)
		}},
		{"a shipment on a load that does not carry it", "shipments/shp_1 is on loads/load_1, which does not carry it", func(tx *store.Tx) error {
			s, l := aShipment(), aLoad()
			l.Shipments = nil
			if err := tx.AddShipment(&s); err != nil {
				return err
			}
			return tx.PutLoad(&l)
		}},
		{"a number that was not drawn", "series NL2603: the last number drawn is 0, the loads end at 1", func(tx *store.Tx) error {
			l := aLoad()
			return tx.PutLoad(&l)
		}},
		{"a number twice", "loads/load_2 has number NL26030001 where NL26030002 is due", func(tx *store.Tx) error {
			l, other := aLoad(), aLoad()
			other.Name = "loads/load_2"
			if err := tx.PutLoad(&l); err != nil {
				return err
			}
			return tx.PutLoad(&other)
		}},
		{"two live tenders", "loads/load_1 has two live tenders, tenders/tnd_1 and tenders/tnd_2", func(tx *store.Tx) error {
			a, b := aTender(), aTender()
			b.Name, b.State = "tenders/tnd_2", tender.Sent
			if err := tx.PutTender(&a); err != nil {
				return err
			}
			return tx.PutTender(&b)
		}},
		{"a shipment that is not delivered where it goes", `loads/load_1 brings shipments/shp_1 from "locations/A" to "locations/C"`, both(func(_ *shipment.Shipment, l *load.Load) {
			l.Stops[1].Location = "locations/C"
		})},
		{"stops out of order", "loads/load_1 has stop 1 as DELIVERY at place 1", both(func(_ *shipment.Shipment, l *load.Load) { l.Stops[0].Role = load.Delivery })},
		{"another weight than aboard", "loads/load_1 weighs 3157 LBR, its shipments 3156 LBR", both(func(_ *shipment.Shipment, l *load.Load) {
			l.GrossWeight = quantity.MustParse("3157", quantity.Pound)
		})},
		{"a load of two legal entities", "loads/load_1 is of legalEntities/LE-US, LTL and carries shipments/shp_1 of legalEntities/LE-NL, LTL", both(func(s *shipment.Shipment, _ *load.Load) {
			s.LegalEntity = "legalEntities/LE-NL"
		})},
		{"too much for the trailer", "too much for TL53", both(func(s *shipment.Shipment, l *load.Load) {
			l.Equipment, l.GrossWeight = "TL53", quantity.MustParse("44001", quantity.Pound)
		})},
		{"a shipment called off on a load that goes", "loads/load_1 is IN_TRANSIT and carries shipments/shp_1, which is CANCELLED", both(func(s *shipment.Shipment, _ *load.Load) {
			s.State = shipment.Cancelled
		})},
		{"a load called off that owes its line-haul", "loads/load_1 was called off and owes LHS", both(func(_ *shipment.Shipment, l *load.Load) { l.State = load.Cancelled })},
		{"charges that no carrier asks", "loads/load_1 has charges, but no carrier took it", both(func(_ *shipment.Shipment, l *load.Load) { l.State = load.Tendered })},
		{"a cent that nobody bears", "loads/load_1 has 0.01 USD of FUE that nobody bears", both(func(_ *shipment.Shipment, l *load.Load) {
			l.Charges.Charges[1].Amount = usd("93.03")
		})},
		{"a timer that is not there", "shipments/shp_1 has timer task_3, which does not exist", both(func(*shipment.Shipment, *load.Load) {})},
		{"trust that nobody looks after", "shipments/shp_1 has trust LOW and no timer", both(func(s *shipment.Shipment, _ *load.Load) {
			s.Trust.Confidence, s.WatchTask = eta.Low, ""
		})},
		{"trust in what was handed over", `shipments/shp_1 is DELIVERED, watched true, and has trust NONE and timer ""`, both(func(s *shipment.Shipment, _ *load.Load) {
			s.State, s.WatchTask = shipment.Delivered, ""
		})},
		{"a timer of what nobody watches", `shipments/shp_1 is BOOKED, watched false, and has trust CONFIDENCE_UNSPECIFIED and timer "task_3"`,
			both(func(s *shipment.Shipment, _ *load.Load) { s.EtaWatch, s.Trust = false, eta.Trust{} })},
		{"a claim of no load", "loads/load_1/claims/clm_1: no load", func(tx *store.Tx) error { return tx.AddClaim("loads/load_1", aClaim()) }},
		{"a proof that is not there", "shipments/shp_1 names proofsOfDelivery/pod_1, which does not exist", func(tx *store.Tx) error {
			s := aShipment()
			return tx.AddShipment(&s)
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "freight.db")
			db := open(t, path)
			change(t, db, x.write)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			r, err := platform.Verify(context.Background(), path, store.Schema())
			if err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(r.Breaches, "\n"); !strings.Contains(all, x.says) {
				t.Errorf("breaches:\n%s\nwant %q among them", all, x.says)
			}
		})
	}
}

// A resource that changes takes its look-up keys along: the lane is found by its new ends alone.
func TestMasterDataMoves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "freight.db")
	db := open(t, path)
	lane := func(to string) *masterdatav1.Lane {
		return &masterdatav1.Lane{Name: "lanes/L", Origin: "locations/A", Destination: to, Distance: &typev1.Quantity{Value: "1", Unit: "SMI"}}
	}
	for _, to := range []string{"locations/B", "locations/C"} {
		change(t, db, func(tx *store.Tx) error { return tx.SetMasterdata(lane(to)) })
	}
	err := store.New(db).View(t.Context(), func(r store.Reader) error {
		if _, err := r.Lane("locations/A", "locations/B"); err == nil {
			t.Error("the lane is still found by its old end")
		}
		_, err := r.Lane("locations/A", "locations/C")
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := platform.Verify(context.Background(), path, store.Schema())
	if err != nil || len(r.Breaches) > 0 {
		t.Errorf("verify: %v %v", r.Breaches, err)
	}
}

// The messages of records are those that the schema names.
func TestRecordsAreMessages(t *testing.T) {
	for _, m := range []proto.Message{
		&storagev1.ShipmentRecord{}, &storagev1.ShipmentLineRecord{}, &storagev1.ReleaseRecord{}, &storagev1.LoadRecord{}, &storagev1.TenderRecord{},
		&storagev1.ClaimRecord{}, &storagev1.ProofRecord{}, &storagev1.ProofExceptionRecord{}, &storagev1.NumberSeriesRecord{}, &storagev1.MasterdataRecord{},
	} {
		found := false
		for _, b := range store.Schema().Buckets {
			found = found || strings.Contains(b.Doc, "→ "+string(m.ProtoReflect().Descriptor().Name()))
		}
		if !found {
			t.Errorf("no bucket holds %s", m.ProtoReflect().Descriptor().Name())
		}
	}
}
