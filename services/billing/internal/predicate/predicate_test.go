package predicate_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"crossdock.dev/kernel/quantity"

	"crossdock.dev/services/billing/internal/predicate"
	"crossdock.dev/services/billing/internal/shipment"
)

func each(s string) quantity.Quantity { return quantity.MustParse(s, quantity.Each) }

// evidence of a shipment of 80 that was handed over clean.
func evidence() predicate.Evidence {
	at := time.Date(2026, 3, 6, 14, 0, 0, 0, time.UTC)
	return predicate.Evidence{
		Shipment: shipment.Shipment{
			Name: "shipments/shp_1", Order: "orders/ord_1", Terms: shipment.PrepaidAndAdd, Delivered: at, Proof: "proofsOfDelivery/pod_1",
			ProofState: shipment.Received, ProofSigned: at,
			Lines: []shipment.Line{{
				Line: "10", Shipped: each("80"), Proven: true, Accepted: each("80"), Short: each("0"), Damaged: each("0"), Refused: each("0"),
			}},
		},
		Load:   shipment.Load{Name: "loads/load_1", AccruedCharges: 2, Contract: "contracts/CXBB-2026-1"},
		Policy: predicate.Policy{Contract: "contracts/CUS-HHS-1", Proof: shipment.Received},
	}
}

func TestEvaluate(t *testing.T) {
	short := func(e *predicate.Evidence) {
		e.Shipment.Lines[0].Accepted, e.Shipment.Lines[0].Short, e.Shipment.Lines[0].Damaged = each("76"), each("3"), each("1")
	}
	for _, c := range []struct {
		name   string
		change func(*predicate.Evidence)
		unmet  string // conditions, in order
		says   string // in the evidence of one of them
	}{
		{"clean", func(*predicate.Evidence) {}, "", ""},
		{"nothing happened yet", func(e *predicate.Evidence) {
			e.Shipment.Delivered, e.Shipment.Proof, e.Shipment.ProofState = time.Time{}, "", shipment.Missing
			e.Shipment.Lines = []shipment.Line{{Line: "10", Shipped: each("80")}}
		}, "delivered proof_of_delivery quantities_accepted", "has no actual delivery"},
		{"proof before delivered", func(e *predicate.Evidence) { e.Shipment.Delivered = time.Time{} }, "delivered", "no actual delivery"},
		{"delivered before proof", func(e *predicate.Evidence) {
			e.Shipment.Proof, e.Shipment.ProofState = "", shipment.Missing
			e.Shipment.Lines = []shipment.Line{{Line: "10", Shipped: each("80")}}
		}, "proof_of_delivery quantities_accepted", "none received"},
		{"proof not verified", func(e *predicate.Evidence) { e.Policy.Proof = shipment.Verified }, "proof_of_delivery", "VERIFIED required"},
		{"held", func(e *predicate.Evidence) { e.Holds = []shipment.Hold{{Kind: "QUALITY", Reason: "recall"}} }, "no_blocking_hold", "QUALITY (recall)"},
		{"short, clean part not billed", short, "exceptions_resolved", "3 EA short"},
		{"short, clean part billed", func(e *predicate.Evidence) { short(e); e.Policy.BillCleanPart = true }, "", ""},
		{"more accepted than shipped", func(e *predicate.Evidence) { e.Shipment.Lines[0].Accepted = each("81") }, "quantities_accepted", "accepted 81 EA of shipped 80 EA"},
		{"all refused", func(e *predicate.Evidence) {
			e.Shipment.Lines[0].Accepted, e.Shipment.Lines[0].Refused, e.Policy.BillCleanPart = each("0"), each("80"), true
		}, "quantities_accepted", "nothing was accepted"},
		{"cost not accrued", func(e *predicate.Evidence) { e.Load.AccruedCharges = 0 }, "charges_complete", "cost is not accrued"},
		{"collect needs no accrual", func(e *predicate.Evidence) { e.Load.AccruedCharges, e.Shipment.Terms = 0, shipment.Collect }, "", ""},
		{"freight without price", func(e *predicate.Evidence) { e.Incomplete = []string{"no freight price"} }, "charges_complete", "no freight price"},
		{"cancelled", func(e *predicate.Evidence) { e.Shipment.Cancelled = true }, "delivered", "was cancelled"},
	} {
		e := evidence()
		c.change(&e)
		all := predicate.Evaluate(e)
		if len(all) != 6 {
			t.Errorf("%s: %d conditions evaluated, want 6", c.name, len(all))
		}
		var names, words []string
		for _, u := range predicate.Unmet(all) {
			names, words = append(names, u.Condition), append(words, u.Evidence)
		}
		if got := strings.Join(names, " "); got != c.unmet {
			t.Errorf("%s: unmet %q, want %q", c.name, got, c.unmet)
		}
		if c.says != "" && !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, c.says) }) {
			t.Errorf("%s: evidence %q, want one that says %q", c.name, words, c.says)
		}
	}
}
