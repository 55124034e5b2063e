package core

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/platform/rpcerr"
)

// carriers answers what freight and billing are asked: once for each request id.
type carriers struct {
	mu       sync.Mutex
	calls    []proto.Message
	answered map[string]proto.Message // by request id
	refuse   error
	bill     func(*billingv1.FreightBill) billingv1.FreightBill_State // nil: approved
}

func (c *carriers) Invoke(_ context.Context, _ string, args, reply any, _ ...grpc.CallOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	req := proto.Clone(args.(proto.Message))
	c.calls = append(c.calls, req)
	if c.refuse != nil {
		return c.refuse
	}
	id := req.ProtoReflect().Get(req.ProtoReflect().Descriptor().Fields().ByName("request_id")).String()
	if before, ok := c.answered[id]; ok {
		if !proto.Equal(before, req) {
			return (&rpcerr.Error{Code: codes.FailedPrecondition, Reason: "REQUEST_ID_REUSED"}).GRPCStatus().Err()
		}
	} else {
		c.answered[id] = req
	}
	switch m := req.(type) {
	case *freightv1.AcceptTenderRequest:
		proto.Merge(reply.(proto.Message), &freightv1.Tender{Name: m.GetName(), State: freightv1.Tender_ACCEPTED})
	case *freightv1.DeclineTenderRequest:
		proto.Merge(reply.(proto.Message), &freightv1.Tender{Name: m.GetName(), State: freightv1.Tender_DECLINED})
	case *freightv1.ReportMilestoneRequest:
		proto.Merge(reply.(proto.Message), &freightv1.Claim{Name: m.GetParent() + "/claims/clm_1"})
	case *billingv1.SubmitFreightBillRequest:
		state := billingv1.FreightBill_APPROVED
		if c.bill != nil {
			state = c.bill(m.GetFreightBill())
		}
		b := &billingv1.FreightBill{Name: "freightBills/fbl_" + strings.ToLower(m.GetFreightBill().GetInvoiceNumber()), State: state}
		if state == billingv1.FreightBill_REJECTED {
			b.Findings = []*billingv1.FreightBill_Finding{{Rule: "A0", Detail: "190.65 is not 180.65"}}
		}
		proto.Merge(reply.(proto.Message), b)
	default:
		return status.Errorf(codes.Unimplemented, "%T", req)
	}
	return nil
}

func (c *carriers) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "no streams here")
}

// asked are the calls without their request ids, which are compared apart.
func (c *carriers) asked() []proto.Message {
	var out []proto.Message
	for _, m := range c.calls {
		m = proto.Clone(m)
		m.ProtoReflect().Clear(m.ProtoReflect().Descriptor().Fields().ByName("request_id"))
		out = append(out, m)
	}
	return out
}

// mapped tells a code map of a carrier, of everybody where party is empty.
func (w *world) mapped(list, party, code, canonical string) {
	w.t.Helper()
	name := fmt.Sprintf("codeMaps/%s-%s-%s", strings.ReplaceAll(list, "/", "-"), strings.TrimPrefix(party, "parties/"), code)
	w.tell(w.master, name, &masterdatav1.CodeMapApproved{CodeMap: &masterdatav1.CodeMap{
		Name: name, List: list, Party: party, Code: code, Canonical: canonical, ValidFrom: &date.Date{Year: 2026, Month: 1, Day: 1},
	}})
}

// carrierCodes are rows of the day's code maps.
func (w *world) carrierCodes() {
	for _, c := range []string{"CXAA A ACCEPTED", "CXAA D DECLINED", "CXBB A ACCEPTED", "CXBB E DECLINED", "CXCC A ACCEPTED", "CXCC R DECLINED", "CXDD A ACCEPTED", "CXEE A ACCEPTED"} {
		f := strings.Fields(c)
		w.mapped("x12/558", "parties/CAR-"+f[0], f[1], f[2])
	}
	for _, c := range []string{"X3 ARRIVED_PICKUP", "X8 ARRIVED_PICKUP", "AF DEPARTED_PICKUP", "X6 IN_TRANSIT", "X1 ARRIVED_DELIVERY", "X5 ARRIVED_DELIVERY", "D1 DELIVERED", "CD DEPARTED_DELIVERY", "AG ETA_CHANGED"} {
		f := strings.Fields(c)
		w.mapped("x12/1650", "", f[0], f[1])
	}
	w.mapped("x12/1650", "parties/CAR-CXCC", "X8", "LOADED")
	w.mapped("x12/1650", "parties/CAR-CXDD", "X6", "DEPARTED_PICKUP")
}

func pounds(v string) *typev1.Quantity { return &typev1.Quantity{Value: v, Unit: "LBR"} }
func usd(units int64, cents int32) *money.Money {
	return &money.Money{CurrencyCode: "USD", Units: units, Nanos: cents * 10_000_000}
}

func eventTime(t, zone string) *typev1.EventTime {
	at, err := time.Parse(time.RFC3339, t)
	if err != nil {
		panic(err)
	}
	return &typev1.EventTime{Time: timestamppb.New(at), Zone: zone}
}

const newYork = "America/New_York"

