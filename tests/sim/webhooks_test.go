package sim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	"crossdock.dev/tests/sim"
)

// hook is a partner's endpoint. It takes what carries the right signature, and nothing else.
type hook struct {
	mu  sync.Mutex
	wh  *standardwebhooks.Webhook
	got []string
	url string
}

// listen registers an endpoint of a party by REST, as the partner does.
func listen(t *testing.T, s *sim.Suite, party string, events ...string) *hook {
	t.Helper()
	h := &hook{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		if err == nil {
			err = h.wh.VerifyIgnoringTimestamp(body, r.Header) // the suite's machine time is not the test's
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			h.got = append(h.got, err.Error())
			return
		}
		h.got = append(h.got, string(body))
	}))
	t.Cleanup(srv.Close)
	request, err := json.Marshal(map[string]any{"url": srv.URL, "eventTypes": events})
	must(t, err)
	answer, err := s.REST(t.Context(), party, "POST", "/v1/webhooks", "hook-"+party, request)
	must(t, err)
	var created struct{ Secret string }
	must(t, json.Unmarshal(answer, &created))
	h.wh, err = standardwebhooks.NewWebhook(created.Secret)
	must(t, err)
	return h
}

// told is what came since the last call: the type of each event, with its time and promise.
func (h *hook) told(t *testing.T) []string {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, body := range h.got {
		var e struct {
			Type, Timestamp string
			Data            struct {
				Path, CustomerOrderNumber string
				Promise                   *struct {
					DeliverBy, Estimate, Confidence string
					Reasons                         []string
				}
			}
		}
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		line := e.Type + " " + e.Timestamp
		if p := e.Data.Promise; p != nil {
			line = strings.TrimSpace(fmt.Sprint(e.Type, " ", p.DeliverBy, " ", p.Confidence, " ", strings.Join(p.Reasons, ",")))
		}
		out = append(out, line)
	}
	h.got = nil
	return out
}

// A truckload whose carrier falls silent, page 16 of the day: the customer is told each change of its promise as it happens, signed,
// and what it is told about it reads with its own key. The carrier is told of its offer alone.
func TestSilentCarrierIsTold(t *testing.T) {
	ctx := t.Context()
	s := sim.New(t)
	s.Seed()
	at := func(text string) {
		t.Helper()
		instant, err := time.Parse(time.RFC3339, text)
		must(t, err)
		must(t, s.SetClock(instant))
	}
	customer := listen(t, s, "parties/CUS-PIN", "order.promise_changed", "order.shipped", "order.delivered", "order.cancelled", "invoice.issued")
	carrier := listen(t, s, "parties/CAR-CXAA", "tender.sent", "tender.withdrawn", "order.shipped")
	stranger := listen(t, s, "parties/CUS-HHS", "order.promise_changed", "order.shipped", "order.delivered", "invoice.issued")

	at("2026-03-10T14:00:00Z")
	_, err := s.REST(ctx, "parties/CUS-PIN", "POST", "/v1/orders", "PC-1016", []byte(`{
		"customerOrderNumber":"PC-1016","shipFrom":"locations/LOC-CMH","shipTo":"locations/LOC-NASP","mode":"TL","currencyCode":"USD","etaWatch":true,
		"lines":[{"line":"10","item":"items/NS-PANEL-20","quantity":{"value":"180","unit":"EA"},"unitPrice":"96.00"}]}`))
	must(t, err)
	freight := freightv1.NewFreightServiceClient(s.Conn("freight"))
	tenders, err := freight.ListTenders(ctx, &freightv1.ListTendersRequest{})
	must(t, err)
	if len(tenders.GetTenders()) != 1 {
		t.Fatalf("%d tenders, want one", len(tenders.GetTenders()))
	}
	tender := tenders.GetTenders()[0]
	if diff := cmp.Diff([]string{"tender.sent 2026-03-10T14:00:00Z"}, carrier.told(t)); diff != "" {
		t.Errorf("the carrier was told (-want +got):\n%s", diff)
	}
	_, err = s.REST(ctx, "parties/CAR-CXAA", "POST", "/v1/"+tender.GetName()+":accept", "accept", []byte(`{"carrierReference":"PRO1016"}`))
	must(t, err)
	customer.told(t)

	claim := func(milestone string, stop int, occurred string) {
		t.Helper()
		body := fmt.Sprintf(`{"milestone":%q,"stop":%d,"occurTime":%q,"reasonCode":"NS"}`, milestone, stop, occurred)
		_, err := s.REST(ctx, "parties/CAR-CXAA", "POST", "/v1/"+tender.GetLoad()+"/claims", milestone, []byte(body))
		must(t, err)
	}
	const promise = "order.promise_changed 2026-03-12T17:00:00-05:00 " // 22:00Z in Nashville
	for _, c := range []struct {
		at   string
		do   func()
		want []string
	}{
		{"2026-03-11T14:30:00Z", func() { claim("DEPARTED_PICKUP", 1, "2026-03-11T14:30:00Z") }, []string{"order.shipped 2026-03-11T14:30:00Z", promise + "HIGH"}},
		{"2026-03-11T18:29:59Z", nil, nil},
		{"2026-03-11T18:30:00Z", nil, []string{promise + "MEDIUM FEED_SILENT"}},
		{"2026-03-11T22:30:00Z", nil, []string{promise + "LOW FEED_SILENT"}},
		{"2026-03-12T06:30:00Z", nil, []string{promise + "NONE FEED_SILENT,ONLY_SCHEDULED"}},
		{"2026-03-12T20:00:00Z", func() { claim("DELIVERED", 2, "2026-03-12T16:10:00Z") }, []string{"order.delivered 2026-03-12T16:10:00Z"}},
	} {
		at(c.at)
		if c.do != nil {
			c.do()
		}
		if diff := cmp.Diff(c.want, customer.told(t)); diff != "" {
			t.Errorf("at %s the customer was told (-want +got):\n%s", c.at, diff)
		}
	}
	if got := append(carrier.told(t), stranger.told(t)...); len(got) != 0 {
		t.Errorf("the carrier and another customer were told %q, want nothing", got)
	}
	status, answer := s.Do("parties/CUS-PIN", "GET", "/v1/orders", "", nil)
	if status != http.StatusOK || !strings.Contains(string(answer), "PC-1016") {
		t.Errorf("the order by REST: %d %s", status, answer)
	}
}
