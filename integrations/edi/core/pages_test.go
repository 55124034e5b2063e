package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
)

// The played day's scenarios as this adapter sees them: what the carriers of each write, with the segments that its page prints, and
// what must come of it: the claims, the answers and the counts.

// dayCodes are all rows of the day's code maps of 990s and 214s, but the one that is loaded during the day.
func (w *world) dayCodes() {
	for _, c := range []string{"CXAA D", "CXBB E", "CXCC R", "CXDD N", "CXEE C"} {
		scac, letter, _ := strings.Cut(c, " ")
		w.mapped("x12/558", "parties/CAR-"+scac, "A", "ACCEPTED")
		w.mapped("x12/558", "parties/CAR-"+scac, letter, "DECLINED")
	}
	for _, c := range []string{
		"XB ACKNOWLEDGED", "X3 ARRIVED_PICKUP", "X8 ARRIVED_PICKUP", "CP LOADED", "AM LOADED", "AF DEPARTED_PICKUP", "X6 IN_TRANSIT", "X4 ARRIVED_TERMINAL", "P1 DEPARTED_TERMINAL",
		"AG ETA_CHANGED", "X2 ETA_CHANGED", "X1 ARRIVED_DELIVERY", "X5 ARRIVED_DELIVERY", "D1 DELIVERED", "CD DEPARTED_DELIVERY", "AH DELIVERY_ATTEMPTED",
		"AP DELIVERY_NOT_COMPLETED", "A3 RETURNED", "A7 REFUSED", "A9 DAMAGED", "SD DELAYED",
	} {
		code, word, _ := strings.Cut(c, " ")
		w.mapped("x12/1650", "", code, word)
	}
	for _, c := range []string{"CXCC X8 LOADED", "CXEE X4 IN_TRANSIT", "CXDD X6 DEPARTED_PICKUP", "CXAA X5 ARRIVED_DELIVERY", "CXBB CD DELIVERED"} {
		f := strings.Fields(c)
		w.mapped("x12/1650", "parties/CAR-"+f[0], f[1], f[2])
	}
}

func newDayWorld(t *testing.T) *world {
	w := newWorld(t)
	w.dayCodes()
	w.resources()
	w.settle()
	return w
}

// habit is the mailbox of a carrier as it writes.
func habit(scac string) *mailbox {
	b := box(scac)
	switch scac {
	case "CXAA", "CXBB":
		b.end = "~"
	case "CXCC":
		b.end = "|"
	case "CXDD":
		b = &mailbox{"CXDD", "NORTHLINEEU", "00501", "^", "005010", "~", 0}
	case "CXEE":
		b.end = "\n"
	}
	return b
}

// tendered offers a load to a carrier, which acknowledges the 204 at once.
func (w *world) tendered(at, number string, b *mailbox) *freightv1.LoadTendered {
	w.t.Helper()
	w.at(at)
	m := w.offer(number, b.scac)
	sent := w.sent("CAR-" + b.scac)
	group := len(sent) // our numbers of a mailbox have no gap
	w.take(at, b.acknowledge("SM", group, "A"))
	return m
}

// said is a claim as "milestone stop when city": a time with an offset is an instant.
func (w *world) said() []string {
	w.t.Helper()
	var out []string
	for _, m := range w.carriers.asked() {
		if r, ok := m.(*freightv1.ReportMilestoneRequest); ok {
			c := r.GetClaim()
			when := c.GetLocalTime()
			if c.GetOccurTime() != nil {
				when = c.GetOccurTime().AsTime().Format("2006-01-02T15:04:05Z")
			}
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s %d %s %s", c.GetMilestone(), c.GetStop(), when, c.GetCity())))
		}
	}
	return out
}

