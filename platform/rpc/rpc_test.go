package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/dynamicpb"

	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/internal/widgettest"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/platformtest"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/store"
)

const service = "widgets"

type fixture struct {
	*platformtest.Server
	contract *widgettest.Contract
	log      *lockedBuffer
	metrics  *prometheus.Registry
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T, h widgettest.Handlers, change func(*platformtest.Config)) *fixture {
	t.Helper()
	contract, err := widgettest.New()
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{contract: contract, log: &lockedBuffer{}, metrics: prometheus.NewRegistry()}
	c := platformtest.Config{
		Service: service, Register: contract.Register(h), Gateways: []serve.Gateway{contract.Gateway},
		Log: slog.New(slog.NewJSONHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&c)
	}
	bend := c.Server
	c.Server = func(sc *rpc.ServerConfig) {
		sc.Policies = contract.Policies()
		sc.Metrics = f.metrics
		if bend != nil {
			bend(sc)
		}
	}
	f.Server = platformtest.New(t, c)
	return f
}

func (f *fixture) create(ctx context.Context, cc *grpc.ClientConn, in *dynamicpb.Message, opts ...grpc.CallOption) error {
	return cc.Invoke(ctx, widgettest.Create, in, f.contract.Message("Widget"), opts...)
}

const validBody = `{"label":"one","codeWord":"AB","requestId":"r-1"}`

// rows is STYLE's table of errors as it was decided, not as the code has it.
var rows = []struct {
	reason  string
	code    codes.Code
	http    int
	ifMatch int
}{
	{"INVALID_FIELDS", codes.InvalidArgument, 400, 400},
	{"INVALID_REQUEST", codes.InvalidArgument, 400, 400},
	{"INVALID_PAGE_TOKEN", codes.InvalidArgument, 400, 400},
	{"INVALID_FILTER", codes.InvalidArgument, 400, 400},
	{"UNAUTHENTICATED", codes.Unauthenticated, 401, 401},
	{"PERMISSION_DENIED", codes.PermissionDenied, 403, 403},
	{"NOT_FOUND", codes.NotFound, 404, 404},
	{"ALREADY_EXISTS", codes.AlreadyExists, 409, 409},
	{"TRANSITION_REFUSED", codes.FailedPrecondition, 409, 409},
	{"PRECONDITION_FAILED", codes.FailedPrecondition, 409, 409},
	{"HOLD_IN_THE_WAY", codes.FailedPrecondition, 409, 409}, // a service's own reason goes by its code
	{"REQUEST_ID_REUSED", codes.FailedPrecondition, 422, 422},
	{"STALE_ETAG", codes.Aborted, 409, 412},
	{"OVERLOADED", codes.ResourceExhausted, 429, 429},
	{"QUOTA_EXCEEDED", codes.ResourceExhausted, 429, 429},
	{"LOG_RANGE_GONE", codes.OutOfRange, 410, 410},
	{"UNAVAILABLE", codes.Unavailable, 503, 503},
	{"STORE_FULL", codes.Unavailable, 503, 503},
	{"STORE_CLOSED", codes.Unavailable, 503, 503},
	{"OUTCOME_UNKNOWN", codes.Unavailable, 503, 503},
	{"STOPPING", codes.Unavailable, 503, 503},
	{"SERIES_FENCED", codes.Unavailable, 503, 503},
	{"FORKED", codes.OutOfRange, 410, 410},
	{"ARCHIVED", codes.OutOfRange, 410, 410},
	{"NOT_YET_READ", codes.Unavailable, 503, 503},
	{"DEADLINE_EXCEEDED", codes.DeadlineExceeded, 504, 504},
	{"CANCELLED", codes.Canceled, 499, 499},
	{"UNIMPLEMENTED", codes.Unimplemented, 501, 501},
	{"INTERNAL", codes.Internal, 500, 500},
	// On HTTP alone, but they must not surprise on gRPC either.
	{"BAD_PATH", codes.InvalidArgument, 400, 400},
	{"BODY_TOO_LARGE", codes.InvalidArgument, 413, 413},
	{"METHOD_NOT_ALLOWED", codes.Unimplemented, 405, 405},
}

