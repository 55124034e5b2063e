package outcome_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
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