// totals are the counts of a carrier over all days by set, as received=applied+duplicate+parked+rejected; what is in progress must be
// none.
func (w *world) totals(party string) map[string]string {
	w.t.Helper()
	sums := map[string]*[5]uint64{}
	resp, err := w.core.api.ListMessageCounts(w.ctx, &ediv1.ListMessageCountsRequest{PageSize: 500})
	w.must(err)
	for _, c := range resp.GetMessageCounts() {
		if c.GetParty() != party || c.GetReceived() == 0 {
			continue
		}
		if sums[c.GetSet()] == nil {
			sums[c.GetSet()] = &[5]uint64{}
		}
		for i, n := range []uint64{c.GetReceived(), c.GetApplied(), c.GetDuplicate(), c.GetParked(), c.GetRejected()} {
			sums[c.GetSet()][i] += n
		}
		if c.GetInProgress() != 0 {
			w.t.Errorf("%s %s: %d in progress", party, c.GetSet(), c.GetInProgress())
		}
	}
	out := map[string]string{}
	for set, s := range sums {
		out[set] = fmt.Sprintf("%d=%d+%d+%d+%d", s[0], s[1], s[2], s[3], s[4])
	}
	return out
}

// Each carrier has a letter of its own for "declined", and puts its reason elsewhere.
func TestPage02Declines(t *testing.T) {
	w := newDayWorld(t)
	for i, c := range []struct {
		scac     string
		segments []string
		reason   freightv1.DeclineReason
		note     string
	}{
		{"CXAA", []string{"B1*CXAA*NL2*%sD", "K1*NO TRUCKS IN CMH"}, freightv1.DeclineReason_CAPACITY, "NO TRUCKS IN CMH"},
		{"CXBB", []string{"B1*CXBB*NL2*20260303*E", "V9*DEC*NO EQUIPMENT"}, freightv1.DeclineReason_CAPACITY, "DEC NO EQUIPMENT"},
		{"CXCC", []string{"B1*CXCC*NL2*20260303*R"}, freightv1.DeclineReason_OTHER, ""},
		{"CXDD", []string{"B1*CXDD*NL2*20260303*N"}, freightv1.DeclineReason_OTHER, ""},
		{"CXEE", []string{"B1*CXEE*NL2*20260303*C", "K1*NOT ON THIS LANE"}, freightv1.DeclineReason_OTHER, "NOT ON THIS LANE"},
	} {
		c.segments[0] = strings.Replace(c.segments[0], "%s", "*", 1) // CXAA leaves B103 empty
		b := habit(c.scac)
		w.tendered("2026-03-03T13:05:00Z", "NL2", b)
		w.take(fmt.Sprintf("2026-03-03T14:%02d:00Z", 30+i), b.envelope("GF", "990", c.segments...))
		calls := w.carriers.asked()
		equal(t, c.scac, calls[len(calls)-1], proto.Message(&freightv1.DeclineTenderRequest{Name: "tenders/tnd_nl2", Reason: c.reason, Note: c.note}))
		equal(t, c.scac, w.totals("parties/CAR-"+c.scac), map[string]string{"990": "1=1+0+0+0"})
		equal(t, c.scac, w.acks("parties/CAR-"+c.scac), []uint64{1, 1, 0, 0, 1, 1, 0})
	}
	w.verify()
}

// The 214s of a carrier that means "loaded" by X8.
func TestPage02Loaded(t *testing.T) {
	w := newDayWorld(t)
	cc := habit("CXCC")
	w.tendered("2026-03-03T14:31:00Z", "NL2", cc)
	w.take("2026-03-03T15:10:00Z", cc.envelope("GF", "990", "B1*CXCC*NL2*20260303*A"))
	for _, s := range [][3]string{
		{"2026-03-04T13:30:00Z", "AT7*X8*NS***20260304*0830*LT", "COLUMBUS"}, {"2026-03-04T14:00:00Z", "AT7*AF*NS***20260304*0900*LT", "COLUMBUS"},
		{"2026-03-05T15:00:00Z", "AT7*X1*NS***20260305*0900*LT", "CHICAGO"}, {"2026-03-05T15:30:00Z", "AT7*D1*NS***20260305*0930*LT", "CHICAGO"},
	} {
		w.take(s[0], cc.status("NL2", "C2", "", s[1], s[2], "US"))
	}
	equal(t, "claims", w.said(), []string{
		"LOADED 1 2026-03-04T08:30:00 COLUMBUS", "DEPARTED_PICKUP 1 2026-03-04T09:00:00 COLUMBUS", "ARRIVED_DELIVERY 2 2026-03-05T09:00:00 CHICAGO",
		"DELIVERED 2 2026-03-05T09:30:00 CHICAGO",
	})
	w.take("2026-03-06T12:00:00Z", cc.envelope("IM", "210", "B3**CXCC-2*NL2*PP**20260306*101000****CXCC", "LX*1", "L1*1*1010.00*FR*101000****LHS", "L3*****101000"))
	equal(t, "counts", w.totals("parties/CAR-CXCC"), map[string]string{"990": "1=1+0+0+0", "214": "4=4+0+0+0", "210": "1=1+0+0+0"})
	equal(t, "acknowledgements", w.acks("parties/CAR-CXCC"), []uint64{6, 6, 0, 0, 1, 1, 0})
	w.verify()
}

