// Package store keeps billing's records: which buckets there are, what their keys and records are, and how they become domain
// values. It promises that a document and its facts are saved in one signature, that unknown fields of a record survive a
// rewrite, that lists come newest first, and that the invariants of ledger and number series can be checked on the
// records alone. Rules of business are left to the domain packages.
package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	billingstoragev1 "crossdock.dev/gen/crossdock/billing/storage/v1"
	"crossdock.dev/kernel/money"
	platform "crossdock.dev/platform/store"

	"crossdock.dev/services/billing/internal/accrual"
	"crossdock.dev/services/billing/internal/ledger"
	"crossdock.dev/services/billing/internal/series"
	"crossdock.dev/services/billing/internal/wire"
)

// Service is the name of the log.
const Service = "billing"

// The buckets.
var (
	masterData     = &platform.Bucket{Name: "masterdata", Kind: platform.Record, Doc: "resource name → MasterDataRecord", Copies: "masterdata"}
	releases       = record("releases", "release → ReleaseRecord")
	releaseLines   = record("release_lines", "release, place → ReleaseLineRecord")
	holds          = record("holds", "order, kind → HoldRecord: open holds")
	shipments      = record("shipments", "shipment → ShipmentRecord")
	deliveredLines = record("delivered_lines", "shipment, place → DeliveredLineRecord")
	loads          = record("loads", "load → LoadRecord")
	accruals       = record("accruals", "accrual → AccrualRecord")
	authorizations = record("authorizations", "authorisation → AuthorizationRecord")
	billableLines  = record("billable_lines", "authorisation, place → BillableLineRecord: goods of the authorisation and its invoice")
	invoices       = record("invoices", "invoice → InvoiceRecord")
	numberSeries   = record("series", "series → SeriesRecord")
	register       = record("register", "series, ordinal → RegisterRecord: every number explained")
	freightBills   = record("freight_bills", "bill → FreightBillRecord")
	billCharges    = record("freight_bill_charges", "bill, place → BillChargeRecord")
	billFindings   = record("freight_bill_findings", "bill, place → BillFindingRecord")
	billNumbers    = record("freight_bill_numbers", "carrier, invoice number → BillNumberRecord: each number once")
	journal        = record("journal", "sequence → JournalRecord")

	lists          = derived("lists", "list, scope, time, name → name: what newest-first lists read")
	journalRelated = derived("journal_by_related", "related name, sequence → name")
	loadReferences = derived("loads_by_reference", "kind, reference, load → name; kinds are number and pro")
	accrualsByLoad = derived("accruals_by_load", "load, accrual → name")
	balances       = derived("balances", "legal entity, currency, account → debit minus credit in minor units")
	contractsOf    = derived("contracts_by_party", "party, contract → name")
	lanesBetween   = derived("lanes_by_ends", "origin, destination, lane → name")
)

func record(name, doc string) *platform.Bucket {
	return &platform.Bucket{Name: name, Kind: platform.Record, Doc: doc}
}

func derived(name, doc string) *platform.Bucket {
	return &platform.Bucket{Name: name, Kind: platform.Derived, Doc: doc}
}

// The tables: buckets with the type of their records.
var (
	masterDataTable    = platform.NewTable(masterData, func() *billingstoragev1.MasterDataRecord { return &billingstoragev1.MasterDataRecord{} })
	releaseTable       = platform.NewTable(releases, func() *billingstoragev1.ReleaseRecord { return &billingstoragev1.ReleaseRecord{} })
	releaseLineTable   = platform.NewTable(releaseLines, func() *billingstoragev1.ReleaseLineRecord { return &billingstoragev1.ReleaseLineRecord{} })
	holdTable          = platform.NewTable(holds, func() *billingstoragev1.HoldRecord { return &billingstoragev1.HoldRecord{} })
	shipmentTable      = platform.NewTable(shipments, func() *billingstoragev1.ShipmentRecord { return &billingstoragev1.ShipmentRecord{} })
	deliveredLineTable = platform.NewTable(deliveredLines, func() *billingstoragev1.DeliveredLineRecord { return &billingstoragev1.DeliveredLineRecord{} })
	loadTable          = platform.NewTable(loads, func() *billingstoragev1.LoadRecord { return &billingstoragev1.LoadRecord{} })
	accrualTable       = platform.NewTable(accruals, func() *billingstoragev1.AccrualRecord { return &billingstoragev1.AccrualRecord{} })
	authorizationTable = platform.NewTable(authorizations, func() *billingstoragev1.AuthorizationRecord { return &billingstoragev1.AuthorizationRecord{} })
	billableLineTable  = platform.NewTable(billableLines, func() *billingstoragev1.BillableLineRecord { return &billingstoragev1.BillableLineRecord{} })
	invoiceTable       = platform.NewTable(invoices, func() *billingstoragev1.InvoiceRecord { return &billingstoragev1.InvoiceRecord{} })
	seriesTable        = platform.NewTable(numberSeries, func() *billingstoragev1.SeriesRecord { return &billingstoragev1.SeriesRecord{} })
	registerTable      = platform.NewTable(register, func() *billingstoragev1.RegisterRecord { return &billingstoragev1.RegisterRecord{} })
	billTable          = platform.NewTable(freightBills, func() *billingstoragev1.FreightBillRecord { return &billingstoragev1.FreightBillRecord{} })
	billChargeTable    = platform.NewTable(billCharges, func() *billingstoragev1.BillChargeRecord { return &billingstoragev1.BillChargeRecord{} })
	billFindingTable   = platform.NewTable(billFindings, func() *billingstoragev1.BillFindingRecord { return &billingstoragev1.BillFindingRecord{} })
	billNumberTable    = platform.NewTable(billNumbers, func() *billingstoragev1.BillNumberRecord { return &billingstoragev1.BillNumberRecord{} })
	journalTable       = platform.NewTable(journal, func() *billingstoragev1.JournalRecord { return &billingstoragev1.JournalRecord{} })
)

