// Package rpc serves and calls gRPC. It is for the programs' mains and for package serve. It promises the same list of
// interceptors around every call, gRPC or REST (recovery, tracing, metrics, logging, errors, authorisation, header fields,
// validation, deadline, causal wait), refusal before decoding when the server is full, and clients that prove the server's
// identity, forward who caused a call, and repeat it only where that is safe. It leaves listeners and the stop order to
// package serve.
package rpc

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"buf.build/go/protovalidate"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/telemetry"
)

// Waiter waits until this service has read other services' logs as far as the given positions; logs that it does not
// follow are none of its business. eventlog's Followers is one.
type Waiter interface {
	WaitRead(ctx context.Context, after []origin.Position) error
}

// OwnLog waits until the service's own log has come to a position. *store.Store is one.
type OwnLog interface {
	Wait(ctx context.Context, p origin.Position) error
}

// ServerConfig says how a server serves. Service and TLS are required.
type ServerConfig struct {
	// Service is the service's name, such as "orders": the domain of its errors and the name of its own log.
	Service string
	// TLS is the mTLS configuration of auth.ServerTLS.
	TLS *tls.Config
	// Verifier verifies partners' tokens; nil means that partners are refused.
	Verifier *auth.Verifier
	// Users says what people hold.
	Users auth.Users
	// Policies reads methods' policies; nil means those of the generated code.
	Policies *auth.Policies
	// Log gets a line for each call; nil means none.
	Log *slog.Logger
	// Spans exports a span for each call; nil means none.
	Spans *telemetry.Spans
	// Metrics registers the server's metrics; nil means none.
	Metrics prometheus.Registerer
	// Waiter waits for followed logs; nil means that the service follows none.
	Waiter Waiter
	// Own waits for the own log; nil means that the service has none.
	Own OwnLog
	// DefaultTimeout bounds unary calls that came without a deadline, and every causal wait; 0 means 10 s.
	DefaultTimeout time.Duration
	// Admission refuses calls before they are decoded; nil means one with the usual Limits.
	Admission *Admission
	// MaxMessage bounds a request, in bytes; 0 means 4 MiB.
	MaxMessage int
	// HandshakeTimeout bounds how long a new connection may take until it can carry calls. It bounds a graceful stop, too, which
	// waits for connections that have not come that far. 0 means 5 s.
	HandshakeTimeout time.Duration
	// Stopping ends every open stream when it is closed; nil means never.
	Stopping <-chan struct{}
	// Rand makes trace ids; nil means the machine's.
	Rand io.Reader
	// Now is machine time, for durations; nil means the machine's.
	Now func() time.Time
}

// RetryAfter is what a refused caller is told to wait when the server is full.
const RetryAfter = time.Second

// maxHeaders bounds the header of a call, in bytes: a causal past of maxAfter logs and a token are far smaller.
const maxHeaders = 32 << 10

// NewServer makes a server with the suite's interceptors. Register services on it, check them with CheckPolicies, then
// serve any number of listeners: a MemoryListener is known by its connections.
func NewServer(c ServerConfig) (*grpc.Server, error) {
	if c.Service == "" || c.TLS == nil {
		return nil, errors.New("rpc server: Service and TLS are required")
	}
	if c.Policies == nil {
		c.Policies = auth.NewPolicies(nil)
	}
	if c.Log == nil {
		c.Log = telemetry.Discard()
	}
	if c.DefaultTimeout == 0 {
		c.DefaultTimeout = 10 * time.Second
	}
	if c.MaxMessage == 0 {
		c.MaxMessage = 4 << 20
	}
	if c.HandshakeTimeout == 0 {
		c.HandshakeTimeout = 5 * time.Second
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Admission == nil {
		c.Admission = NewAdmission(c.Service, Limits{}, c.Now)
	}
	m, err := newMetrics(c.Metrics, c.Admission)
	if err != nil {
		return nil, fmt.Errorf("rpc server: %w", err)
	}
	s := &server{ServerConfig: c, validator: protovalidate.GlobalValidator, metrics: m}
	return grpc.NewServer(
		grpc.Creds(auth.ServerCredentials(c.TLS)),
		grpc.ConnectionTimeout(c.HandshakeTimeout),
		grpc.InTapHandle(s.tap),
		grpc.MaxConcurrentStreams(uint32(c.Admission.limits.Calls+c.Admission.limits.Streams)), // for one connection; a flood from one is refused, or waits at its caller
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.MaxRecvMsgSize(c.MaxMessage),
		grpc.UnaryInterceptor(s.unary),
		grpc.StreamInterceptor(s.stream),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	), nil
}

// CheckPolicies refuses a server with a method that has no complete policy; nil policies means those of the generated code.
func CheckPolicies(s *grpc.Server, p *auth.Policies) error {
	if p == nil {
		p = auth.NewPolicies(nil)
	}
	return p.Check(s.GetServiceInfo())
}
