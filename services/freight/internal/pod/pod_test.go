package pod_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"crossdock.dev/kernel/quantity"

	"crossdock.dev/services/freight/internal/pod"
	"crossdock.dev/services/freight/internal/refusal"
	"crossdock.dev/services/freight/internal/shipment"
)

func each(n string) quantity.Quantity { return quantity.MustParse(n, quantity.Each) }

var signed = time.Date(2026, 3, 6, 14, 40, 0, 0, time.UTC)

// pumps is the shipment of the day's scenario 07: 80 pumps, one to a carton.
func pumps() shipment.Shipment {
	return shipment.Shipment{Cartons: 80, Lines: []shipment.Line{{Line: "10", Quantity: each("80"), Cartons: 80}}}
}

func TestShortAndDamaged(t *testing.T) {
	st := pod.Statement{SignedAt: signed, Pieces: 77, Exceptions: []pod.Exception{
		{Line: "10", Kind: pod.Short, Quantity: each("3")},
		{Line: "10", Kind: pod.Damaged, Quantity: each("1"), Note: "subject to inspection"},
	}}
	lines, err := pod.Check(st, pumps(), signed)
	if err != nil {
		t.Fatal(err)
	}
	l := lines[0]
	for what, x := range map[string]struct{ got, want quantity.Quantity }{
		"shipped": {l.Shipped, each("80")}, "accepted": {l.Accepted, each("76")}, "short": {l.Short, each("3")},
		"damaged": {l.Damaged, each("1")}, "refused": {l.Refused, each("0")},
	} {
		if !x.got.Equal(x.want) {
			t.Errorf("%s = %s, want %s", what, x.got, x.want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, x := range []struct {
		name   string
		st     pod.Statement
		now    time.Time
		fields []string
		reason refusal.Reason
	}{
		{"clear", pod.Statement{Pieces: 80}, signed, nil, ""},
		{"more than shipped, all named", pod.Statement{Pieces: 81, Exceptions: []pod.Exception{
			{Line: "10", Kind: pod.Short, Quantity: each("80")}, {Line: "10", Kind: pod.Refused, Quantity: each("1")},
			{Line: "20", Kind: pod.Short, Quantity: each("1")}, {Line: "10", Kind: pod.Short, Quantity: quantity.MustParse("1", quantity.Case)},
			{Line: "10", Kind: pod.Short, Quantity: each("-1")},
		}}, signed, []string{
			"proof_of_delivery.exceptions[1].quantity.value", "proof_of_delivery.exceptions[2].line",
			"proof_of_delivery.exceptions[3].quantity.unit", "proof_of_delivery.exceptions[4].quantity.value", "proof_of_delivery.pieces",
		}, ""},
		{"over", pod.Statement{Pieces: 82, Exceptions: []pod.Exception{{Line: "10", Kind: pod.Over, Quantity: each("2")}}}, signed, nil, ""},
		{"fewer pieces and nothing said", pod.Statement{Pieces: 79}, signed, nil, refusal.PiecesMismatch},
		{"signed in the future", pod.Statement{Pieces: 80}, signed.Add(-15*time.Minute - time.Second), nil, refusal.FutureDated},
		{"clocks differ", pod.Statement{Pieces: 80}, signed.Add(-15 * time.Minute), nil, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			x.st.SignedAt = signed
			_, err := pod.Check(x.st, pumps(), x.now)
			var bad *refusal.FieldErrors
			var got []string
			if errors.As(err, &bad) {
				for _, f := range bad.Fields {
					got = append(got, f.Path)
				}
			}
			var unmet *refusal.PreconditionError
			var reason refusal.Reason
			if errors.As(err, &unmet) {
				reason = unmet.Reason
			}
			if !slices.Equal(got, x.fields) || reason != x.reason || (x.fields == nil && x.reason == "") != (err == nil) {
				t.Errorf("got fields %v, reason %q, error %v; want %v, %q", got, reason, err, x.fields, x.reason)
			}
		})
	}
}
