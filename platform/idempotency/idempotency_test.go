package idempotency

import (
	"bytes"
	"context"
	"errors"
	"testing"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/origin"
)

func TestCause(t *testing.T) {
	call := func(name, id string, o origin.Origin) []byte {
		t.Helper()
		c, err := Cause(origin.With(context.Background(), o), &eventlogv1.RetryTaskRequest{Name: name, RequestId: id})
		if err != nil {
			t.Fatal(err)
		}
		if c.RequestID != id || c.Principal != "partner/CUS" || c.Method != "/s/m" || c.Actor != "user/x" || len(c.After) != 1 {
			t.Errorf("cause = %+v", c)
		}
		return c.Fingerprint
	}
	o := origin.Origin{Principal: origin.Principal{Kind: origin.Partner, Party: "parties/CUS"}, Method: "/s/m", Actor: "user/x",
		After: []origin.Position{{Log: "a", Epoch: 1, Sequence: 1}}}
	first := call("tasks/1", "id-1", o)
	if len(first) != 32 || !bytes.Equal(first, call("tasks/1", "id-2", o)) {
		t.Error("the request id changed the fingerprint")
	}
	if bytes.Equal(first, call("tasks/2", "id-1", o)) {
		t.Error("another argument did not change the fingerprint")
	}
	req := &eventlogv1.RetryTaskRequest{Name: "n", RequestId: "id"}
	if _, err := Cause(context.Background(), req); !errors.Is(err, ErrNoPrincipal) {
		t.Errorf("a call that nobody proved: %v, want ErrNoPrincipal", err)
	}
	if _, err := Cause(origin.With(context.Background(), o), req); err != nil || req.RequestId != "id" {
		t.Errorf("the request was changed: %v, %v", req, err)
	}
	c, err := Cause(origin.With(context.Background(), o), &eventlogv1.GetLogRequest{})
	if err != nil || c.RequestID != "" {
		t.Errorf("a request without a request id: %+v, %v", c, err)
	}
}