// resources are what the documents of the first scenario print.
func (w *world) resources() {
	w.t.Helper()
	address := func(line, city, state, postcode string) *typev1.Address {
		return &typev1.Address{Lines: []string{line}, City: city, State: state, Postcode: postcode, Country: "US"}
	}
	le := &masterdatav1.LegalEntity{Name: "legalEntities/LE-US", DisplayName: "Northline Supply Inc.", CurrencyCode: "USD", Address: address("1200 Demo Parkway", "Columbus", "OH", "43215"), Zone: newYork}
	w.tell(w.master, le.GetName(), &masterdatav1.LegalEntityChanged{LegalEntity: le})
	for _, p := range []*masterdatav1.Party{
		{Name: "parties/CUS-XYZ", DisplayName: "XYZ Retail", Roles: []masterdatav1.Party_Role{masterdatav1.Party_CUSTOMER}, LegalEntity: le.GetName(), CurrencyCode: "USD"},
		{Name: "parties/CAR-CXBB", DisplayName: "Bluebird", Roles: []masterdatav1.Party_Role{masterdatav1.Party_CARRIER}, LegalEntity: le.GetName(), CurrencyCode: "USD", Carrier: &masterdatav1.CarrierProfile{Scac: "CXBB", Equipment: "LTL"}},
	} {
		w.tell(w.master, p.GetName(), &masterdatav1.PartyChanged{Party: p})
	}
	for _, l := range []*masterdatav1.Location{
		{Name: "locations/LOC-CMH", Owner: le.GetName(), DisplayName: "Northline DC Columbus", Address: le.GetAddress(), Zone: newYork},
		{
			Name: "locations/LOC-SOLON", Owner: "parties/CUS-XYZ", DisplayName: "XYZ Retail Solon", Address: address("31875 SOLON RD", "SOLON", "OH", "44139"), Zone: newYork,
			ExternalIds: []*typev1.ExternalId{{System: "x12", Kind: "n1_st", Qualifier: "9", Value: "0003947268292"}},
		},
	} {
		w.tell(w.master, l.GetName(), &masterdatav1.LocationChanged{Location: l})
	}
	for _, l := range shipped {
		i := &masterdatav1.Item{Name: "items/" + l.item, DisplayName: l.words, BaseUnit: "EA", GrossWeight: pounds("1"), UnitsPerCarton: 1, FreightClass: l.class}
		w.tell(w.master, i.GetName(), &masterdatav1.ItemChanged{Item: i})
	}
}

// shipped are the lines of the first scenario with the weights, classes and cartons that its page works out.
var shipped = []struct {
	line, item, words, quantity, price, weight, class string
	cartons                                           int32
	amount                                            [2]int64
	buyer                                             string
}{
	{"1", "AB3542", "SMALL WIDGET", "120", "9.25", "180.0", "85", 30, [2]int64{1110, 0}, "065322-117"},
	{"2", "RD5322", "MEDIUM WIDGET", "220", "13.79", "550", "100", 110, [2]int64{3033, 80}, "066850-116"},
	{"3", "XY5266", "LARGE WIDGET", "126", "10.99", "504", "70", 21, [2]int64{1384, 74}, "060733-110"},
	{"4", "VX2332", "NANO WIDGET", "76", "4.35", "38", "85", 19, [2]int64{330, 60}, "065308-116"},
	{"5", "RV0524", "BLUE WIDGET", "72", "7.50", "144", "85", 18, [2]int64{540, 0}, "065374-118"},
	{"6", "DX1875", "ORANGE WIDGET", "696", "9.55", "1740", "70", 116, [2]int64{6646, 80}, "067504-118"},
}

// tender is the fact that offers a load of one order to a carrier. The load of the first scenario is NL26030001, to CXBB.
func tender(number, scac string) *freightv1.LoadTendered {
	id := strings.ToLower(number)
	carrier := "parties/CAR-" + scac
	stops := []*freightv1.Stop{
		{
			Sequence: 1, Role: freightv1.Stop_PICKUP, Location: "locations/LOC-CMH", Zone: newYork, Shipments: []string{"shipments/shp_" + id},
			WindowFrom: eventTime("2026-03-03T13:00:00Z", newYork), WindowTo: eventTime("2026-03-03T21:00:00Z", newYork),
		},
		{
			Sequence: 2, Role: freightv1.Stop_DELIVERY, Location: "locations/LOC-SOLON", Zone: newYork, Shipments: []string{"shipments/shp_" + id},
			WindowFrom: eventTime("2026-03-04T13:00:00Z", newYork), WindowTo: eventTime("2026-03-04T22:00:00Z", newYork),
		},
	}
	volume := &typev1.Quantity{Value: "231.61", Unit: "FTQ"}
	s := &freightv1.Shipment{
		Name: "shipments/shp_" + id, OrderRelease: "orders/ord_1/releases/1", Order: "orders/ord_1", CustomerOrderNumber: "08292233294", Customer: "parties/CUS-XYZ",
		LegalEntity: "legalEntities/LE-US", ShipFrom: "locations/LOC-CMH", ShipTo: "locations/LOC-SOLON", Mode: "LTL", FreightTerms: "PREPAID_AND_ADD",
		Load: "loads/load_" + id, GrossWeight: pounds("3156"), Cartons: 314, Volume: volume,
		PickupFrom: stops[0].GetWindowFrom(), PickupTo: stops[0].GetWindowTo(), DeliverFrom: stops[1].GetWindowFrom(), DeliverBy: stops[1].GetWindowTo(),
	}
	for _, l := range shipped {
		s.Lines = append(s.Lines, &freightv1.ShipmentLine{
			Line: l.line, Item: "items/" + l.item, Description: l.words, Quantity: &typev1.Quantity{Value: l.quantity, Unit: "EA"},
			GrossWeight: pounds(l.weight), FreightClass: l.class, Cartons: l.cartons,
		})
	}
	load := &freightv1.Load{
		Name: "loads/load_" + id, Number: number, LegalEntity: "legalEntities/LE-US", Mode: "LTL", Equipment: "LTL", Shipments: []string{s.GetName()}, Stops: stops,
		State: freightv1.Load_TENDERED, Tender: "tenders/tnd_" + id, ShipDate: &date.Date{Year: 2026, Month: 3, Day: 3}, GrossWeight: pounds("3156"), Cartons: 314, Volume: volume,
	}
	return &freightv1.LoadTendered{
		Load: load, Shipments: []*freightv1.Shipment{s},
		Tender: &freightv1.Tender{
			Name: load.GetTender(), Load: load.GetName(), LoadNumber: number, Carrier: carrier, Scac: scac, Rank: 1, State: freightv1.Tender_SENT,
			RespondBy: eventTime("2026-03-02T16:00:00Z", newYork), Stops: stops, GrossWeight: pounds("3156"), Cartons: 314,
			MethodOfPayment: "PP", CustomerOrderNumbers: []string{"08292233294"},
		},
	}
}

