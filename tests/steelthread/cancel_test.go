package steelthread

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// truckload orders a truckload from Columbus and returns the order's name.
func truckload(t *testing.T, s *sim.Suite, party, po, to, item, quantity, price string, consolidate bool) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"customerOrderNumber": po, "mode": "TL", "currencyCode": "USD", "shipFrom": "locations/LOC-CMH", "shipTo": "locations/" + to,
		"consolidate": consolidate, "lines": []any{map[string]any{
			"line": "10", "item": "items/" + item, "quantity": map[string]string{"value": quantity, "unit": "EA"}, "unitPrice": price,
		}},
	})
	must(t, err)
	raw, err := s.REST(t.Context(), "parties/"+party, http.MethodPost, "/v1/orders", po, body)
	must(t, err)
	var o struct{ Name string }
	must(t, json.Unmarshal(raw, &o))
	return o.Name
}

// standing is where an order is, and what is owed for its load.
type standing struct {
	Commercial, Release, Fulfilment, Process, Load, Cost string
	Refused                                              bool // a person is told that it cannot be called off
}

func standingOf(t *testing.T, s *sim.Suite, order string) standing {
	t.Helper()
	o, err := ordersv1.NewOrderServiceClient(s.Conn("orders")).GetOrder(t.Context(), &ordersv1.GetOrderRequest{Name: order})
	must(t, err)
	got := standing{Commercial: o.GetCommercial().String(), Release: o.GetRelease().String(), Fulfilment: o.GetFulfilment().String()}
	flow := workflowv1.NewWorkflowServiceClient(s.Conn("workflow"))
	processes, err := flow.ListProcesses(t.Context(), &workflowv1.ListProcessesRequest{Order: order})
	must(t, err)
	if len(processes.GetProcesses()) != 1 {
		t.Fatalf("%d processes of %s, want 1", len(processes.GetProcesses()), order)
	}
	got.Process = processes.GetProcesses()[0].GetState().String()
	freight := freightv1.NewFreightServiceClient(s.Conn("freight"))
	shipment, err := freight.GetShipment(t.Context(), &freightv1.GetShipmentRequest{Name: processes.GetProcesses()[0].GetShipment()})
	must(t, err)
	load, err := freight.GetLoad(t.Context(), &freightv1.GetLoadRequest{Name: shipment.GetLoad()})
	must(t, err)
	got.Load = load.GetState().String()
	if total := load.GetCharges().GetTotal(); total != nil {
		got.Cost = story.Decimal(total)
	}
	items, err := flow.ListWorkItems(t.Context(), &workflowv1.ListWorkItemsRequest{PageSize: 500})
	must(t, err)
	for _, i := range items.GetWorkItems() {
		if i.GetReason() == "CANCELLATION_REFUSED" && slices.Contains(i.GetRelated(), order) {
			got.Refused = true
		}
	}
	return got
}

