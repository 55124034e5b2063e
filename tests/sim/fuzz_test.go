package sim_test

import (
	"encoding/json"
	"errors"
	"io"
	"testing"

	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// quiet keeps a suite from speaking for a fuzz test while its target runs, which only the target itself may.
type quiet struct{ testing.TB }

func (quiet) Helper()             {}
func (quiet) Log(...any)          {}
func (quiet) Logf(string, ...any) {}
func (quiet) Output() io.Writer   { return io.Discard }

// FuzzDoor: a body of any bytes at the partners' door is answered, in JSON, and never with an error of ours.
func FuzzDoor(f *testing.F) {
	s := sim.New(quiet{f})
	s.Seed()
	for _, body := range []string{
		`{"customerOrderNumber":"F-1","shipFrom":"locations/LOC-CMH","shipTo":"locations/LOC-INDH","mode":"LTL","currencyCode":"USD","lines":[{"line":"10","item":"items/NS-PUMP-10","quantity":{"value":"20","unit":"EA"},"unitPrice":"189.00"}]}`,
		`{"lines":[{"quantity":{"value":"1e999999999"}}]}`, `{"url":"http://[::1]:99999/","eventTypes":["x"]}`, `[`, `{"total":{"units":"9223372036854775807","nanos":999999999}}`,
		`{"load":"NL1","signedAt":"2026-02-30T99:99:99Z","pieces":-1}`,
	} {
		for _, path := range []string{"/v1/orders", "/v1/webhooks", "/v1/freightBills", "/v1/proofsOfDelivery"} {
			f.Add(path, []byte(body))
		}
	}
	paths := map[string]string{
		"/v1/orders": "parties/CUS-HHS", "/v1/webhooks": "parties/CUS-HHS", "/v1/freightBills": "parties/CAR-CXEE", "/v1/proofsOfDelivery": "parties/CAR-CXEE",
	}
	for path, party := range paths { // the keys are made before
		s.Do(party, "GET", path, "", nil)
	}
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		party := paths[path]
		if party == "" || len(body) == 0 {
			return
		}
		answer, err := s.Call(t.Context(), party, "POST", path, "", body)
		if refused, ok := errors.AsType[*story.RESTError](err); ok && refused.Status < 500 {
			answer, err = refused.Body, nil
		}
		if err != nil || !json.Valid(answer) || len(answer) > 1<<20 {
			t.Fatalf("POST %s %q: %v %s", path, body, err, answer)
		}
	})
}
