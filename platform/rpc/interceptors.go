package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"runtime/debug"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	governancev1 "crossdock.dev/gen/crossdock/governance/v1"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/failpoint"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/telemetry"
)

// server holds what the interceptors need.
type server struct {
	ServerConfig
	validator protovalidate.Validator
	metrics   *metrics
}

// call is what the interceptors know of one call.
type call struct {
	full      string
	request   proto.Message // nil for streams
	method    auth.Method
	principal origin.Principal
	memory    bool // came through the own gateway
	requestID string
}

// part is one interceptor, written once for unary calls and streams.
type part func(ctx context.Context, c *call, next func(context.Context) error) error

// list is the order in which the interceptors run, outermost first. Recovery stands at both ends: outside for mistakes in
// the interceptors, inside so that a handler's panic is counted and logged like any other error.
func (s *server) list() []part {
	return []part{
		s.recoverOutside, s.trace, s.measure, s.log, s.errors, inTime, s.authorize, s.headerFields, s.validate, s.deadline, s.causalWait, recoverInside,
	}
}

func run(ctx context.Context, c *call, parts []part, handler func(context.Context) error) error {
	if len(parts) == 0 {
		return handler(ctx)
	}
	return parts[0](ctx, c, func(ctx context.Context) error { return run(ctx, c, parts[1:], handler) })
}

func (s *server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	m, _ := req.(proto.Message)
	var resp any
	err := run(ctx, &call{full: info.FullMethod, request: m}, s.list(), func(ctx context.Context) error {
		var err error
		resp, err = handler(ctx, req)
		return err
	})
	failpoint.Hit("rpc.answer.before")
	return resp, err
}

func (s *server) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, cancel := context.WithCancelCause(ss.Context())
	defer cancel(nil)
	if s.Stopping != nil {
		// An open stream would hold a graceful stop for ever.
		go func() {
			select {
			case <-s.Stopping:
				cancel(errStopping)
			case <-ctx.Done():
			}
		}()
	}
	return run(ctx, &call{full: info.FullMethod}, s.list(), func(ctx context.Context) error {
		return handler(srv, &validatingStream{ServerStream: ss, ctx: ctx, s: s})
	})
}

var errStopping = errors.New("the service is stopping")

// validatingStream validates each message received and carries the interceptors' context.
type validatingStream struct {
	grpc.ServerStream
	ctx context.Context
	s   *server
}

func (v *validatingStream) Context() context.Context { return v.ctx }

func (v *validatingStream) RecvMsg(m any) error {
	if err := v.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	if msg, ok := m.(proto.Message); ok {
		return v.s.check(msg)
	}
	return nil
}

// panicked is a panic as an error.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

func recoverInside(ctx context.Context, _ *call, next func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicked{value: v, stack: debug.Stack()}
		}
	}()
	return next(ctx)
}

func (s *server) recoverOutside(ctx context.Context, c *call, next func(context.Context) error) error {
	err := recoverInside(ctx, c, next)
	var p *panicked
	if errors.As(err, &p) {
		return s.internal(ctx, c, err).In(s.Service)
	}
	return err
}

// plainID is what a request id from outside may look like, so that it can stand in logs and headers.
var plainID = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)

// PlainID says whether a request id from outside may stand in logs and headers as it is.
func PlainID(s string) bool { return plainID.MatchString(s) }

func (s *server) trace(ctx context.Context, c *call, next func(context.Context) error) error {
	md, _ := metadata.FromIncomingContext(ctx)
	parent, ok := telemetry.ParseTrace(last(md, MetaTraceparent))
	var t telemetry.Trace
	var err error
	if ok {
		t, err = parent.Child(s.Rand)
	} else {
		t, err = telemetry.NewTrace(s.Rand)
	}
	if err != nil {
		return s.internal(ctx, c, err).In(s.Service)
	}
	if c.requestID = last(md, MetaRequestID); !PlainID(c.requestID) {
		c.requestID = t.ID()
	}
	span := s.Spans.Begin(ctx, telemetry.SpanServer, c.full, t, parent)
	err = next(telemetry.WithSpans(telemetry.WithTrace(ctx, t), s.Spans))
	span.End(rpcerr.Reason(err))
	return err
}

