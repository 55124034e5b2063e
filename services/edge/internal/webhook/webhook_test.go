package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"crossdock.dev/platform/platformtest/golden"
)

var at = time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)

func good() New {
	return New{ID: "whk_1", Party: "parties/CUS-PIN", URL: "https://example.com/hook?x=1", Events: []string{OrderShipped, InvoiceIssued}}
}

// Every state with every verb, of endpoints and of deliveries.
func TestTransitions(t *testing.T) {
	var b strings.Builder
	for _, from := range []State{0, Active, Failing, Disabled} {
		for _, v := range []Verb{VerbCreate, VerbRoll, VerbDisable, VerbEnable, VerbSucceed, VerbFail, VerbGone} {
			e, facts, err := Endpoint{ID: "whk_1", State: from}.Do(v, at)
			if from == 0 && v == VerbCreate {
				e, facts, err = Create(good(), at)
			}
			fmt.Fprintf(&b, "endpoint %-9v %-8s %s\n", from, v, outcome(e.State, len(facts), err))
		}
	}
	for _, from := range []DeliveryState{0, Pending, Delivered, Failed} {
		for _, v := range []Verb{VerbCreate, VerbSucceed, VerbRefuse, VerbGone, VerbDrop, VerbResend} {
			d := Delivery{ID: "whd_1", State: from}
			var err error
			switch v {
			case VerbCreate:
				if from != 0 {
					continue // there is no way to ask for it
				}
				d, err = NewDelivery("whd_1", Endpoint{ID: "whk_1"}, Event{Type: OrderShipped, Resource: "orders/ord_1"}, at)
			case VerbResend:
				d, err = d.Resend()
			default:
				a := map[Verb]Attempt{
					VerbSucceed: {Status: 204}, VerbRefuse: {Status: 500, Error: ErrStatus}, VerbGone: {Status: 410, Error: ErrStatus}, VerbDrop: {Error: ErrDisabled},
				}[v]
				if a.Verb() != v {
					t.Errorf("%+v means %s, want %s", a, a.Verb(), v)
				}
				d, err = d.Tried(a)
			}
			fmt.Fprintf(&b, "delivery %-9v %-8s %s\n", from, v, outcome(d.State, 0, err))
		}
	}
	golden.Check(t, "transitions.txt", []byte(b.String()))
}

func outcome(to fmt.Stringer, facts int, err error) string {
	var refused *TransitionError
	if errors.As(err, &refused) {
		return "refused"
	}
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(to, strings.Repeat(" +fact", facts))
}

// A 3xx is no success: a redirect is not followed.
func TestWhatAnAnswerMeans(t *testing.T) {
	for status, want := range map[int]Verb{200: VerbSucceed, 299: VerbSucceed, 199: VerbRefuse, 301: VerbRefuse, 400: VerbRefuse, 410: VerbGone, 500: VerbRefuse, 0: VerbRefuse} {
		a := Attempt{Status: status}
		if status < 200 || status > 299 {
			a.Error = ErrStatus
		}
		if got := a.Verb(); got != want {
			t.Errorf("%d: %s, want %s", status, got, want)
		}
	}
}

