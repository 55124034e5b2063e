package api

import (
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"

	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/store"
	"crossdock.dev/services/orders/internal/order"
)

// TestEveryReasonIsGiven walks the reasons of the contract: each is given for some error of the domain, wrapped or not.
func TestEveryReasonIsGiven(t *testing.T) {
	given := map[string]bool{}
	for _, x := range []struct {
		err    error
		code   codes.Code
		reason string
	}{
		{&order.FieldErrors{Fields: []order.FieldError{{Path: "a", Reason: order.MoreThanUnreleased}}}, codes.InvalidArgument, "INVALID_FIELDS"},
		{&order.TransitionError{From: order.Cancelled, Verb: order.VerbConfirm}, codes.FailedPrecondition, "TRANSITION_REFUSED"},
		{&order.HeldError{Holds: []order.Hold{{Kind: order.HoldCredit}}}, codes.FailedPrecondition, "HOLD_IN_THE_WAY"},
		{&order.MissingError{Missing: []order.Missing{{Field: "customer"}}}, codes.FailedPrecondition, "MASTER_DATA_MISSING"},
		{&order.ShippedError{Lines: []string{"1"}}, codes.FailedPrecondition, "ALREADY_SHIPPED"},
		{order.ErrCallingOff, codes.FailedPrecondition, "BEING_CANCELLED"},
		{order.ErrNothingUnreleased, codes.FailedPrecondition, "NOTHING_UNRELEASED"},
		{&order.DuplicateError{Existing: "orders/ord_1"}, codes.AlreadyExists, "ORDER_NUMBER_TAKEN"},
		{order.ErrOtherCustomer, codes.PermissionDenied, "OTHER_CUSTOMER"},
		{order.ErrNotFound, codes.NotFound, "NOT_FOUND"},
		{order.ErrStale, codes.Aborted, "STALE_ETAG"},
		{store.ErrRequestIDReused, codes.FailedPrecondition, "REQUEST_ID_REUSED"},
		{store.ErrFull, codes.Unavailable, "STORE_FULL"},
	} {
		for _, err := range []error{x.err, fmt.Errorf("confirm orders/ord_1: %w", x.err)} {
			var e *rpcerr.Error
			if got := refusal(err, "orders/ord_1"); !errors.As(got, &e) || e.Code != x.code || e.Reason != x.reason {
				t.Errorf("%v: got %v, want %s %s", err, got, x.code, x.reason)
				continue
			}
			given[e.Reason] = true
			for _, f := range e.Fields {
				given[f.Reason] = true
			}
		}
	}
	for n, name := range ordersv1.Reason_name {
		if n != 0 && !given[name] {
			t.Errorf("reason %s is given for no error", name)
		}
	}
	if got := refusal(order.ErrAlgebra, "orders/ord_1"); got != order.ErrAlgebra {
		t.Errorf("an error that is not mapped: got %v, want it unchanged, so that it becomes INTERNAL", got)
	}
}