func (s *server) measure(ctx context.Context, c *call, next func(context.Context) error) error {
	begun := s.Now()
	s.metrics.inFlight.Inc()
	defer s.metrics.inFlight.Dec()
	err := next(ctx)
	s.metrics.calls.WithLabelValues(c.full, status.Code(err).String(), rpcerr.Reason(err)).Inc()
	s.metrics.seconds.WithLabelValues(c.full).Observe(s.Now().Sub(begun).Seconds())
	return err
}

func (s *server) log(ctx context.Context, c *call, next func(context.Context) error) error {
	begun := s.Now()
	err := next(ctx)
	code := status.Code(err)
	attrs := []slog.Attr{
		slog.String(telemetry.KeyMethod, c.full),
		slog.String(telemetry.KeyCode, code.String()),
		slog.String(telemetry.KeyPrincipal, c.principal.String()),
		slog.String(telemetry.KeyRequestID, c.requestID),
		slog.String(telemetry.KeyTraceID, telemetry.TraceFrom(ctx).ID()),
		slog.Float64(telemetry.KeyDuration, float64(s.Now().Sub(begun).Microseconds())/1000),
	}
	if id := textField(c.request, "request_id"); id != "" {
		attrs = append(attrs, slog.String(telemetry.KeyIdempotencyKey, id))
	}
	if err != nil {
		attrs = append(attrs, slog.String(telemetry.KeyReason, rpcerr.Reason(err)))
	}
	s.Log.LogAttrs(ctx, level(code, c.method), "call", attrs...)
	return err
}