// Until when a tender is to be answered is told on the carrier's clock, two days after the clocks went forward.
func TestPage03RespondBy(t *testing.T) {
	w := newDayWorld(t)
	m := tender("NL3", "CXAA")
	m.GetTender().RespondBy = eventTime("2026-03-09T15:00:00Z", "America/Chicago")
	w.tell(w.freight, m.GetLoad().GetName(), m, "po:PC-1003")
	w.settle()
	if sent := w.sent("CAR-CXAA"); len(sent) != 1 || !strings.Contains(sent[0], "~G62*64*20260309*1*1000*CT~") {
		t.Errorf("204: got %q", sent)
	}
}

// A tender is taken back, and the carrier bills the truck that nobody used.
func TestPage05Withdrawal(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		w := newDayWorld(t)
		w.restarts = restarts
		aa := habit("CXAA")
		m := w.tendered("2026-03-05T14:00:00Z", "NL5", aa)
		w.take("2026-03-05T15:00:00Z", aa.envelope("GF", "990", "B1*CXAA*NL5**A"))
		w.at("2026-03-05T21:00:00Z")
		for _, fact := range []proto.Message{&freightv1.TenderWithdrawn{Tender: m.GetTender()}, &freightv1.LoadCancelled{Load: m.GetLoad(), Tender: m.GetTender()}} {
			w.tell(w.freight, m.GetLoad().GetName(), fact, "po:PC-1005")
		}
		w.settle()
		sent := filesWith(w.sent("CAR-CXAA"), "204")
		if len(sent) != 2 || !strings.Contains(sent[0], "~B2A*00*LT~") || !strings.Contains(sent[1], "~B2**CXAA**NL5**PP~B2A*01*LT~") {
			t.Fatalf("204s: got %q", sent)
		}
		w.take("2026-03-06T16:00:00Z", aa.envelope("IM", "210", "B3**CXAA-T5*NL5*PP**20260306*20000****CXAA", "LX*1", "L1*1*200.00*FR*20000****TON", "L3*****20000"))
		calls := w.carriers.asked()
		bill := calls[len(calls)-1].(*billingv1.SubmitFreightBillRequest).GetFreightBill()
		equal(t, "charges", bill.GetCharges(), []*typev1.Charge{{Code: "TON", Amount: usd(200, 0)}})
		equal(t, "counts", w.totals("parties/CAR-CXAA"), map[string]string{"990": "1=1+0+0+0", "210": "1=1+0+0+0"})
		w.verify()
	}
}

