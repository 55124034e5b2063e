package steelthread

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"sort"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	governancev1 "crossdock.dev/gen/crossdock/governance/v1"
	"crossdock.dev/tests/expect"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// call is one partner-visible method as a partner calls it. {id} in path and body stands for the resource's id.
type call struct {
	method, path, body string
	// key picks the resource among the thread's, and missing is an id of the same form that does not exist.
	key, missing string
	// list is the field that must be empty for a stranger.
	list string
}

const noID = "_00000000000000000000000000"

// calls covers every method that partners may call; TestForeignPartnerSeesNothing fails when one is missing here.
var calls = map[string]call{
	"orders.CreateOrder":            {}, // makes the caller's own order; see TestPartnerActsForItselfAlone
	"orders.GetOrder":               {"GET", "/v1/orders/{id}", "", "order", "ord" + noID, ""},
	"orders.ListOrders":             {"GET", "/v1/orders", "", "", "", "orders"},
	"orders.CancelOrder":            {"POST", "/v1/orders/{id}:cancel", `{"reason":"mine"}`, "order", "ord" + noID, ""},
	"freight.AcceptTender":          {"POST", "/v1/tenders/{id}:accept", `{"carrierReference":"X1"}`, "tender", "tnd" + noID, ""},
	"freight.DeclineTender":         {"POST", "/v1/tenders/{id}:decline", `{"reason":"CAPACITY"}`, "tender", "tnd" + noID, ""},
	"freight.GetTender":             {"GET", "/v1/tenders/{id}", "", "tender", "tnd" + noID, ""},
	"freight.ListTenders":           {"GET", "/v1/tenders", "", "", "", "tenders"},
	"freight.GetLoad":               {"GET", "/v1/loads/{id}", "", "load", "load" + noID, ""},
	"freight.ListLoads":             {"GET", "/v1/loads", "", "", "", "loads"},
	"freight.GetShipment":           {"GET", "/v1/shipments/{id}", "", "shipment", "shp" + noID, ""},
	"freight.ListShipments":         {"GET", "/v1/shipments", "", "", "", "shipments"},
	"freight.ReportMilestone":       {"POST", "/v1/loads/{id}/claims", `{"milestone":"DELIVERED","stop":2,"localTime":"2026-03-03T09:10"}`, "load", "load" + noID, ""},
	"freight.ListClaims":            {"GET", "/v1/loads/{id}/claims", "", "load", "load" + noID, ""},
	"freight.CreateProofOfDelivery": {"POST", "/v1/proofsOfDelivery", `{"load":"{id}","order":"08292233294","type":"PHOTO","signedAt":"2026-03-04T14:00:00Z","receivedBy":"X","pieces":314}`, "load_number", "NL99990001", ""},
	"freight.GetProofOfDelivery":    {"GET", "/v1/proofsOfDelivery/{id}", "", "proof", "pod" + noID, ""},
	"billing.GetInvoice":            {"GET", "/v1/invoices/{id}", "", "invoice", "inv" + noID, ""},
	"billing.ListInvoices":          {"GET", "/v1/invoices", "", "", "", "invoices"},
	"billing.SubmitFreightBill":     {}, // bills for the caller alone; see TestPartnerActsForItselfAlone
	"billing.GetFreightBill":        {"GET", "/v1/freightBills/{id}", "", "bill", "fbl" + noID, ""},
	"billing.ListFreightBills":      {"GET", "/v1/freightBills", "", "", "", "freightBills"},
	"edge.CreateWebhook":            {}, // makes the caller's own endpoint; see TestPartnerActsForItselfAlone
	"edge.GetWebhook":               {"GET", "/v1/webhooks/{id}", "", "webhook", "whk" + noID, ""},
	"edge.ListWebhooks":             {"GET", "/v1/webhooks", "", "", "", "webhooks"},
	"edge.RollWebhookSecret":        {"POST", "/v1/webhooks/{id}:roll", "{}", "webhook", "whk" + noID, ""},
	"edge.DisableWebhook":           {"POST", "/v1/webhooks/{id}:disable", "{}", "webhook", "whk" + noID, ""},
	"edge.EnableWebhook":            {"POST", "/v1/webhooks/{id}:enable", "{}", "webhook", "whk" + noID, ""},
	"edge.ListWebhookDeliveries":    {"GET", "/v1/webhooks/{id}/deliveries", "", "webhook", "whk" + noID, ""},
	"edge.ResendWebhookDelivery":    {"POST", "/v1/webhooks/{id}:resend", "{}", "delivery", "whk" + noID + "/deliveries/whd" + noID, ""},
}

