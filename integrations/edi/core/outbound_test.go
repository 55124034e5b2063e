package core

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/platform/clock"
)

// acknowledge is a carrier's 997 of one of our groups.
func (b *mailbox) acknowledge(functional string, group int, code string) []byte {
	accepted := 0
	if code == "A" {
		accepted = 1
	}
	return b.envelope("FA", "997", fmt.Sprintf("AK1*%s*%d", functional, group), fmt.Sprintf("AK9*%s*1*1*%d", code, accepted))
}

// told are the facts of a kind of this adapter's log, with their subjects.
func (w *world) told(kinds ...string) []string {
	w.t.Helper()
	var out []string
	for _, f := range w.facts() {
		if slices.Contains(kinds, f.Type) {
			out = append(out, f.Type+" "+f.Subject)
		}
	}
	return out
}

// acks are the counts of acknowledgements of a carrier over all days: sent, accepted, partial, rejected, received, accepted, overdue.
func (w *world) acks(party string) []uint64 {
	w.t.Helper()
	resp, err := w.core.api.ListMessageCounts(w.ctx, &ediv1.ListMessageCountsRequest{PageSize: 500})
	w.must(err)
	out := make([]uint64, 7)
	for _, c := range resp.GetMessageCounts() {
		if c.GetParty() != party || c.GetSet() != "997" {
			continue
		}
		for i, n := range []uint64{
			c.GetSent(), c.GetSentAccepted(), c.GetSentPartial(), c.GetSentRejected(), c.GetAcknowledgements(), c.GetAcknowledgementsAccepted(), c.GetOverdue(),
		} {
			out[i] += n
		}
	}
	return out
}

func TestOverdueAndLate(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		w := newCarrierWorld(t)
		w.restarts = restarts
		w.at("2026-03-02T11:12:00Z")
		w.offer("NL26030001", "CXBB")
		ours := w.list()[0]
		equal(t, "acknowledge by", ours.GetAcknowledgeBy().AsTime().String(), "2026-03-03 11:12:00 +0000 UTC")
		w.at("2026-03-03T11:11:59Z")
		w.settle()
		equal(t, "in time", w.acks("parties/CAR-CXBB"), []uint64{0, 0, 0, 0, 0, 0, 0})
		w.at("2026-03-03T11:12:00Z")
		w.settle()
		equal(t, "overdue", w.acks("parties/CAR-CXBB"), []uint64{0, 0, 0, 0, 0, 0, 1})
		equal(t, "told", w.told("AcknowledgementOverdue", "MessageAcknowledged"), []string{"AcknowledgementOverdue " + ours.GetName()})
		if x := w.list()[0]; !x.GetAcknowledgementOverdue() || x.GetAcknowledgementCode() != "" {
			t.Errorf("overdue: got %v", x)
		}
		w.verify()

		bb := box("CXBB")
		w.take("2026-03-03T12:00:00Z", bb.acknowledge("SM", 1, "A"))
		if x := w.list()[0]; x.GetAcknowledgementOverdue() || x.GetAcknowledgementCode() != "A" {
			t.Errorf("late: got %v", x)
		}
		equal(t, "late", w.acks("parties/CAR-CXBB"), []uint64{0, 0, 0, 0, 1, 1, 0})
		equal(t, "told", w.told("AcknowledgementOverdue", "MessageAcknowledged"), []string{
			"AcknowledgementOverdue " + ours.GetName(), "MessageAcknowledged " + ours.GetName(),
		})

		// In time: the timer finds nothing to do. Of a group that we never sent nothing is booked, and that is noted.
		w.offer("NL26030002", "CXBB")
		w.take("2026-03-03T12:01:00Z", bb.acknowledge("SM", 2, "A"))
		w.take("2026-03-03T12:02:00Z", bb.acknowledge("SM", 77, "A"))
		w.at("2026-03-05T12:00:00Z")
		w.settle()
		equal(t, "in the end", w.acks("parties/CAR-CXBB"), []uint64{0, 0, 0, 0, 3, 3, 0})
		list := w.list()
		if got := list[len(list)-1].GetTransactionSets()[0].GetReason(); got != "we never sent group 77" {
			t.Errorf("unknown group: reason %q", got)
		}
		w.verify()
	}
}