func TestEveryReasonOnBothWays(t *testing.T) {
	var answer error
	fail := func(context.Context, *dynamicpb.Message) (*dynamicpb.Message, error) { return nil, answer }
	f := start(t, widgettest.Handlers{Create: fail, Update: fail}, nil)
	cc := f.AsUser()
	partner := f.Partner("parties/CUS-XYZ", "widgets.write")
	covered := map[string]bool{}
	for _, row := range rows {
		covered[row.reason] = true
		answer = fmt.Errorf("deep inside: %w", &rpcerr.Error{Code: row.code, Reason: row.reason, Message: "said to all", Metadata: map[string]string{"k": "v"}})

		got := rpcerr.From(f.create(t.Context(), cc, f.contract.CreateRequest("r-1")))
		want := &rpcerr.Error{Code: row.code, Reason: row.reason, Domain: "crossdock.dev/widgets", Message: "said to all", Metadata: map[string]string{"k": "v"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s by gRPC (-want +got):\n%s", row.reason, diff)
		}

		a := partner.Do("POST", "/v1/widgets", validBody)
		if a.Status != row.http {
			t.Errorf("%s by REST: status %d, want %d", row.reason, a.Status, row.http)
		}
		p := a.Problem(t)
		if p.Reason != row.reason || p.Status != row.http || p.Detail != "said to all" || p.Metadata["k"] != "v" || p.Title == "" ||
			p.Type != "https://crossdock.dev/errors/widgets/"+row.reason {
			t.Errorf("%s by REST: problem %+v", row.reason, p)
		}
		if id := a.Header.Get("X-Request-Id"); id == "" || p.RequestID != id {
			t.Errorf("%s: problem has request id %q, header %q", row.reason, p.RequestID, id)
		}
		a = partner.Do("PATCH", "/v1/widgets/w1", `{"widget":{},"requestId":"r-1"}`, "If-Match", `"3"`)
		if a.Status != row.ifMatch {
			t.Errorf("%s by REST with If-Match: status %d, want %d", row.reason, a.Status, row.ifMatch)
		}
	}
	for _, row := range rpcerr.Table() {
		if !covered[row.Reason] {
			t.Errorf("reason %s is in the table and not in this test", row.Reason)
		}
	}
}

func TestInnerErrorsStayInside(t *testing.T) {
	var answer error
	f := start(t, widgettest.Handlers{Create: func(context.Context, *dynamicpb.Message) (*dynamicpb.Message, error) {
		if answer == nil {
			panic("secret-7")
		}
		return nil, answer
	}}, nil)
	cc := f.AsUser()
	for _, test := range []struct {
		name   string
		err    error
		code   codes.Code
		reason string
	}{
		{"any error", errors.New("secret-7"), codes.Internal, "INTERNAL"},
		{"a panic", nil, codes.Internal, "INTERNAL"},
		{"a wrapped status of a peer", fmt.Errorf("call freight secret-7: %w", status.Error(codes.NotFound, "secret-7")), codes.Internal, "INTERNAL"},
		{"an internal status", status.Error(codes.Internal, "secret-7"), codes.Internal, "INTERNAL"},
		{"damaged record", fmt.Errorf("read: %w", &store.CorruptError{Bucket: "secret-7"}), codes.Internal, "INTERNAL"},
		{"missing record", fmt.Errorf("secret-7: %w", store.ErrNotFound), codes.NotFound, "NOT_FOUND"},
		{"request id", fmt.Errorf("secret-7: %w", store.ErrRequestIDReused), codes.FailedPrecondition, "REQUEST_ID_REUSED"},
		{"disk full", fmt.Errorf("secret-7: %w", store.ErrFull), codes.Unavailable, "STORE_FULL"},
		{"outcome unknown", fmt.Errorf("secret-7: %w", store.ErrOutcomeUnknown), codes.Unavailable, "OUTCOME_UNKNOWN"},
		{"store closed", fmt.Errorf("secret-7: %w", store.ErrClosed), codes.Unavailable, "STORE_CLOSED"},
		{"range gone", fmt.Errorf("secret-7: %w", store.ErrOutOfRange), codes.OutOfRange, "LOG_RANGE_GONE"},
		{"deadline", fmt.Errorf("secret-7: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "DEADLINE_EXCEEDED"},
	} {
		answer = test.err
		before := len(f.log.String())
		err := f.create(t.Context(), cc, f.contract.CreateRequest("r-1"))
		e := rpcerr.From(err)
		if e == nil || e.Code != test.code || e.Reason != test.reason {
			t.Errorf("%s: got %v, want %v %s", test.name, err, test.code, test.reason)
			continue
		}
		if strings.Contains(err.Error(), "secret-7") {
			t.Errorf("%s: inner text reached the caller: %v", test.name, err)
		}
		if test.code != codes.Internal {
			continue
		}
		logged := f.log.String()[before:]
		ref := e.Metadata["reference"]
		if ref == "" || strings.Count(logged, `"reference":"`+ref+`"`) != 1 || strings.Count(logged, "internal error\"") != 1 {
			t.Errorf("%s: want reference %q logged once, got\n%s", test.name, ref, logged)
		}
		if !strings.Contains(logged, "secret-7") {
			t.Errorf("%s: the log does not say why:\n%s", test.name, logged)
		}
	}
}

func TestBadInputNamesEveryField(t *testing.T) {
	called := false
	f := start(t, widgettest.Handlers{Create: func(context.Context, *dynamicpb.Message) (*dynamicpb.Message, error) {
		called = true
		return nil, nil
	}}, nil)
	in := f.contract.Message("CreateWidgetRequest")
	widgettest.Set(in, "code_word", "abc")
	e := rpcerr.From(f.create(t.Context(), f.AsUser(), in))
	if e == nil || e.Code != codes.InvalidArgument {
		t.Fatalf("got %v, want INVALID_ARGUMENT", e)
	}
	var got []string
	for _, field := range e.Fields {
		if field.Description == "" || field.Reason == "" {
			t.Errorf("field %+v has no words or no reason", field)
		}
		got = append(got, field.Path)
	}
	if diff := cmp.Diff([]string{"label", "code_word", "request_id"}, got); diff != "" {
		t.Errorf("fields by gRPC (-want +got):\n%s", diff)
	}
	a := f.Partner("parties/P", "widgets.write").Do("POST", "/v1/widgets", `{"codeWord":"abc"}`)
	got = nil
	for _, field := range a.Problem(t).Fields {
		got = append(got, field.Field)
	}
	if diff := cmp.Diff([]string{"label", "codeWord", "requestId"}, got); diff != "" || a.Status != 400 {
		t.Errorf("fields by REST, status %d (-want +got):\n%s", a.Status, diff)
	}
	if called {
		t.Error("the handler was called")
	}
	for _, body := range []string{`{"label":`, `{"label":1}`, `{"nothing":"x"}`, `[]`} {
		a := f.Partner("parties/P", "widgets.write").Do("POST", "/v1/widgets", body)
		if p := a.Problem(t); a.Status != 400 || p.Reason != "INVALID_REQUEST" {
			t.Errorf("body %s: status %d, reason %s; want 400 INVALID_REQUEST", body, a.Status, p.Reason)
		}
	}
}

func TestStreamsAreValidatedAuthorisedAndMapped(t *testing.T) {
	f := start(t, widgettest.Handlers{Watch: func(in *dynamicpb.Message, s grpc.ServerStream) error {
		switch widgettest.Text(in, "name") {
		case "origin":
			return s.SendMsg(in)
		case "panic":
			panic("secret-7")
		}
		return rpcerr.Gone("the range")
	}}, nil)
	watch := func(cc *grpc.ClientConn, name string) error {
		s, err := cc.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, widgettest.Watch)
		if err != nil {
			return err
		}
		in := f.contract.Message("GetWidgetRequest")
		widgettest.Set(in, "name", name)
		if err := s.SendMsg(in); err != nil {
			return err
		}
		if err := s.CloseSend(); err != nil {
			return err
		}
		return s.RecvMsg(f.contract.Message("Widget"))
	}
	for name, want := range map[string]string{"gone": "LOG_RANGE_GONE", "panic": "INTERNAL"} {
		err := watch(f.As("tower"), name)
		if got := rpcerr.Reason(err); got != want || strings.Contains(err.Error(), "secret-7") {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
	if err := watch(f.As("tower"), "origin"); err != nil {
		t.Errorf("a good stream: %v", err)
	}
}

// Who calls decides, and only proofs count.
func TestCallers(t *testing.T) {
	var seen origin.Origin
	keep := func(ctx context.Context, _ *dynamicpb.Message) (*dynamicpb.Message, error) {
		seen = origin.From(ctx)
		return nil, nil
	}
	contract, err := widgettest.New()
	if err != nil {
		t.Fatal(err)
	}
	answer := func(ctx context.Context, in *dynamicpb.Message) (*dynamicpb.Message, error) {
		_, err := keep(ctx, in)
		return contract.Widget("widgets/w1", "one", "4"), err
	}
	f := start(t, widgettest.Handlers{Create: answer, Get: answer, Purge: answer}, func(c *platformtest.Config) {
		c.Strict = true
		c.Users = map[string]auth.Grant{"dev": {Scopes: []string{"widgets.read"}}}
	})
	get := func(cc *grpc.ClientConn, method string, md ...string) error {
		ctx := metadata.AppendToOutgoingContext(t.Context(), md...)
		in := f.contract.Message("GetWidgetRequest")
		if method == widgettest.Create {
			in = f.contract.CreateRequest("r-1")
		}
		return cc.Invoke(ctx, method, in, f.contract.Message("Widget"))
	}
	forged := f.Token(auth.Token{Service: service, KeyID: "k", Party: "parties/P", Scopes: []string{"widgets.write", "widgets.read"}, Method: "POST", Path: "/v1/widgets"})
	for _, test := range []struct {
		name, method string
		cc           *grpc.ClientConn
		md           []string
		want         codes.Code
	}{
		{"a service named as caller", widgettest.Create, f.As("workflow"), nil, codes.OK},
		{"a service not named", widgettest.Create, f.As("billing"), nil, codes.PermissionDenied},
		{"any service where all may", widgettest.Get, f.As("billing"), nil, codes.OK},
		{"no service where none may", widgettest.Purge, f.As("workflow"), nil, codes.PermissionDenied},
		{"a person with the scope", widgettest.Get, f.AsUser(), nil, codes.OK},
		{"a person without the scope", widgettest.Create, f.AsUser(), nil, codes.PermissionDenied},
		{"a partner's token on the mTLS listener", widgettest.Create, f.As("workflow"),
			[]string{"authorization", "Bearer " + forged, "crossdock-http-method", "POST", "crossdock-http-path", "/v1/widgets"}, codes.Unauthenticated},
	} {
		if err := get(test.cc, test.method, test.md...); status.Code(err) != test.want {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
	}

	// Actor and causal past are taken from a service, and from nobody else.
	const claims = "orders/1/12,billing/2/3"
	if err := get(f.As("workflow"), widgettest.Get, "crossdock-actor", "partner/CUS-XYZ", "crossdock-after", claims,
		"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"); err != nil {
		t.Fatal(err)
	}
	want := origin.Origin{
		Principal: origin.Principal{Kind: origin.Service, Name: "workflow"}, Method: widgettest.Get, Actor: "partner/CUS-XYZ",
		After: []origin.Position{{Log: "billing", Epoch: 2, Sequence: 3}, {Log: "orders", Epoch: 1, Sequence: 12}},
	}
	trace := seen.Traceparent
	seen.Traceparent = ""
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("origin of a service's call (-want +got):\n%s", diff)
	}
	if len(trace) != 55 {
		t.Errorf("traceparent %q", trace)
	}
	if err := get(f.AsUser(), widgettest.Get, "crossdock-actor", "partner/CUS-XYZ", "crossdock-after", claims); err != nil {
		t.Fatal(err)
	}
	if seen.Actor != "user/dev" || seen.After != nil {
		t.Errorf("a person's claims were taken: actor %q, after %v", seen.Actor, seen.After)
	}
	if err := get(f.As("workflow"), widgettest.Get, "crossdock-after", "orders/x/1"); status.Code(err) != codes.InvalidArgument {
		t.Errorf("malformed causal past: %v", err)
	}

	// By REST a partner reaches what partners see, with the scope it has, and is what its token says.
	for _, test := range []struct {
		name, method, path, body string
		scopes                   []string
		want                     int
	}{
		{"with the scope", "GET", "/v1/widgets/w1", "", []string{"widgets.read"}, 200},
		{"without the scope", "GET", "/v1/widgets/w1", "", []string{"widgets.write"}, 403},
		{"an internal method", "POST", "/v1/widgets/w1:purge", "", []string{"widgets.purge"}, 403},
		{"no such path", "GET", "/v1/nothing", "", []string{"widgets.read"}, 404},
		{"no such method", "DELETE", "/v1/widgets/w1", "", []string{"widgets.read"}, 405},
	} {
		seen = origin.Origin{}
		if a := f.Partner("parties/CUS-XYZ", test.scopes...).Do(test.method, test.path, test.body, "Grpc-Metadata-Crossdock-Actor", "user/dev"); a.Status != test.want {
			t.Errorf("partner %s: status %d, want %d: %s", test.name, a.Status, test.want, a.Body)
		} else if test.want == 200 && (seen.Principal.String() != "partner/CUS-XYZ" || seen.Actor != "partner/CUS-XYZ") {
			t.Errorf("partner %s: origin %+v", test.name, seen)
		}
	}
}

func TestGatewayRefusesBeforeDecoding(t *testing.T) {
	f := start(t, widgettest.Handlers{Get: func(_ context.Context, in *dynamicpb.Message) (*dynamicpb.Message, error) { return nil, nil }}, func(c *platformtest.Config) {
		c.MaxBody = 64
	})
	tok := auth.Token{Service: service, KeyID: "k", Party: "parties/P", Scopes: []string{"widgets.write", "widgets.read"}, Method: "POST", Path: "/v1/widgets"}
	other := tok
	other.Service = "billing"
	for _, test := range []struct {
		name, method, path, authorization, body string
		headers                                 []string
		status                                  int
		reason                                  string
	}{
		{name: "no token", method: "POST", path: "/v1/widgets", status: 401, reason: "UNAUTHENTICATED"},
		{name: "a partner's own credential", method: "POST", path: "/v1/widgets", authorization: "Basic abc", status: 401, reason: "UNAUTHENTICATED"},
		{name: "a token of another service", method: "POST", path: "/v1/widgets", authorization: "Bearer " + f.Token(other), status: 401, reason: "UNAUTHENTICATED"},
		{name: "a token of another route", method: "GET", path: "/v1/widgets/w1", authorization: "Bearer " + f.Token(tok), status: 401, reason: "UNAUTHENTICATED"},
		{name: "an encoded slash", method: "GET", path: "/v1/widgets%2Fw1", status: 400, reason: "BAD_PATH"},
		{name: "an encoded letter", method: "GET", path: "/v1/%77idgets", status: 400, reason: "BAD_PATH"},
		{name: "dots", method: "GET", path: "/v1/x/../widgets/w1", status: 400, reason: "BAD_PATH"},
		{name: "encoded dots", method: "GET", path: "/v1/x/%2e%2e/widgets/w1", status: 400, reason: "BAD_PATH"},
		{name: "an empty segment", method: "GET", path: "/v1//widgets", status: 400, reason: "BAD_PATH"},
		{name: "a backslash", method: "GET", path: `/v1/widgets\w1`, status: 400, reason: "BAD_PATH"},
		{name: "a body too large", method: "POST", path: "/v1/widgets", authorization: "Bearer " + f.Token(tok), body: `{"label":"` + strings.Repeat("a", 64) + `"}`, status: 413, reason: "BODY_TOO_LARGE"},
		{name: "a bad token with a body too large", method: "POST", path: "/v1/widgets", authorization: "Bearer " + f.Token(other), body: strings.Repeat("{", 65), status: 401, reason: "UNAUTHENTICATED"},
		{name: "two keys", method: "POST", path: "/v1/widgets", authorization: "Bearer " + f.Token(tok), headers: []string{"Idempotency-Key", "a", "Idempotency-Key", "b"}, status: 400, reason: "INVALID_FIELDS"},
		{name: "a key that cannot be carried", method: "POST", path: "/v1/widgets", authorization: "Bearer " + f.Token(tok), headers: []string{"Idempotency-Key", "é"}, status: 400, reason: "INVALID_FIELDS"},
	} {
		req, err := http.NewRequest(test.method, f.URL+"/", strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		// The path goes out as it is written, not as the URL package would clean it.
		req.URL.Opaque = "//" + strings.TrimPrefix(f.URL, "http://") + test.path
		if test.authorization != "" {
			req.Header.Set("Authorization", test.authorization)
		}
		for i := 0; i+1 < len(test.headers); i += 2 {
			req.Header.Add(test.headers[i], test.headers[i+1])
		}
		a := f.Send(req)
		if p := a.Problem(t); a.Status != test.status || p.Reason != test.reason || p.RequestID == "" {
			t.Errorf("%s: status %d, problem %+v; want %d %s", test.name, a.Status, p, test.status, test.reason)
		}
	}
}

func TestHeadersFillFields(t *testing.T) {
	var id, tag string
	contract, err := widgettest.New()
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, widgettest.Handlers{
		Create: func(ctx context.Context, in *dynamicpb.Message) (*dynamicpb.Message, error) {
			id = widgettest.Text(in, "request_id")
			rpc.SetPosition(ctx, origin.Position{Log: service, Epoch: 1, Sequence: 12})
			return contract.Widget("widgets/w1", "one", "4"), nil
		},
		Update: func(_ context.Context, in *dynamicpb.Message) (*dynamicpb.Message, error) {
			tag = widgettest.Text(in.Get(in.Descriptor().Fields().ByName("widget")).Message().Interface(), "etag")
			return contract.Widget("widgets/w1", "one", "5"), nil
		},
	}, nil)
	p := f.Partner("parties/P", "widgets.write", "widgets.read")
	for _, test := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		id, tag                  string
		fields                   []string
	}{
		{name: "the key fills the id", method: "POST", path: "/v1/widgets", body: `{"label":"a","codeWord":"AB"}`, headers: []string{"Idempotency-Key", "k-1"}, status: 200, id: "k-1"},
		{name: "the id alone", method: "POST", path: "/v1/widgets", body: `{"label":"a","codeWord":"AB","requestId":"k-2"}`, status: 200, id: "k-2"},
		{name: "both the same", method: "POST", path: "/v1/widgets", body: `{"label":"a","codeWord":"AB","requestId":"k-3"}`, headers: []string{"Idempotency-Key", "k-3"}, status: 200, id: "k-3"},
		{name: "both different", method: "POST", path: "/v1/widgets", body: `{"label":"a","codeWord":"AB","requestId":"k-4"}`, headers: []string{"Idempotency-Key", "k-5"}, status: 400, fields: []string{"requestId"}},
		{name: "a method without id", method: "GET", path: "/v1/widgets/w1", headers: []string{"Idempotency-Key", "k-6"}, status: 400, fields: []string{"Idempotency-Key"}},
		{name: "If-Match fills the resource's etag", method: "PATCH", path: "/v1/widgets/w1", body: `{"widget":{"label":"b"},"requestId":"r"}`, headers: []string{"If-Match", `"4"`}, status: 200, tag: "4"},
		{name: "etag and If-Match differ", method: "PATCH", path: "/v1/widgets/w1", body: `{"widget":{"etag":"3"},"requestId":"r"}`, headers: []string{"If-Match", `"4"`}, status: 400, fields: []string{"etag"}},
		{name: "If-Match any", method: "PATCH", path: "/v1/widgets/w1", body: `{"widget":{},"requestId":"r"}`, headers: []string{"If-Match", "*"}, status: 200},
		{name: "If-Match where nothing takes it", method: "POST", path: "/v1/widgets", body: validBody, headers: []string{"If-Match", `"4"`}, status: 400, fields: []string{"If-Match"}},
	} {
		id, tag = "", ""
		a := p.Do(test.method, test.path, test.body, append(test.headers, "X-Request-Id", "call-9")...)
		if a.Status != test.status || id != test.id || tag != test.tag {
			t.Errorf("%s: status %d, id %q, etag %q; want %d, %q, %q: %s", test.name, a.Status, id, tag, test.status, test.id, test.tag, a.Body)
			continue
		}
		if got := a.Header.Get("X-Request-Id"); got != "call-9" {
			t.Errorf("%s: X-Request-Id %q, want call-9", test.name, got)
		}
		if test.status != 200 {
			var fields []string
			for _, field := range a.Problem(t).Fields {
				fields = append(fields, field.Field)
			}
			if diff := cmp.Diff(test.fields, fields); diff != "" {
				t.Errorf("%s: fields (-want +got):\n%s", test.name, diff)
			}
		}
		if test.id != "" {
			if got := a.Header.Get("Crossdock-Position"); got != "widgets/1/12" {
				t.Errorf("%s: position %q", test.name, got)
			}
			if got := a.Header.Get("ETag"); got != `"4"` {
				t.Errorf("%s: ETag %q", test.name, got)
			}
		}
	}
	var header metadata.MD
	if err := f.create(t.Context(), f.AsUser(), f.contract.CreateRequest("r-9"), grpc.Header(&header)); err != nil {
		t.Fatal(err)
	}
	if got, ok := rpc.PositionFrom(header); !ok || got != (origin.Position{Log: service, Epoch: 1, Sequence: 12}) {
		t.Errorf("position by gRPC %v, %v", got, ok)
	}
}

// waits records what a call waited for.
type waits struct {
	own, others []origin.Position
	err         error
}

func (w *waits) Wait(_ context.Context, p origin.Position) error {
	w.own = append(w.own, p)
	return w.err
}

func (w *waits) WaitRead(_ context.Context, after []origin.Position) error {
	w.others = append(w.others, after...)
	return w.err
}

func TestCausalWait(t *testing.T) {
	w := &waits{}
	f := start(t, widgettest.Handlers{}, func(c *platformtest.Config) { c.Own, c.Waiter = w, w })
	tower := f.As("tower")
	get := func(ctx context.Context) error {
		return tower.Invoke(ctx, widgettest.Get, f.contract.Message("GetWidgetRequest"), f.contract.Message("Widget"))
	}
	own, orders, freight := origin.Position{Log: service, Epoch: 1, Sequence: 3}, origin.Position{Log: "orders", Epoch: 1, Sequence: 12}, origin.Position{Log: "freight", Epoch: 1, Sequence: 9}
	ctx := origin.With(t.Context(), origin.Origin{Actor: "user/dev", After: []origin.Position{freight, orders}})
	if err := get(rpc.WithWaitPosition(ctx, own)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]origin.Position{own}, w.own); diff != "" {
		t.Errorf("waited for the own log (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]origin.Position{freight, orders}, w.others); diff != "" {
		t.Errorf("waited for other logs (-want +got):\n%s", diff)
	}
	w.err = errors.New("stepping: not read that far")
	deadline, cancel := context.WithTimeout(ctx, 300*time.Millisecond) // ends the client's repeats
	defer cancel()
	if err := get(deadline); rpcerr.Reason(err) != "NOT_YET_READ" && status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("not read that far: got %v", err)
	}
	a := f.Partner("parties/P", "widgets.read").Do("GET", "/v1/widgets/w1", "", "Crossdock-Wait-Position", "widgets/1/3")
	if p := a.Problem(t); a.Status != 503 || p.Reason != "NOT_YET_READ" || a.Header.Get("Retry-After") != "1" {
		t.Errorf("by REST: status %d, problem %+v, Retry-After %q", a.Status, p, a.Header.Get("Retry-After"))
	}
	if a := f.Partner("parties/P", "widgets.read").Do("GET", "/v1/widgets/w1", "", "Crossdock-Wait-Position", "widgets/1"); a.Status != 400 {
		t.Errorf("malformed position: status %d", a.Status)
	}
}

// More calls than the server holds are refused before they are decoded; streams are counted apart.
func TestOverload(t *testing.T) {
	const limit = 2
	entered, release := make(chan struct{}), make(chan struct{})
	f := start(t, widgettest.Handlers{Get: func(context.Context, *dynamicpb.Message) (*dynamicpb.Message, error) {
		entered <- struct{}{}
		<-release
		return nil, rpcerr.NotFound("widgets/w1")
	}}, func(c *platformtest.Config) {
		c.Server = func(sc *rpc.ServerConfig) {
			sc.Admission = rpc.NewAdmission(service, rpc.Limits{Calls: limit}, time.Now)
		}
	})
	cc := f.As("tower")
	get := func(ctx context.Context) error {
		return cc.Invoke(ctx, widgettest.Get, f.contract.Message("GetWidgetRequest"), f.contract.Message("Widget"))
	}
	// The client does not wait to repeat a refused call where the deadline is over by then.
	impatient := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), rpc.RetryAfter/4)
		defer cancel()
		return get(ctx)
	}
	held := make(chan error, limit)
	for range limit {
		go func() { held <- get(t.Context()) }()
	}
	for range limit {
		<-entered
	}
	e := rpcerr.From(impatient())
	want := &rpcerr.Error{Code: codes.ResourceExhausted, Reason: "OVERLOADED", Domain: "crossdock.dev/widgets", Message: "too much at once", RetryAfter: time.Second}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("refusal (-want +got):\n%s", diff)
	}
	a := f.Partner("parties/P", "widgets.read").Do("GET", "/v1/widgets/w1", "")
	if p := a.Problem(t); a.Status != 429 || p.Reason != "OVERLOADED" || a.Header.Get("Retry-After") != "1" {
		t.Errorf("by REST: status %d, %+v, Retry-After %q", a.Status, p, a.Header.Get("Retry-After"))
	}
	s, err := cc.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, widgettest.Watch)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SendMsg(f.contract.Message("GetWidgetRequest")); err != nil {
		t.Fatal(err)
	}
	if err := s.RecvMsg(f.contract.Message("Widget")); !errors.Is(err, io.EOF) {
		t.Errorf("a stream beside full unary calls: %v", err)
	}
	close(release)
	for range limit {
		if err := <-held; status.Code(err) != codes.NotFound {
			t.Errorf("a held call: %v", err)
		}
	}
	// The slot is free as soon as the transport has let the call go.
	go func() { <-entered }()
	for {
		err := get(t.Context())
		if status.Code(err) == codes.NotFound {
			break
		}
		if status.Code(err) != codes.ResourceExhausted {
			t.Fatalf("after the release: %v", err)
		}
	}
	if got := testutil.ToFloat64(mustCounter(t, f.metrics, "crossdock_rpc_shed_total")); got < 2 {
		t.Errorf("shed %v calls, want at least 2", got)
	}
}

