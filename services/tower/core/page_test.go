package core_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
)

func (w *world) overview() towerv1.OverviewServiceClient {
	return towerv1.NewOverviewServiceClient(w.server.AsUser())
}

// The page stands alone: it loads what this server serves and nothing else, and every path answers under the right status.
func TestPage(t *testing.T) {
	w := newWorld(t)
	w.story()
	for path, want := range map[string]int{
		"/": http.StatusOK, "/exceptions": http.StatusOK, "/cases": http.StatusOK, "/cases/ord_1": http.StatusOK, "/cases/ord_9": http.StatusNotFound,
		"/nowhere": http.StatusNotFound, "/find?q=NL26030001": http.StatusSeeOther, "/find?q=%3Cscript%3E": http.StatusNotFound, "/find": http.StatusNotFound,
		"/assets/app.js": http.StatusOK, "/assets/nothing.js": http.StatusNotFound, "/assets/..%2findex.html": http.StatusNotFound,
		"/v1/cases/ord_9": http.StatusNotFound, "/v1/cases?after=made-up": http.StatusBadRequest, "/v1/exceptions?after=made-up": http.StatusBadRequest,
		"/v1/find?q=nothing": http.StatusNotFound,
	} {
		code, header, _ := w.get(path)
		if code != want {
			t.Errorf("%s: %d, want %d", path, code, want)
		}
		if policy := header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self';") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
	}
	if _, header, _ := w.get("/find?q=NL26030001"); header.Get("Location") != "/cases/ord_1" {
		t.Errorf("a load's number leads to %q, want its case", header.Get("Location"))
	}
	_, _, shell := w.get("/")
	loads := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(shell, -1)
	size := len(shell)
	for _, m := range loads {
		code, _, body := w.get(m[1])
		size += len(body)
		if code != http.StatusOK || !strings.HasPrefix(m[1], "/assets/") {
			t.Errorf("the page loads %s: %d", m[1], code)
		}
	}
	if len(loads) < 3 || strings.Contains(shell, "<style") || regexp.MustCompile(`<script[^>]*>[^<]`).MatchString(shell) {
		t.Errorf("the page loads %d files, want an icon, a script and a style; and nothing inline, which the policy forbids:\n%s", len(loads), shell)
	}
	if size > 150_000 {
		t.Errorf("the page weighs %d bytes without compression, want at most 150,000", size)
	}
}

// A file is sent once, and compressed where that is wanted.
func TestPageFiles(t *testing.T) {
	w := newWorld(t)
	ask := func(key, value string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/assets/app.js", nil)
		r.Header.Set(key, value)
		answer := httptest.NewRecorder()
		w.core.Pages().ServeHTTP(answer, r)
		return answer
	}
	plain := ask("Accept-Encoding", "identity")
	if again := ask("If-None-Match", plain.Header().Get("Etag")); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("a file that the browser has: %d with %d bytes, want 304 with none", again.Code, again.Body.Len())
	}
	z, err := gzip.NewReader(ask("Accept-Encoding", "br, gzip").Body)
	w.must(err)
	var text strings.Builder
	_, err = bufio.NewReader(z).WriteTo(&text)
	w.must(err)
	if text.String() != plain.Body.String() {
		t.Error("what is compressed differs from the file")
	}
}

// What a customer wrote cannot become markup, wherever the answer ends up.
func TestPageData(t *testing.T) {
	w := newWorld(t)
	w.story()
	evil := `<script>alert(1)</script>`
	w.tell("orders", morning, &ordersv1.OrderCreated{Order: &ordersv1.Order{Name: "orders/ord_2", CustomerOrderNumber: evil}}, "orders/ord_2", "po:"+evil)
	w.tell("orders", morning, &ordersv1.OrderHeld{Order: "orders/ord_2", Hold: &ordersv1.Hold{Reason: evil}}, "orders/ord_2")
	for path, wants := range map[string][]string{
		"/v1/overview":      {`"cases":2`},
		"/v1/exceptions":    {`"exceptions":[]`},
		"/v1/cases":         {"XYZ Retail", "Bay Lines", `"units":"425"`, "SETTLED", `\u003cscript\u003e`},
		"/v1/cases/ord_1":   {"NLS26-000001", "BillingAuthorized", "XYZ Retail", "Bay Lines"},
		"/v1/cases/ord_2":   {`\u003cscript\u003e`},
		"/v1/find?q=ord_1":  {"cases/ord_1"},
		"/v1/find?q=<none>": {`"status":404`},
	} {
		_, header, body := w.get(strings.NewReplacer("<", "%3C", ">", "%3E").Replace(path))
		if strings.Contains(body, "<script") || !strings.Contains(header.Get("Content-Type"), "json") || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %s that a browser could take for a page", path, header.Get("Content-Type"))
		}
		if !json.Valid([]byte(body)) {
			t.Errorf("%s: no JSON: %.200s", path, body)
		}
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s does not hold %q: %.300s", path, want, body)
			}
		}
	}
}

