package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/kernel/rating"
	"crossdock.dev/platform/clock"
	platform "crossdock.dev/platform/store"

	"crossdock.dev/services/billing/internal/accrual"
	"crossdock.dev/services/billing/internal/freightbill"
	"crossdock.dev/services/billing/internal/invoice"
	"crossdock.dev/services/billing/internal/ledger"
	"crossdock.dev/services/billing/internal/predicate"
	"crossdock.dev/services/billing/internal/series"
	"crossdock.dev/services/billing/internal/shipment"
	"crossdock.dev/services/billing/internal/wire"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func usd(s string) money.Amount       { return money.MustParse(s, "USD") }
func each(s string) quantity.Quantity { return quantity.MustParse(s, quantity.Each) }

// opened is a store that is closed and opened again before each use when reopen is set.
type opened struct {
	t      *testing.T
	path   string
	reopen bool
	db     *platform.Store
}

func (o *opened) store() *Store {
	o.t.Helper()
	if o.db != nil && o.reopen {
		must(o.t, o.db.Close())
		o.db = nil
	}
	if o.db == nil {
		var err error
		o.db, err = platform.Open(context.Background(), platform.Options{Path: o.path, Schema: Schema(), Clock: clock.Fixed(noon), NoSync: true})
		must(o.t, err)
	}
	return New(o.db)
}

func (o *opened) change(fn func(tx *Tx) error) {
	o.t.Helper()
	_, _, err := o.store().Change(context.Background(), platform.Cause{Actor: "user/test"}, func(tx *Tx) (string, error) { return "", fn(tx) })
	must(o.t, err)
}