// The same 214 and the same 210 come three times: as the same bytes, and in an envelope of their own. All are acknowledged, one counts.
func TestPage08Duplicates(t *testing.T) {
	w := newDayWorld(t)
	ee := habit("CXEE")
	w.tendered("2026-03-04T14:10:00Z", "NL8", ee)
	seen := map[string]bool{}
	w.carriers.bill = func(b *billingv1.FreightBill) billingv1.FreightBill_State {
		if seen[b.GetInvoiceNumber()] {
			return billingv1.FreightBill_DUPLICATE
		}
		seen[b.GetInvoiceNumber()] = true
		return billingv1.FreightBill_APPROVED
	}
	status := func(control int, at7, city string) []byte {
		return ee.under(control, "QM", "214", "B10*E8*NL8*CXEE", "LX*1", at7, "MS1*"+city+"*US*US")
	}
	bill := func(control int) []byte {
		return ee.under(control, "IM", "210", "B3**CXEE-8001*NL8*PP**20260306*18065****CXEE", "LX*1", "L1*1*310.00*FR*31000****LHS", "LX*2", "L1*2*55*PW*-17050****DSC",
			"LX*3", "L1*3*29.5*PW*4115****FUE", "L3*800*G***18065")
	}
	w.take("2026-03-04T15:00:00Z", ee.under(810, "GF", "990", "B1*CXEE*NL8*20260304*A"))
	w.take("2026-03-05T14:30:00Z", status(811, "AT7*X3*NS***20260305*093000", "COLUMBUS"))
	w.take("2026-03-05T15:05:00Z", status(812, "AT7*AF*NS***20260305*100000", "COLUMBUS"))
	w.take("2026-03-05T15:06:00Z", status(812, "AT7*AF*NS***20260305*100000", "COLUMBUS"))
	w.take("2026-03-05T15:30:00Z", status(815, "AT7*AF*NS***20260305*100000", "COLUMBUS"))
	w.take("2026-03-06T14:00:00Z", status(816, "AT7*X1*NS***20260306*090000", "INDIANAPOLIS"))
	w.take("2026-03-06T15:00:00Z", status(817, "AT7*D1*NS***20260306*100000", "INDIANAPOLIS"))
	w.take("2026-03-06T18:00:00Z", bill(820))
	w.take("2026-03-06T18:05:00Z", bill(820))
	w.take("2026-03-06T18:30:00Z", bill(822))
	equal(t, "counts", w.totals("parties/CAR-CXEE"), map[string]string{"990": "1=1+0+0+0", "214": "6=4+2+0+0", "210": "3=1+2+0+0"})
	equal(t, "acknowledgements", w.acks("parties/CAR-CXEE"), []uint64{10, 10, 0, 0, 1, 1, 0})
	bills := 0
	for _, m := range w.carriers.asked() {
		if _, ok := m.(*billingv1.SubmitFreightBillRequest); ok {
			bills++
		}
	}
	if bills != 2 {
		t.Errorf("billing was asked %d times, want 2: a replay never reaches it", bills)
	}
	// Whatever becomes of a set, it says which case it is about.
	for _, x := range w.list() {
		s := x.GetTransactionSets()[0]
		for _, want := range []string{"load:NL8", "po:08292233294", "orders/ord_1"} {
			if !slices.Contains(s.GetRelated(), want) {
				t.Errorf("%s %s %s is about %v, want %s among it", x.GetDirection(), s.GetSet(), s.GetDisposition(), s.GetRelated(), want)
			}
		}
	}
	w.verify()
}

// Events as they came, not as they happened; local times go on with their places, so that the clock change is told by freight.
func TestPage09OutOfOrder(t *testing.T) {
	w := newDayWorld(t)
	w.offer("NL9", "CXAA")
	aa := habit("CXAA")
	for _, s := range [][4]string{
		{"2026-03-07T23:20:00Z", "AT7*X3*NS***20260307*1805*LT", "COLUMBUS", "OH"}, {"2026-03-08T12:55:00Z", "AT7*X5*NS***20260308*0740*LT", "NASHVILLE", "TN"},
		{"2026-03-08T14:20:00Z", "AT7*D1*NS***20260308*0910*LT", "NASHVILLE", "TN"}, {"2026-03-08T14:45:00Z", "AT7*AF*NS***20260307*2015*LT", "COLUMBUS", "OH"},
		{"2026-03-08T15:00:00Z", "AT7*X6*NS***20260308*0230*LT", "LOUISVILLE", "KY"}, {"2026-03-08T16:00:00Z", "AT7*D1*NS***20260308*0925*LT", "NASHVILLE", "TN"},
	} {
		w.take(s[0], aa.status("NL9", "A9", "", s[1], s[2], s[3]))
	}
	equal(t, "claims", w.said(), []string{
		"ARRIVED_PICKUP 1 2026-03-07T18:05:00 COLUMBUS", "ARRIVED_DELIVERY 2 2026-03-08T07:40:00 NASHVILLE", "DELIVERED 2 2026-03-08T09:10:00 NASHVILLE",
		"DEPARTED_PICKUP 1 2026-03-07T20:15:00 COLUMBUS", "IN_TRANSIT 0 2026-03-08T02:30:00 LOUISVILLE", "DELIVERED 2 2026-03-08T09:25:00 NASHVILLE",
	})
	equal(t, "counts", w.totals("parties/CAR-CXAA"), map[string]string{"214": "6=6+0+0+0"})
	w.verify()
}