// A partner refuses what we sent: a person hears of it, and our set stays sent.
func TestRefusedByThePartner(t *testing.T) {
	w := newCarrierWorld(t)
	w.offer("NL26030001", "CXBB")
	ours := w.list()[0].GetName()
	w.take("2026-03-02T12:00:00Z", box("CXBB").acknowledge("SM", 1, "R"))
	equal(t, "acknowledgements", w.acks("parties/CAR-CXBB"), []uint64{0, 0, 0, 0, 1, 0, 0})
	var rejected *ediv1.MessageRejected
	for _, f := range w.facts() {
		if m, ok := f.Payload.(*ediv1.MessageRejected); ok {
			rejected = m
		}
	}
	if s := rejected.GetTransactionSet(); rejected.GetInterchange().GetName() != ours || s.GetSet() != "204" || s.GetReasonCode() != "ACK_REJECTED" ||
		s.GetDisposition() != ediv1.Interchange_TransactionSet_APPLIED {
		t.Errorf("told: got %v", rejected)
	}
	w.verify()
}

// An offer that went out is taken back once, whatever tells of it; one that never went out, or of a carrier without a mailbox, is not.
func TestWithdrawals(t *testing.T) {
	w := newCarrierWorld(t)
	m := w.offer("NL26030005", "CXAA")
	load, offer := m.GetLoad(), m.GetTender()
	w.tell(w.freight, load.GetName(), &freightv1.TenderWithdrawn{Tender: offer})
	w.tell(w.freight, load.GetName(), &freightv1.LoadCancelled{Load: load, Tender: offer})
	other := tender("NL26030006", "CXAA")
	w.tell(w.freight, other.GetLoad().GetName(), &freightv1.LoadCancelled{Load: other.GetLoad(), Tender: other.GetTender()})
	w.tell(w.freight, load.GetName(), &freightv1.LoadCancelled{Load: load})
	w.offer("NL26030007", "CXZZ")
	files := w.sent("CAR-CXAA")
	if len(files) != 2 || !strings.Contains(files[0], "~B2A*00*LT~") || !strings.Contains(files[1], "~B2A*01*LT~") {
		t.Errorf("sent: got %q", files)
	}
	w.verify()
}

// What a document needs and masterdata has not told of: a person hears of it, answers go out meanwhile, and it goes when it has come.
func TestMasterdataIsMissing(t *testing.T) {
	w := newWorld(t)
	w.machine = clock.NewManual(at("00:00"))
	w.reopen()
	w.carrierCodes()
	w.offer("NL26030001", "CXBB")
	bb := box("CXBB")
	w.take("2026-03-02T11:20:00Z", bb.envelope("GF", "990", "B1*CXBB*NL26030009*20260302*A"))
	if got := w.sent("CAR-CXBB"); len(got) != 1 || !strings.Contains(got[0], "ST*997*") {
		t.Errorf("sent: got %q, want the 997 alone", got)
	}
	w.patience()
	equal(t, "held", w.outgoing(), []string{"204 PARKED MASTER_DATA_MISSING ", "997 APPLIED  000000001"})
	w.verify()
	w.resources()
	w.settle()
	equal(t, "sent", w.outgoing(), []string{"204 APPLIED  000000002", "997 APPLIED  000000001"})
	if told := w.told("MessageApplied"); len(told) != 1 {
		t.Errorf("told: got %v, want that the 204 waits no more", told)
	}
	w.verify()
}