// Schema is what billing keeps.
func Schema() platform.Schema {
	return platform.Schema{
		Service: Service, Version: 1,
		Buckets: []*platform.Bucket{
			masterData, releases, releaseLines, holds, shipments, deliveredLines, loads, accruals, authorizations, billableLines,
			invoices, numberSeries, register, freightBills, billCharges, billFindings, billNumbers, journal,
			lists, journalRelated, balances, loadReferences, accrualsByLoad, contractsOf, lanesBetween,
		},
		Rebuild: rebuild,
		Invariants: []platform.Invariant{
			{Name: "I6 ledger", Check: checkLedger},
			{Name: "I7 number series", Check: checkSeries},
		},
		Series: lastNumbers,
	}
}

// indexRow is a row of a derived bucket; its value is the name of the resource that it leads to.
type indexRow struct {
	bucket *platform.Bucket
	key    []byte
	name   string
}

// rebuild fills the derived buckets by the same functions that keep them up to date.
func rebuild(ctx context.Context, r platform.Reader, w *platform.DerivedWriter) error {
	put := func(rows []indexRow, err error) error {
		for _, row := range rows {
			if err == nil {
				err = w.Put(ctx, row.bucket, row.key, []byte(row.name))
			}
		}
		return err
	}
	sums := map[string]int64{} // by key of balances
	err := firstError(
		eachRow(ctx, r, masterDataTable, func(key []byte, m *billingstoragev1.MasterDataRecord) error { return put(masterDataRows(m)) }),
		eachRow(ctx, r, loadTable, func(_ []byte, m *billingstoragev1.LoadRecord) error { return put(loadRows(m), nil) }),
		eachRow(ctx, r, accrualTable, func(_ []byte, m *billingstoragev1.AccrualRecord) error { return put(accrualRows(m), nil) }),
		eachRow(ctx, r, invoiceTable, func(_ []byte, m *billingstoragev1.InvoiceRecord) error { return put(invoiceRows(m), nil) }),
		eachRow(ctx, r, billTable, func(_ []byte, m *billingstoragev1.FreightBillRecord) error { return put(billRows(m), nil) }),
		eachRow(ctx, r, journalTable, func(key []byte, m *billingstoragev1.JournalRecord) error {
			p, err := posting(key, m)
			if err != nil {
				return err
			}
			for _, l := range p.Entry.Lines() {
				sums[string(balanceKey(p, l))] += l.Minor()
			}
			return put(journalRows(p.Sequence, p.Related), nil)
		}),
	)
	for key, minor := range sums {
		err = firstError(err, w.Put(ctx, balances, []byte(key), balanceValue(minor)))
	}
	return err
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkLedger is invariant I6: every entry balances, open accruals are the balance of 2100, issued invoices that of 1100 as
// long as no payment is posted, authorised and not yet issued that of 1150, approved bills that of 2000; the shares of an accrual
// add up to it; and every currency adds up to zero.
func checkLedger(ctx context.Context, r platform.Reader) ([]string, error) {
	var out []string
	sums := ledger.Balances{}
	next := uint64(1)
	err := eachRow(ctx, r, journalTable, func(key []byte, m *billingstoragev1.JournalRecord) error {
		sequence, err := sequenceOf(key)
		if err != nil {
			return err
		}
		if sequence != next {
			out = append(out, fmt.Sprintf("journal: after %d comes %d", next-1, sequence))
		}
		next = sequence + 1
		p, err := wire.FromJournalEntry(sequence, m.GetJournalEntry())
		if err != nil {
			out = append(out, fmt.Sprintf("%s: %v", wire.EntryName(sequence), err))
			return nil
		}
		sums.Add(p.Entry)
		return nil
	})
	if err != nil {
		return nil, err
	}
	want := map[ledger.Account]map[string]int64{ledger.AccruedFreight: {}, ledger.Receivable: {}, ledger.Unbilled: {}, ledger.Payable: {}}
	add := func(a ledger.Account, amount money.Amount, sign int64) {
		if amount.Currency() != "" {
			want[a][amount.Currency()] += sign * amount.Minor()
		}
	}
	err = firstError(
		eachRow(ctx, r, accrualTable, func(_ []byte, m *billingstoragev1.AccrualRecord) error {
			a, err := wire.FromAccrual(m.GetAccrual())
			if a.State == accrual.Open {
				add(ledger.AccruedFreight, a.Charge.Amount, -1)
			}
			var shared int64
			for _, s := range a.Shares {
				shared += s.Amount.Minor()
			}
			if len(a.Shares) > 0 && shared != a.Charge.Amount.Minor() {
				out = append(out, fmt.Sprintf("%s: its shares are %d minor units of %s", a.Name, shared, a.Charge.Amount.Label()))
			}
			return err
		}),
		eachRow(ctx, r, invoiceTable, func(_ []byte, m *billingstoragev1.InvoiceRecord) error {
			total, err := wire.FromMoney(m.GetInvoice().GetTotal())
			add(ledger.Receivable, total, 1)
			return err
		}),
		eachRow(ctx, r, authorizationTable, func(_ []byte, m *billingstoragev1.AuthorizationRecord) error {
			net, err := wire.FromMoney(m.GetBillingAuthorization().GetNetTotal())
			if m.GetInvoice() == "" {
				add(ledger.Unbilled, net, 1)
			}
			return err
		}),
		eachRow(ctx, r, billTable, func(_ []byte, m *billingstoragev1.FreightBillRecord) error {
			total, err := wire.FromMoney(m.GetFreightBill().GetTotal())
			if m.GetFreightBill().GetState().String() == "APPROVED" {
				add(ledger.Payable, total, -1)
			}
			return err
		}),
	)
	if err != nil {
		return nil, err
	}
	for account, byCurrency := range want {
		for currency := range sums {
			byCurrency[currency] += 0
		}
		for currency, amount := range byCurrency {
			if got := sums[currency][account]; got != amount {
				out = append(out, fmt.Sprintf("account %s %s: balance %d minor units, its documents say %d", account, currency, got, amount))
			}
		}
	}
	for currency, accounts := range sums {
		var total int64
		for _, minor := range accounts {
			total += minor
		}
		if total != 0 {
			out = append(out, fmt.Sprintf("trial balance of %s is %d minor units", currency, total))
		}
	}
	slices.Sort(out)
	return out, nil
}

// seriesName is the name under which a restore fences a series of invoice numbers.
func seriesName(series string) string { return "invoices/" + series }

// lastNumbers are the last invoice numbers given, by series.
func lastNumbers(ctx context.Context, r platform.Reader) (map[string]uint64, error) {
	out := map[string]uint64{}
	return out, eachRow(ctx, r, seriesTable, func(_ []byte, m *billingstoragev1.SeriesRecord) error {
		out[seriesName(m.GetName())] = max(m.GetNext(), 1) - 1
		return nil
	})
}

// checkSeries is invariant I7: every number of every series is registered once, without a hole, in the order of time, and is
// borne by the invoice that the register names.
func checkSeries(ctx context.Context, r platform.Reader) ([]string, error) {
	var out []string
	rows := map[string][]series.Registration{}
	err := eachRow(ctx, r, registerTable, func(_ []byte, m *billingstoragev1.RegisterRecord) error {
		reg := registration(m)
		rows[reg.Series] = append(rows[reg.Series], reg)
		rec, err := invoiceTable.Get(ctx, r, platform.Key(reg.Document))
		if missing(err) || err == nil && rec.GetInvoice().GetNumber() != reg.Number {
			out = append(out, fmt.Sprintf("register: %s does not bear number %s", reg.Document, reg.Number))
			err = nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = eachRow(ctx, r, seriesTable, func(_ []byte, m *billingstoragev1.SeriesRecord) error {
		s := seriesOf(m)
		voids, err := platform.Voids(ctx, r, seriesName(s.Name))
		if err != nil {
			return err
		}
		void := func(ordinal uint64) (uint64, bool) { return platform.Void(voids, ordinal) }
		out = append(out, series.Check(s, rows[s.Name], void)...)
		delete(rows, s.Name)
		return nil
	})
	for name := range rows {
		out = append(out, "register: series "+name+" does not exist")
	}
	err = firstError(err, eachRow(ctx, r, invoiceTable, func(_ []byte, m *billingstoragev1.InvoiceRecord) error {
		number := m.GetInvoice().GetNumber()
		name, ordinal, ok := strings.Cut(number, "-")
		var n uint64
		if _, scan := fmt.Sscanf(ordinal, "%d", &n); !ok || scan != nil {
			out = append(out, fmt.Sprintf("%s bears %q, which is no number of a series", m.GetInvoice().GetName(), number))
			return nil
		}
		rec, err := registerTable.Get(ctx, r, platform.Key(name, n))
		if missing(err) || err == nil && rec.GetDocument() != m.GetInvoice().GetName() {
			out = append(out, fmt.Sprintf("%s bears %s, which the register does not give to it", m.GetInvoice().GetName(), number))
			err = nil
		}
		return err
	}))
	slices.Sort(out)
	return out, err
}