// A local time that nothing but the carrier's own zone tells of is resolved here: in the gap forward, in an overlap the earlier.
func TestGapAndOverlap(t *testing.T) {
	w := newDayWorld(t)
	w.offer("NL9", "CXBB")
	bb := habit("CXBB")
	w.take("2026-03-08T15:00:00Z", bb.status("NL9", "B9", "", "AT7*X6*NS***20260308*0230", "", ""))
	w.take("2026-11-01T15:00:00Z", bb.status("NL9", "B9", "", "AT7*X6*NS***20261101*0130", "", ""))
	equal(t, "claims", w.said(), []string{"IN_TRANSIT 0 2026-03-08T07:30:00Z", "IN_TRANSIT 0 2026-11-01T05:30:00Z"})
}

// An over-charge is finance's: here it is applied. A header that is not the sum of its lines is a rejection, and its syntax is right.
func TestPages14And15Bills(t *testing.T) {
	w := newDayWorld(t)
	bb, ee := habit("CXBB"), habit("CXEE")
	w.tendered("2026-03-09T14:05:00Z", "NL14", bb)
	w.tendered("2026-03-09T14:10:00Z", "NL15", ee)
	w.carriers.bill = func(b *billingv1.FreightBill) billingv1.FreightBill_State {
		if b.GetInvoiceNumber() == "CXEE-9015" {
			return billingv1.FreightBill_REJECTED
		}
		return billingv1.FreightBill_EXCEPTION
	}
	w.take("2026-03-12T12:00:00Z", bb.envelope("IM", "210", "B3**CXBB-14*NL14*PP**20260312*41165****CXBB", "LX*1", "L1*1***76800****LHS", "LX*2", "L1*2*60*PW*-46080****DSC",
		"LX*3", "L1*3*34*PW*10445****FUE", "L3*3200*G***41165"))
	w.take("2026-03-12T12:30:00Z", ee.envelope("IM", "210", "B3**CXEE-9015*NL15*PP**20260312*19065****CXEE", "LX*1", "L1*1***31000****LHS", "LX*2", "L1*2*55*PW*-17050****DSC",
		"LX*3", "L1*3*29.5*PW*4115****FUE", "L3*800*G***18065"))
	var totals []*money.Money
	for _, m := range w.carriers.asked() {
		totals = append(totals, m.(*billingv1.SubmitFreightBillRequest).GetFreightBill().GetTotal())
	}
	equal(t, "totals", totals, []*money.Money{usd(411, 65), usd(190, 65)})
	equal(t, "CXBB", w.totals("parties/CAR-CXBB"), map[string]string{"210": "1=1+0+0+0"})
	equal(t, "CXEE", w.totals("parties/CAR-CXEE"), map[string]string{"210": "1=0+0+0+1"})
	equal(t, "acknowledgements", w.acks("parties/CAR-CXEE"), []uint64{1, 1, 0, 0, 1, 1, 0})
	w.verify()
}

// After a silence two events come at once, each with the time when it happened.
func TestPage16Silence(t *testing.T) {
	w := newDayWorld(t)
	w.offer("NL16", "CXAA")
	aa := habit("CXAA")
	w.at("2026-03-12T20:00:00Z")
	w.bring("1.edi", aa.status("NL16", "A16", "", "AT7*X5*NS***20260312*1030*LT", "NASHVILLE", "TN"))
	w.bring("2.edi", aa.status("NL16", "A16", "", "AT7*D1*NS***20260312*1110*LT", "NASHVILLE", "TN"))
	w.settle()
	equal(t, "claims", w.said(), []string{"ARRIVED_DELIVERY 2 2026-03-12T10:30:00 NASHVILLE", "DELIVERED 2 2026-03-12T11:10:00 NASHVILLE"})
}