// An offer that waits to be written and is taken back is never sent, nor is its withdrawal; what waited is over.
func TestWithdrawnBeforeItWasSent(t *testing.T) {
	for _, patient := range []bool{false, true} {
		w := newWorld(t)
		w.machine = clock.NewManual(at("00:00"))
		w.reopen()
		m := w.offer("NL26030001", "CXBB")
		if patient {
			w.patience()
			equal(t, "held", w.outgoing(), []string{"204 PARKED MASTER_DATA_MISSING "})
		}
		w.tell(w.freight, m.GetLoad().GetName(), &freightv1.TenderWithdrawn{Tender: m.GetTender()})
		w.settle()
		w.resources()
		w.patience()
		if got := w.sent("CAR-CXBB"); len(got) != 0 {
			t.Errorf("sent: got %q, want nothing", got)
		}
		want, told := []string(nil), 0
		if patient {
			want, told = []string{"204 DUPLICATE  "}, 1
		}
		equal(t, "in the end", w.outgoing(), want)
		equal(t, "told", len(w.told("MessageApplied")), told)
		w.verify()
	}
}

// A tax that nobody has agreed how to tell keeps an invoice here.
func TestInvoiceWithTax(t *testing.T) {
	w := newCarrierWorld(t)
	i := invoice()
	i.Invoice.TaxTotal = usd(12, 50)
	w.tell(w.billing, "invoices/inv_1", i)
	w.settle()
	equal(t, "outgoing", w.outgoing(), []string{"810 PARKED MAPPING_FAILED "})
	w.verify()
}

// What would break the standard is not sent: a person hears of it, and our control numbers have no gap.
func TestOursIsGood(t *testing.T) {
	w := newCarrierWorld(t)
	m := tender("NL26030001", "CXBB")
	m.GetTender().CustomerOrderNumbers = []string{strings.Repeat("9", 31)} // data element 127 has 30
	w.tell(w.freight, m.GetLoad().GetName(), m)
	w.settle()
	w.offer("NL26030002", "CXBB")
	equal(t, "outgoing", w.outgoing(), []string{"204 PARKED MAPPING_FAILED ", "204 APPLIED  000000001"})
	if got, want := w.list()[0].GetTransactionSets()[0].GetReason(), "L11 at 5, element 1: longer than 30 (9999999999999999999999999999999)"; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
	w.verify()
}

// outgoing are ours: set, disposition, reason, control number.
func (w *world) outgoing() []string {
	w.t.Helper()
	var out []string
	for _, x := range w.list() {
		if s := x.GetTransactionSets()[0]; x.GetDirection() == ediv1.Interchange_OUTBOUND {
			out = append(out, strings.Join([]string{s.GetSet(), s.GetDisposition().String(), s.GetReasonCode(), x.GetControlNumber()}, " "))
		}
	}
	return out
}

// patience waits for the back-off of tasks that are tried again.
func (w *world) patience() {
	w.t.Helper()
	for range 8 {
		w.machine.Advance(time.Minute)
		w.settle()
	}
}

// The outbox cannot be written for a while: the tender goes out once, under one number.
func TestTenderOverRestarts(t *testing.T) {
	w := newCarrierWorld(t)
	w.restarts = true
	folder := filepath.Join(w.dir, "outbox", "CAR-CXBB")
	w.must(os.WriteFile(folder, nil, 0o600))
	w.offer("NL26030001", "CXBB")
	w.must(os.Remove(folder))
	w.reopen()
	w.settle()
	equal(t, "sent", w.outgoing(), []string{"204 APPLIED  000000001"})
	equal(t, "files", len(w.sent("CAR-CXBB")), 1)
	w.verify()
}