// mustCounter wraps a gathered counter so that testutil can read it.
func mustCounter(t *testing.T, reg *prometheus.Registry, name string) prometheus.Collector {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, fam := range families {
		if fam.GetName() == name {
			g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name})
			g.Set(fam.GetMetric()[0].GetCounter().GetValue())
			return g
		}
	}
	t.Fatalf("no metric %s", name)
	return nil
}

func TestLogLineAndMetricsOfACall(t *testing.T) {
	f := start(t, widgettest.Handlers{}, nil)
	in := f.contract.CreateRequest("r-77")
	widgettest.Set(in, "label", "secret-7")
	if err := f.create(t.Context(), f.As("workflow"), in); err != nil {
		t.Fatal(err)
	}
	// The line is written before the answer leaves.
	line := f.log.String()
	for _, want := range []string{`"msg":"call"`, `"method":"` + widgettest.Create + `"`, `"code":"OK"`, `"principal":"service/workflow"`, `"idempotency_key":"r-77"`, `"trace_id":"`, `"request_id":"`, `"duration_ms":`} {
		if !strings.Contains(line, want) {
			t.Errorf("log line has no %s: %s", want, line)
		}
	}
	if strings.Contains(line, "secret-7") {
		t.Errorf("the payload is in the log: %s", line)
	}
	if got := testutil.CollectAndCount(f.metrics, "crossdock_rpc_calls_total", "crossdock_rpc_seconds"); got != 2 {
		t.Errorf("%d series, want 2", got)
	}
}