// level keeps reads out of the ordinary log; what was refused stands out, and what the server could not do more so.
func level(code codes.Code, m auth.Method) slog.Level {
	switch code {
	case codes.OK, codes.Canceled: // a reader that waits for news leaves in this way
		if m.Policy.GetIdempotency() == governancev1.MethodPolicy_REQUEST_ID {
			return slog.LevelInfo
		}
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// errors turns whatever a handler returned into a refusal that may be shown.
func (s *server) errors(ctx context.Context, c *call, next func(context.Context) error) error {
	err := next(ctx)
	if err == nil {
		return nil
	}
	return s.refusal(ctx, c, err).In(s.Service)
}

func (s *server) refusal(ctx context.Context, c *call, err error) *rpcerr.Error {
	var e *rpcerr.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(rpcerr.FromStore(err), &e):
		return e
	case errors.Is(context.Cause(ctx), errStopping):
		return rpcerr.Unavailable(rpcerr.ReasonStopping)
	case errors.Is(err, context.DeadlineExceeded):
		return &rpcerr.Error{Code: codes.DeadlineExceeded, Reason: rpcerr.ReasonDeadlineExceeded, Message: "the deadline passed"}
	case errors.Is(err, context.Canceled):
		return &rpcerr.Error{Code: codes.Canceled, Reason: rpcerr.ReasonCancelled, Message: "cancelled by the caller"}
	}
	// A bare status was meant for the caller; one wrapped in words was not.
	if g, ok := err.(interface{ GRPCStatus() *status.Status }); ok {
		switch st := g.GRPCStatus(); st.Code() {
		case codes.Unknown, codes.Internal, codes.DataLoss:
		default:
			return rpcerr.FromStatus(st)
		}
	}
	return s.internal(ctx, c, err)
}

// internal logs what nobody foresaw, once, and returns what the caller may know of it.
func (s *server) internal(ctx context.Context, c *call, err error) *rpcerr.Error {
	t := telemetry.TraceFrom(ctx)
	reference := t.Span()
	attrs := []slog.Attr{
		slog.String(telemetry.KeyMethod, c.full),
		slog.String(telemetry.KeyReference, reference),
		slog.String(telemetry.KeyTraceID, t.ID()),
		slog.String(telemetry.KeyError, err.Error()),
	}
	var p *panicked
	if errors.As(err, &p) {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	s.Log.LogAttrs(ctx, slog.LevelError, "internal error", attrs...)
	return rpcerr.Internal(reference)
}

// inTime leaves out work whose caller has given up while it waited for its turn.
func inTime(ctx context.Context, _ *call, next func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return next(ctx)
}

func (s *server) authorize(ctx context.Context, c *call, next func(context.Context) error) error {
	m, ok := s.Policies.Lookup(c.full)
	if !ok {
		return rpcerr.Denied("the method has no policy")
	}
	c.method = m
	md, _ := metadata.FromIncomingContext(ctx)
	p, refusal := s.authenticate(ctx, c, md)
	if refusal != nil {
		return refusal
	}
	c.principal = p
	if refusal := auth.Authorize(p, m, s.Users); refusal != nil {
		return refusal
	}
	o := origin.Origin{Principal: p, Method: c.full, Actor: p.String(), Traceparent: telemetry.TraceFrom(ctx).String()}
	if p.Kind == origin.Service {
		// Who began the chain of causes and its causal past are data, and only the suite's own services may state them.
		if actor := last(md, MetaActor); actor != "" && len(actor) <= 200 {
			o.Actor = actor
		}
		after, err := ParseAfter(last(md, MetaAfter))
		if err != nil {
			return rpcerr.Invalid(rpcerr.Field{Path: MetaAfter, Description: err.Error()})
		}
		o.After = after
	}
	return next(origin.With(ctx, o))
}

// authenticate proves who calls: from the certificate of the mTLS connection, or, on the connection from the own gateway
// alone, from a token made for the partner's route.
func (s *server) authenticate(ctx context.Context, c *call, md metadata.MD) (origin.Principal, *rpcerr.Error) {
	pr, ok := peer.FromContext(ctx)
	if !ok {
		return origin.Principal{}, rpcerr.Unauthenticated("no connection")
	}
	switch info := pr.AuthInfo.(type) {
	case auth.Memory:
		c.memory = true
		if s.Verifier == nil {
			return origin.Principal{}, rpcerr.Unauthenticated("this service takes no partners")
		}
		token, ok := bearer(md.Get(MetaAuthorization))
		if !ok {
			return origin.Principal{}, rpcerr.Unauthenticated("no token")
		}
		p, err := s.Verifier.Verify(token, last(md, MetaHTTPMethod), last(md, MetaHTTPPath))
		if err != nil {
			return origin.Principal{}, rpcerr.Unauthenticated(err.Error())
		}
		return p, nil
	case credentials.TLSInfo:
		if len(md.Get(MetaAuthorization)) > 0 {
			return origin.Principal{}, rpcerr.Unauthenticated("tokens are taken through the gateway alone")
		}
		id, err := auth.PeerID(info.State)
		if err != nil {
			return origin.Principal{}, rpcerr.Unauthenticated(err.Error())
		}
		return s.Users.Principal(id), nil
	}
	return origin.Principal{}, rpcerr.Unauthenticated("no certificate")
}

func bearer(values []string) (string, bool) {
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}

// headerFields fills request_id from Idempotency-Key and etag from If-Match for calls through the own gateway.
func (s *server) headerFields(ctx context.Context, c *call, next func(context.Context) error) error {
	if c.memory && c.request != nil {
		md, _ := metadata.FromIncomingContext(ctx)
		var bad []rpcerr.Field
		if key := last(md, MetaIdempotencyKey); key != "" {
			bad = append(bad, fill(c.request.ProtoReflect(), "request_id", key, "Idempotency-Key")...)
		}
		if tag := last(md, MetaIfMatch); tag != "" && tag != "*" {
			bad = append(bad, fill(etagHolder(c.request.ProtoReflect()), "etag", unquoteTag(tag), "If-Match")...)
		}
		if len(bad) > 0 {
			return rpcerr.Invalid(bad...)
		}
	}
	return next(ctx)
}

// fill sets a text field by name. A field that the body set to something else is an error, and so is a header that the
// method has no field for: to ignore it would break the promise that the caller relies on.
func fill(m protoreflect.Message, name protoreflect.Name, value, header string) []rpcerr.Field {
	fd := m.Descriptor().Fields().ByName(name)
	if fd == nil || fd.Kind() != protoreflect.StringKind || fd.IsList() {
		return []rpcerr.Field{{Path: header, Description: "this method does not take the header"}}
	}
	if was := m.Get(fd).String(); was != "" && was != value {
		return []rpcerr.Field{{Path: string(name), Description: "differs from the header " + header}}
	}
	m.Set(fd, protoreflect.ValueOfString(value))
	return nil
}

// etagHolder is the message that carries the etag: the request itself, or the one resource in it (AIP-154 lets an update
// carry the etag in the resource).
func etagHolder(m protoreflect.Message) protoreflect.Message {
	fields := m.Descriptor().Fields()
	if fields.ByName("etag") != nil {
		return m
	}
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.Message() != nil && !fd.IsList() && !fd.IsMap() && fd.Message().Fields().ByName("etag") != nil && m.Has(fd) {
			return m.Mutable(fd).Message()
		}
	}
	return m
}

func unquoteTag(tag string) string {
	return strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
}

func (s *server) validate(ctx context.Context, c *call, next func(context.Context) error) error {
	if c.request != nil {
		if err := s.check(c.request); err != nil {
			return err
		}
	}
	return next(ctx)
}

// check names every field that breaks a rule of the contract.
func (s *server) check(m proto.Message) error {
	err := s.validator.Validate(m)
	var v *protovalidate.ValidationError
	if !errors.As(err, &v) {
		return err // nil, or rules that cannot be evaluated: our mistake
	}
	fields := make([]rpcerr.Field, 0, len(v.Violations))
	for _, violation := range v.Violations {
		fields = append(fields, rpcerr.Field{
			Path:        protovalidate.FieldPathString(violation.Proto.GetField()),
			Description: violation.Proto.GetMessage(),
			Reason:      violation.Proto.GetRuleId(),
		})
	}
	return rpcerr.Invalid(fields...)
}

func (s *server) deadline(ctx context.Context, c *call, next func(context.Context) error) error {
	if _, ok := ctx.Deadline(); !ok && !c.method.Streams {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.DefaultTimeout)
		defer cancel()
	}
	return next(ctx)
}