// offer tells that a load was offered.
func (w *world) offer(number, scac string) *freightv1.LoadTendered {
	w.t.Helper()
	m := tender(number, scac)
	w.tell(w.freight, m.GetLoad().GetName(), m, "orders/ord_1", "po:08292233294", "load:"+number, m.GetTender().GetName(), m.GetTender().GetCarrier())
	w.settle()
	return m
}

// mailbox of a carrier.
type mailbox struct {
	scac, us, isa12, isa11, gs08, end string
	control                           int
}

func box(scac string) *mailbox { return &mailbox{scac, "NORTHLINE", "00401", "U", "004010", "~\n", 0} }

// envelope wraps one set, given as segments without terminators, as the carrier does.
func (b *mailbox) envelope(functional, set string, segments ...string) []byte {
	b.control++
	return b.under(b.control, functional, set, segments...)
}

func (b *mailbox) under(control int, functional, set string, segments ...string) []byte {
	all := []string{
		fmt.Sprintf("ISA*00*          *00*          *02*%-15s*ZZ*%-15s*260302*1420*%s*%s*%09d*0*P*>", b.scac, b.us, b.isa11, b.isa12, control),
		fmt.Sprintf("GS*%s*%s*%s*20260302*1420*%d*X*%s", functional, b.scac, b.us, control, b.gs08), "ST*" + set + "*0001",
	}
	all = append(append(all, segments...), fmt.Sprintf("SE*%d*0001", len(segments)+2), fmt.Sprintf("GE*1*%d", control), fmt.Sprintf("IEA*1*%09d", control))
	return []byte(strings.Join(all, b.end) + b.end)
}

// status is a 214 with one event.
func (b *mailbox) status(load, pro, stop, at7, city, state string) []byte {
	segments := []string{fmt.Sprintf("B10*%s*%s*%s", pro, load, b.scac)}
	if stop != "" {
		segments = append(segments, "L11*"+stop+"*QN")
	}
	segments = append(segments, "LX*1", at7)
	if city != "" {
		segments = append(segments, fmt.Sprintf("MS1*%s*%s*US", city, state))
	}
	return b.envelope("QM", "214", segments...)
}

func (w *world) at(instant string) {
	w.t.Helper()
	t, err := time.Parse(time.RFC3339, instant)
	w.must(err)
	w.clock.Set(t)
}

// take brings a file at an instant and waits until all is done.
func (w *world) take(instant string, data []byte) {
	w.t.Helper()
	w.at(instant)
	w.bring(strings.NewReplacer(":", "", "-", "").Replace(instant)+".edi", data)
	w.settle()
}

func newCarrierWorld(t *testing.T) *world {
	w := newWorld(t)
	w.carrierCodes()
	w.resources()
	w.settle()
	return w
}

// printed blanks date, time and our control numbers, as the page says that they are not compared, and the line breaks that are only
// for reading where the partner has none.
func masked(text, terminator string) []string {
	var out []string
	for segment := range strings.SplitSeq(strings.ReplaceAll(text, "\n", ""), terminator) {
		e := strings.Split(segment, "*")
		for _, i := range map[string][]int{"ISA": {9, 10, 13}, "GS": {4, 5, 6}, "GE": {2}, "IEA": {2}}[e[0]] {
			e[i] = "#"
		}
		out = append(out, strings.Join(e, "*"))
	}
	return out
}

// setOf are those of the files sent that hold a set.
func filesWith(files []string, set string) []string {
	return slices.DeleteFunc(slices.Clone(files), func(f string) bool { return !strings.Contains(f, "ST*"+set+"*") })
}

// The answers and reports of the first scenario, as its page prints them, but for the control numbers of their envelopes.
func (w *world) firstScenario(b *mailbox) {
	w.t.Helper()
	w.take("2026-03-02T14:20:00Z", b.envelope("GF", "990", "B1*CXBB*NL26030001*20260302*A", "N9*CN*CXB0001001"))
	w.take("2026-03-03T14:20:00Z", b.status("NL26030001", "CXB0001001", "1", "AT7*X3*NS***20260303*0910", "COLUMBUS", "OH"))
	w.take("2026-03-03T15:15:00Z", b.status("NL26030001", "CXB0001001", "1", "AT7*AF*NS***20260303*1005", "COLUMBUS", "OH"))
	w.take("2026-03-04T13:50:00Z", b.status("NL26030001", "CXB0001001", "2", "AT7*X1*NS***20260304*0840", "SOLON", "OH"))
	w.take("2026-03-04T14:30:00Z", b.status("NL26030001", "CXB0001001", "2", "AT7*D1*NS***20260304*0920", "SOLON", "OH"))
}

// reports are the claims that the first scenario leads to; source is that of the message with a place in order.
func claim(milestone freightv1.Milestone, stop int32, local, city, code, source string) *freightv1.ReportMilestoneRequest {
	return &freightv1.ReportMilestoneRequest{Parent: "loads/load_nl26030001", Claim: &freightv1.Claim{
		Milestone: milestone, Stop: stop, LocalTime: local, City: city, State: "OH", CarrierCode: code, ReasonCode: "NS", SourceReference: source,
	}}
}