func (o *opened) view(fn func(r Reader) error) {
	o.t.Helper()
	must(o.t, o.store().View(context.Background(), fn))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run runs a test on a new file, and on one that is opened again before each step; both are verified at the end.
func run(t *testing.T, fn func(t *testing.T, o *opened)) {
	for _, reopen := range []bool{false, true} {
		t.Run(fmt.Sprintf("reopen=%v", reopen), func(t *testing.T) {
			o := &opened{t: t, path: filepath.Join(t.TempDir(), "billing.db"), reopen: reopen}
			fn(t, o)
			must(t, o.db.Close())
			report, err := platform.Verify(context.Background(), o.path, Schema())
			must(t, err)
			if len(report.Breaches) > 0 {
				t.Errorf("breaches %q", report.Breaches)
			}
		})
	}
}

var compare = cmp.Options{
	cmp.Comparer(func(a, b decimal.Decimal) bool { return a.Equal(b) && a.String() == b.String() }),
	cmp.Comparer(func(a, b money.Amount) bool { return a == b }),
	cmp.Comparer(func(a, b calendar.Date) bool { return a == b }),
	cmp.Comparer(func(a, b quantity.Quantity) bool { return a.Unit() == b.Unit() && a.Value().Equal(b.Value()) }),
}

// Whatever is saved is read back as the same value.
func TestRoundTrip(t *testing.T) {
	run(t, func(t *testing.T, o *opened) {
		day := calendar.MustParseDate("2026-03-03")
		release := shipment.Release{
			Name: "orders/ord_1/releases/1", Order: "orders/ord_1", CustomerOrderNumber: "PO-1", Customer: "parties/CUS-XYZ",
			LegalEntity: "legalEntities/LE-US", Currency: "USD", PaymentTerms: "net 30", Contract: "contracts/CUS-XYZ-1",
			Lines: []shipment.ReleaseLine{
				{Line: "1", Item: "items/A", Description: "WIDGET", Quantity: each("2"), UnitPrice: decimal.MustParse("9.250"),
					ExternalIDs: []shipment.ExternalID{{System: "x12", Kind: "", Qualifier: "VN", Value: "A"}}},
				{Line: "2", Item: "items/B", Quantity: each("1.5"), UnitPrice: decimal.MustParse("0")},
			},
		}
		moved := shipment.Shipment{
			Name: "shipments/shp_1", Release: release.Name, Order: release.Order, CustomerOrderNumber: "PO-1", Customer: release.Customer,
			LegalEntity: release.LegalEntity, ShipFrom: "locations/A", ShipTo: "locations/B", Mode: "LTL", Terms: shipment.PrepaidAndAdd,
			Load: "loads/load_1", GrossWeight: quantity.MustParse("3156", "LBR"), Departed: noon, Delivered: noon.Add(time.Hour),
			Proof: "proofsOfDelivery/pod_1", ProofState: shipment.Verified, ProofSigned: noon, Authorization: "billingAuthorizations/aut_1",
			Lines: []shipment.Line{
				{Line: "1", Shipped: each("2"), Proven: true, Accepted: each("1"), Short: each("1"), Damaged: each("0"), Refused: each("0")},
				{Line: "2", Shipped: each("1.5")},
			},
		}
		load := shipment.Load{
			Name: "loads/load_1", Number: "NL26030001", LegalEntity: release.LegalEntity, ShipDate: day, Lane: "lanes/L", Carrier: "parties/CAR-CXBB",
			CarrierReference: "PRO1", Booked: true, Contract: "contracts/CXBB-2026-1", Shipments: []string{moved.Name},
			Related: []string{"orders/ord_1", "po:PO-1"}, AccruedCharges: 0, FreightBill: "freightBills/fbl_1",
		}
		bill := freightbill.Bill{
			Name: "freightBills/fbl_1", Carrier: load.Carrier, InvoiceNumber: "CXBB-1", LoadNumber: load.Number, CarrierReference: "PRO1", BillDate: day,
			Charges: []accrual.Charge{{Code: "LHS", Amount: usd("830.54")}, {Code: "DSC", Description: "60 %", Amount: usd("-498.32")}}, Total: usd("332.22"),
			Source: "interchanges/1/sets/1", State: freightbill.Exception, Load: load.Name, Received: noon,
			Findings: []freightbill.Finding{{Rule: "A4", Subject: "LHS", Passed: true, Detail: "ok"}, {Rule: "A3", Detail: "no proof", Owner: freightbill.Operations, Dispute: "44"}},
			Decisions: []freightbill.Decision{
				{State: freightbill.Disputed, Reason: "too much", Dispute: "46", Time: noon}, {State: freightbill.Approved, Reason: "agreed", Time: noon.Add(time.Hour)},
			},
		}
		hold := shipment.Hold{Order: release.Order, Kind: "CREDIT", Reason: "limit"}
		o.change(func(tx *Tx) error {
			return errors.Join(tx.SaveRelease(release), tx.SaveShipment(moved), tx.SaveLoad(load), tx.SaveHold(hold),
				tx.SaveFreightBill(bill, freightbill.ReceivedFact{Bill: bill}), tx.TakeBillNumber(bill))
		})
		o.view(func(r Reader) error {
			gotRelease, err1 := r.Release(release.Name)
			gotShipment, err2 := r.Shipment(moved.Name)
			gotLoads, err3 := r.LoadsByReference("NL26030001", "PRO1")
			gotHolds, err4 := r.Holds(release.Order)
			gotBill, err5 := r.FreightBill(bill.Name)
			earlier, err6 := r.EarlierBill(bill.Carrier, bill.InvoiceNumber)
			for _, c := range []struct{ want, got any }{
				{release, gotRelease}, {moved, gotShipment}, {[]shipment.Load{load}, gotLoads}, {[]shipment.Hold{hold}, gotHolds}, {bill, gotBill},
				{&freightbill.Earlier{Bill: bill.Name, Total: bill.Total}, earlier},
			} {
				if diff := cmp.Diff(c.want, c.got, compare); diff != "" {
					t.Errorf("%T (-want +got):\n%s", c.want, diff)
				}
			}
			return errors.Join(err1, err2, err3, err4, err5, err6)
		})
		// a carrier's reference that changes leads to the load, the old one no longer
		load.CarrierReference = "PRO2"
		o.change(func(tx *Tx) error { return errors.Join(tx.SaveLoad(load), tx.DropHold(hold.Order, hold.Kind)) })
		o.view(func(r Reader) error {
			old, err1 := r.LoadsByReference("", "PRO1")
			now, err2 := r.LoadsByReference("", "PRO2")
			holds, err3 := r.Holds(hold.Order)
			if len(old) != 0 || len(now) != 1 || len(holds) != 0 {
				t.Errorf("old reference finds %d, new %d, holds %d; want 0, 1, 0", len(old), len(now), len(holds))
			}
			return errors.Join(err1, err2, err3)
		})
	})
}

// A number is given back by the bill that holds it and by no other.
func TestFreeBillNumber(t *testing.T) {
	run(t, func(t *testing.T, o *opened) {
		holder := freightbill.Bill{Name: "freightBills/fbl_1", Carrier: "parties/CAR-CXBB", InvoiceNumber: "CXBB-1", Total: usd("1.00")}
		other := holder
		other.Name = "freightBills/fbl_2"
		held := func(want bool) {
			t.Helper()
			o.view(func(r Reader) error {
				earlier, err := r.EarlierBill(holder.Carrier, holder.InvoiceNumber)
				if (earlier != nil) != want {
					t.Errorf("number is held: %v, want %v", earlier != nil, want)
				}
				return err
			})
		}
		o.change(func(tx *Tx) error {
			return errors.Join(tx.FreeBillNumber(holder), tx.TakeBillNumber(holder), tx.FreeBillNumber(other))
		})
		held(true)
		o.change(func(tx *Tx) error { return tx.FreeBillNumber(holder) })
		held(false)
	})
}

// documents saves an authorisation, its invoice with number, an accrual and their postings.
func documents(tx *Tx) (invoice.Authorization, invoice.Invoice, error) {
	goods := []invoice.Goods{{Line: "1", Item: "items/A", Quantity: each("2"), UnitPrice: decimal.MustParse("50.00"), Amount: usd("100.00")}}
	a := invoice.Authorization{
		Name: "billingAuthorizations/aut_1", Shipment: "shipments/shp_1", Release: "orders/ord_1/releases/1", Order: "orders/ord_1",
		CustomerOrderNumber: "PO-1", Customer: "parties/CUS-XYZ", LegalEntity: "legalEntities/LE-US",
		Conjuncts: []predicate.Conjunct{{Condition: "delivered", Met: true, Evidence: "yes"}}, Goods: goods,
		Freight:    []invoice.Freight{{Charge: accrual.Charge{Code: "LHS", Amount: usd("20.00")}, Contract: "contracts/CUS-XYZ-1"}},
		GoodsTotal: usd("100.00"), FreightTotal: usd("20.00"), NetTotal: usd("120.00"), LoadNumber: "NL26030001",
		FreightExplanation: rating.Node{Label: "Freight", Value: "20.00 USD"}, ShipDate: calendar.MustParseDate("2026-03-03"),
		Proof: "proofsOfDelivery/pod_1", Contract: "contracts/CUS-XYZ-1", Delivered: noon, Created: noon,
	}
	draft, err1 := invoice.Draft("invoices/inv_1", a, invoice.Tax{Rule: "taxRules/T", Note: "21%", Percent: decimal.MustParse("21"), Seller: "NL1", Customer: "NL2"},
		invoice.Payment{Terms: "net 30", DueDays: 30})
	approved, _, err2 := draft.Approve()
	s, err3 := tx.Series("NLS26", "legalEntities/LE-US")
	s, number := s.Draw(draft.Name, noon)
	issued, _, err4 := approved.Issue(number.Number, number.Time, time.UTC)
	a.Invoice = issued.Name
	authorised, err5 := ledger.Authorised(a.GoodsTotal, a.FreightTotal)
	posted, err6 := ledger.Issued(a.NetTotal, issued.TaxTotal)
	cost, err7 := ledger.Accrual(ledger.LoadBooked, usd("15.00"))
	acc := accrual.Accrual{
		Name: "accruals/acr_1", Load: "loads/load_1", LoadNumber: "NL26030001", Carrier: "parties/CAR-CXBB", LegalEntity: "legalEntities/LE-US",
		Charge: accrual.Charge{Code: "LHS", Amount: usd("15.00")}, State: accrual.Open, Contract: "contracts/CXBB-2026-1", Created: noon,
		Evidence: accrual.Booking, Shares: []accrual.Share{
			{Shipment: "shipments/shp_1", Order: "orders/ord_1", CustomerOrderNumber: "PO-1", Amount: usd("10.00")},
			{Shipment: "shipments/shp_2", Order: "orders/ord_2", CustomerOrderNumber: "PO-2", Amount: usd("5.00")},
		},
	}
	posting := func(e ledger.Entry, document string) ledger.Posting {
		return ledger.Posting{Entry: e, LegalEntity: a.LegalEntity, Document: document, Related: []string{"orders/ord_1", document}, Time: noon}
	}
	return a, issued, errors.Join(err1, err2, err3, err4, err5, err6, err7,
		tx.SaveAccrual(acc, accrual.Accrued{Accrual: acc, Related: []string{"orders/ord_1"}}), tx.Post(posting(cost, acc.Name)),
		tx.SaveAuthorization(a, invoice.Authorized{Authorization: a}), tx.Post(posting(authorised, a.Name)),
		tx.SaveNumber(s, number), tx.SaveInvoice(issued, invoice.ApprovedFact{Invoice: approved}, invoice.IssuedFact{Invoice: issued}),
		tx.Post(posting(posted, issued.Name)))
}

func TestDocuments(t *testing.T) {
	run(t, func(t *testing.T, o *opened) {
		var a invoice.Authorization
		var i invoice.Invoice
		o.change(func(tx *Tx) (err error) {
			a, i, err = documents(tx)
			return err
		})
		o.view(func(r Reader) error {
			gotAuth, err1 := r.Authorization(a.Name)
			gotInvoice, err2 := r.Invoice(i.Name)
			if diff := cmp.Diff(a, gotAuth, compare); diff != "" {
				t.Errorf("authorisation (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(i, gotInvoice, compare); diff != "" {
				t.Errorf("invoice (-want +got):\n%s", diff)
			}
			acc, err7 := r.Accrual("accruals/acr_1")
			if len(acc.Shares) != 2 || acc.Shares[1] != (accrual.Share{
				Shipment: "shipments/shp_2", Order: "orders/ord_2", CustomerOrderNumber: "PO-2", Amount: usd("5.00"),
			}) || acc.Evidence != accrual.Booking {
				t.Errorf("accrual %+v, want its evidence and two shares", acc)
			}
			s, err3 := r.Series("NLS26", "legalEntities/LE-US")
			if s.Next != 2 || !s.Last.Equal(noon) {
				t.Errorf("series %+v, want the next number 2", s)
			}
			sums, err4 := r.Balances("legalEntities/LE-US")
			want := ledger.Balances{"USD": {"1100": 14520, "1150": 0, "2100": -1500, "2200": -2520, "4000": -10000, "4100": -2000, "5100": 1500}}
			if diff := cmp.Diff(want, sums); diff != "" {
				t.Errorf("balances (-want +got):\n%s", diff)
			}
			none, err5 := r.Balances("legalEntities/LE-NL")
			if len(none) != 0 {
				t.Errorf("balances of another legal entity %v", none)
			}
			postings, _, err6 := r.Journal("invoices/inv_1", nil, 10)
			if len(postings) != 1 || postings[0].Sequence != 3 || postings[0].Entry.Moment() != ledger.InvoiceIssued {
				t.Errorf("journal of the invoice %+v, want its issue as entry 3", postings)
			}
			return errors.Join(err1, err2, err3, err4, err5, err6, err7)
		})
		if err := o.store().View(context.Background(), func(r Reader) error { _, err := r.Invoice("invoices/inv_2"); return err }); !errors.Is(err, ErrNotFound) {
			t.Errorf("missing invoice: %v, want ErrNotFound", err)
		}
	})
}

// Fields that a later program wrote survive a rewrite by this one.
func TestUnknownFields(t *testing.T) {
	o := &opened{t: t, path: filepath.Join(t.TempDir(), "billing.db")}
	s := shipment.Shipment{Name: "shipments/shp_1", Load: "loads/load_1"}
	o.change(func(tx *Tx) error {
		m := shipmentRecord(s)
		m.ProtoReflect().SetUnknown(protowire.AppendString(protowire.AppendTag(nil, 999, protowire.BytesType), "from the future"))
		data, err := proto.Marshal(m)
		return errors.Join(err, tx.tx.Put(tx.ctx, shipments, platform.Key(s.Name), data))
	})
	o.change(func(tx *Tx) error { s.Proof = "proofsOfDelivery/pod_1"; return tx.SaveShipment(s) })
	o.view(func(r Reader) error {
		m, err := shipmentTable.Get(r.ctx, r.r, platform.Key(s.Name))
		if !strings.Contains(string(m.ProtoReflect().GetUnknown()), "from the future") || m.GetProofOfDelivery() == "" {
			t.Errorf("record %v lost what a later program wrote", m)
		}
		return err
	})
	must(t, o.db.Close())
}

// I6 and I7 find what is wrong with records that are each in order.
func TestInvariants(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(tx *Tx) error
		want  string
	}{
		{"nothing", func(*Tx) error { return nil }, ""},
		{"accrual cleared without a bill", func(tx *Tx) error {
			a, err := tx.Accrual("accruals/acr_1")
			a.State = accrual.Cleared
			return errors.Join(err, tx.SaveAccrual(a))
		}, "account 2100 USD: balance -1500 minor units, its documents say 0"},
		{"accrual whose shares do not add up", func(tx *Tx) error {
			a, err := tx.Accrual("accruals/acr_1")
			a.Shares = a.Shares[:1]
			return errors.Join(err, tx.SaveAccrual(a))
		}, "accruals/acr_1: its shares are 1000 minor units of 15.00 USD"},
		{"accrual reversed without an entry", func(tx *Tx) error {
			a, err := tx.Accrual("accruals/acr_1")
			a.State = accrual.Reversed
			return errors.Join(err, tx.SaveAccrual(a))
		}, "account 2100 USD: balance -1500 minor units, its documents say 0"},
		{"approved bill without posting", func(tx *Tx) error {
			return tx.SaveFreightBill(freightbill.Bill{Name: "freightBills/fbl_1", State: freightbill.Approved, Total: usd("15.00"), Received: noon})
		}, "account 2000 USD: balance 0 minor units, its documents say -1500"},
		{"invoice of another total", func(tx *Tx) error {
			i, err := tx.Invoice("invoices/inv_1")
			i.Total = usd("145.21")
			return errors.Join(err, tx.SaveInvoice(i))
		}, "account 1100 USD: balance 14520 minor units, its documents say 14521"},
		{"authorisation that forgot its invoice", func(tx *Tx) error {
			a, err := tx.Authorization("billingAuthorizations/aut_1")
			a.Invoice = ""
			return errors.Join(err, tx.SaveAuthorization(a))
		}, "account 1150 USD: balance 0 minor units, its documents say 12000"},
		{"entry that does not balance", func(tx *Tx) error {
			m, err := journalTable.Get(tx.ctx, tx.tx, platform.Key(uint64(1)))
			m.JournalEntry.Lines = m.JournalEntry.Lines[:1]
			return errors.Join(err, journalTable.Put(tx.ctx, tx.tx, platform.Key(uint64(1)), m))
		}, "journalEntries/0000000000000001: debits and credits differ"},
		{"entry taken away", func(tx *Tx) error { return journalTable.Delete(tx.ctx, tx.tx, platform.Key(uint64(2))) }, "journal: after 1 comes 3"},
		{"number skipped", func(tx *Tx) error {
			s, err := tx.Series("NLS26", "legalEntities/LE-US")
			s.Next = 3
			return errors.Join(err, tx.SaveNumber(s, series.Registration{Series: "NLS26", Ordinal: 1, Number: "NLS26-000001", Document: "invoices/inv_1", Time: noon}))
		}, "series NLS26: the next number is 3, the register ends at 1"},
		{"number of another invoice", func(tx *Tx) error {
			i, err := tx.Invoice("invoices/inv_1")
			i.Number = "NLS26-000007"
			return errors.Join(err, tx.SaveInvoice(i))
		}, "register: invoices/inv_1 does not bear number NLS26-000001"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &opened{t: t, path: filepath.Join(t.TempDir(), "billing.db")}
			o.change(func(tx *Tx) error { _, _, err := documents(tx); return err })
			o.change(c.spoil)
			var breaches []string
			must(t, o.db.View(context.Background(), func(r platform.Reader) error {
				ledger, err1 := checkLedger(context.Background(), r)
				numbers, err2 := checkSeries(context.Background(), r)
				breaches = slices.Concat(ledger, numbers)
				return errors.Join(err1, err2)
			}))
			if got := strings.Join(breaches, "\n"); c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("breaches\n%s\nwant one with %q", got, c.want)
			}
			must(t, o.db.Close())
		})
	}
}

