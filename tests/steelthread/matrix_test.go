package steelthread

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"crossdock.dev/platform/auth"
	"crossdock.dev/tests/expect"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// heard is a suite that keeps what partners asked.
type heard struct {
	*sim.Suite
	asked []asked
}

type asked struct {
	party, method, path, key string
	body, answer             []byte
}

func (h *heard) REST(ctx context.Context, party, method, path, key string, body []byte) ([]byte, error) {
	answer, err := h.Suite.REST(ctx, party, method, path, key, body)
	if err == nil && key != "" {
		h.asked = append(h.asked, asked{party, method, path, key, body, answer})
	}
	return answer, err
}

// A stranger sends exactly what another partner has sent, with the same idempotency key: it gets nothing of that partner's
// answer, and what both may do both can, each for itself.
func TestSameKeyOfTwoPartners(t *testing.T) {
	begun, tried := time.Now(), 0
	s := &heard{Suite: sim.New(t)}
	s.Seed()
	var names story.Names
	for _, act := range story.HappyPath(s, document(t), &names) {
		if act.At.After(s.Now()) {
			must(t, s.SetClock(act.At))
		}
		must(t, act.Do(t.Context()))
	}
	expect.HappyPath(t, s, names)
	// The bill of a carrier is its own, whoever else has one of the same number: it matches no load, and is answered all the same.
	for _, a := range s.asked {
		for _, stranger := range []string{"parties/CAR-CXEE", "parties/CUS-HHS"} {
			tried++
			status, answer := s.Do(stranger, a.method, a.path, a.key, a.body)
			mine := stranger == "parties/CAR-CXEE" && a.path == "/v1/freightBills"
			if mine && status != http.StatusOK {
				t.Errorf("%s %s as %s under the key of %s: %d %s, want its own bill", a.method, a.path, stranger, a.party, status, answer)
			}
			if !mine && status != http.StatusNotFound && status != http.StatusForbidden {
				t.Errorf("%s %s as %s under the key of %s: %d %s, want 404 or 403", a.method, a.path, stranger, a.party, status, answer)
			}
			var said struct{ Name string }
			must(t, json.Unmarshal(a.answer, &said))
			if said.Name != "" && !strings.Contains(a.path, said.Name) && strings.Contains(string(answer), said.Name) {
				t.Errorf("%s %s as %s under the key of %s tells of %s: %s", a.method, a.path, stranger, a.party, said.Name, answer)
			}
		}
	}
	// Two customers with one key, one order number: an order for each.
	order := []byte(`{"customerOrderNumber":"SAME-1","shipFrom":"locations/LOC-CMH","shipTo":"locations/LOC-DETH","mode":"LTL","currencyCode":"USD","lines":[{"line":"10","item":"items/NS-PUMP-10","quantity":{"value":"40","unit":"EA"},"unitPrice":"189.00"}]}`)
	made := map[string]string{}
	for _, customer := range []string{"parties/CUS-HHS", "parties/CUS-PIN"} {
		for range 2 {
			tried++
			body := bytes.ReplaceAll(order, []byte("LOC-DETH"), []byte(map[string]string{"parties/CUS-HHS": "LOC-DETH", "parties/CUS-PIN": "LOC-DETP"}[customer]))
			status, answer := s.Do(customer, "POST", "/v1/orders", "same-key", body)
			var o struct{ Name, Customer string }
			must(t, json.Unmarshal(answer, &o))
			if status != http.StatusOK || made[customer] != "" && made[customer] != o.Name {
				t.Fatalf("%s: %d %s, want one order of its own", customer, status, answer)
			}
			made[customer] = o.Name
		}
	}
	if made["parties/CUS-HHS"] == made["parties/CUS-PIN"] {
		t.Errorf("both customers got %s", made["parties/CUS-HHS"])
	}
	verify(t, s.Suite)
	fmt.Printf("same key of two partners: %d calls, %v\n", tried, time.Since(begun).Round(time.Second))
}

