package core_test

import (
	"slices"
	"testing"

	"crossdock.dev/platform/platformtest"
	"crossdock.dev/platform/rpcerr"
)

// expectFields checks that a refusal names exactly these fields.
func expectFields(t *testing.T, what string, err error, want ...string) {
	t.Helper()
	e := rpcerr.From(err)
	var got []string
	for _, f := range e.Fields {
		got = append(got, f.Path)
	}
	slices.Sort(got)
	slices.Sort(want)
	if e.Reason != rpcerr.ReasonInvalidFields || !slices.Equal(got, want) {
		t.Errorf("%s: reason %s (%v), fields %v; want INVALID_FIELDS, %v", what, e.Reason, err, got, want)
	}
}

// expectProblem checks that a refusal by REST has this status and reason and names exactly these fields.
func expectProblem(t *testing.T, a platformtest.Answer, status int, reason string, want ...string) {
	t.Helper()
	p := a.Problem(t)
	var got []string
	for _, f := range p.Fields {
		got = append(got, f.Field)
	}
	slices.Sort(got)
	slices.Sort(want)
	if a.Status != status || p.Reason != reason || !slices.Equal(got, want) {
		t.Errorf("answer %d %s fields %v, want %d %s %v: %s", a.Status, p.Reason, got, status, reason, want, a.Body)
	}
}
