package steelthread

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"
	"testing"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	"crossdock.dev/tests/expect"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// Every service is stopped and started after every act: the order ends the same.
func TestRestartsBetweenActs(t *testing.T) {
	s := sim.New(t)
	s.Seed()
	names := play(t, s, func(story.Act) {
		for _, name := range sim.Names {
			s.Close(name)
			s.Open(name)
		}
		must(t, s.Settle(t.Context()))
	})
	expect.HappyPath(t, s, names)
	verify(t, s)
}

// Every act is played twice, and all of them once more at the end: one effect each.
func TestEveryActTwice(t *testing.T) {
	s := sim.New(t)
	s.Seed()
	var names story.Names
	acts := story.HappyPath(s, document(t), &names)
	for _, act := range acts {
		must(t, s.SetClock(act.At))
		must(t, act.Do(t.Context()))
		if err := act.Do(t.Context()); err != nil {
			t.Errorf("%s again: %v", act.What, err)
		}
	}
	first := names
	for _, act := range acts {
		if err := act.Do(t.Context()); err != nil {
			t.Errorf("%s a third time: %v", act.What, err)
		}
	}
	equal(t, "names", names, first)
	orders, err := ordersv1.NewOrderServiceClient(s.Conn("orders")).ListOrders(t.Context(), &ordersv1.ListOrdersRequest{})
	must(t, err)
	if len(orders.GetOrders()) != 1 {
		t.Errorf("%d orders, want 1", len(orders.GetOrders()))
	}
	counts, err := ediv1.NewEdiServiceClient(s.Conn("edi")).ListMessageCounts(t.Context(), &ediv1.ListMessageCountsRequest{})
	must(t, err)
	got := map[string]uint64{}
	for _, c := range counts.GetMessageCounts() {
		if c.GetSet() == "850" {
			got["received"] += c.GetReceived()
			got["applied"] += c.GetApplied()
			got["duplicate"] += c.GetDuplicate()
		}
	}
	equal(t, "850s", got, map[string]uint64{"received": 3, "applied": 1, "duplicate": 2})
	verify(t, s)
}

// Two callers send the same request at once: one effect, equal answers. Another body under the same key is refused.
func TestSameRequestAtOnce(t *testing.T) {
	s := sim.New(t)
	s.Seed()
	body := []byte(`{"customerOrderNumber":"HH-77","shipTo":"locations/LOC-DETH","mode":"LTL","lines":[{"line":"10","item":"items/NS-PUMP-10","quantity":{"value":"40","unit":"EA"},"unitPrice":"189.00"}]}`)
	s.Do("parties/CUS-HHS", "GET", "/v1/orders", "", nil) // the key is made before the race
	const callers = 8
	answers := make([][]byte, callers)
	statuses := make([]int, callers)
	var wait sync.WaitGroup
	for i := range callers {
		wait.Go(func() { statuses[i], answers[i] = s.Do("parties/CUS-HHS", "POST", "/v1/orders", "order-HH-77", body) })
	}
	wait.Wait()
	for i := range callers {
		if statuses[i] != http.StatusOK || !sameJSON(t, answers[i], answers[0]) {
			t.Errorf("caller %d: %d %s\ncaller 0: %d %s", i, statuses[i], answers[i], statuses[0], answers[0])
		}
	}
	other := bytes.Replace(body, []byte(`"40"`), []byte(`"41"`), 1)
	if status, answer := s.Do("parties/CUS-HHS", "POST", "/v1/orders", "order-HH-77", other); status != http.StatusUnprocessableEntity {
		t.Errorf("same key, other body: %d %s, want 422", status, answer)
	}
	if status, answer := s.Do("parties/CUS-HHS", "POST", "/v1/orders", "order-HH-77-again", body); status != http.StatusConflict {
		t.Errorf("same order number under another key: %d %s, want 409", status, answer)
	}
	must(t, s.Settle(t.Context()))
	orders, err := ordersv1.NewOrderServiceClient(s.Conn("orders")).ListOrders(t.Context(), &ordersv1.ListOrdersRequest{})
	must(t, err)
	if len(orders.GetOrders()) != 1 {
		t.Errorf("%d orders, want 1", len(orders.GetOrders()))
	}
	verify(t, s)
}

// sameJSON compares two JSON texts; protojson varies white space on purpose.
func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	m, err := json.Marshal(x)
	must(t, err)
	n, err := json.Marshal(y)
	must(t, err)
	return bytes.Equal(m, n)
}