func TestForeignPartnerSeesNothing(t *testing.T) {
	for _, method := range partnerMethods() {
		if _, ok := calls[method]; !ok {
			t.Errorf("%s is for partners and not in the table", method)
		}
	}
	s := sim.New(t)
	s.Seed()
	webhook, told := webhookOf(t, s), webhookOf(t, s)
	names := play(t, s, nil)
	ids := map[string]string{
		"webhook": bare(webhook), "delivery": bare(deliveryTo(t, s, told)),
		"order": bare(names.Order), "tender": bare(names.Tender), "load": bare(names.Load), "load_number": names.LoadNumber,
		"shipment": bare(names.Shipment), "invoice": bare(names.Invoice), "proof": bare(proofOf(t, s, names)), "bill": bare(billOf(t, s)),
	}
	strangers := []string{"parties/CUS-HHS", "parties/CAR-CXEE"}
	for method, c := range calls {
		if c.method == "" {
			continue
		}
		for _, stranger := range strangers {
			path, body := strings.ReplaceAll(c.path, "{id}", ids[c.key]), strings.ReplaceAll(c.body, "{id}", ids[c.key])
			status, answer := s.Do(stranger, c.method, path, key(c, "a"), []byte(body))
			if c.list != "" {
				var page map[string]json.RawMessage
				if status == http.StatusOK {
					must(t, json.Unmarshal(answer, &page))
				}
				if len(page[c.list]) > 0 || (status != http.StatusOK && status != http.StatusForbidden) {
					t.Errorf("%s as %s: %d %s, want an empty list", method, stranger, status, answer)
				}
				continue
			}
			path, body = strings.ReplaceAll(c.path, "{id}", c.missing), strings.ReplaceAll(c.body, "{id}", c.missing)
			missing, same := s.Do(stranger, c.method, path, key(c, "b"), []byte(body))
			if got, want := shape(answer, ids[c.key]), shape(same, c.missing); status != missing || got != want {
				t.Errorf("%s as %s: %d %s\na missing id gets %d %s", method, stranger, status, got, missing, want)
			}
			if status != http.StatusNotFound && status != http.StatusForbidden {
				t.Errorf("%s as %s: %d %s, want 404, or 403 for a method that is not for this kind of partner", method, stranger, status, answer)
			}
			for kind, id := range ids {
				if kind != c.key && strings.Contains(string(answer), id) {
					t.Errorf("%s as %s tells of %s %s: %s", method, stranger, kind, id, answer)
				}
			}
		}
	}
	expect.HappyPath(t, s, names) // nothing that strangers tried had an effect
	verify(t, s)
}

func key(c call, suffix string) string {
	if c.method == "GET" {
		return ""
	}
	return "stranger-" + suffix + c.path
}

// shape is a problem without what differs between two calls: the request's id and the resource asked for.
func shape(answer []byte, id string) string {
	var p map[string]any
	if err := json.Unmarshal(answer, &p); err != nil {
		return string(answer)
	}
	delete(p, "request_id")
	delete(p, "instance")
	out, err := json.Marshal(p)
	if err != nil {
		return string(answer)
	}
	return strings.ReplaceAll(string(out), id, "{id}")
}

// partnerMethods lists the methods whose policy shows them to partners, and that have a REST path.
func partnerMethods() []string {
	var out []string
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			service := f.Services().Get(i)
			for j := range service.Methods().Len() {
				m := service.Methods().Get(j)
				policy, ok := proto.GetExtension(m.Options(), governancev1.E_Method).(*governancev1.MethodPolicy)
				if !ok || policy.GetVisibility() != governancev1.MethodPolicy_PARTNER {
					continue
				}
				if !proto.HasExtension(m.Options(), annotations.E_Http) {
					continue
				}
				parts := strings.Split(string(f.Package()), ".")
				out = append(out, parts[1]+"."+string(m.Name()))
			}
		}
		return true
	})
	sort.Strings(out)
	return out
}

