package outcome_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	kernel "crossdock.dev/kernel/money"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/tests/outcome"
	"crossdock.dev/tests/sim"
)

// explained are figures of the day's pages, by purchase order and key.
var explained = map[string]map[string]string{
	"08292233294": {
		"goods": "13045.94 USD", "goods.1": "1110.00 USD", "freight": "425.24 USD", "freight.LHS": "332.22 USD", "freight.FUE": "93.02 USD",
		"invoice": "13558.47 USD", "invoice.goods": "13045.94 USD", "invoice.freight": "512.53 USD", "invoice.freight.LHS": "457.62 USD",
		"invoice.freight.FUE": "54.91 USD", "invoice.tax": "0.00 USD", "bill": "425.24 USD", "bill.LHS": "830.54 USD", "bill.DSC": "-498.32 USD",
	},
	"PC-1005": {"freight": "200.00 USD", "freight.TON": "200.00 USD", "bill": "200.00 USD"},
	"HH-1008": {"freight": "180.65 USD", "freight.LHS": "139.50 USD", "invoice": "3959.20 USD", "invoice.freight": "179.20 USD"},
	"HH-1010": {"freight": "540.00 USD", "invoice": "19616.80 USD", "bill": "540.00 USD"},
	"HH-1013": {
		"freight": "967.47 USD", "freight.LHS": "767.55 USD", "invoice": "29671.60 USD", "invoice.freight": "1321.60 USD", "bill": "970.92 USD",
		"bill.LHS": "771.00 USD", "variance": "3.45 USD",
	},
	"PC-1017":   {"freight": "420.59 USD", "freight.LHS": "308.74 USD", "freight.SOC": "30.00 USD", "invoice": "9600.00 USD"},
	"HH-1017":   {"freight": "720.89 USD", "freight.FUE": "122.78 USD", "freight.DET": "90.00 USD", "invoice": "43846.60 USD", "bill": "1141.48 USD"},
	"A99999-01": {"goods": "2554.38 USD", "invoice": "2554.38 USD"},
}

// roots are what trees of figures must end in: words of a row, the bytes of a segment, or a call.
var roots = []struct{ order, key, want string }{
	{"08292233294", "goods.1", "PO1*1*120*EA*9.25*TE*CB*065322-117*PR*RO*VN*AB3542"},
	{"08292233294", "freight.LHS", "table rateTables/CX-BASE-2026-1 v1, class 70, break M2M, lane group lanes"},
	{"08292233294", "freight.LHS", "tariff contracts/CAR-CXBB-1 v1 of parties/CAR-CXBB"},
	{"08292233294", "freight.LHS", "published contracts/CAR-CXBB-1"},
	{"08292233294", "freight.FUE", "index fuelIndexes/FUEL-US: 3.948 USD per gallon"},
	{"08292233294", "freight", "B1*CXBB*NL26030001*20260302*A"},
	{"08292233294", "invoice", "AT7*D1*NS***20260304*0920"},
	{"08292233294", "invoice.goods.6", "Accepted quantity: 696 EA"},
	{"08292233294", "invoice.goods.6", "partner/CAR-CXBB called CreateProofOfDelivery"},
	{"08292233294", "invoice.freight.LHS", "tariff contracts/CUS-XYZ-1 v1 of parties/CUS-XYZ"},
	{"08292233294", "invoice.tax", "taxRules/US_RESALE_EXEMPT"},
	{"08292233294", "bill.LHS", "L1*1*830.54*FR*83054****LHS"},
	{"08292233294", "bill.FUE", "L1*3*28*PW*9302****FUE"},
	{"PC-1005", "freight.TON", "tariff contracts/CAR-CXAA-1 v1 of parties/CAR-CXAA"},
	{"PC-1005", "freight", "partner/CUS-PIN called CancelOrder"},
	{"HH-1008", "freight.LHS", "as 1000 LBR: 310.00"},
	{"HH-1010", "goods", "partner/CUS-HHS called CreateOrder"},
	{"HH-1013", "bill.LHS", "L1*1*2.15966*PM*77100****LHS"},
	{"HH-1013", "variance", "L1*1*2.15966*PM*77100****LHS"},
	{"HH-1013", "variance", "distance × rate: 357 × 2.15 = 767.55"},
	{"PC-1017", "freight.SOC", "SOC: 75.00 USD"},
	{"HH-1017", "freight.DET", "AT7*X5*NS***20260312*0905"},
	{"HH-1017", "freight.DET", "AT7*CD*NS***20260312*1210"},
	{"HH-1017", "freight.FUE", "distance × rate: 359 × 0.57 = 204.63"},
	{"A99999-01", "invoice", "partner/CAR-CXBB called CreateProofOfDelivery"},
}

