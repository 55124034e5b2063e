package api

import (
	"errors"
	"strings"

	"google.golang.org/grpc/codes"

	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/services/orders/internal/order"
)

// refusal is the only place where an error of the domain becomes what a caller sees. What is not listed goes on to the
// interceptor, which answers INTERNAL with a reference. resource names what the call was about.
func refusal(err error, resource string) error {
	var (
		fields     *order.FieldErrors
		transition *order.TransitionError
		held       *order.HeldError
		missing    *order.MissingError
		shipped    *order.ShippedError
		duplicate  *order.DuplicateError
	)
	switch {
	case errors.As(err, &fields):
		var bad []rpcerr.Field
		for _, f := range fields.Fields {
			bad = append(bad, rpcerr.Field{Path: f.Path, Description: f.Description, Reason: f.Reason})
		}
		return rpcerr.Invalid(bad...)
	case errors.As(err, &transition):
		return precondition(ordersv1.Reason_TRANSITION_REFUSED, "the order is "+string(transition.From),
			map[string]string{"state": string(transition.From), "verb": string(transition.Verb)})
	case errors.As(err, &held):
		metadata := map[string]string{}
		for _, h := range held.Holds {
			metadata[string(h.Kind)] = h.Reason
		}
		return precondition(ordersv1.Reason_HOLD_IN_THE_WAY, held.Error(), metadata)
	case errors.As(err, &missing):
		metadata := map[string]string{}
		for _, m := range missing.Missing {
			metadata[m.Field] = m.Reason
		}
		return precondition(ordersv1.Reason_MASTER_DATA_MISSING, "master data is missing", metadata)
	case errors.As(err, &shipped):
		return precondition(ordersv1.Reason_ALREADY_SHIPPED, shipped.Error(), map[string]string{"lines": strings.Join(shipped.Lines, ",")})
	case errors.Is(err, order.ErrCallingOff):
		return precondition(ordersv1.Reason_BEING_CANCELLED, order.ErrCallingOff.Error(), nil)
	case errors.Is(err, order.ErrNothingUnreleased):
		return precondition(ordersv1.Reason_NOTHING_UNRELEASED, "nothing of the order is unreleased", nil)
	case errors.As(err, &duplicate):
		return &rpcerr.Error{Code: codes.AlreadyExists, Reason: ordersv1.Reason_ORDER_NUMBER_TAKEN.String(),
			Message: "the customer has an order with this number", Metadata: map[string]string{"order": duplicate.Existing}}
	case errors.Is(err, order.ErrOtherCustomer):
		return &rpcerr.Error{Code: codes.PermissionDenied, Reason: ordersv1.Reason_OTHER_CUSTOMER.String(), Message: order.ErrOtherCustomer.Error()}
	case errors.Is(err, order.ErrNotFound):
		return rpcerr.NotFound(resource)
	case errors.Is(err, order.ErrStale):
		return rpcerr.Stale(resource)
	}
	return rpcerr.FromStore(err)
}

func precondition(reason ordersv1.Reason, message string, metadata map[string]string) error {
	e := rpcerr.Precondition(reason.String(), metadata)
	e.Message = message
	return e
}