// The schedule is the one that the Standard Webhooks specification recommends ("Retry schedule"): at once, then after 5 s, 5 min,
// 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h; then no more.
func TestSchedule(t *testing.T) {
	d, err := NewDelivery("whd_1", Endpoint{ID: "whk_1"}, Event{Type: OrderShipped, Resource: "orders/ord_1"}, at)
	if err != nil {
		t.Fatal(err)
	}
	var waits []string
	now := at
	for d.State == Pending {
		if d, err = d.Tried(Attempt{Start: now, Status: 503, Error: ErrStatus, Duration: time.Second}); err != nil {
			t.Fatal(err)
		}
		if d.State == Pending {
			waits = append(waits, d.Next.Sub(now.Add(time.Second)).String())
			now = d.Next
		}
	}
	want := []string{"5s", "5m0s", "30m0s", "2h0m0s", "5h0m0s", "10h0m0s", "14h0m0s", "20h0m0s", "24h0m0s"}
	if diff := cmp.Diff(want, waits); diff != "" || d.State != Failed || d.Count != 10 || !d.Next.IsZero() {
		t.Errorf("%v after %d attempts, next %v; want FAILED after 10, waits (-want +got):\n%s", d.State, d.Count, d.Next, diff)
	}
	for range 5 { // what is remembered is bounded, whatever is resent
		if d, err = d.Resend(); err != nil {
			t.Fatal(err)
		}
		for d.State == Pending {
			if d, err = d.Tried(Attempt{Start: now, Status: 500, Error: ErrStatus}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(d.Attempts) != 32 || d.Attempts[31].Status != 500 {
		t.Errorf("%d attempts remembered, want the last 32", len(d.Attempts))
	}
}

func TestBadFieldsAreNamedAtOnce(t *testing.T) {
	_, _, err := Create(New{
		Party: "CUS-PIN", URL: "http://example.com", Events: []string{OrderShipped, "order.lost", OrderShipped}, Others: MaxEndpoints,
	}, at)
	var bad FieldErrors
	if !errors.As(err, &bad) {
		t.Fatalf("got %v, want FieldErrors", err)
	}
	var got []string
	for _, f := range bad {
		got = append(got, fmt.Sprint(f.Path, " ", f.Problem))
	}
	want := []string{
		fmt.Sprint("party ", Malformed), fmt.Sprint("url ", Refused), fmt.Sprint("event_types[1] ", UnknownEvent),
		fmt.Sprint("event_types[2] ", Duplicate), fmt.Sprint("party ", TooMany),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bad fields (-want +got):\n%s", diff)
	}
}

func TestCheckURL(t *testing.T) {
	for _, c := range []struct {
		url         string
		public, dev bool
	}{
		{"https://example.com/hook", true, true},
		{"https://example.com:8443/hook?tenant=1", true, true},
		{"https://8.8.8.8/", true, true},
		{"https://[2606:4700::1111]/", true, true},
		{"http://example.com/hook", false, false},
		{"http://127.0.0.1:8000/hook", false, true},
		{"http://[::1]:8000/hook", false, true},
		{"http://localhost:8000/hook", false, true},
		{"http://10.0.0.1/hook", false, false},
		{"https://localhost/hook", false, true},
		{"https://crossdock.localhost/hook", false, true},
		{"https://127.0.0.1/hook", false, true},
		{"https://10.1.2.3/hook", false, true},
		{"https://[::ffff:10.1.2.3]/hook", false, true},
		{"https://169.254.169.254/latest", false, false},
		{"https://user:secret@example.com/hook", false, false},
		{"https://example.com/hook#here", false, false},
		{"ftp://example.com/hook", false, false},
		{"https:///hook", false, false},
		{"https:example.com", false, false},
		{"/hook", false, false},
		{"", false, false},
		{"https://exa mple.com/", false, false},
	} {
		for private, want := range map[bool]bool{false: c.public, true: c.dev} {
			if got := (Reach{Private: private}).CheckURL(c.url); (got == "") != want {
				t.Errorf("%q, development %v: %q, want accepted %v", c.url, private, got, want)
			}
		}
	}
}

// The addresses are those of the IANA special-purpose registries (RFC 6890).
func TestAddresses(t *testing.T) {
	for address, want := range map[string][2]bool{ // on the public internet; in development
		"8.8.8.8": {true, true}, "2606:4700::1111": {true, true}, "1.1.1.1": {true, true},
		"127.0.0.1": {false, true}, "::1": {false, true}, "::ffff:127.0.0.1": {false, true}, "127.255.0.1": {false, true},
		"10.0.0.1": {false, true}, "172.16.0.1": {false, true}, "172.31.255.255": {false, true}, "192.168.1.1": {false, true}, "fd00::1": {false, true},
		"172.32.0.1": {true, true},
		"0.0.0.0":    {}, "::": {}, "0.1.2.3": {}, "169.254.169.254": {}, "fe80::1": {}, "224.0.0.1": {}, "ff02::1": {}, "255.255.255.255": {}, "240.0.0.1": {},
		"100.64.0.1": {}, "192.0.2.1": {}, "198.18.0.1": {}, "64:ff9b::a00:1": {}, "2002:a00:1::": {}, "2001:0:a00:1::": {}, "2001:db8::1": {}, "::ffff:169.254.169.254": {},
	} {
		ip := netip.MustParseAddr(address)
		if got := [2]bool{Reach{}.Allows(ip), Reach{Private: true}.Allows(ip)}; got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
	if (Reach{Private: true}).Allows(netip.Addr{}) {
		t.Error("no address is allowed, want refused")
	}
}

// The body has the three fields that the Standard Webhooks specification recommends, and nothing of another party.
func TestBody(t *testing.T) {
	body, err := Event{
		Type: OrderPromiseChanged, Party: "parties/CUS-PIN", Resource: "orders/ord_1", OccurTime: at,
		Data: Data{Order: "orders/ord_1", CustomerOrderNumber: "A & B", Promise: &Promise{DeliverBy: "2026-03-04T17:00:00-05:00", Confidence: "LOW", Reasons: []string{"FEED_SILENT"}}},
	}.Body()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"order.promise_changed","timestamp":"2026-03-02T11:00:00Z","data":{"path":"/v1/orders/ord_1","order":"orders/ord_1",` +
		`"customerOrderNumber":"A & B","promise":{"deliverBy":"2026-03-04T17:00:00-05:00","confidence":"LOW","reasons":["FEED_SILENT"]}}}`
	if string(body) != want || !json.Valid(body) {
		t.Errorf("body %s, want %s", body, want)
	}
}

func TestSecret(t *testing.T) {
	old, err := NewSecret(strings.NewReader(strings.Repeat("\x00", 32)))
	if err != nil {
		t.Fatal(err)
	}
	// 32 zero bytes in base64 (RFC 4648 section 4): 43 letters A and one sign of padding.
	want := "whsec_" + strings.Repeat("A", 43) + "="
	if got := old.Reveal(); got != want {
		t.Errorf("secret %q, want %q", got, want)
	}
	for _, format := range []string{"%v", "%s", "%+v", "%#v", "%q", "%x"} {
		if got := fmt.Sprintf(format, old); strings.Contains(got, "AAAA") || strings.Contains(got, "0000") {
			t.Errorf("%s prints the secret: %s", format, got)
		}
	}
	if _, err := NewSecret(strings.NewReader(strings.Repeat("\x00", 31))); err == nil {
		t.Error("31 random bytes made a secret, want an error")
	}
	next := SecretOf([]byte("next"))
	s := Secrets{Current: old}.Roll(next, at)
	for when, want := range map[time.Duration]int{0: 2, 24*time.Hour - 1: 2, 24 * time.Hour: 1} {
		got := s.At(at.Add(when))
		if len(got) != want || string(got[0].Raw()) != "next" {
			t.Errorf("%v after the roll: %d secrets, want %d with the new one first", when, len(got), want)
		}
	}
}