// The timeline sets what happened beside what was planned: departed 1 h 15 min after the pick-up window, booked 3 h 36 min before
// the answer was due, delivered 2 h 40 min before the promise.
func TestTimeline(t *testing.T) {
	w := newWorld(t)
	w.story()
	p, err := w.overview().GetCaseProgress(t.Context(), &towerv1.GetCaseProgressRequest{Case: "cases/ord_1"})
	w.must(err)
	type row struct {
		plan, happened time.Time
		difference     time.Duration
		late, untold   bool
	}
	got := map[string]row{}
	for _, m := range p.GetMilestones() {
		r := row{difference: m.GetDifference().AsDuration(), late: m.GetLate(), untold: m.GetUntold()}
		if m.GetPlanTime() != nil {
			r.plan = m.GetPlanTime().AsTime()
		}
		if len(m.GetTimes()) > 0 {
			r.happened = m.GetTimes()[0].AsTime()
		}
		got[m.GetLabel()] = r
	}
	for label, want := range map[string]row{
		"Ordered":                  {happened: morning},
		"Booked":                   {plan: respondBy, happened: accepted, difference: -(3*time.Hour + 36*time.Minute)},
		"Left the ship-from":       {plan: pickup, happened: departed, difference: 75 * time.Minute, late: true},
		"Carrier at the ship-from": {plan: pickup, untold: true},
		"Carrier's bill approved":  {},
		"Delivered":                {plan: promised, happened: delivered, difference: -(2*time.Hour + 40*time.Minute)},
		"Invoiced":                 {happened: invoiced},
	} {
		if got[label] != want {
			t.Errorf("%s: %+v, want %+v", label, got[label], want)
		}
	}
	if _, ok := got["Load called off"]; ok {
		t.Error("the timeline has a row for what did not happen")
	}
	if p.GetCustomer() != "XYZ Retail <East> & Co" || p.GetCarrier() != "Bay Lines" {
		t.Errorf("customer %q and carrier %q, want their names for people", p.GetCustomer(), p.GetCarrier())
	}
	// What did not happen yet is late once its plan has passed, by as long as it has.
	w.tell("orders", morning, &ordersv1.OrderCreated{Order: &ordersv1.Order{Name: "orders/ord_2"}}, "orders/ord_2")
	w.tell("orders", morning, &ordersv1.OrderConfirmed{Order: "orders/ord_2", Promise: &ordersv1.Promise{DeliverBy: at(promised)}}, "orders/ord_2")
	w.clock.Set(promised.Add(time.Hour))
	p, err = w.overview().GetCaseProgress(t.Context(), &towerv1.GetCaseProgressRequest{Case: "cases/ord_2"})
	w.must(err)
	i := slices.IndexFunc(p.GetMilestones(), func(m *towerv1.CaseProgress_Milestone) bool { return m.GetType() == "ShipmentDelivered" })
	if m := p.GetMilestones()[i]; !m.GetLate() || m.GetDifference().AsDuration() != time.Hour || len(m.GetTimes()) != 0 {
		t.Errorf("an hour after the promise, not delivered: %v, want an hour late", m)
	}
	if _, err := w.overview().GetCaseProgress(t.Context(), &towerv1.GetCaseProgressRequest{Case: "cases/ord_9"}); status.Code(err) != codes.NotFound {
		t.Errorf("a case that is not there: %v, want NOT_FOUND", err)
	}
}

func sums(all []*money.Money) string {
	var out []string
	for _, m := range all {
		out = append(out, fmt.Sprintf("%d %s", cents(m), m.GetCurrencyCode()))
	}
	return strings.Join(out, ", ")
}