// Two orders on one load: eight reports, each of the stop that it names, and a bill of four charges.
func TestPage17TwoOrders(t *testing.T) {
	w := newDayWorld(t)
	m := tender("NL17", "CXAA")
	first := m.GetShipments()[0]
	second := proto.Clone(first).(*freightv1.Shipment)
	first.CustomerOrderNumber, second.CustomerOrderNumber, second.Name = "PC-1017", "HH-1017", "shipments/shp_2"
	m.Shipments = append(m.Shipments, second)
	stops := m.GetTender().GetStops()
	third := proto.Clone(stops[1]).(*freightv1.Stop)
	third.Sequence, third.Zone, third.Shipments = 3, "America/Chicago", []string{second.GetName()}
	stops[0].Shipments = append(stops[0].Shipments, second.GetName())
	stops = append(stops, third)
	m.GetLoad().Stops, m.GetTender().Stops, m.GetTender().CustomerOrderNumbers = stops, stops, []string{"PC-1017", "HH-1017"}
	w.tell(w.freight, m.GetLoad().GetName(), m, "po:PC-1017", "po:HH-1017")
	w.settle()
	var s5 []string
	for s := range strings.SplitSeq(w.sent("CAR-CXAA")[0], "~") {
		if strings.HasPrefix(s, "S5*") || strings.HasSuffix(s, "*PO") {
			s5 = append(s5, s[:min(len(s), 14)])
		}
	}
	equal(t, "stops", s5, []string{"L11*PC-1017*PO", "L11*HH-1017*PO", "S5*1*CL*6312*L", "S5*2*PU*3156*L", "L11*PC-1017*PO", "S5*3*CU*3156*L", "L11*HH-1017*PO"})

	aa := habit("CXAA")
	for _, s := range [][4]string{
		{"1", "AT7*X3*NS***20260311*0830*LT", "COLUMBUS", "2026-03-11T12:30:00Z"}, {"1", "AT7*AF*NS***20260311*0900*LT", "COLUMBUS", "2026-03-11T13:00:00Z"},
		{"2", "AT7*X5*NS***20260311*1300*LT", "INDIANAPOLIS", "2026-03-11T17:00:00Z"}, {"2", "AT7*D1*NS***20260311*1340*LT", "INDIANAPOLIS", "2026-03-11T17:40:00Z"},
		{"", "AT7*X6*NS***20260311*1800*LT", "GARY", "2026-03-11T23:00:00Z"}, {"3", "AT7*X5*NS***20260312*0905*LT", "CHICAGO", "2026-03-12T14:05:00Z"},
		{"3", "AT7*D1*NS***20260312*1140*LT", "CHICAGO", "2026-03-12T16:40:00Z"}, {"3", "AT7*CD*NS***20260312*1210*LT", "CHICAGO", "2026-03-12T17:10:00Z"},
	} {
		w.take(s[3], aa.status("NL17", "A17", s[0], s[1], s[2], "US"))
	}
	equal(t, "claims", w.said(), []string{
		"ARRIVED_PICKUP 1 2026-03-11T08:30:00 COLUMBUS", "DEPARTED_PICKUP 1 2026-03-11T09:00:00 COLUMBUS", "ARRIVED_DELIVERY 2 2026-03-11T13:00:00 INDIANAPOLIS",
		"DELIVERED 2 2026-03-11T13:40:00 INDIANAPOLIS", "IN_TRANSIT 0 2026-03-11T18:00:00 GARY", "ARRIVED_DELIVERY 3 2026-03-12T09:05:00 CHICAGO",
		"DELIVERED 3 2026-03-12T11:40:00 CHICAGO", "DEPARTED_DELIVERY 3 2026-03-12T12:10:00 CHICAGO",
	})
	w.take("2026-03-13T12:00:00Z", aa.envelope("IM", "210", "B3**CXAA-17*NL17*PP**20260313*114148****CXAA", "LX*1", "L1*1***77185****LHS", "LX*2", "L1*2***20463****FUE",
		"LX*3", "L1*3***7500****SOC", "LX*4", "L1*4***9000****DET", "L3*****114148"))
	calls := w.carriers.asked()
	equal(t, "charges", calls[len(calls)-1].(*billingv1.SubmitFreightBillRequest).GetFreightBill().GetCharges(), []*typev1.Charge{
		{Code: "LHS", Amount: usd(771, 85)}, {Code: "FUE", Amount: usd(204, 63)}, {Code: "SOC", Amount: usd(75, 0)}, {Code: "DET", Amount: usd(90, 0)},
	})
	equal(t, "counts", w.totals("parties/CAR-CXAA"), map[string]string{"214": "8=8+0+0+0", "210": "1=1+0+0+0"})
	for _, x := range w.list() {
		if related := x.GetTransactionSets()[0].GetRelated(); !slices.Contains(related, "po:PC-1017") || !slices.Contains(related, "po:HH-1017") {
			t.Errorf("%s is about %v, want both orders", x.GetTransactionSets()[0].GetSet(), related)
		}
	}
	w.verify()
}