func TestPartnerActsForItselfAlone(t *testing.T) {
	s := sim.New(t)
	s.Seed()
	names := play(t, s, nil)
	order := `{"customer":"parties/CUS-XYZ","customerOrderNumber":"STRANGE-1","shipTo":"locations/LOC-SOLON","lines":[{"line":"1","item":"items/AB3542","quantity":{"value":"1","unit":"EA"},"unitPrice":"9.25"}]}`
	if status, answer := s.Do("parties/CUS-HHS", "POST", "/v1/orders", "strange-1", []byte(order)); status/100 != 4 {
		t.Errorf("an order in another customer's name: %d %s", status, answer)
	}
	bill := `{"carrier":"parties/CAR-CXBB","invoiceNumber":"STRANGE-1","loadNumber":"NL26030001","charges":[{"code":"LHS","amount":{"currencyCode":"USD","units":"1"}}],"total":{"currencyCode":"USD","units":"1"}}`
	if status, answer := s.Do("parties/CAR-CXEE", "POST", "/v1/freightBills", "strange-1", []byte(bill)); status/100 != 4 {
		t.Errorf("a bill in another carrier's name: %d %s", status, answer)
	}
	webhook := `{"party":"parties/CUS-XYZ","url":"http://127.0.0.1:1/","eventTypes":["order.shipped"]}`
	if status, answer := s.Do("parties/CUS-HHS", "POST", "/v1/webhooks", "strange-3", []byte(webhook)); status/100 != 4 {
		t.Errorf("an endpoint in another's name: %d %s", status, answer)
	}
	// In its own name it may bill, and what it learns of a load that is not its own is that it matches none.
	own := strings.Replace(bill, `"carrier":"parties/CAR-CXBB",`, "", 1)
	status, answer := s.Do("parties/CAR-CXEE", "POST", "/v1/freightBills", "strange-2", []byte(own))
	if status != http.StatusOK || strings.Contains(string(answer), bare(names.Load)) {
		t.Errorf("a bill for another carrier's load: %d %s", status, answer)
	}
	if strings.Contains(string(answer), "APPROVED") {
		t.Errorf("a bill for another carrier's load was approved: %s", answer)
	}
}

func TestBadInputNamesEveryField(t *testing.T) {
	s := sim.New(t)
	s.Seed()
	body := `{"customerOrderNumber":"","shipTo":"nowhere","mode":"SHIP","lines":[{"line":"!","quantity":{"value":"many","unit":"each"},"unitPrice":"-1"}]}`
	status, answer := s.Do("parties/CUS-HHS", "POST", "/v1/orders", "bad-1", []byte(body))
	var problem struct {
		Fields []struct{ Field, Path, Name string } `json:"fields"`
	}
	must(t, json.Unmarshal(answer, &problem))
	for _, field := range []string{"customerOrderNumber", "shipTo", "mode", "lines[0].line", "lines[0].quantity.value", "lines[0].quantity.unit", "lines[0].unitPrice"} {
		if !strings.Contains(string(answer), field) {
			t.Errorf("%d %s\ndoes not name %s", status, answer, field)
		}
	}
	if status != http.StatusBadRequest || len(problem.Fields) < 7 {
		t.Errorf("status %d with %d fields, want 400 and all 7", status, len(problem.Fields))
	}
}

// webhookOf registers an endpoint of the thread's customer, which nobody listens at.
func webhookOf(t *testing.T, s *sim.Suite) string {
	t.Helper()
	body := `{"url":"http://127.0.0.1:1/","eventTypes":["order.shipped"]}`
	answer, err := s.REST(t.Context(), "parties/CUS-XYZ", "POST", "/v1/webhooks", rand.Text(), []byte(body))
	must(t, err)
	var created struct{ Webhook struct{ Name string } }
	must(t, json.Unmarshal(answer, &created))
	return created.Webhook.Name
}

func deliveryTo(t *testing.T, s *sim.Suite, webhook string) string {
	t.Helper()
	answer, err := s.REST(t.Context(), "parties/CUS-XYZ", "GET", "/v1/"+webhook+"/deliveries", "", nil)
	must(t, err)
	var page struct{ Deliveries []struct{ Name string } }
	must(t, json.Unmarshal(answer, &page))
	if len(page.Deliveries) != 1 {
		t.Fatalf("the customer's endpoint has %s, want the departure of its order", answer)
	}
	return page.Deliveries[0].Name
}

func bare(name string) string { return name[strings.IndexByte(name, '/')+1:] }

func proofOf(t *testing.T, s *sim.Suite, names story.Names) string {
	t.Helper()
	answer, err := s.REST(t.Context(), "parties/CUS-XYZ", "GET", "/v1/"+names.Shipment, "", nil)
	must(t, err)
	var shipment struct {
		ProofOfDelivery string `json:"proofOfDelivery"`
	}
	must(t, json.Unmarshal(answer, &shipment))
	if shipment.ProofOfDelivery == "" {
		t.Fatalf("the customer sees no proof of delivery in %s", answer)
	}
	return shipment.ProofOfDelivery
}

func billOf(t *testing.T, s *sim.Suite) string {
	t.Helper()
	answer, err := s.REST(t.Context(), "parties/CAR-CXBB", "GET", "/v1/freightBills", "", nil)
	must(t, err)
	var page struct {
		FreightBills []struct{ Name string } `json:"freightBills"`
	}
	must(t, json.Unmarshal(answer, &page))
	if len(page.FreightBills) != 1 {
		t.Fatalf("the carrier sees %s, want its bill", answer)
	}
	return page.FreightBills[0].Name
}
