package core

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/platformtest"
	"crossdock.dev/platform/rpcerr"
)

// asUser is what the interceptors make of a person's call.
func asUser(ctx context.Context) context.Context {
	return origin.With(ctx, origin.Origin{
		Principal: origin.Principal{Kind: origin.User, Name: "dev"}, Method: ediv1.EdiService_SubmitInterchange_FullMethodName, Actor: "user/dev",
	})
}

func TestService(t *testing.T) {
	w := newWorld(t)
	server := platformtest.New(t, platformtest.Config{Service: Service, Register: w.core.Register, Waiter: w.core.Followers(), Own: w.core.Store()})
	client := ediv1.NewEdiServiceClient(server.AsUser())

	submit := &ediv1.SubmitInterchangeRequest{FileName: "../850 fat.edi", Content: w.file(fatOrder), RequestId: "submit-1"}
	first, err := client.SubmitInterchange(w.ctx, submit)
	w.must(err)
	if xs := first.GetInterchanges(); len(xs) != 2 || xs[0].GetDisposition() != ediv1.Interchange_ACCEPTED || xs[1].GetDisposition() != ediv1.Interchange_REPLAYED ||
		xs[0].GetFileName() != "_850_fat.edi" || xs[1].GetOffset() <= xs[0].GetOffset() {
		t.Errorf("submit: got %v", xs)
	}
	w.settle()
	again, err := client.SubmitInterchange(w.ctx, submit)
	w.must(err)
	for i, x := range again.GetInterchanges() {
		if x.GetName() != first.GetInterchanges()[i].GetName() {
			t.Errorf("same request: got %s, want %s", x.GetName(), first.GetInterchanges()[i].GetName())
		}
	}
	if len(w.arrivals()) != 2 || len(w.orders.calls) != 1 {
		t.Errorf("after the same request: %q, orders %d", w.arrivals(), len(w.orders.calls))
	}
	other := proto.Clone(submit).(*ediv1.SubmitInterchangeRequest)
	other.Content = w.file(realOrder)
	if _, err := client.SubmitInterchange(w.ctx, other); status.Code(err) != codes.FailedPrecondition || rpcerr.Reason(err) != rpcerr.ReasonRequestIDReused {
		t.Errorf("same id, other bytes: %v", err)
	}
	_, err = client.SubmitInterchange(w.ctx, &ediv1.SubmitInterchangeRequest{FileName: strings.Repeat("x", 201), Content: make([]byte, 1<<20+1)})
	if e := rpcerr.From(err); e.Code != codes.InvalidArgument || len(e.Fields) != 3 {
		t.Errorf("bad fields: got %v %v, want file_name, content and request_id at once", err, e.Fields)
	}

	// Bytes that are no interchange are kept and refused, not an error of the call.
	bad, err := client.SubmitInterchange(w.ctx, &ediv1.SubmitInterchangeRequest{Content: []byte("UNB+UNOA:1"), RequestId: "submit-2"})
	w.must(err)
	if x := bad.GetInterchanges()[0]; x.GetDisposition() != ediv1.Interchange_UNREADABLE || x.GetReasonCode() != "MESSAGE_REJECTED" || x.GetFileName() != "submitted.edi" {
		t.Errorf("no interchange: got %v", x)
	}

	var names []string
	token := ""
	for {
		page, err := client.ListInterchanges(w.ctx, &ediv1.ListInterchangesRequest{PageSize: 2, PageToken: token})
		w.must(err)
		for _, x := range page.GetInterchanges() {
			names = append(names, x.GetName())
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	if len(names) != 5 || names[4] != first.GetInterchanges()[0].GetName() { // two, their answers, and the bad one
		t.Errorf("list: got %q", names)
	}
	counts, err := client.ListMessageCounts(w.ctx, &ediv1.ListMessageCountsRequest{PageSize: 1})
	w.must(err)
	rest, err := client.ListMessageCounts(w.ctx, &ediv1.ListMessageCountsRequest{PageSize: 1, PageToken: counts.GetNextPageToken()})
	w.must(err)
	if got := fmt.Sprint(counts.GetMessageCounts()[0].GetSet(), rest.GetMessageCounts()[0].GetSet(), rest.GetNextPageToken()); got != "850997" {
		t.Errorf("counts: got %q", got)
	}

	for name, call := range map[string]func() error{
		"GetInterchange": func() error {
			_, err := client.GetInterchange(w.ctx, &ediv1.GetInterchangeRequest{Name: "interchanges/edi_none"})
			return err
		},
		"GetDocument": func() error {
			_, err := client.GetDocument(w.ctx, &ediv1.GetDocumentRequest{Name: "documents/" + strings.Repeat("0", 64)})
			return err
		},
	} {
		if err := call(); status.Code(err) != codes.NotFound {
			t.Errorf("%s of what is not there: %v, want NOT_FOUND", name, err)
		}
	}
	if _, err := client.ListInterchanges(w.ctx, &ediv1.ListInterchangesRequest{PageToken: "x"}); rpcerr.Reason(err) != rpcerr.ReasonInvalidPageToken {
		t.Errorf("bad token: %v", err)
	}
	if _, err := ediv1.NewEdiServiceClient(server.As("orders")).SubmitInterchange(w.ctx, submit); status.Code(err) != codes.PermissionDenied {
		t.Errorf("another service submits: %v, want PERMISSION_DENIED", err)
	}
	if _, err := ediv1.NewEdiServiceClient(server.As("tower")).GetDocument(w.ctx, &ediv1.GetDocumentRequest{Name: "documents/" + first.GetInterchanges()[0].GetDocumentSha256()}); err != nil {
		t.Errorf("tower reads a document: %v", err)
	}
	w.verify()
}
