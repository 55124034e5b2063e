package rpcerr_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"crossdock.dev/platform/platformtest/golden"
	"crossdock.dev/platform/rpcerr"
)

func TestProblem(t *testing.T) {
	e := rpcerr.Invalid(
		rpcerr.Field{Path: "order.order_lines[2].unit_price", Description: "is required", Reason: "REQUIRED"},
		rpcerr.Field{Path: `labels["a_b"].value_text`, Description: "is too long"},
	).With("limit", "5").In("orders")
	w := httptest.NewRecorder()
	w.Header().Set("X-Request-Id", "call-9")
	rpcerr.WriteHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/orders", nil), e)
	golden.Check(t, "problem.json", w.Body.Bytes())
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" { // RFC 9457 section 3
		t.Errorf("content type %q", got)
	}
}

func TestRetryAfterIsRoundedUp(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "", time.Millisecond: "1", time.Second: "1", 1500 * time.Millisecond: "2", time.Minute: "60"} {
		w := httptest.NewRecorder()
		rpcerr.WriteHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil), rpcerr.Exhausted(d))
		if got := w.Header().Get("Retry-After"); got != want {
			t.Errorf("%v: Retry-After %q, want %q", d, got, want)
		}
		if w.Code != http.StatusTooManyRequests {
			t.Errorf("%v: status %d", d, w.Code)
		}
	}
}

func TestUnauthenticatedAsksForACredential(t *testing.T) {
	w := httptest.NewRecorder()
	rpcerr.WriteHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil), rpcerr.Unauthenticated("no token"))
	if w.Code != 401 || w.Header().Get("WWW-Authenticate") != "Bearer" { // RFC 9110 section 15.5.2
		t.Errorf("status %d, WWW-Authenticate %q", w.Code, w.Header().Get("WWW-Authenticate"))
	}
}

func TestOverTheWireAndBack(t *testing.T) {
	for _, e := range []*rpcerr.Error{
		rpcerr.Invalid(rpcerr.Field{Path: "a", Description: "is bad", Reason: "X"}, rpcerr.Field{Path: "b", Description: "is bad"}),
		rpcerr.Exhausted(1500 * time.Millisecond),
		rpcerr.Precondition("PREDICATE_UNMET", map[string]string{"pod": "missing", "accepted": "0 EA"}),
		rpcerr.NotFound("orders/ord_1"),
		rpcerr.Unavailable(""),
		rpcerr.Stale("orders/ord_1"),
	} {
		want := e.In("orders")
		got := rpcerr.FromStatus(want.GRPCStatus())
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-sent +read):\n%s", e.Reason, diff)
		}
	}
}

func TestFrom(t *testing.T) {
	if rpcerr.From(nil) != nil || rpcerr.Reason(nil) != "" {
		t.Error("nil is an error")
	}
	for _, test := range []struct {
		err    error
		code   codes.Code
		reason string
	}{
		{status.Error(codes.Unavailable, "x"), codes.Unavailable, "UNAVAILABLE"},
		{fmt.Errorf("call: %w", status.Error(codes.ResourceExhausted, "x")), codes.ResourceExhausted, "OVERLOADED"},
		{fmt.Errorf("call: %w", rpcerr.RequestIDReused()), codes.FailedPrecondition, "REQUEST_ID_REUSED"},
		{errors.New("x"), codes.Unknown, "INTERNAL"},
		{context.DeadlineExceeded, codes.Unknown, "INTERNAL"},
	} {
		if e := rpcerr.From(test.err); e.Code != test.code || e.Reason != test.reason {
			t.Errorf("%v: got %v %s, want %v %s", test.err, e.Code, e.Reason, test.code, test.reason)
		}
	}
}

// An error keeps the domain it was given, and With and In leave the original alone.
func TestCopies(t *testing.T) {
	e := rpcerr.NotFound("orders/ord_1")
	freight := e.In("freight").With("k", "v")
	if got := freight.In("orders").Domain; got != "crossdock.dev/freight" {
		t.Errorf("domain %s", got)
	}
	if e.Domain != "" || e.Metadata["k"] != "" {
		t.Errorf("the original changed: %+v", e)
	}
}