// sources are the first sets of the interchanges that came, oldest first.
func (w *world) sources(set string) []string {
	w.t.Helper()
	var out []string
	for _, x := range w.list() {
		if sets := x.GetTransactionSets(); x.GetDirection() == ediv1.Interchange_INBOUND && len(sets) > 0 && sets[0].GetSet() == set {
			out = append(out, x.GetName()+"/sets/1")
		}
	}
	return out
}

// printed is a document of ours as the first scenario prints it.
func (w *world) printed(name string) string {
	w.t.Helper()
	data, err := os.ReadFile("../x12/testdata/day/" + name)
	w.must(err)
	return string(data)
}

// The bill of the first scenario, as its page prints it.
var firstBill = []string{
	"B3**CXBB-1001*NL26030001*PP*L*20260305*42524**20260304*035*CXBB", "C3*USD", "N9*BM*NL26030001", "N9*CN*CXB0001001",
	"N1*BT*NORTHLINE SUPPLY INC.*93*LE-US", "N3*1200 DEMO PARKWAY", "N4*COLUMBUS*OH*43215*US",
	"LX*1", "L5*1*LTL LINE-HAUL 3156 LB", "L0*1***3156*G***314*CTN", "L1*1*830.54*FR*83054****LHS",
	"LX*2", "L1*2*60*PW*-49832****DSC", "LX*3", "L1*3*28*PW*9302****FUE", "L3*3156*G***42524******314",
}

// invoice is the fact of the first scenario's invoice, with its page's figures.
func invoice() *billingv1.InvoiceIssued {
	i := &billingv1.Invoice{
		Name: "invoices/inv_1", Number: "NLS26-000001", State: billingv1.Invoice_ISSUED, LegalEntity: "legalEntities/LE-US", Customer: "parties/CUS-XYZ",
		Order: "orders/ord_1", CustomerOrderNumber: "08292233294", OrderRelease: "orders/ord_1/releases/1", Shipment: "shipments/shp_nl26030001", LoadNumber: "NL26030001",
		GoodsTotal: usd(13045, 94), FreightTotal: usd(512, 53), TaxTotal: usd(0, 0), Total: usd(13558, 47),
		IssueDate: &date.Date{Year: 2026, Month: 3, Day: 4}, ShipDate: &date.Date{Year: 2026, Month: 3, Day: 3}, ShipFrom: "locations/LOC-CMH", ShipTo: "locations/LOC-SOLON",
		Freight: []*billingv1.FreightLine{
			{Charge: &typev1.Charge{Code: "LHS", Description: "Freight 31.56 cwt at 14.50", Amount: usd(457, 62)}},
			{Charge: &typev1.Charge{Code: "FUE", Description: "Fuel 12 % of line-haul", Amount: usd(54, 91)}},
		},
	}
	for _, l := range shipped {
		i.Lines = append(i.Lines, &billingv1.InvoiceLine{
			Line: l.line, Item: "items/" + l.item, Description: l.words, Quantity: &typev1.Quantity{Value: l.quantity, Unit: "EA"}, UnitPrice: l.price,
			Amount: usd(l.amount[0], int32(l.amount[1])),
			ExternalIds: []*typev1.ExternalId{
				{System: "x12", Kind: "item", Qualifier: "CB", Value: l.buyer}, {System: "x12", Kind: "item", Qualifier: "VN", Value: l.item},
			},
		})
	}
	return &billingv1.InvoiceIssued{Invoice: i}
}

// TestFirstScenario plays the page of the first scenario by EDI alone: the order, the tender, its answer, four reports, the invoice
// and the bill, each acknowledged both ways.
func TestFirstScenario(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		w := newCarrierWorld(t)
		w.restarts = restarts
		w.receive("11:05", "850.edi", w.file(realOrder))
		w.at("2026-03-02T11:12:00Z")
		w.offer("NL26030001", "CXBB")
		bb := box("CXBB")
		w.take("2026-03-02T11:13:00Z", bb.acknowledge("SM", 1, "A"))
		w.firstScenario(bb)
		w.at("2026-03-04T14:46:00Z")
		w.tell(w.billing, "invoices/inv_1", invoice(), "orders/ord_1", "po:08292233294", "invoice:NLS26-000001", "parties/CUS-XYZ")
		w.settle()
		w.take("2026-03-05T12:00:00Z", bb.envelope("IM", "210", firstBill...))

		sent := filesWith(w.sent("CAR-CXBB"), "204")
		if len(sent) != 1 {
			t.Fatalf("204s: got %q", sent)
		}
		equal(t, "204", masked(sent[0], "~"), masked(w.printed("204.edi"), "~"))
		if strings.Contains(sent[0], "\n") || !strings.Contains(sent[0], "*260302*1112*U*00401*000000001*") {
			t.Errorf("204: got %q", sent[0])
		}
		invoices := filesWith(w.sent("CUS-XYZ"), "810")
		if len(invoices) != 1 {
			t.Fatalf("810s: got %q", invoices)
		}
		equal(t, "810", masked(invoices[0], "~"), masked(w.printed("810.edi"), "~"))
		if strings.Count(invoices[0], "~\n") != strings.Count(invoices[0], "~") {
			t.Errorf("810: got %q, want a line break after each terminator", invoices[0])
		}
		calls := w.carriers.asked()
		equal(t, "bill", calls[len(calls)-1], proto.Message(&billingv1.SubmitFreightBillRequest{FreightBill: &billingv1.FreightBill{
			Carrier: "parties/CAR-CXBB", InvoiceNumber: "CXBB-1001", LoadNumber: "NL26030001", CarrierReference: "CXB0001001",
			BillDate: &date.Date{Year: 2026, Month: 3, Day: 5}, Total: usd(425, 24), Source: w.sources("210")[0],
			Charges: []*typev1.Charge{
				{Code: "LHS", Description: "LTL LINE-HAUL 3156 LB", Amount: usd(830, 54)}, {Code: "DSC", Amount: usd(-498, -32)}, {Code: "FUE", Amount: usd(93, 2)},
			},
		}}))
		xyz := &mailbox{"4405197800", "999999999", "00401", "U", "004010", "~\n", 5000}
		ack := strings.NewReplacer("*02*4405197800", "*12*4405197800", "*ZZ*999999999", "*01*999999999").Replace(string(xyz.acknowledge("IN", 2, "A")))
		w.take("2026-03-05T12:02:00Z", []byte(ack))
		equal(t, "outgoing", w.outgoing(), []string{
			"997 APPLIED  000000001", "204 APPLIED  000000001", "997 APPLIED  000000002", "997 APPLIED  000000003", "997 APPLIED  000000004",
			"997 APPLIED  000000005", "997 APPLIED  000000006", "810 APPLIED  000000002", "997 APPLIED  000000007",
		})
		equal(t, "acknowledgements of CXBB", w.acks("parties/CAR-CXBB"), []uint64{6, 6, 0, 0, 1, 1, 0})
		equal(t, "acknowledgements of CUS-XYZ", w.acks("parties/CUS-XYZ"), []uint64{1, 1, 0, 0, 1, 1, 0})
		for set, want := range map[string]string{"990 2026-03-02": "1=1+0+0+0+0", "214 2026-03-03": "2=2+0+0+0+0", "214 2026-03-04": "2=2+0+0+0+0", "210 2026-03-05": "1=1+0+0+0+0"} {
			id, day, _ := strings.Cut(set, " ")
			equal(t, set, w.countOf("CXBB", day, id), want)
		}
		passes(t, w, "2026-03-30T12:00:00Z")
		equal(t, "overdue", len(w.told("AcknowledgementOverdue")), 0)
		w.verify()
	}
}