// The contract in force is the latest by effective date, then by version; a draft and a later one do not count.
func TestContractInForce(t *testing.T) {
	o := &opened{t: t, path: filepath.Join(t.TempDir(), "billing.db")}
	for _, c := range []struct {
		name, from string
		version    int32
		state      masterdatav1.Contract_State
	}{
		{"C-1", "2026-01-01", 1, masterdatav1.Contract_APPROVED}, {"C-2", "2026-03-01", 2, masterdatav1.Contract_APPROVED},
		{"C-3", "2026-03-01", 3, masterdatav1.Contract_APPROVED}, {"C-4", "2026-03-01", 4, masterdatav1.Contract_DRAFT},
		{"C-5", "2026-04-01", 5, masterdatav1.Contract_APPROVED},
	} {
		o.change(func(tx *Tx) error {
			from := calendar.MustParseDate(c.from)
			m := &masterdatav1.Contract{Name: "contracts/" + c.name, Party: "parties/P", Version: c.version, State: c.state, CurrencyCode: "USD"}
			m.EffectiveFrom = wire.Date(from)
			packed, err := anypb.New(m)
			return errors.Join(err, tx.SaveMasterData(m.Name, packed))
		})
	}
	o.view(func(r Reader) error {
		for day, want := range map[string]string{
			"2025-12-31": "", "2026-01-01": "contracts/C-1", "2026-02-28": "contracts/C-1", "2026-03-01": "contracts/C-3", "2026-04-01": "contracts/C-5",
		} {
			got, err := r.ContractInForce("parties/P", calendar.MustParseDate(day))
			if err != nil || got != want {
				t.Errorf("on %s: %q, %v; want %q", day, got, err, want)
			}
		}
		return nil
	})
	must(t, o.db.Close())
}