// causalWait holds a call until this service has read as far as the call's causal past, and as far as the caller asked.
func (s *server) causalWait(ctx context.Context, c *call, next func(context.Context) error) error {
	md, _ := metadata.FromIncomingContext(ctx)
	after := origin.From(ctx).After
	if w := last(md, MetaWaitPosition); w != "" {
		p, err := ParsePosition(w)
		if err != nil {
			return rpcerr.Invalid(rpcerr.Field{Path: MetaWaitPosition, Description: err.Error()})
		}
		after = origin.MergeAfter(after, []origin.Position{p})
	}
	if len(after) > 0 {
		begun := s.Now()
		err := s.waitFor(ctx, after)
		waitedFor(ctx, s.Now().Sub(begun))
		if err != nil {
			return err
		}
	}
	return next(ctx)
}

func (s *server) waitFor(ctx context.Context, after []origin.Position) error {
	ctx, cancel := context.WithTimeout(ctx, s.DefaultTimeout)
	defer cancel()
	var others []origin.Position
	for _, p := range after {
		switch {
		case p.Log != s.Service:
			others = append(others, p)
		case s.Own != nil:
			if err := s.Own.Wait(ctx, p); err != nil {
				return notYet(err)
			}
		}
	}
	if len(others) > 0 && s.Waiter != nil {
		return notYet(s.Waiter.WaitRead(ctx, others))
	}
	return nil
}

// notYet says that a repeat will find the service further on.
func notYet(err error) error {
	var e *rpcerr.Error
	if err == nil || errors.As(err, &e) || errors.Is(err, context.Canceled) {
		return err
	}
	return rpcerr.Unavailable(rpcerr.ReasonNotYetRead)
}

// tap refuses calls that are too many before anything of them is decoded.
func (s *server) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	m, _ := s.Policies.Lookup(info.FullMethodName) // one that nobody knows is refused later, and counts until then
	return s.Admission.enter(ctx, info.FullMethodName, m)
}

func last(md metadata.MD, key string) string {
	v := md.Get(key)
	if len(v) == 0 {
		return ""
	}
	return v[len(v)-1]
}

// textField reads a text field of a message by name, "" when there is none.
func textField(m proto.Message, name protoreflect.Name) string {
	if m == nil {
		return ""
	}
	r := m.ProtoReflect()
	fd := r.Descriptor().Fields().ByName(name)
	if fd == nil || fd.Kind() != protoreflect.StringKind || fd.IsList() {
		return ""
	}
	return r.Get(fd).String()
}