// Collect freight and a mailbox in test use: the carrier's bill goes to the customer as its order names it, and the invoice says T.
func TestCollect(t *testing.T) {
	w := newCarrierWorld(t)
	w.receive("11:30", "850.edi", w.file(snxOrder))
	for _, l := range []*masterdatav1.Location{{
		Name: "locations/LOC-ATHGA", Owner: "parties/CUS-SNX", DisplayName: "BUYSNACKS PORT", Zone: newYork,
		Address:     &typev1.Address{Lines: []string{"1000 N. SAMPLE HIGHWAY"}, City: "ATHENS", State: "GA", Postcode: "30603", Country: "US"},
		ExternalIds: []*typev1.ExternalId{{System: "x12", Kind: "n1_st", Qualifier: "9", Value: "1223334445"}},
	}} {
		w.tell(w.master, l.GetName(), &masterdatav1.LocationChanged{Location: l})
	}
	m := tender("NL26030020", "CXBB")
	s := m.GetShipments()[0]
	s.Customer, s.CustomerOrderNumber, s.FreightTerms, s.ShipTo = "parties/CUS-SNX", "A99999-01", "COLLECT", "locations/LOC-ATHGA"
	m.GetTender().MethodOfPayment, m.GetTender().CustomerOrderNumbers = "CC", []string{"A99999-01"}
	m.GetTender().GetStops()[1].Location = "locations/LOC-ATHGA"
	w.tell(w.freight, m.GetLoad().GetName(), m, "po:A99999-01")
	w.settle()
	sent := w.sent("CAR-CXBB")
	if len(sent) != 1 {
		t.Fatalf("sent: got %q", sent)
	}
	for _, want := range []string{
		"~B2**CXBB**NL26030020*L*CC~", "~L11*A99999-01*PO~", "~N1*BT*BUYSNACKS INC.*9*1223334444~", "~N1*ST*BUYSNACKS PORT*9*1223334445~N3*1000 N. SAMPLE HIGHWAY~N4*ATHENS*GA*30603*US~", "*0*P*>~",
	} {
		if !strings.Contains(sent[0], want) {
			t.Errorf("204 has no %s:\n%s", want, sent[0])
		}
	}

	i := invoice()
	i.Invoice.Customer, i.Invoice.CustomerOrderNumber, i.Invoice.ShipTo, i.Invoice.Shipment = "parties/CUS-SNX", "A99999-01", "locations/LOC-ATHGA", s.GetName()
	i.Invoice.Freight, i.Invoice.Total = nil, usd(197, 44)
	i.Invoice.Lines = []*billingv1.InvoiceLine{{
		Line: "1", Item: "items/SNX-2222", Description: "CRUNCHY CHIPS LSS", Quantity: &typev1.Quantity{Value: "16", Unit: "CS"}, UnitPrice: "12.34",
		ExternalIds: []*typev1.ExternalId{{System: "x12", Kind: "item", Qualifier: "CB", Value: "000111111"}, {System: "x12", Kind: "item", Qualifier: "UA", Value: "002840022222"}},
	}}
	w.tell(w.billing, "invoices/inv_2", i)
	w.settle()
	invoices := filesWith(w.sent("CUS-SNX"), "810")
	if len(invoices) != 1 {
		t.Fatalf("810s: got %q", invoices)
	}
	for _, want := range []string{
		"*0*T*>~\n", "GS*IN*007326879*SENDERGS*", "\nBIG*20260304*NLS26-000001*19970214*A99999-01***DI~\n", "\nITD*01*3*1**15**16~\n", "\nFOB*CC~\n",
		"\nIT1*1*16*CA*12.34**CB*000111111*UA*002840022222~\n", "\nTDS*19744~\n", "\nCTT*1~\n",
	} {
		if !strings.Contains(invoices[0], want) {
			t.Errorf("810 has no %q:\n%s", want, invoices[0])
		}
	}
	// An invoice of a customer without an 810 goes nowhere.
	j := invoice()
	j.Invoice.Customer = "parties/CUS-HHS"
	w.tell(w.billing, "invoices/inv_3", j)
	w.settle()
	equal(t, "outgoing", w.outgoing(), []string{"997 APPLIED  000000001", "204 APPLIED  000000001", "810 APPLIED  000000002"})
	w.verify()
}