// Three orders: one from order to cash; one of two on the same load that is delivered and not invoiced; the other on it is cancelled.
// What belongs to the load counts once, and currencies are not added up.
func TestOverview(t *testing.T) {
	w := newWorld(t)
	w.story()
	for n, currency := range map[string]string{"orders/ord_2": "EUR", "orders/ord_3": "USD"} {
		w.tell("orders", morning, &ordersv1.OrderCreated{Order: &ordersv1.Order{Name: n, CurrencyCode: currency}}, n)
		w.tell("orders", morning, &ordersv1.OrderConfirmed{Order: n, Promise: &ordersv1.Promise{DeliverBy: at(promised)}}, n)
	}
	tender := func(name string) *freightv1.Tender { return &freightv1.Tender{Name: name, Scac: "CXBB"} }
	both := []string{"orders/ord_2", "orders/ord_3", "loads/load_2"}
	w.tell("freight", accepted, &freightv1.TenderDeclined{Tender: tender("tenders/tnd_2")}, "tenders/tnd_2", both...)
	w.tell("freight", accepted, &freightv1.TenderExpired{Tender: tender("tenders/tnd_3")}, "tenders/tnd_3", both...)
	w.tell("freight", accepted, &freightv1.TenderAccepted{Tender: tender("tenders/tnd_4")}, "tenders/tnd_4", both...)
	late := promised.Add(time.Minute)
	w.tell("freight", late, &freightv1.ShipmentDelivered{Shipment: &freightv1.Shipment{Name: "shipments/shp_2"}, Occurred: at(late)}, "shipments/shp_2", "orders/ord_2")
	w.tell("orders", late, &ordersv1.OrderCancelled{Order: "orders/ord_3"}, "orders/ord_3")
	bill := func(name string, state billingv1.FreightBill_State, total int64) *billingv1.FreightBill {
		return &billingv1.FreightBill{Name: name, State: state, Total: usd(total)}
	}
	first, second := bill("freightBills/fbl_1", billingv1.FreightBill_RECEIVED, 42524), bill("freightBills/fbl_2", billingv1.FreightBill_EXCEPTION, 19065)
	w.tell("billing", late, &billingv1.FreightBillReceived{FreightBill: first}, first.Name, both...)
	first.State = billingv1.FreightBill_APPROVED
	w.tell("billing", late, &billingv1.FreightBillApproved{FreightBill: first}, first.Name, both...)
	w.tell("billing", late, &billingv1.FreightBillExcepted{FreightBill: second}, second.Name, both...)
	o, err := w.overview().GetOverview(t.Context(), &towerv1.GetOverviewRequest{})
	w.must(err)
	var steps []string
	for _, s := range o.GetSteps() {
		steps = append(steps, fmt.Sprintf("%s %d/%d", s.GetStage(), s.GetReached(), s.GetHere()))
	}
	// From 11:05 on 2 March to 14:00 on 5 March: the one invoice.
	for _, f := range []struct {
		what      string
		got, want any
	}{
		{"cases", o.GetCases(), int32(3)}, {"cancelled", o.GetCancelled(), int32(1)},
		{"steps", fmt.Sprint(steps), "[ORDERED 2/0 RELEASED 2/0 TENDERED 2/0 BOOKED 2/0 DEPARTED 2/0 DELIVERED 2/1 PROVEN 1/0 INVOICED 1/0 SETTLED 1/1]"},
		{"on time", fmt.Sprint(o.GetOnTime().GetGood(), " of ", o.GetOnTime().GetAll()), "1 of 2"},
		{"accepted", fmt.Sprint(o.GetAcceptedTenders().GetGood(), " of ", o.GetAcceptedTenders().GetAll()), "1 of 3"},
		{"order to invoice", o.GetOrderToInvoice().AsDuration(), 74*time.Hour + 55*time.Minute},
		{"uninvoiced", fmt.Sprint(o.GetUninvoiced(), ": ", sums(o.GetUninvoicedTotals())), "1: 0 EUR"},
		{"invoiced", sums(o.GetInvoicedTotals()), "4301 USD"}, {"approved", sums(o.GetApprovedFreightTotals()), "42524 USD"},
		{"open bills", sums(o.GetOpenFreightTotals()), "19065 USD"}, {"ordered", sums(o.GetSteps()[0].GetOrderTotals()), "0 EUR, 4301 USD"},
	} {
		if f.got != f.want {
			t.Errorf("%s: got %v, want %v", f.what, f.got, f.want)
		}
	}
}