// explain: every number of the day leads to its case, and figures to where they came from.
func explain(t *testing.T, s *sim.Suite, reading outcome.Reading) {
	e := &explainer{T: t, tower: towerv1.NewTowerServiceClient(s.Conn("tower")), edi: ediv1.NewEdiServiceClient(s.Conn("edi"))}
	for order, figures := range explained {
		thread := e.one(order, "*")
		for key, want := range figures {
			if a := figure(thread, key); label(a.GetValue()) != want || a.GetReason() == nil {
				t.Errorf("%s %s: got %q, tree %v; want %s with a tree", order, key, label(a.GetValue()), a.GetReason() != nil, want)
			}
		}
		if got, want := label(thread.GetCase().GetFreightCost()), figures["freight"]; got != want {
			t.Errorf("%s: the case's freight is %q, want %q", order, got, want)
		}
		for _, r := range thread.GetCase().GetReferences() {
			if r.GetKind() != "control_number" {
				e.leads(r.GetValue(), order)
			}
		}
		for _, step := range thread.GetSteps() {
			if step.GetOccurTime() == nil || step.GetReceiveTime() == nil || step.GetApplyTime() == nil || step.GetActor() == "" || step.GetCause() == "" {
				t.Errorf("%s: %s %s lacks a time, an actor or a cause", order, step.GetType(), step.GetSubject())
			}
			if step.GetSummary() == "" {
				t.Errorf("%s: %s has no words", order, step.GetType())
			}
		}
	}
	for _, r := range roots {
		if ends := e.ends(figure(e.one(r.order, r.key), r.key).GetReason()); !slices.ContainsFunc(ends, func(end string) bool { return strings.Contains(end, r.want) }) {
			t.Errorf("%s %s does not lead to %q, but to:\n%s", r.order, r.key, r.want, strings.Join(ends, "\n"))
		}
	}
	// What the services list leads to the orders that they say.
	for _, l := range reading.Loads {
		for _, shipment := range reading.Shipments {
			if shipment.GetLoad() == l.GetName() {
				for _, ref := range []string{l.GetName(), l.GetNumber(), l.GetCarrierReference(), l.GetTender(), shipment.GetName(), shipment.GetProofOfDelivery()} {
					e.leads(ref, shipment.GetCustomerOrderNumber())
				}
			}
		}
	}
	for _, i := range reading.Invoices {
		e.leads(i.GetNumber(), i.GetCustomerOrderNumber())
		e.leads(i.GetName(), i.GetCustomerOrderNumber())
	}
	for _, b := range reading.FreightBills {
		for _, shipment := range reading.Shipments {
			if shipment.GetLoad() == b.GetLoad() && b.GetLoad() != "" {
				e.leads(b.GetInvoiceNumber(), shipment.GetCustomerOrderNumber())
				e.leads(b.GetName(), shipment.GetCustomerOrderNumber())
			}
		}
	}
	for _, item := range reading.WorkItems {
		_, err := e.tower.Explain(t.Context(), &towerv1.ExplainRequest{Reference: item.GetName()})
		must(t, err)
	}
	e.leads("hh-1013", "HH-1013")
	e.leads("nl26030001", "08292233294")
	e.leads("A99999", "A99999-01")
	if len(e.one("PC-1017", "").GetAmounts()) == 0 || figure(e.one("PC-1017", ""), "freight").GetReason() != nil {
		t.Error("without being asked for, a figure has a tree or is not listed")
	}

	_, err := e.tower.Explain(t.Context(), &towerv1.ExplainRequest{Reference: "HH-1O13"})
	if near := rpcerr.From(err).Metadata["near"]; status.Code(err) != codes.NotFound || !strings.Contains(near, "HH-1013") {
		t.Errorf("HH-1O13: %v, near %q; want NOT_FOUND, near HH-1013", err, near)
	}
	e.waits(t)
	e.messages(t)
}

// waits: the load that no carrier took waits for a person; the broken order, which became none, is explained all the same.
func (e *explainer) waits(t *testing.T) {
	open := e.one("HH-1004", "").GetWaits()
	if !slices.ContainsFunc(open, func(w *towerv1.Wait) bool {
		return w.GetKind() == towerv1.Wait_WORK_ITEM && w.GetOwner() == "operations" && strings.HasPrefix(w.GetText(), "TENDERS_EXHAUSTED")
	}) {
		t.Errorf("HH-1004 waits for %v; want operations, TENDERS_EXHAUSTED", open)
	}
	broken := e.one("740150", "")
	if broken.GetCase() != nil || !slices.ContainsFunc(broken.GetWaits(), func(w *towerv1.Wait) bool {
		return w.GetKind() == towerv1.Wait_PARKED_MESSAGE && strings.Contains(w.GetText(), "REPLACE_WITHOUT_ORIGINAL")
	}) {
		t.Errorf("740150: case %v, waits %v; want no case and a parked message", broken.GetCase(), broken.GetWaits())
	}
	for _, order := range []string{"HH-1008", "HH-1013", "HH-1017"} {
		if waits := e.one(order, "").GetWaits(); len(waits) > 0 {
			t.Errorf("%s is done, but waits for %v", order, waits)
		}
	}
}