// Two customers on one load: part of it is unloaded at the second stop, the rest at the third.
func TestThreeStops(t *testing.T) {
	w := newCarrierWorld(t)
	m := tender("NL26030017", "CXAA")
	load, first := m.GetLoad(), m.GetShipments()[0]
	second := proto.Clone(first).(*freightv1.Shipment)
	second.Name, second.CustomerOrderNumber, second.GrossWeight, second.Cartons = "shipments/shp_2", "HH-1017", pounds("9000"), 225
	first.CustomerOrderNumber, first.GrossWeight, first.Cartons = "PC-1017", pounds("6000.50"), 100
	m.Shipments = append(m.Shipments, second)
	stops := m.GetTender().GetStops()
	third := proto.Clone(stops[1]).(*freightv1.Stop)
	third.Sequence, third.Zone, third.Shipments = 3, "America/Chicago", []string{second.GetName()}
	stops[0].Shipments = append(stops[0].Shipments, second.GetName())
	stops = append(stops, third)
	load.Stops, load.Mode, m.GetTender().Stops = stops, "TL", stops
	m.GetTender().GrossWeight, m.GetTender().Cartons, m.GetTender().CustomerOrderNumbers = pounds("15000.50"), 325, []string{"PC-1017", "HH-1017"}
	m.GetTender().RespondBy = eventTime("2026-03-10T15:00:00Z", "America/Chicago")
	w.tell(w.freight, load.GetName(), m)
	w.settle()
	text := w.sent("CAR-CXAA")[0]
	for _, want := range []string{
		"~L11*PC-1017*PO~L11*HH-1017*PO~G62*64*20260310*1*1000*CT~MS3*CXAA*B**M~", "~S5*1*CL*15000.5*L*325*CT*463.22*E~",
		"~S5*2*PU*6000.5*L*100*CT*231.61*E~L11*PC-1017*PO~", "~S5*3*CU*9000*L*225*CT*231.61*E~L11*HH-1017*PO~G62*53*20260304*G*0700*LT~G62*54*20260304*L*1600*LT~",
		"~L3*15000.5*G*********325~",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("204 has no %s:\n%s", want, text)
		}
	}
	// The last stop is where the load is delivered when a 214 names none.
	aa := box("CXAA")
	w.take("2026-03-12T14:10:00Z", aa.status("NL26030017", "A17", "", "AT7*X5*NS***20260312*0905*LT", "SOLON", "OH"))
	if c := w.carriers.asked()[0].(*freightv1.ReportMilestoneRequest).GetClaim(); c.GetStop() != 3 {
		t.Errorf("claim: got %v, want the third stop", c)
	}
	w.verify()
}

// Whatever bytes a carrier's set holds, it is judged and ends nothing.
func FuzzCarrierSets(f *testing.F) {
	for _, seed := range []string{
		"B1*CXBB*NL26030001*20260302*A~N9*CN*CXB0001001", "B10*P*NL26030001*CXBB~L11*1*QN~LX*1~AT7*X3*NS***20260303*0910", strings.Join(firstBill, "~"),
		"AK1*SM*1~AK9*A*1*1*1", "B10*P*NL26030001*CXBB~LX*1~AT7***AA*NS*99999999*9999*XX", "B3**\xff*NL26030001*PP**20269999*1.5",
	} {
		for _, id := range []string{"990", "214", "210", "997"} {
			f.Add(id, seed)
		}
	}
	f.Fuzz(func(t *testing.T, id, body string) {
		functional := map[string]string{"990": "GF", "214": "QM", "210": "IM", "997": "FA"}[id]
		if functional == "" || len(body) > 1<<12 {
			return
		}
		w := newCarrierWorld(t)
		w.offer("NL26030001", "CXBB")
		w.take("2026-03-04T12:00:00Z", box("CXBB").envelope(functional, id, strings.Split(body, "~")...))
		w.verify()
	})
}
