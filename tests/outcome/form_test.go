package outcome_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"crossdock.dev/tests/outcome"
)

// A summary with the example's figures is written as the example is, byte for byte.
func TestSummaryForm(t *testing.T) {
	want, err := fs.ReadFile(theDay(t), "summary.example.json")
	must(t, err)
	form, err := outcome.ReadForm(theDay(t))
	must(t, err)
	var s outcome.Summary
	d := json.NewDecoder(bytes.NewReader(want))
	d.DisallowUnknownFields()
	must(t, d.Decode(&s))
	var got bytes.Buffer
	must(t, s.Write(&got, form))
	if diff := cmp.Diff(string(bytes.TrimSpace(want)), string(bytes.TrimSpace(got.Bytes()))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The table tells of every case, and where to look.
func TestTell(t *testing.T) {
	o := outcome.Outcome{Cases: []outcome.Case{
		{ID: "02-declined-next-carrier", Happened: "delivered and billed · CXAA declined", Money: "invoice 29671.60 USD · freight 1010.00 USD", Look: "HH-1002"},
		{ID: "21-corpus", Happened: "850 from CUS-XFL: 0 duplicate, 1 parked, 1 rejected · 850 from CUS-XYZ: 3 duplicate, 1 parked, 0 rejected"},
	}}
	var got strings.Builder
	must(t, o.Tell(&got))
	want := `CASE                      WHAT HAPPENED                                        MONEY                                       WHERE TO LOOK
02 declined next carrier  delivered and billed · CXAA declined                 invoice 29671.60 USD · freight 1010.00 USD  bin/crossdock explain HH-1002
21 corpus                 850 from CUS-XFL: 0 duplicate, 1 parked, 1 rejected                                              bin/crossdock work-items list
                          850 from CUS-XYZ: 3 duplicate, 1 parked, 0 rejected                                              
the day                   0 orders · 0 tenders accepted · 0 work items open    invoices  · freight                         bin/crossdock ledger balance
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
