package outcome

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"sort"
	"strings"
	"time"
)

// Difference is one figure that is not what was expected.
type Difference struct {
	// Case is the scenario's page, a filler's order number, or "day".
	Case string
	// What is the figure, such as "orders[HH-1002].invoice.total".
	What string
	// Got and Want are JSON.
	Got, Want string
}

// String names the difference.
func (d Difference) String() string {
	return fmt.Sprintf("%s: %s: got %s, want %s", d.Case, d.What, d.Got, d.Want)
}

// Expected is expected.json. What has no type here is compared as it stands.
type Expected struct {
	Scenarios []ExpectedScenario `json:"scenarios"`
	Fillers   []ExpectedFiller   `json:"filler_orders"`
	Day       map[string]any     `json:"day"`
}

// ExpectedScenario is one scenario's page.
type ExpectedScenario struct {
	ID     string
	Orders []string // their numbers
	Fields map[string]any
}

// ExpectedFiller is one plain order.
type ExpectedFiller struct {
	Order  string
	Fields map[string]any
}

// UnmarshalJSON keeps the fields as they stand.
func (e *ExpectedScenario) UnmarshalJSON(raw []byte) error {
	var named struct {
		ID     string
		Orders []struct{ Order string }
	}
	if err := json.Unmarshal(raw, &named); err != nil {
		return err
	}
	e.ID = named.ID
	for _, o := range named.Orders {
		e.Orders = append(e.Orders, o.Order)
	}
	if err := json.Unmarshal(raw, &e.Fields); err != nil {
		return err
	}
	// A case has its work items in no order.
	items, _ := e.Fields["work_items"].([]any)
	sort.Slice(items, func(i, j int) bool { return nameOf(items[i], i) < nameOf(items[j], j) })
	return nil
}

// UnmarshalJSON keeps the fields as they stand.
func (e *ExpectedFiller) UnmarshalJSON(raw []byte) error {
	var named struct{ Order string }
	if err := json.Unmarshal(raw, &named); err != nil {
		return err
	}
	e.Order = named.Order
	return json.Unmarshal(raw, &e.Fields)
}

// ReadExpected reads expected.json of the day's folder.
func ReadExpected(day fs.FS) (Expected, error) {
	var e Expected
	raw, err := fs.ReadFile(day, "expected.json")
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return e, fmt.Errorf("expected.json: %w", err)
	}
	if len(e.Scenarios) != len(pageNames) || len(e.Day) == 0 {
		return e, fmt.Errorf("expected.json has %d scenarios, want %d, and the day", len(e.Scenarios), len(pageNames))
	}
	return e, nil
}

// pageNames are the names of the scenarios in the summary, in the order of their pages.
var pageNames = []string{
	"happy_path", "declined_next_carrier", "expired_on_calendar", "all_carriers_exhausted", "cancel_after_release", "partial_release", "short_delivery",
	"duplicate_214_and_210", "out_of_order_214", "unknown_status_replayed", "malformed_850_rejected", "unknown_item_hold",
	"freight_bill_within_tolerance", "freight_bill_over_tolerance", "freight_bill_header_mismatch", "silent_carrier_eta", "two_orders_one_load",
	"eu_domestic_vat", "eu_reverse_charge", "collect_order", "corpus_850_arrivals",
}

// stoppedAndStarted is the scenario that has no page: every figure stays although a service was stopped.
const stoppedAndStarted = "service_stopped_and_started"

// Outcome is the day held against what was expected.
type Outcome struct {
	Summary     Summary
	Differences []Difference
	// Cases are the scenarios in the order of their pages.
	Cases []Case
}

