package api

import (
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpcerr"

	"crossdock.dev/services/billing/internal/accrual"
	"crossdock.dev/services/billing/internal/app"
	"crossdock.dev/services/billing/internal/freightbill"
	"crossdock.dev/services/billing/internal/invoice"
	"crossdock.dev/services/billing/internal/predicate"
)

// Every error of the domain has its reason, code and HTTP status, wrapped or not, and every reason of the contract is given.
func TestRefusals(t *testing.T) {
	given := map[string]bool{billingv1.Reason_REASON_UNSPECIFIED.String(): true}
	for _, c := range []struct {
		err    error
		reason string
		code   codes.Code
		http   int
		meta   map[string]string
	}{
		{&app.UnmetError{Shipment: "shipments/shp_1", Unmet: []predicate.Conjunct{{Condition: "delivered", Evidence: "not yet"}}}, "NOT_BILLABLE",
			codes.FailedPrecondition, 409, map[string]string{"unmet": "delivered", "delivered": "not yet", "shipment": "shipments/shp_1"}},
		{&invoice.TransitionError{From: invoice.DraftState, Verb: invoice.Issue}, "TRANSITION_REFUSED", codes.FailedPrecondition, 409,
			map[string]string{"state": "DRAFT", "verb": "issue"}},
		{&freightbill.TransitionError{From: freightbill.Rejected, Verb: freightbill.Approve}, "TRANSITION_REFUSED", codes.FailedPrecondition, 409,
			map[string]string{"state": "REJECTED", "verb": "approve"}},
		{&accrual.TransitionError{From: accrual.Cleared, Verb: accrual.Clear}, "TRANSITION_REFUSED", codes.FailedPrecondition, 409,
			map[string]string{"state": "CLEARED", "verb": "clear"}},
		{&otherPartyError{"parties/CAR-CXBB"}, "OTHER_PARTY", codes.PermissionDenied, 403, nil},
		{&app.MissingError{What: "taxRules/X"}, "MASTER_DATA_MISSING", codes.FailedPrecondition, 409, map[string]string{"missing": "taxRules/X"}},
		{&app.UnmatchedError{Bill: "freightBills/fbl_1", Detail: "no load"}, "BILL_UNMATCHED", codes.FailedPrecondition, 409,
			map[string]string{"detail": "no load"}},
		{app.ErrStale, rpcerr.ReasonStaleETag, codes.Aborted, 409, nil},
		{app.ErrNotFound, "NOT_FOUND", codes.NotFound, 404, map[string]string{"resource": "invoices/inv_1"}},
		{page.ErrToken, "INVALID_PAGE_TOKEN", codes.InvalidArgument, 400, nil},
		{fieldErrors{{Path: "freight_bill.total", Description: "bad"}}, "INVALID_FIELDS", codes.InvalidArgument, 400, nil},
	} {
		e := rpcerr.From(refuse("invoices/inv_1", fmt.Errorf("issue: %w", c.err)))
		if e.Reason != c.reason || e.Code != c.code || e.HTTPStatus(false) != c.http {
			t.Errorf("%T: %s, %s, %d; want %s, %s, %d", c.err, e.Reason, e.Code, e.HTTPStatus(false), c.reason, c.code, c.http)
		}
		for k, v := range c.meta {
			if e.Metadata[k] != v {
				t.Errorf("%T: metadata %q is %q, want %q", c.err, k, e.Metadata[k], v)
			}
		}
		given[e.Reason] = true
	}
	for _, name := range billingv1.Reason_name {
		if !given[name] {
			t.Errorf("no refusal has reason %s", name)
		}
	}
	if err := errors.New("disk on fire"); rpcerr.From(refuse("x", err)).Message == err.Error() && rpcerr.From(refuse("x", err)).Code != codes.Unknown {
		t.Error("an unmapped error was given a reason")
	}
}
