package api

import (
	"errors"
	"strings"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpcerr"

	"crossdock.dev/services/billing/internal/accrual"
	"crossdock.dev/services/billing/internal/app"
	"crossdock.dev/services/billing/internal/freightbill"
	"crossdock.dev/services/billing/internal/invoice"
)

// otherPartyError says that a partner named another party.
type otherPartyError struct{ party string }

func (e *otherPartyError) Error() string { return "the caller does not act for " + e.party }

// fieldErrors are all bad fields of a request.
type fieldErrors []rpcerr.Field

func (e fieldErrors) Error() string { return "the request has bad fields" }

// refuse is the only place where an error becomes a refusal. name is what was asked for.
func refuse(name string, err error) error {
	var (
		fields  fieldErrors
		unmet   *app.UnmetError
		missing *app.MissingError
		other   *otherPartyError
		inv     *invoice.TransitionError
		bill    *freightbill.TransitionError
		accrued *accrual.TransitionError
		nowhere *app.UnmatchedError
	)
	switch {
	case errors.As(err, &fields):
		return rpcerr.Invalid(fields...)
	case errors.Is(err, page.ErrToken):
		return rpcerr.InvalidPageToken("page_token")
	case errors.Is(err, app.ErrNotFound):
		return rpcerr.NotFound(name)
	case errors.As(err, &unmet):
		meta := map[string]string{"shipment": unmet.Shipment}
		var names []string
		for _, c := range unmet.Unmet {
			meta[c.Condition] = c.Evidence
			names = append(names, c.Condition)
		}
		meta["unmet"] = strings.Join(names, ",")
		return rpcerr.Precondition(billingv1.Reason_NOT_BILLABLE.String(), meta)
	case errors.As(err, &missing):
		return rpcerr.Precondition(billingv1.Reason_MASTER_DATA_MISSING.String(), map[string]string{"missing": missing.What})
	case errors.As(err, &other):
		e := rpcerr.Denied("a partner acts for itself alone")
		e.Reason = billingv1.Reason_OTHER_PARTY.String()
		return e
	case errors.As(err, &inv):
		return transition(inv.From.String(), string(inv.Verb))
	case errors.As(err, &bill):
		return transition(bill.From.String(), string(bill.Verb))
	case errors.As(err, &accrued):
		return transition(accrued.From.String(), string(accrued.Verb))
	case errors.As(err, &nowhere):
		return rpcerr.Precondition(billingv1.Reason_BILL_UNMATCHED.String(), map[string]string{"detail": nowhere.Detail})
	case errors.Is(err, app.ErrStale):
		return rpcerr.Stale(name)
	}
	return rpcerr.FromStore(err)
}

func transition(state, verb string) error {
	return rpcerr.Precondition(billingv1.Reason_TRANSITION_REFUSED.String(), map[string]string{"state": state, "verb": verb})
}