// How late a carrier tells us, over all its milestones: the two orders of a shared load have one milestone, not two.
func TestLags(t *testing.T) {
	w := newWorld(t)
	for _, n := range []string{"orders/ord_1", "orders/ord_2"} {
		w.tell("orders", morning, &ordersv1.OrderCreated{Order: &ordersv1.Order{Name: n, CurrencyCode: "USD"}}, n)
	}
	for i, m := range []struct {
		carrier string
		lag     time.Duration
		orders  []string
	}{
		{"parties/CAR-CXAA", 13*time.Hour + 30*time.Minute, []string{"orders/ord_1", "orders/ord_2"}},
		{"parties/CAR-CXAA", 10 * time.Minute, []string{"orders/ord_1"}},
		{"parties/CAR-CXAA", 20 * time.Minute, []string{"orders/ord_2"}},
		{"parties/CAR-CXDD", 2 * time.Minute, []string{"orders/ord_2"}},
		{"parties/CAR-CXDD", 6 * time.Minute, []string{"orders/ord_2"}},
	} {
		name := fmt.Sprintf("loads/load_1/claims/clm_%d", i)
		w.tell("freight", departed, &freightv1.MilestoneRecorded{Carrier: m.carrier, Orders: m.orders, Claim: &freightv1.Claim{
			Name: name, Occurred: at(departed.Add(-m.lag)), ReceiveTime: timestamppb.New(departed),
		}}, name, m.orders...)
	}
	o, err := w.overview().GetOverview(t.Context(), &towerv1.GetOverviewRequest{})
	w.must(err)
	var got []string
	for _, l := range o.GetLags() {
		got = append(got, fmt.Sprintf("%s %d %v %v", l.GetCarrier(), l.GetMilestones(), l.GetMedian().AsDuration(), l.GetLongest().AsDuration()))
	}
	if want := []string{"parties/CAR-CXAA 3 20m0s 13h30m0s", "parties/CAR-CXDD 2 4m0s 6m0s"}; !slices.Equal(got, want) {
		t.Errorf("lags %q, want %q", got, want)
	}
}