// passes lets time pass.
func passes(t *testing.T, w *world, instant string) {
	t.Helper()
	w.at(instant)
	w.settle()
}

// What billing makes of a bill is what becomes of the 210.
func TestBills(t *testing.T) {
	w := newCarrierWorld(t)
	w.offer("NL26030015", "CXEE")
	seen := map[string]bool{}
	w.carriers.bill = func(b *billingv1.FreightBill) billingv1.FreightBill_State {
		sum := int64(0)
		for _, c := range b.GetCharges() {
			sum += c.GetAmount().GetUnits()*100 + int64(c.GetAmount().GetNanos())/10_000_000
		}
		key := b.GetInvoiceNumber()
		switch {
		case seen[key]:
			return billingv1.FreightBill_DUPLICATE
		case sum != b.GetTotal().GetUnits()*100+int64(b.GetTotal().GetNanos())/10_000_000:
			return billingv1.FreightBill_REJECTED
		case key == "CXEE-14":
			return billingv1.FreightBill_EXCEPTION
		}
		seen[key] = true
		return billingv1.FreightBill_APPROVED
	}
	ee := box("CXEE")
	ee.end = "\n"
	bill := func(control int, number, total string, more ...string) []byte {
		segments := append([]string{
			"B3**" + number + "*NL26030015*PP**20260312*" + total + "****CXEE", "N9*CN*E15", "LX*1", "L1*1*310.00*FR*31000****LHS", "LX*2", "L1*2*55*PW*-17050****DSC",
			"LX*3", "L1*3*29.5*PW*4115****FUE",
		}, more...)
		return ee.under(control, "IM", "210", append(segments, "L3*800*G***18065")...)
	}
	w.take("2026-03-12T12:30:00Z", bill(15, "CXEE-9015", "19065"))
	w.take("2026-03-12T18:00:00Z", bill(20, "CXEE-8001", "18065"))
	w.take("2026-03-12T18:05:00Z", bill(20, "CXEE-8001", "18065"))
	w.take("2026-03-12T18:30:00Z", bill(22, "CXEE-8001", "18065"))
	w.take("2026-03-12T18:31:00Z", bill(23, "CXEE-14", "18065"))
	w.take("2026-03-12T18:32:00Z", bill(24, "CXEE-15", "18565", "LX*4", "L1*4*5*FR*500****XYZ"))
	w.take("2026-03-12T18:33:00Z", bill(25, "CXEE-16", "180.65"))
	equal(t, "dispositions", w.arrivals(), []string{
		"ACCEPTED | 210 REJECTED FREIGHT_BILL_REJECTED freightBills/fbl_cxee-9015", "ACCEPTED | 210 APPLIED freightBills/fbl_cxee-8001",
		"REPLAYED | 210 DUPLICATE freightBills/fbl_cxee-8001", "ACCEPTED | 210 DUPLICATE freightBills/fbl_cxee-8001", "ACCEPTED | 210 APPLIED freightBills/fbl_cxee-14",
		"ACCEPTED | 210 PARKED CHARGE_CODE_UNKNOWN", "ACCEPTED | 210 REJECTED MESSAGE_REJECTED",
	})
	equal(t, "counts", w.countOf("CXEE", "2026-03-12", "210")[:3], "7=2")
	w.mapped("x12/150", "", "XYZ", "LFT")
	w.settle()
	equal(t, "mapped", w.arrivals()[5], "ACCEPTED | 210 APPLIED freightBills/fbl_cxee-15")
	if got := w.carriers.asked(); len(got) != 5 || got[4].(*billingv1.SubmitFreightBillRequest).GetFreightBill().GetCharges()[3].GetCode() != "LFT" {
		t.Errorf("%d calls, the last %v", len(got), got[len(got)-1])
	}
	if acks := filesWith(w.sent("CAR-CXEE"), "997"); !strings.Contains(acks[0], "AK9*A*1*1*1") {
		t.Errorf("997 of a bill that is wrong as business: got %q", acks[0])
	}
	// billing tells of the rejection itself: no second work item is opened here.
	if told := w.told("MessageRejected"); slices.Contains(told, "MessageRejected "+w.sources("210")[0]) {
		t.Errorf("told: %v", told)
	}
	w.verify()
}