func TestDefaultDeadline(t *testing.T) {
	f := start(t, widgettest.Handlers{Get: func(ctx context.Context, _ *dynamicpb.Message) (*dynamicpb.Message, error) {
		if _, ok := ctx.Deadline(); !ok {
			return nil, errors.New("no deadline")
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}}, func(c *platformtest.Config) {
		c.Server = func(sc *rpc.ServerConfig) { sc.DefaultTimeout = 20 * time.Millisecond }
	})
	a := f.Partner("parties/P", "widgets.read").Do("GET", "/v1/widgets/w1", "", "Grpc-Timeout", "1H")
	if p := a.Problem(t); a.Status != 504 || p.Reason != "DEADLINE_EXCEEDED" {
		t.Errorf("status %d, problem %+v; want 504 DEADLINE_EXCEEDED", a.Status, p)
	}
}

// Whatever becomes of a call, nothing of its fields stands in the log but the id that makes a repeat safe.
func TestNothingOfARequestIsLogged(t *testing.T) {
	const mark = "mark-of-a-field"
	for name, c := range map[string]struct {
		codeWord string
		fails    error
	}{
		"done": {"AB", nil}, "bad field": {mark, nil}, "refused": {"AB", rpcerr.Precondition("NO_ROOM", map[string]string{"label": mark})},
		"not foreseen": {"AB", errors.New("a bug")},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, widgettest.Handlers{Create: func(context.Context, *dynamicpb.Message) (*dynamicpb.Message, error) {
				if c.fails != nil {
					return nil, c.fails
				}
				return nil, rpcerr.NotFound(mark)
			}}, nil)
			in := f.contract.CreateRequest("r-78")
			widgettest.Set(in, "label", mark)
			widgettest.Set(in, "code_word", c.codeWord)
			_ = f.create(t.Context(), f.As("workflow"), in) // refused, and the log is what is looked at
			line := f.log.String()
			if !strings.Contains(line, `"idempotency_key":"r-78"`) {
				t.Errorf("no line of the call: %s", line)
			}
			if strings.Contains(line, mark) {
				t.Errorf("a field is in the log: %s", line)
			}
		})
	}
}
