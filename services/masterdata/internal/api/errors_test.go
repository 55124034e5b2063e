package api

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"

	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/store"
	"crossdock.dev/services/masterdata/internal/resource"
	"crossdock.dev/services/masterdata/internal/rule"
)

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		err    error
		code   codes.Code
		reason string
		http   int
	}{
		{rule.Zone("zone", "Ohio"), codes.InvalidArgument, rpcerr.ReasonInvalidFields, 400},
		{fmt.Errorf("x: %w", resource.ErrNotFound), codes.NotFound, rpcerr.ReasonNotFound, 404},
		{resource.ErrStale, codes.Aborted, rpcerr.ReasonStaleETag, 409},
		{resource.ErrApproved, codes.FailedPrecondition, "APPROVED", 409},
		{page.ErrToken, codes.InvalidArgument, rpcerr.ReasonInvalidPageToken, 400},
		{store.ErrRequestIDReused, codes.FailedPrecondition, rpcerr.ReasonRequestIDReused, 422},
		{store.ErrFull, codes.Unavailable, rpcerr.ReasonStoreFull, 503},
	} {
		var got *rpcerr.Error
		if !errors.As(refuse("parties/CUS-A", c.err), &got) {
			t.Errorf("%v is not mapped", c.err)
			continue
		}
		if got.Code != c.code || got.Reason != c.reason || got.HTTPStatus(false) != c.http {
			t.Errorf("%v = %v %s %d, want %v %s %d", c.err, got.Code, got.Reason, got.HTTPStatus(false), c.code, c.reason, c.http)
		}
	}
}

// TestReasons walks the contract's reasons: each is given by a rule or stands in ErrorInfo, and no rule has another.
func TestReasons(t *testing.T) {
	given := []string{masterdatav1.Reason_REASON_UNSPECIFIED.String(), masterdatav1.Reason_APPROVED.String()}
	for _, r := range []rule.Reason{rule.UnknownReference, rule.KeyTaken, rule.Malformed, rule.Missing, rule.NotAllowed, rule.OutOfRange,
		rule.NotAscending, rule.Duplicate, rule.CountMismatch, rule.Fixed} {
		given = append(given, string(r))
	}
	slices.Sort(given)
	if want := slices.Sorted(maps.Keys(masterdatav1.Reason_value)); !slices.Equal(given, want) {
		t.Errorf("reasons given = %q, want those of errors.proto %q", given, want)
	}
}