func TestAnswersAndReports(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		w := newCarrierWorld(t)
		w.restarts = restarts
		w.at("2026-03-02T11:12:00Z")
		w.offer("NL26030001", "CXBB")
		w.firstScenario(box("CXBB"))

		from := w.sources("214")
		equal(t, "calls", w.carriers.asked(), []proto.Message{
			&freightv1.AcceptTenderRequest{Name: "tenders/tnd_nl26030001", CarrierReference: "CXB0001001"},
			claim(freightv1.Milestone_ARRIVED_PICKUP, 1, "2026-03-03T09:10:00", "COLUMBUS", "X3", from[0]),
			claim(freightv1.Milestone_DEPARTED_PICKUP, 1, "2026-03-03T10:05:00", "COLUMBUS", "AF", from[1]),
			claim(freightv1.Milestone_ARRIVED_DELIVERY, 2, "2026-03-04T08:40:00", "SOLON", "X1", from[2]),
			claim(freightv1.Milestone_DELIVERED, 2, "2026-03-04T09:20:00", "SOLON", "D1", from[3]),
		})
		equal(t, "dispositions", w.arrivals(), []string{
			"ACCEPTED | 990 APPLIED tenders/tnd_nl26030001", "ACCEPTED | 214 APPLIED loads/load_nl26030001", "ACCEPTED | 214 APPLIED loads/load_nl26030001",
			"ACCEPTED | 214 APPLIED loads/load_nl26030001", "ACCEPTED | 214 APPLIED loads/load_nl26030001",
		})
		set := w.list()[len(w.list())-2].GetTransactionSets()[0]
		equal(t, "related", set.GetRelated(), []string{
			"load:NL26030001", "pro:CXB0001001", "loads/load_nl26030001", "orders/ord_1", "po:08292233294", "tenders/tnd_nl26030001", "parties/CAR-CXBB",
		})
		acks := filesWith(w.sent("CAR-CXBB"), "997")
		if len(acks) != 5 || !strings.Contains(acks[1], "AK1*QM*2~AK2*214*0001~AK5*A~AK9*A*1*1*1~") {
			t.Errorf("997s: got %q", acks)
		}
		w.verify()
	}
}

// The letters of the carriers: what means declined to one is something else to the next.
func TestDeclines(t *testing.T) {
	w := newCarrierWorld(t)
	w.offer("NL26030002", "CXAA")
	w.offer("NL26030003", "CXCC")
	w.offer("NL26030004", "CXBB")
	aa, cc, bb := box("CXAA"), box("CXCC"), box("CXBB")
	cc.end = "|"
	w.take("2026-03-03T14:30:00Z", aa.envelope("GF", "990", "B1*CXAA*NL26030002**D", "K1*NO TRUCKS IN CMH"))
	w.take("2026-03-03T14:31:00Z", cc.envelope("GF", "990", "B1*CXCC*NL26030003*20260303*R"))
	w.take("2026-03-03T14:32:00Z", bb.envelope("GF", "990", "B1*CXBB*NL26030004*20260303*D", "K1*NO TRUCKS")) // CXBB says E
	equal(t, "calls", w.carriers.asked(), []proto.Message{
		&freightv1.DeclineTenderRequest{Name: "tenders/tnd_nl26030002", Reason: freightv1.DeclineReason_CAPACITY, Note: "NO TRUCKS IN CMH"},
		&freightv1.DeclineTenderRequest{Name: "tenders/tnd_nl26030003", Reason: freightv1.DeclineReason_OTHER},
	})
	last := w.arrivals()[2]
	if last != "ACCEPTED | 990 PARKED RESPONSE_CODE_UNKNOWN" {
		t.Errorf("letter of another carrier: got %s", last)
	}
	// A row for everybody is no meaning of a letter; one of the carrier's own is.
	w.mapped("x12/558", "", "D", "DECLINED")
	w.settle()
	equal(t, "mapped for everybody", w.arrivals()[2], last)
	w.mapped("x12/558", "parties/CAR-CXBB", "D", "DECLINED")
	w.settle()
	equal(t, "mapped for the carrier", w.arrivals()[2], "ACCEPTED | 990 APPLIED tenders/tnd_nl26030004")

	// The same answer again, another one, a load that was never offered, and one that freight refuses.
	w.take("2026-03-03T15:00:00Z", aa.envelope("GF", "990", "B1*CXAA*NL26030002**D", "K1*STILL NONE"))
	w.take("2026-03-03T15:01:00Z", aa.envelope("GF", "990", "B1*CXAA*NL26030002**A"))
	w.take("2026-03-03T15:02:00Z", aa.envelope("GF", "990", "B1*CXAA*NL26030003**A"))
	w.offer("NL26030005", "CXAA")
	w.carriers.refuse = (&rpcerr.Error{Code: codes.FailedPrecondition, Reason: "TENDER_EXPIRED", Message: "the tender has expired"}).GRPCStatus().Err()
	w.take("2026-03-03T19:00:00Z", aa.envelope("GF", "990", "B1*CXAA*NL26030005**A"))
	equal(t, "later", w.arrivals()[3:], []string{
		"ACCEPTED | 990 DUPLICATE tenders/tnd_nl26030002", "ACCEPTED | 990 PARKED RESPONSE_DIFFERS", "ACCEPTED | 990 PARKED LOAD_UNKNOWN",
		"ACCEPTED | 990 PARKED RESPONSE_REFUSED",
	})

	// A person puts it right.
	w.carriers.refuse = nil
	name := w.sources("990")[6]
	set, err := w.core.api.RetryTransactionSet(asUser(w.ctx), &ediv1.RetryTransactionSetRequest{Name: name, RequestId: "again"})
	w.must(err)
	if set.GetDisposition() != ediv1.Interchange_TransactionSet_IN_PROGRESS {
		t.Errorf("retried: got %v", set)
	}
	w.settle()
	equal(t, "retried", w.arrivals()[6], "ACCEPTED | 990 APPLIED tenders/tnd_nl26030005")
	_, err = w.core.api.RetryTransactionSet(asUser(w.ctx), &ediv1.RetryTransactionSetRequest{Name: name, RequestId: "once more"})
	if e := rpcerr.From(err); e.Reason != "NOT_PARKED" || e.Metadata["disposition"] != "APPLIED" {
		t.Errorf("retry of an applied set: got %v", err)
	}
	_, err = w.core.api.RetryTransactionSet(asUser(w.ctx), &ediv1.RetryTransactionSetRequest{Name: "interchanges/none/sets/1", RequestId: "nothing"})
	if e := rpcerr.From(err); e.Code != codes.NotFound {
		t.Errorf("retry of nothing: got %v", err)
	}
	w.verify()
}

