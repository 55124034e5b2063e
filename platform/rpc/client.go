package rpc

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	governancev1 "crossdock.dev/gen/crossdock/governance/v1"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/discovery"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/telemetry"
)

// ClientConfig says whom to call and as whom. Target, Service and Identity are required.
type ClientConfig struct {
	// Target is where, such as "static:///127.0.0.1:7101".
	Target string
	// Resolver resolves targets of another scheme than static; nil for none.
	Resolver resolver.Builder
	// Service is whom: the server must prove to be this service.
	Service string
	// Identity is the caller's certificate.
	Identity auth.Files
	// Timeout bounds unary calls made without a deadline, waiting for a connection included; 0 means 10 s.
	Timeout time.Duration
	// Dialer connects in another way than by TCP, for tests; nil means TCP.
	Dialer func(ctx context.Context, addr string) (net.Conn, error)
	// Rand makes trace ids for calls that belong to no trace; nil means the machine's.
	Rand io.Reader
	// Files is where methods' policies are read; nil means where generated code is registered.
	Files *protoregistry.Files
}

// A server that was started again is found within about a second: with few peers an attempt costs nothing, and waiting costs
// everybody behind it.
const (
	firstReconnect = 50 * time.Millisecond
	lastReconnect  = time.Second
	connectTimeout = 10 * time.Second // for one attempt, handshake included
)

// Dial makes a connection that is opened with the first call. Calls wait for the server within their deadline, carry the
// origin in their context (trace, actor, causal past), and are repeated on UNAVAILABLE when their method is a read or
// their request_id is set. A call that a full server refused is repeated when the server says, within the deadline and the
// connection's budget of repeats. What a service does for others answers before the other's deadline.
func Dial(c ClientConfig) (*grpc.ClientConn, error) {
	if c.Target == "" || c.Service == "" {
		return nil, errors.New("rpc dial: Target and Service are required")
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Files == nil {
		c.Files = protoregistry.GlobalFiles
	}
	tlsConfig, err := auth.ClientTLS(c.Identity, c.Service)
	if err != nil {
		return nil, fmt.Errorf("rpc dial %s: %w", c.Service, err)
	}
	serviceConfig, err := retryConfig(c.Files)
	if err != nil {
		return nil, fmt.Errorf("rpc dial %s: %w", c.Service, err)
	}
	cl := &client{ClientConfig: c, policies: auth.NewPolicies(c.Files), budget: newBudget()}
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(credentials.NewTLS(tlsConfig)),
		grpc.WithResolvers(discovery.Static()),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithDisableServiceConfig(), // only ours, none from a resolver
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: connectTimeout, Backoff: backoff.Config{
			BaseDelay: firstReconnect, Multiplier: 2, Jitter: 0.2, MaxDelay: lastReconnect,
		}}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second, PermitWithoutStream: true}),
		grpc.WithUnaryInterceptor(cl.unary),
		grpc.WithStreamInterceptor(cl.stream),
	}
	if c.Resolver != nil {
		opts = append(opts, grpc.WithResolvers(c.Resolver))
	}
	if c.Dialer != nil {
		opts = append(opts, grpc.WithContextDialer(c.Dialer))
	}
	cc, err := grpc.NewClient(c.Target, opts...)
	if err != nil {
		return nil, fmt.Errorf("rpc dial %s: %w", c.Service, err)
	}
	return cc, nil
}

type client struct {
	ClientConfig
	policies *auth.Policies
	budget   *budget
}

func (c *client) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	ctx, cancel := c.within(ctx)
	defer cancel()
	ctx, span, err := c.forward(ctx, method)
	if err != nil {
		return err
	}
	if m, ok := c.policies.Lookup(method); ok && m.Policy.GetIdempotency() == governancev1.MethodPolicy_REQUEST_ID {
		if msg, ok := req.(proto.Message); ok && textField(msg, "request_id") == "" {
			// Without a request id a repeat may have a second effect. An attempt that cannot be buffered is never
			// repeated once the request has left.
			opts = append(opts, grpc.MaxRetryRPCBufferSize(0))
		}
	}
	err = c.budget.spend(ctx, func() error { return invoke(ctx, method, req, reply, cc, opts...) })
	span.End(rpcerr.Reason(err))
	return err
}

func (c *client) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	ctx, span, err := c.forward(ctx, method)
	if err != nil {
		return nil, err
	}
	defer span.End("") // a stream is exported as its opening
	return open(ctx, desc, cc, method, opts...)
}

// within gives a call its deadline: the usual one when there is none, and when the call is made on behalf of another, a little less
// than is left of that one's, so that its caller learns what went wrong while it still listens.
func (c *client) within(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithTimeout(ctx, c.Timeout)
	}
	if origin.From(ctx).Principal.Kind == 0 {
		return ctx, func() {}
	}
	left := time.Until(end)
	return context.WithTimeout(ctx, left-min(left/20, maxMargin))
}

// maxMargin bounds what a hop keeps of its caller's time for itself: a twentieth, and never more than this.
const maxMargin = 250 * time.Millisecond

// forward carries who caused the call and what it has seen to the next service, and begins the call's span.
func (c *client) forward(ctx context.Context, method string) (context.Context, *telemetry.Span, error) {
	o := origin.From(ctx)
	parent, ok := telemetry.ParseTrace(o.Traceparent)
	var t telemetry.Trace
	var err error
	if ok {
		t, err = parent.Child(c.Rand)
	} else {
		t, err = telemetry.NewTrace(c.Rand)
	}
	if err != nil {
		return nil, nil, err
	}
	span := telemetry.SpansFrom(ctx).Begin(ctx, telemetry.SpanClient, method, t, parent)
	pairs := []string{MetaTraceparent, t.String()}
	if o.Actor != "" {
		pairs = append(pairs, MetaActor, o.Actor)
	}
	if after := FormatAfter(o.After); after != "" {
		pairs = append(pairs, MetaAfter, after)
	}
	return metadata.AppendToOutgoingContext(ctx, pairs...), span, nil
}

// retryConfig is a service config that repeats UNAVAILABLE for every method whose policy makes a repeat safe.
func retryConfig(files *protoregistry.Files) (string, error) {
	type name struct {
		Service string `json:"service"`
		Method  string `json:"method"`
	}
	var names []name
	files.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			sd := f.Services().Get(i)
			for j := range sd.Methods().Len() {
				md := sd.Methods().Get(j)
				p, _ := proto.GetExtension(md.Options(), governancev1.E_Method).(*governancev1.MethodPolicy)
				switch p.GetIdempotency() {
				case governancev1.MethodPolicy_READ, governancev1.MethodPolicy_REQUEST_ID:
					names = append(names, name{Service: string(sd.FullName()), Method: string(md.Name())})
				}
			}
		}
		return true
	})
	config := map[string]any{
		"retryThrottling": map[string]any{"maxTokens": 100, "tokenRatio": 0.1},
	}
	if len(names) > 0 {
		config["methodConfig"] = []map[string]any{{
			"name": names,
			"retryPolicy": map[string]any{
				"maxAttempts": 4, "initialBackoff": "0.05s", "maxBackoff": "1s", "backoffMultiplier": 2.0,
				"retryableStatusCodes": []string{"UNAVAILABLE"},
			},
		}}
	}
	b, err := json.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("service config: %w", err)
	}
	return string(b), nil
}