// A customer calls an order off before anybody has accepted it, after, while freight is down, and when the goods have left. The
// pick-up was planned for 08:00 in Columbus, 13:00Z; the carrier owes nothing before it has accepted, and within 24 hours of the
// pick-up it is owed 200.00 for a truck ordered and not used. What has left is not called off.
func TestCancel(t *testing.T) {
	const booked, notUsed = "564.80", "200.00" // the day's PC-1005
	cancelled := standing{Commercial: "CANCELLED", Release: "RELEASE_CANCELLED", Fulfilment: "OPEN", Load: "CANCELLED"}
	open, owed := cancelled, cancelled
	open.Process = "ENDED"
	owed.Process, owed.Cost = "SETTLING", notUsed // the carrier's bill is still to come
	left := standing{Commercial: "CONFIRMED", Release: "SECURED", Fulfilment: "IN_TRANSIT", Process: "EXECUTING", Load: "IN_TRANSIT", Cost: booked}
	leftUnread := left
	leftUnread.Refused = true
	for _, test := range []struct {
		name                              string
		accepted, departed, read, noReply bool
		status                            int
		want                              standing
	}{
		{name: "offered", status: http.StatusOK, want: open},
		{name: "accepted", accepted: true, status: http.StatusOK, want: owed},
		{name: "accepted, freight is down", accepted: true, noReply: true, status: http.StatusOK, want: owed},
		{name: "left, and orders has not read it", accepted: true, departed: true, status: http.StatusOK, want: leftUnread},
		{name: "left", accepted: true, departed: true, read: true, status: http.StatusConflict, want: left},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := sim.New(t)
			s.Seed()
			must(t, s.SetClock(time.Date(2026, 3, 5, 14, 0, 0, 0, time.UTC)))
			order := truckload(t, s, "CUS-PIN", "PC-1005", "LOC-DETP", "NS-PANEL-20", "150", "96.00", false)
			carrier := &story.Carrier{World: s, Party: "parties/CAR-CXAA", Page: story.CarrierPage{PRO: "CXAA-1"}}
			offer, err := carrier.Offer(t.Context(), "PC-1005")
			must(t, err)
			if test.accepted {
				must(t, carrier.Accept(t.Context(), offer))
			}
			if test.departed {
				must(t, s.SetClock(time.Date(2026, 3, 6, 14, 0, 0, 0, time.UTC)))
				claim := []byte(`{"milestone":"DEPARTED_PICKUP","stop":1,"localTime":"2026-03-06T08:30","city":"COLUMBUS","state":"OH","carrierCode":"AF","reasonCode":"NS"}`)
				_, err := s.Call(t.Context(), "parties/CAR-CXAA", http.MethodPost, "/v1/"+offer.Load+"/claims", "af", claim)
				must(t, err)
				if test.read {
					must(t, s.Settle(t.Context()))
				}
			} else {
				must(t, s.SetClock(time.Date(2026, 3, 5, 14, 30, 0, 0, time.UTC)))
			}
			if test.noReply {
				s.Close("freight")
			}
			for _, key := range []string{"c-1", "c-1", "c-2"} { // the same call again, and the same wish again
				if status, answer := s.Do("parties/CUS-PIN", http.MethodPost, "/v1/"+order+":cancel", key, []byte(`{"reason":"changed plans"}`)); status != test.status {
					t.Fatalf("%s: %d %s, want %d", key, status, answer, test.status)
				}
			}
			must(t, s.Settle(t.Context()))
			if test.noReply {
				s.Open("freight")
				s.Wait(10 * time.Minute) // over the back-off
				must(t, s.Settle(t.Context()))
			}
			if diff := cmp.Diff(test.want, standingOf(t, s, order)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			verify(t, s)
		})
	}
}

// One of two orders that share a load is called off. Before the load is offered it leaves the load, and the other goes on alone;
// once it is offered, the carrier's price is for both, and a person is told.
func TestCancelOneOfTwo(t *testing.T) {
	for _, offered := range []bool{false, true} {
		t.Run(fmt.Sprint("offered ", offered), func(t *testing.T) {
			s := sim.New(t)
			s.Seed()
			at := time.Date(2026, 3, 10, 13, 0, 0, 0, time.UTC)
			must(t, s.SetClock(at))
			first := truckload(t, s, "CUS-PIN", "PC-1017", "LOC-INDP", "NS-PANEL-20", "100", "96.00", true)
			second := truckload(t, s, "CUS-HHS", "HH-1017", "LOC-CHI", "NS-PUMP-10", "225", "189.00", true)
			goesOn := standing{Commercial: "CONFIRMED", Release: "TENDERED", Fulfilment: "OPEN", Process: "TENDERING", Load: "TENDERED"}
			calledOff := standing{Commercial: "CANCELLED", Release: "RELEASE_CANCELLED", Fulfilment: "OPEN", Process: "ENDED", Load: "CANCELLED"}
			if offered {
				must(t, s.SetClock(at.Add(6*time.Minute)))
				calledOff = goesOn
				calledOff.Refused = true
			}
			if status, answer := s.Do("parties/CUS-HHS", http.MethodPost, "/v1/"+second+":cancel", "c-1", []byte(`{"reason":"changed plans"}`)); status != http.StatusOK {
				t.Fatalf("%d %s", status, answer)
			}
			must(t, s.Settle(t.Context()))
			must(t, s.SetClock(at.Add(20*time.Minute)))
			for order, want := range map[string]standing{first: goesOn, second: calledOff} {
				if diff := cmp.Diff(want, standingOf(t, s, order)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", order, diff)
				}
			}
			verify(t, s)
		})
	}
}