// An event that comes three times: the same bytes, and in another envelope.
func TestDuplicateEvent(t *testing.T) {
	w := newCarrierWorld(t)
	w.offer("NL26030008", "CXEE")
	ee := box("CXEE")
	ee.end = "\n"
	at := func(control int) []byte {
		return ee.under(control, "QM", "214", "B10*CXE8*NL26030008*CXEE", "L11*1*QN", "LX*1", "AT7*AF*NS***20260305*100000", "MS1*COLUMBUS*OH*US")
	}
	w.take("2026-03-05T15:05:00Z", at(812))
	w.take("2026-03-05T15:06:00Z", at(812))
	w.take("2026-03-05T15:30:00Z", at(815))
	// The corrected time of the same event is another event.
	w.take("2026-03-05T15:31:00Z", ee.under(816, "QM", "214", "B10*CXE8*NL26030008*CXEE", "L11*1*QN", "LX*1", "AT7*AF*NS***20260305*100500", "MS1*COLUMBUS*OH*US"))
	equal(t, "dispositions", w.arrivals(), []string{
		"ACCEPTED | 214 APPLIED loads/load_nl26030008", "REPLAYED | 214 DUPLICATE loads/load_nl26030008", "ACCEPTED | 214 DUPLICATE loads/load_nl26030008",
		"ACCEPTED | 214 APPLIED loads/load_nl26030008",
	})
	if len(w.carriers.calls) != 2 {
		t.Errorf("%d calls, want 2", len(w.carriers.calls))
	}
	equal(t, "counts", w.countOf("CXEE", "2026-03-05", "214"), "4=2+2+0+0+0")
	w.verify()
}

// countOf is a row of the counts as received=applied+duplicate+parked+rejected+in progress.
func (w *world) countOf(scac, day, set string) string {
	w.t.Helper()
	for _, row := range w.counts() {
		if f := strings.Fields(row); f[0] == "parties/CAR-"+scac && f[1] == day && f[2] == set {
			return f[3]
		}
	}
	return ""
}

// A code without a meaning waits, is mapped and replayed; what came after it is not held up.
func TestUnknownStatus(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		w := newCarrierWorld(t)
		w.restarts = restarts
		w.offer("NL26030010", "CXCC")
		cc := box("CXCC")
		cc.end = "|"
		w.take("2026-03-06T13:30:00Z", cc.status("NL26030010", "C10", "", "AT7*X3*NS***20260306*0830*LT", "COLUMBUS", "OH"))
		w.take("2026-03-06T14:05:00Z", cc.status("NL26030010", "C10", "", "AT7*LY*NS***20260306*0900*LT", "COLUMBUS", "OH"))
		equal(t, "while parked", w.countOf("CXCC", "2026-03-06", "214"), "2=1+0+1+0+0")
		w.take("2026-03-06T14:50:00Z", cc.status("NL26030010", "C10", "", "AT7*AF*NS***20260306*0945*LT", "COLUMBUS", "OH"))
		equal(t, "dispositions", w.arrivals(), []string{
			"ACCEPTED | 214 APPLIED loads/load_nl26030010", "ACCEPTED | 214 PARKED STATUS_CODE_UNKNOWN", "ACCEPTED | 214 APPLIED loads/load_nl26030010",
		})
		parked := w.sources("214")[1]
		if acks := filesWith(w.sent("CAR-CXCC"), "997"); len(acks) != 3 || !strings.Contains(acks[1], "AK9*A*1*1*1|") {
			t.Errorf("997s: got %q, want each accepted: its syntax is right", acks)
		}

		w.at("2026-03-06T18:00:00Z")
		w.mapped("x12/1650", "parties/CAR-CXAA", "LY", "LOADED") // another carrier's
		w.settle()
		equal(t, "mapped for another", w.countOf("CXCC", "2026-03-06", "214"), "3=2+0+1+0+0")
		w.mapped("x12/1650", "parties/CAR-CXCC", "LY", "LOADED")
		w.settle()
		equal(t, "mapped", w.countOf("CXCC", "2026-03-06", "214"), "3=3+0+0+0+0")
		last := w.carriers.asked()[2].(*freightv1.ReportMilestoneRequest)
		equal(t, "replayed", last.GetClaim(), &freightv1.Claim{
			Milestone: freightv1.Milestone_LOADED, Stop: 1, LocalTime: "2026-03-06T09:00:00", City: "COLUMBUS", State: "OH", CarrierCode: "LY", ReasonCode: "NS",
			SourceReference: parked,
		})
		var told []string
		for _, f := range w.facts() {
			if f.Subject == parked {
				told = append(told, f.Type)
			}
		}
		equal(t, "told of it", told, []string{"MessageParked", "MessageApplied"})
		w.verify()
	}
}

