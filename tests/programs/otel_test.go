package programs

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"crossdock.dev/tests/story"
)

// collector takes spans by OTLP over HTTP, as a collector of traces does.
type collector struct {
	*httptest.Server
	mu       sync.Mutex
	spans    map[string][]*tracev1.Span // by service
	problems []string
}

func newCollector(t *testing.T) *collector {
	c := &collector{spans: map[string][]*tracev1.Span{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		req := &collectorv1.ExportTraceServiceRequest{}
		if err == nil {
			err = proto.Unmarshal(raw, req)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if err != nil || r.URL.Path != "/v1/traces" {
			c.problems = append(c.problems, r.URL.Path)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, about := range req.GetResourceSpans() {
			service := ""
			for _, a := range about.GetResource().GetAttributes() {
				if a.GetKey() == "service.name" {
					service = a.GetValue().GetStringValue()
				}
			}
			for _, scope := range about.GetScopeSpans() {
				c.spans[service] = append(c.spans[service], scope.GetSpans()...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// named are the spans of a service with this name, as "trace".
func (c *collector) named(service, name string) []*tracev1.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*tracev1.Span
	for _, s := range c.spans[service] {
		if strings.HasSuffix(s.GetName(), name) {
			out = append(out, s)
		}
	}
	return out
}

// With a collector in the environment, the spans of one order make one trace over the services that it passes: what a service
// does about a fact is linked to the span that told it, in another service.
func TestSpans(t *testing.T) {
	c := newCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	s := newSuite(t)
	s.Launch(t)
	live := s.ready()
	fill(t, live)
	var n story.Names
	must(t, story.Play(t.Context(), live, story.HappyPath(live, document(t), &n), func(story.Act) {}))
	settled(t, live)
	must(t, s.Up.Stop()) // each program exports what is left

	if len(c.problems) > 0 {
		t.Fatalf("not understood: %v", c.problems)
	}
	created := c.named("orders", "OrderService/CreateOrder")
	if len(created) != 1 {
		t.Fatalf("%d spans of CreateOrder in orders, want 1", len(created))
	}
	// edi called it, orders carried it out, workflow took up what it told, freight was called for it: one trace.
	trace := created[0].GetTraceId()
	for _, want := range []struct{ service, name string }{
		{"edi", "task order"}, {"edi", "OrderService/CreateOrder"}, {"workflow", "take up OrderReleased"}, {"workflow", "FreightService/PlanShipment"}, {"freight", "FreightService/PlanShipment"},
		{"freight", "FreightService/TenderLoad"}, {"billing", "take up OrderReleased"},
	} {
		if !slices.ContainsFunc(c.named(want.service, want.name), func(s *tracev1.Span) bool { return string(s.GetTraceId()) == string(trace) }) {
			t.Errorf("%s: no span %q in trace %s", want.service, want.name, hex.EncodeToString(trace))
		}
	}
	// The call in edi is the parent of the method in orders.
	client := c.named("edi", "OrderService/CreateOrder")
	if len(client) != 1 || string(client[0].GetSpanId()) != string(created[0].GetParentSpanId()) || client[0].GetKind() != tracev1.Span_SPAN_KIND_CLIENT {
		t.Errorf("the method's parent is %x, want the one call of edi: %v", created[0].GetParentSpanId(), client)
	}
	// What workflow does about the fact is linked to the span in orders that told it.
	told := map[string]bool{}
	c.mu.Lock()
	for _, s := range c.spans["orders"] {
		told[string(s.GetSpanId())] = true
	}
	c.mu.Unlock()
	for _, s := range c.named("workflow", "take up OrderReleased") {
		if len(s.GetLinks()) != 1 || string(s.GetLinks()[0].GetTraceId()) != string(s.GetTraceId()) {
			t.Errorf("%s has links %v, want one into its own trace", s.GetName(), s.GetLinks())
		} else if !told[string(s.GetLinks()[0].GetSpanId())] {
			t.Errorf("%s is linked to span %x, which orders did not export", s.GetName(), s.GetLinks()[0].GetSpanId())
		}
	}
}