// A carrier in Europe: release 005010 both ways, its X6 is a departure, times in UTC, euros.
func TestPage18Europe(t *testing.T) {
	w := newDayWorld(t)
	le := &masterdatav1.LegalEntity{
		Name: "legalEntities/LE-NL", DisplayName: "Northline Supply B.V.", CurrencyCode: "EUR", Zone: "Europe/Amsterdam",
		Address: &typev1.Address{Lines: []string{"Voorbeeldweg 12"}, City: "Venlo", Postcode: "5928", Country: "NL"},
	}
	w.tell(w.master, le.GetName(), &masterdatav1.LegalEntityChanged{LegalEntity: le})
	m := tender("NL18", "CXDD")
	m.GetLoad().LegalEntity, m.GetLoad().Mode = le.GetName(), "TL"
	kilograms := &typev1.Quantity{Value: "288", Unit: "KGM"}
	m.GetTender().GrossWeight, m.GetShipments()[0].GrossWeight = kilograms, kilograms
	m.GetShipments()[0].Volume = &typev1.Quantity{Value: "1.728", Unit: "MTQ"}
	m.GetTender().RespondBy = eventTime("2026-03-03T11:00:00Z", "Europe/Amsterdam")
	w.tell(w.freight, m.GetLoad().GetName(), m, "po:TG-1018")
	w.settle()
	text := w.sent("CAR-CXDD")[0]
	for _, want := range []string{
		"*ZZ*NORTHLINEEU    *02*CXDD           *", "*^*00501*000000001*0*P*>~", "*X*005010~", "~B2**CXDD**NL18*K*PP~", "~G62*64*20260303*1*1100*UT~", "~MS3*CXDD*B**M~",
		"~N1*BT*NORTHLINE SUPPLY B.V.*93*LE-NL~N3*VOORBEELDWEG 12~N4*VENLO**5928*NL~", "~S5*1*CL*288*K*314*CT*1.728*X~", "~L3*288*G*********314~",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("204 has no %s:\n%s", want, text)
		}
	}
	dd := habit("CXDD")
	w.take("2026-03-03T10:00:00Z", dd.envelope("GF", "990", "B1*CXDD*NL18*20260303*A"))
	for _, s := range [][3]string{
		{"2026-03-04T08:30:00Z", "AT7*X3*NS***20260304*0830*UT", "VENLO"}, {"2026-03-04T09:00:00Z", "AT7*X6*NS***20260304*0900*UT", "VENLO"},
		{"2026-03-05T09:00:00Z", "AT7*X1*NS***20260305*0900*UT", "EINDHOVEN"}, {"2026-03-05T09:30:00Z", "AT7*D1*NS***20260305*0930*UT", "EINDHOVEN"},
	} {
		w.take(s[0], dd.status("NL18", "D18", "", s[1], s[2], ""))
	}
	equal(t, "claims", w.said(), []string{
		"ARRIVED_PICKUP 1 2026-03-04T08:30:00Z VENLO", "DEPARTED_PICKUP 1 2026-03-04T09:00:00Z VENLO", "ARRIVED_DELIVERY 2 2026-03-05T09:00:00Z EINDHOVEN",
		"DELIVERED 2 2026-03-05T09:30:00Z EINDHOVEN",
	})
	w.take("2026-03-06T09:00:00Z", dd.envelope("IM", "210", "B3**CXDD-18*NL18*PP**20260306*20070****CXDD", "C3*EUR", "LX*1", "L1*1***18000****LHS", "LX*2", "L1*2***2070****FUE", "L3*****20070"))
	calls := w.carriers.asked()
	if bill := calls[len(calls)-1].(*billingv1.SubmitFreightBillRequest).GetFreightBill(); bill.GetTotal().GetCurrencyCode() != "EUR" || bill.GetTotal().GetUnits() != 200 {
		t.Errorf("bill: got %v, want 200.70 EUR", bill)
	}
	equal(t, "counts", w.totals("parties/CAR-CXDD"), map[string]string{"990": "1=1+0+0+0", "214": "4=4+0+0+0", "210": "1=1+0+0+0"})
	if acks := filesWith(w.sent("CAR-CXDD"), "997"); len(acks) != 6 || !strings.Contains(acks[1], "~AK1*QM*2*005010~AK2*214*0001~AK5*A~AK9*A*1*1*1~") {
		t.Errorf("997s: got %q", acks)
	}
	// A group of another release than agreed is refused as a whole.
	old := *dd
	old.gs08 = "004010"
	w.take("2026-03-06T09:01:00Z", old.status("NL18", "D18", "", "AT7*D1*NS***20260305*1030*UT", "EINDHOVEN", ""))
	if acks := filesWith(w.sent("CAR-CXDD"), "997"); !strings.Contains(acks[len(acks)-1], "~AK9*R*1*1*0*2~") {
		t.Errorf("997 of another release: got %q", acks[len(acks)-1])
	}
	w.verify()
}