// Times: an offset makes an instant, a zone without a place is the partner's own, an estimate is no event.
func TestTimes(t *testing.T) {
	w := newCarrierWorld(t)
	w.offer("NL26030018", "CXDD")
	dd := &mailbox{"CXDD", "NORTHLINEEU", "00501", "^", "005010", "~", 0}
	report := func(instant, at7, city string) *freightv1.Claim {
		t.Helper()
		w.take(instant, dd.status("NL26030018", "D18", "", at7, city, ""))
		all := w.carriers.asked()
		c := all[len(all)-1].(*freightv1.ReportMilestoneRequest).GetClaim()
		c.SourceReference = ""
		return c
	}
	instant := func(s string) *timestamppb.Timestamp { return eventTime(s, "").GetTime() }
	equal(t, "UT", report("2026-03-04T09:10:00Z", "AT7*X6*NS***20260304*0900*UT", "VENLO"), &freightv1.Claim{
		Milestone: freightv1.Milestone_DEPARTED_PICKUP, Stop: 1, OccurTime: instant("2026-03-04T09:00:00Z"), City: "VENLO", CarrierCode: "X6", ReasonCode: "NS",
	})
	w.mapped("x12/1650", "parties/CAR-CXDD", "P1", "DEPARTED_TERMINAL")
	w.settle()
	equal(t, "on the way, no place, no zone", report("2026-03-04T12:10:00Z", "AT7*P1*NS***20260304*1300", ""), &freightv1.Claim{
		Milestone: freightv1.Milestone_DEPARTED_TERMINAL, OccurTime: instant("2026-03-04T12:00:00Z"), CarrierCode: "P1", ReasonCode: "NS",
	})
	equal(t, "Eastern time", report("2026-03-04T14:01:00Z", "AT7*X1*NS***20260304*0900*ET", "X"), &freightv1.Claim{
		Milestone: freightv1.Milestone_ARRIVED_DELIVERY, Stop: 2, OccurTime: instant("2026-03-04T14:00:00Z"), City: "X", CarrierCode: "X1", ReasonCode: "NS",
	})
	equal(t, "an estimate", report("2026-03-04T15:00:00Z", "AT7*AG*NS***20260305*1000", ""), &freightv1.Claim{
		Milestone: freightv1.Milestone_ETA_CHANGED, OccurTime: instant("2026-03-04T15:00:00Z"), Estimate: instant("2026-03-05T09:00:00Z"), CarrierCode: "AG", ReasonCode: "NS",
	})
	w.verify()
}

// A set with several events is applied whole; of one that freight refuses, what did not come through may come again.
func TestSeveralEvents(t *testing.T) {
	w := newCarrierWorld(t)
	w.offer("NL26030001", "CXBB")
	bb := box("CXBB")
	both := []string{"B10*P1*NL26030001*CXBB", "LX*1", "AT7*X3*NS***20260303*0910", "AT7*AF*NS***20260303*1005"}
	w.carriers.refuse = (&rpcerr.Error{Code: codes.FailedPrecondition, Reason: "LOAD_NOT_BOOKED"}).GRPCStatus().Err()
	w.take("2026-03-03T15:15:00Z", bb.envelope("QM", "214", both...))
	w.carriers.refuse = status.Error(codes.Unavailable, "down")
	w.take("2026-03-03T15:16:00Z", bb.envelope("QM", "214", both...))
	equal(t, "refused, and away", w.arrivals(), []string{"ACCEPTED | 214 PARKED STATUS_REFUSED", "ACCEPTED | 214 IN_PROGRESS"})
	w.carriers.refuse = nil
	w.reopen() // back-off is kept in memory: a restart asks at once
	w.settle()
	_, err := w.core.api.RetryTransactionSet(asUser(w.ctx), &ediv1.RetryTransactionSetRequest{Name: w.sources("214")[0], RequestId: "r"})
	w.must(err)
	w.settle()
	equal(t, "in the end", w.arrivals(), []string{"ACCEPTED | 214 DUPLICATE loads/load_nl26030001", "ACCEPTED | 214 APPLIED loads/load_nl26030001"})
	ids := map[string]bool{}
	for id := range w.carriers.answered {
		ids[id[strings.Index(id, "/"):]] = true
	}
	if len(w.carriers.answered) != 2 || !ids["/1/1"] || !ids["/1/2"] {
		t.Errorf("request ids %v, want one for each event of the second set", ids)
	}
	w.verify()
}

// An order with a unit that has no meaning waits for it as well.
func TestUnknownUnit(t *testing.T) {
	w := newWorld(t)
	w.receive("11:05", "850.edi", w.change("*120*EA*", "*120*QQ*"))
	equal(t, "unmapped", w.arrivals(), []string{"ACCEPTED | 850 PARKED MAPPING_FAILED"})
	equal(t, "waits for", w.list()[0].GetTransactionSets()[0].GetUnmappedCodes(), []*ediv1.Interchange_UnmappedCode{{List: "x12/355", Code: "QQ"}})
	w.codeMap("QQ", "", "H87", nil)
	w.settle()
	equal(t, "mapped", w.arrivals(), []string{"ACCEPTED | 850 APPLIED orders/ord_1"})
	w.verify()
}
