package api

import (
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"

	edgev1 "crossdock.dev/gen/crossdock/edge/v1"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/services/edge/internal/apikey"
	edgestore "crossdock.dev/services/edge/internal/store"
	"crossdock.dev/services/edge/internal/webhook"
)

// Every reason of the contract is given for a bad field, and no other.
func TestEveryReasonIsMapped(t *testing.T) {
	given := map[string]bool{}
	for problem, reason := range reasons {
		err := refusal(apikey.FieldErrors{{Path: "party", Problem: problem, Description: "d"}}, "")
		e := rpcerr.From(err)
		if e.Code != codes.InvalidArgument || len(e.Fields) != 1 || e.Fields[0].Path != "api_key.party" || e.Fields[0].Reason != reason.String() {
			t.Errorf("problem %d: %v, want INVALID_ARGUMENT at api_key.party with %v", problem, err, reason)
		}
		given[reason.String()] = true
	}
	for problem, reason := range webhookReasons {
		err := refusal(webhook.FieldErrors{{Path: "url", Problem: problem, Description: "d"}}, "")
		e := rpcerr.From(err)
		if e.Code != codes.InvalidArgument || len(e.Fields) != 1 || e.Fields[0].Path != "webhook.url" || e.Fields[0].Reason != reason.String() {
			t.Errorf("problem %d: %v, want INVALID_ARGUMENT at webhook.url with %v", problem, err, reason)
		}
		given[reason.String()] = true
	}
	for number, name := range edgev1.Reason_name {
		if number != 0 && !given[name] {
			t.Errorf("reason %s is never given", name)
		}
	}
	if len(given) != len(edgev1.Reason_name)-1 {
		t.Errorf("%d reasons given, want %d", len(given), len(edgev1.Reason_name)-1)
	}
}

func TestOtherRefusals(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("read: %w", edgestore.ErrNotFound), "NOT_FOUND"},
		{&apikey.TransitionError{Verb: apikey.VerbRevoke}, "TRANSITION_REFUSED"},
		{&webhook.TransitionError{What: "an endpoint", From: "DISABLED", Verb: webhook.VerbRoll}, "TRANSITION_REFUSED"},
	} {
		if got := rpcerr.Reason(refusal(c.err, "apiKeys/key_1")); got != c.want {
			t.Errorf("%v: %s, want %s", c.err, got, c.want)
		}
	}
	inner := errors.New("disk")
	if got := refusal(inner, ""); got != inner {
		t.Errorf("an unforeseen error became %v, want it as it is", got)
	}
}
