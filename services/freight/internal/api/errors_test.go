package api

import (
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/store"

	"crossdock.dev/services/freight/internal/refusal"
)

// Every reason of the contract is reached by an error of the domain, and has its code and HTTP status.
func TestReasons(t *testing.T) {
	fields := &refusal.FieldErrors{}
	fields.Add("claim.stop", "is no stop of the load")
	type want struct {
		err  error
		code codes.Code
		http int
	}
	unmet := func(r refusal.Reason) want {
		return want{refusal.Precondition(r, "k", "v"), codes.FailedPrecondition, 409}
	}
	table := map[freightv1.Reason]want{
		freightv1.Reason_INVALID_FIELDS:      {fields, codes.InvalidArgument, 400},
		freightv1.Reason_INVALID_PAGE_TOKEN:  {page.ErrToken, codes.InvalidArgument, 400},
		freightv1.Reason_NOT_FOUND:           {refusal.ErrNotFound, codes.NotFound, 404},
		freightv1.Reason_STALE_ETAG:          {refusal.ErrStale, codes.Aborted, 409},
		freightv1.Reason_REQUEST_ID_REUSED:   {store.ErrRequestIDReused, codes.FailedPrecondition, 422},
		freightv1.Reason_TRANSITION_REFUSED:  {&refusal.TransitionError{Resource: "tenders/t", From: "DECLINED", Verb: "accept"}, codes.FailedPrecondition, 409},
		freightv1.Reason_MASTER_DATA_MISSING: unmet(refusal.MasterDataMissing),
		freightv1.Reason_TENDER_EXPIRED:      unmet(refusal.TenderExpired),
		freightv1.Reason_LOAD_NOT_OPEN:       unmet(refusal.LoadNotOpen),
		freightv1.Reason_LOAD_NOT_BOOKED:     unmet(refusal.LoadNotBooked),
		freightv1.Reason_FUTURE_DATED:        unmet(refusal.FutureDated),
		freightv1.Reason_PIECES_MISMATCH:     unmet(refusal.PiecesMismatch),
		freightv1.Reason_LOAD_SHARED:         unmet(refusal.LoadShared),
		freightv1.Reason_LOAD_CANCELLED:      unmet(refusal.LoadCancelled),
	}
	values := freightv1.Reason(0).Descriptor().Values()
	for i := range values.Len() {
		v := values.Get(i)
		if v.Number() == 0 {
			continue
		}
		w, ok := table[freightv1.Reason(v.Number())]
		if !ok {
			t.Errorf("%s: no error has this reason", v.Name())
			continue
		}
		var got *rpcerr.Error
		if !errors.As(refuse("tenders/t", fmt.Errorf("accept tenders/t: %w", w.err)), &got) {
			t.Errorf("%s: %v is no refusal", v.Name(), w.err)
			continue
		}
		if got.Reason != string(v.Name()) || got.Code != w.code || got.HTTPStatus(false) != w.http {
			t.Errorf("%v: got %s %s %d, want %s %s %d", w.err, got.Reason, got.Code, got.HTTPStatus(false), v.Name(), w.code, w.http)
		}
	}
	for _, r := range refusal.Reasons() {
		if values.ByName(protoreflect.Name(r)) == nil {
			t.Errorf("reason %s of the domain is not in the contract", r)
		}
	}
	surprise := errors.New("surprise")
	if got := refuse("tenders/t", surprise); !errors.Is(got, surprise) {
		t.Errorf("an error that nobody foresaw became %v, want it untouched for the interceptor", got)
	}
}