// The habits of the others: CXBB closes with CD when the driver forgot D1, CXEE reports every scan as X4.
func TestHabits(t *testing.T) {
	w := newDayWorld(t)
	w.offer("NL6", "CXBB")
	w.offer("NL7", "CXEE")
	w.take("2026-03-06T15:00:00Z", habit("CXBB").status("NL6", "B6", "2", "AT7*CD*NS***20260306*1000", "PITTSBURGH", "PA"))
	ee := habit("CXEE")
	w.take("2026-03-06T15:01:00Z", ee.status("NL7", "E7", "", "AT7*X4*NS***20260306*093015", "DAYTON", "OH"))
	w.take("2026-03-06T15:02:00Z", ee.status("NL7", "E7", "", "AT7*AG*NS***20260307*120000", "", ""))
	equal(t, "claims", w.said(), []string{"DELIVERED 2 2026-03-06T10:00:00 PITTSBURGH", "IN_TRANSIT 0 2026-03-06T09:30:15 DAYTON", "ETA_CHANGED 0 2026-03-06T15:02:00Z"})
	last := w.carriers.asked()[2].(*freightv1.ReportMilestoneRequest).GetClaim()
	equal(t, "estimate", last.GetEstimate(), eventTime("2026-03-07T17:00:00Z", "").GetTime())
	w.verify()
}

// What an 850 is about is told whatever becomes of it: applied, a replay, a duplicate, waiting, refused.
func TestPage21OrdersAreNamed(t *testing.T) {
	w := newDayWorld(t)
	w.day()
	var got []string
	for _, x := range w.list() {
		if x.GetDirection() != ediv1.Interchange_INBOUND {
			continue
		}
		for _, s := range x.GetTransactionSets() {
			got = append(got, s.GetDisposition().String()+" "+s.GetRelated()[0])
		}
	}
	equal(t, "850s", got, []string{
		"APPLIED po:08292233294", "DUPLICATE po:08292233294", "DUPLICATE po:08292233294", "DUPLICATE po:08292233294", "PARKED po:08292233294", "REJECTED po:08292233294",
		"APPLIED po:A99999-01", "PARKED po:740150", "REJECTED po:740151",
	})
	for party, want := range map[string][]uint64{"CUS-XYZ": {5, 4, 0, 1, 0, 0, 0}, "CUS-SNX": {1, 1, 0, 0, 0, 0, 0}, "CUS-XFL": {1, 0, 1, 0, 0, 0, 0}} {
		equal(t, "acknowledgements of "+party, w.acks("parties/"+party), want)
	}
}