// Every method that partners may call, of every service, by tokens that are not good for it: each is refused, in the same words
// whether or not what is asked for exists, and nothing has an effect.
func TestTokensForSomethingElse(t *testing.T) {
	begun, tried := time.Now(), 0
	s := sim.New(t)
	s.Seed()
	webhook, told := webhookOf(t, s), webhookOf(t, s)
	names := play(t, s, nil)
	ids := map[string]string{
		"webhook": bare(webhook), "delivery": bare(deliveryTo(t, s, told)),
		"order": bare(names.Order), "tender": bare(names.Tender), "load": bare(names.Load), "load_number": names.LoadNumber,
		"shipment": bare(names.Shipment), "invoice": bare(names.Invoice), "proof": bare(proofOf(t, s, names)), "bill": bare(billOf(t, s)),
	}
	other, err := auth.DevPKI(t.TempDir())
	must(t, err)
	signer := func(pki *auth.PKI, at time.Time) *auth.Signer {
		made, err := auth.NewSigner(pki.TokenKey(), func() time.Time { return at })
		must(t, err)
		return made
	}
	services := []string{"orders", "freight", "billing", "edge"}
	for name, c := range calls {
		service, _, _ := strings.Cut(name, ".")
		if c.method == "" {
			c = map[string]call{
				"orders.CreateOrder": {"POST", "/v1/orders", `{}`, "", "", ""}, "billing.SubmitFreightBill": {"POST", "/v1/freightBills", `{}`, "", "", ""},
				"edge.CreateWebhook": {"POST", "/v1/webhooks", `{}`, "", "", ""},
			}[name]
		}
		path := strings.ReplaceAll(c.path, "{id}", ids[c.key])
		party := "parties/CUS-XYZ"
		if service == "freight" || strings.HasPrefix(path, "/v1/freightBills") {
			party = "parties/CAR-CXBB"
		}
		pki, now := s.Server(service).PKI, time.Now()
		good := auth.Token{
			Service: service, KeyID: "key_1", Party: party, Roles: []string{"customer", "carrier"}, Scopes: []string{}, LegalEntities: []string{"legalEntities/LE-US"},
			Method: c.method, Path: path,
		}
		bent := func(bend func(*auth.Token)) auth.Token {
			out := good
			bend(&out)
			return out
		}
		sign := func(by *auth.Signer, t auth.Token) string {
			signed, err := by.Sign(t)
			if err != nil {
				return ""
			}
			return signed
		}
		tokens := map[string]string{
			"expired":            sign(signer(pki, now.Add(-2*time.Minute)), good),
			"of tomorrow":        sign(signer(pki, now.Add(24*time.Hour)), good),
			"by another key":     sign(signer(other, now), good),
			"for another method": sign(signer(pki, now), bent(func(t *auth.Token) { t.Method = map[string]string{"GET": "POST", "POST": "GET"}[c.method] })),
			"for another path":   sign(signer(pki, now), bent(func(t *auth.Token) { t.Path = path + "x" })),
			"altered":            sign(signer(pki, now), good) + "x",
			"no token":           "", "no JWT": "abc",
		}
		for _, elsewhere := range services {
			if elsewhere != service {
				tokens["for "+elsewhere] = sign(signer(pki, now), bent(func(t *auth.Token) { t.Service = elsewhere }))
			}
		}
		for kind, token := range tokens {
			refusal := func(id string) string {
				tried++
				fill := func(text string) string { return strings.ReplaceAll(text, "{id}", id) }
				req, err := http.NewRequestWithContext(t.Context(), c.method, s.Server(service).URL+fill(c.path), strings.NewReader(fill(c.body)))
				must(t, err)
				if token != "" {
					req.Header.Set("Authorization", "Bearer "+token)
				}
				req.Header.Set("Idempotency-Key", "token-"+strings.ReplaceAll(kind, " ", "-"))
				answer := s.Server(service).Send(req)
				if answer.Status != http.StatusUnauthorized {
					t.Errorf("%s with a token %s: %d %s, want 401", name, kind, answer.Status, answer.Body)
				}
				if id == "" {
					return string(answer.Body)
				}
				return shape(answer.Body, id)
			}
			if there := refusal(ids[c.key]); c.key != "" {
				if missing := refusal(c.missing); there != missing {
					t.Errorf("%s with a token %s: %s\na missing id gets %s", name, kind, there, missing)
				}
			}
		}
	}
	if len(calls) != len(partnerMethods()) || !slices.Contains(partnerMethods(), "orders.CreateOrder") {
		t.Errorf("%d methods tried, %d are for partners", len(calls), len(partnerMethods()))
	}
	expect.HappyPath(t, s, names) // nothing that was tried had an effect
	verify(t, s)
	fmt.Printf("tokens for something else: %d methods, %d calls, %v\n", len(calls), tried, time.Since(begun).Round(time.Second))
}