// messages: of three 214s with one event two are duplicates, as are two of three bills; the unknown code is applied in the end; and
// everything is acknowledged.
func (e *explainer) messages(t *testing.T) {
	count := map[string]int{}
	for _, order := range []string{"HH-1008", "HH-1010"} {
		for _, m := range e.one(order, "").GetMessages() {
			count[fmt.Sprintf("%s %s %s", order, strings.Join(m.GetSets(), " "), strings.Join(m.GetOutcomes(), " "))]++
			if m.GetAcknowledgementCode() != "A" || m.GetAcknowledgeTime() == nil {
				t.Errorf("%s: %v is not acknowledged with A", order, m)
			}
		}
	}
	for what, want := range map[string]int{
		"HH-1008 204 SENT": 1, "HH-1008 990 APPLIED": 1, "HH-1008 214 APPLIED": 4, "HH-1008 210 APPLIED": 1, "HH-1010 214 APPLIED": 5, "HH-1010 210 APPLIED": 1,
		"HH-1008 214 DUPLICATE": 2, "HH-1008 210 DUPLICATE": 2,
	} {
		if count[what] != want {
			t.Errorf("%s: got %d, want %d of %v", what, count[what], want, count)
		}
	}
}

// explainer asks tower, as a person does.
type explainer struct {
	*testing.T
	tower towerv1.TowerServiceClient
	edi   ediv1.EdiServiceClient
}

// one explains a reference that leads to one thread.
func (e *explainer) one(reference, amount string) *towerv1.Thread {
	e.Helper()
	resp, err := e.tower.Explain(e.Context(), &towerv1.ExplainRequest{Reference: reference, Amount: amount})
	must(e.T, err)
	if len(resp.GetThreads()) != 1 || len(resp.GetUnasked()) > 0 {
		e.Fatalf("%s leads to %d threads, unasked %q; want one", reference, len(resp.GetThreads()), resp.GetUnasked())
	}
	return resp.GetThreads()[0]
}

// leads checks that a reference leads to an order; an empty one is none.
func (e *explainer) leads(reference, order string) {
	e.Helper()
	if reference == "" {
		return
	}
	resp, err := e.tower.Explain(e.Context(), &towerv1.ExplainRequest{Reference: reference})
	if err != nil || !slices.ContainsFunc(resp.GetThreads(), func(t *towerv1.Thread) bool { return t.GetCase().GetCustomerOrderNumber() == order }) {
		e.Errorf("%s does not lead to %s: %d threads, %v", reference, order, len(resp.GetThreads()), err)
	}
}

// ends are all nodes of a tree in words, with what their sources say; of a place in a document, its bytes.
func (e *explainer) ends(r *towerv1.Reason) []string {
	out := []string{r.GetLabel() + ": " + r.GetValue()}
	for _, s := range r.GetSources() {
		out = append(out, s.GetText(), s.GetResource())
		if c := s.GetCall(); c != nil {
			out = append(out, c.GetPrincipal()+" called "+c.GetMethod()[strings.LastIndexByte(c.GetMethod(), '/')+1:])
		}
		if s.GetFact().GetLog() == "masterdata" {
			out = append(out, "published "+s.GetResource())
		}
		if o := s.GetOrigin(); o != nil {
			doc, err := e.edi.GetDocument(e.Context(), &ediv1.GetDocumentRequest{Name: o.GetDocument()})
			must(e.T, err)
			out = append(out, string(doc.GetContent()[o.GetOffset():o.GetOffset()+o.GetLength()]))
		}
	}
	for _, c := range r.GetChildren() {
		out = append(out, e.ends(c)...)
	}
	return out
}

func figure(t *towerv1.Thread, key string) *towerv1.Amount {
	for _, a := range t.GetAmounts() {
		if a.GetKey() == key {
			return a
		}
	}
	return nil
}

func label(m *money.Money) string {
	if m == nil {
		return ""
	}
	a, err := kernel.FromUnitsNanos(m.GetUnits(), m.GetNanos(), m.GetCurrencyCode())
	if err != nil {
		return err.Error()
	}
	return a.Label()
}