// Judge sums a reading up and compares it. stopped says that the service that is stopped in the day really was; wall is what the
// day took on this machine, simulated what it took in business time.
func (e Expected) Judge(r Reading, stopped bool, wall, simulated time.Duration) (Outcome, error) {
	s, err := r.Summarise()
	if err != nil {
		return Outcome{}, err
	}
	s.Clock(wall, simulated)
	o := Outcome{Summary: s}
	x := r.index(e)
	for _, want := range e.Scenarios {
		figures, err := x.scenario(want)
		if err != nil {
			return o, err
		}
		got, err := asJSON(figures)
		if err != nil {
			return o, err
		}
		o.compare(want.ID, "", got, want.Fields)
		o.Cases = append(o.Cases, figures.tell())
	}
	for _, want := range e.Fillers {
		got, err := x.filler(want)
		if err != nil {
			return o, err
		}
		o.compare(want.Order, "", got, want.Fields)
	}
	day, err := asJSON(s)
	if err != nil {
		return o, err
	}
	for _, key := range keys(e.Day) {
		o.compare("day", key, day[key], e.Day[key])
	}
	for _, what := range x.strange {
		o.Differences = append(o.Differences, Difference{"day", what, "there", "belonging to a case"})
	}
	trial, err := r.trialBalance()
	if err != nil {
		return o, err
	}
	for _, currency := range keys(s.Ledger) {
		for account, amount := range s.Ledger[currency] {
			told := trial[currency][account]
			if told == "" {
				told = "0.00"
			}
			if told != amount {
				o.Differences = append(o.Differences, Difference{"day", "GetTrialBalance " + currency + " " + account, told, "the entries' " + amount})
			}
		}
		if s.LedgerTotals[currency] != "0.00" {
			o.Differences = append(o.Differences, Difference{"day", "ledger_totals." + currency, s.LedgerTotals[currency], "0.00"})
		}
	}
	for _, i := range invariants {
		if s.Invariants[i] == "ok" {
			continue
		}
		got := s.Invariants[i]
		for _, b := range r.Breaches {
			if strings.HasPrefix(b, i) {
				got += "; " + b
			}
		}
		o.Differences = append(o.Differences, Difference{"day", "invariants." + i, got, "ok"})
	}
	if !stopped {
		o.Differences = append(o.Differences, Difference{stoppedAndStarted, "a service", "never stopped", "stopped and started again"})
	}
	o.Summary.Scenarios = map[string]string{stoppedAndStarted: "ok"}
	if len(o.Differences) > 0 {
		o.Summary.Scenarios[stoppedAndStarted] = "failed"
	}
	for i, want := range e.Scenarios {
		o.Summary.Scenarios[pageNames[i]] = "ok"
		if slices.ContainsFunc(o.Differences, func(d Difference) bool { return d.Case == want.ID }) {
			o.Summary.Scenarios[pageNames[i]] = "failed"
		}
	}
	return o, nil
}

// compare names every difference between two JSON values. What is expected decides what is looked at.
func (o *Outcome) compare(in, what string, got, want any) {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		fields := keys(w)
		for _, name := range keys(g) {
			if _, expected := w[name]; !expected {
				fields = append(fields, name)
			}
		}
		for _, name := range fields {
			o.compare(in, strings.TrimPrefix(what+"."+name, "."), g[name], w[name])
		}
		return
	case []any:
		g, ok := got.([]any)
		if !ok {
			break
		}
		if len(g) != len(w) {
			got, want = names(g), names(w)
			break
		}
		for i := range w {
			o.compare(in, fmt.Sprintf("%s[%s]", what, nameOf(w[i], i)), g[i], w[i])
		}
		return
	}
	if a, b := text(got), text(want); a != b {
		o.Differences = append(o.Differences, Difference{in, what, a, b})
	}
}

// nameOf is how an element of a list is called: by what names it, else by its place.
func nameOf(element any, i int) string {
	if fields, ok := element.(map[string]any); ok {
		for _, name := range []string{"order", "line", "moment", "carrier", "reason", "account"} {
			if s, ok := fields[name].(string); ok {
				return s
			}
		}
	}
	return fmt.Sprint(i)
}

func names(list []any) []string {
	out := []string{}
	for i, element := range list {
		out = append(out, nameOf(element, i))
	}
	return out
}

func text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// asJSON is a value as encoding/json reads it back.
func asJSON(v any) (map[string]any, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	return out, json.Unmarshal(raw, &out)
}