// An exception stands with its owner, its orders, its clock and what is at stake, until it is closed; one that leads to no order too.
func TestExceptions(t *testing.T) {
	w := newWorld(t)
	w.tell("orders", morning, &ordersv1.OrderCreated{Order: &ordersv1.Order{Name: orderName, CustomerOrderNumber: "PO-1", CurrencyCode: "USD", Lines: nil}}, orderName, "po:PO-1")
	w.tell("orders", morning, &ordersv1.OrderConfirmed{Order: orderName, Promise: &ordersv1.Promise{DeliverBy: at(promised)}}, orderName)
	item := func(name, reason, owner, subject string) *workflowv1.WorkItem {
		return &workflowv1.WorkItem{Name: name, Reason: reason, Owner: owner, Subject: subject, Detail: "in words"}
	}
	exhausted, rejected := item("workItems/wki_1", "TENDERS_EXHAUSTED", "operations", load), item("workItems/wki_2", "MESSAGE_REJECTED", "integration", "interchanges/edi_1")
	over := item("workItems/wki_3", "FREIGHT_BILL_OVER_TOLERANCE", "finance", "freightBills/fbl_1")
	w.tell("workflow", accepted, &workflowv1.WorkItemOpened{WorkItem: exhausted}, exhausted.Name, orderName, load)
	w.tell("workflow", departed, &workflowv1.WorkItemOpened{WorkItem: rejected}, rejected.Name, "interchanges/edi_1")
	w.tell("billing", departed, &billingv1.FreightBillExcepted{FreightBill: &billingv1.FreightBill{Name: over.Subject, Total: usd(41165)}}, over.Subject, orderName)
	w.tell("workflow", departed, &workflowv1.WorkItemOpened{WorkItem: over}, over.Name, over.Subject, orderName)
	list := func() (out []string) {
		t.Helper()
		req := &towerv1.ListExceptionsRequest{PageSize: 1}
		for {
			resp, err := w.overview().ListExceptions(t.Context(), req)
			w.must(err)
			for _, e := range resp.GetExceptions() {
				text := fmt.Sprintf("%s %s since %s, stake %s", e.GetReason(), e.GetOwner(), e.GetCreateTime().AsTime().Format(time.DateTime), sums(e.GetAtStake()))
				for _, c := range e.GetCases() {
					text += ", " + c.GetCase() + " " + c.GetCustomerOrderNumber()
				}
				if e.GetDueTime() != nil {
					text += ", " + e.GetDueFor() + " " + e.GetDueTime().AsTime().Format(time.DateTime)
				}
				out = append(out, text)
			}
			if req.PageToken = resp.GetNextPageToken(); req.PageToken == "" {
				return out
			}
		}
	}
	want := []string{
		"TENDERS_EXHAUSTED operations since 2026-03-02 12:30:00, stake 0 USD, cases/ord_1 PO-1, the promised delivery 2026-03-04 22:00:00",
		"MESSAGE_REJECTED integration since 2026-03-02 22:15:00, stake ",
		"FREIGHT_BILL_OVER_TOLERANCE finance since 2026-03-02 22:15:00, stake 41165 USD, cases/ord_1 PO-1, the promised delivery 2026-03-04 22:00:00",
	}
	if got := list(); !slices.Equal(got, want) {
		t.Errorf("exceptions:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// An item with a clock of its own stands by that one; told anew, it is another's.
	rejected.DueTime = timestamppb.New(departed.Add(4 * time.Hour))
	rejected.Owner = "operations"
	w.tell("workflow", departed, &workflowv1.WorkItemChanged{WorkItem: rejected}, rejected.Name, "interchanges/edi_1")
	want[1] = "MESSAGE_REJECTED operations since 2026-03-02 22:15:00, stake , it to be dealt with 2026-03-03 02:15:00"
	if got := list(); !slices.Equal(got, want) {
		t.Errorf("exceptions with a clock:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// What is invoiced is at stake no more; a bill is.
	w.tell("billing", departed, &billingv1.InvoiceIssued{Invoice: &billingv1.Invoice{Name: "invoices/inv_1", Shipment: shipment, Total: usd(4301)}}, "invoices/inv_1", orderName)
	want[0] = strings.Replace(want[0], "stake 0 USD", "stake ", 1)
	if got := list(); !slices.Equal(got, want) {
		t.Errorf("exceptions of an invoiced order:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	w.restart()
	w.tell("workflow", departed, &workflowv1.WorkItemClosed{WorkItem: exhausted}, exhausted.Name, orderName)
	if got := list(); !slices.Equal(got, want[1:]) {
		t.Errorf("exceptions after one was closed:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want[1:], "\n"))
	}
	if _, err := w.overview().ListExceptions(t.Context(), &towerv1.ListExceptionsRequest{PageToken: "made up"}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a token that was not given out: %v, want INVALID_ARGUMENT", err)
	}
}

// A stream tells of every change after the position that its reader has, once, and of none before it.
func TestStream(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(w.core.Pages())
	t.Cleanup(server.Close)
	w.story()
	_, header, _ := w.get("/v1/overview")
	position := header.Get("Crossdock-Position")
	listen := func(lastID string) (<-chan string, func()) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/stream", nil)
		w.must(err)
		req.Header.Set("Last-Event-ID", lastID)
		resp, err := server.Client().Do(req)
		w.must(err)
		if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("content type %q", got)
		}
		lines := make(chan string, 100)
		go func() {
			defer close(lines)
			for s := bufio.NewScanner(resp.Body); s.Scan(); {
				lines <- s.Text()
			}
		}()
		return lines, func() { resp.Body.Close() }
	}
	// next is the next event's id, or "beat"; the clock of the machine goes on until it comes.
	next := func(lines <-chan string) string {
		t.Helper()
		for {
			select {
			case line, ok := <-lines:
				if !ok {
					return "end"
				}
				if id, ok := strings.CutPrefix(line, "id: "); ok {
					return id
				}
				if line == "event: beat" {
					return "beat"
				}
			default:
				w.clock.Advance(250 * time.Millisecond)
				runtime.Gosched()
			}
		}
	}
	lines, stop := listen(position)
	if got := next(lines); got != "beat" {
		t.Errorf("nothing has changed: %q, want a sign of life alone", got)
	}
	w.tell("orders", w.clock.Now(), &ordersv1.OrderCreated{Order: &ordersv1.Order{Name: "orders/ord_2"}}, "orders/ord_2")
	_, header, _ = w.get("/v1/overview")
	now := header.Get("Crossdock-Position")
	for got := next(lines); got != now; got = next(lines) {
		if got == position || got == "end" {
			t.Fatalf("event %q after a change, want %q", got, now)
		}
	}
	stop()
	// Who was away is told at once.
	lines, stop = listen(position)
	if got := next(lines); got != now {
		t.Errorf("came back with %q: event %q, want %q", position, got, now)
	}
	stop()
}
