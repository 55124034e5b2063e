package serve

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/telemetry"
)

// HTTP headers beside those of the standards.
const (
	HeaderPosition       = "Crossdock-Position"
	HeaderWaitPosition   = "Crossdock-Wait-Position"
	HeaderIdempotencyKey = "Idempotency-Key"
)

// Gateway registers the generated REST handlers of one gRPC service, such as ordersv1.RegisterOrderServiceHandler.
type Gateway func(ctx context.Context, mux *runtime.ServeMux, conn *grpc.ClientConn) error

// GatewayConfig says how partners' HTTP reaches the own server.
type GatewayConfig struct {
	// Service is the own name.
	Service string
	// Verifier verifies the edge's tokens.
	Verifier *auth.Verifier
	// Memory is the listener that the own server serves in memory.
	Memory *rpc.MemoryListener
	// Gateways are the generated handlers.
	Gateways []Gateway
	// Admission refuses requests that are too many, before their token is verified; nil takes all.
	Admission *rpc.Admission
	// MaxBody bounds a body in bytes; 0 means 1 MiB.
	MaxBody int64
	// Rand makes trace ids; nil means the machine's.
	Rand io.Reader
}

// NewGateway makes the partner-only HTTP handler of a service. Before anything is decoded it refuses what is too much, and odd
// paths, verifies the edge's token for exactly this method and path, and bounds the body. The connection lives as long as ctx.
func NewGateway(ctx context.Context, c GatewayConfig) (http.Handler, error) {
	if c.Verifier == nil || c.Memory == nil {
		return nil, errors.New("gateway: a verifier and an in-memory listener are required")
	}
	if c.MaxBody == 0 {
		c.MaxBody = 1 << 20
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	conn, err := grpc.NewClient("passthrough:///memory",
		grpc.WithTransportCredentials(auth.MemoryCredentials()),
		grpc.WithDisableServiceConfig(),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return c.Memory.Dial(ctx) }),
	)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() }) // the process is stopping; nothing waits for the outcome
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.HTTPBodyMarshaler{Marshaler: &runtime.JSONPb{
			MarshalOptions:   protojson.MarshalOptions{EmitUnpopulated: false, UseProtoNames: false},
			UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: false},
		}}),
		runtime.WithErrorHandler(rpcerr.GatewayErrors(c.Service)),
		runtime.WithRoutingErrorHandler(rpcerr.GatewayRouting(c.Service)),
		runtime.WithIncomingHeaderMatcher(incoming),
		runtime.WithOutgoingHeaderMatcher(outgoing),
		runtime.WithOutgoingTrailerMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithMetadata(func(_ context.Context, r *http.Request) metadata.MD {
			return metadata.Pairs(rpc.MetaHTTPMethod, r.Method, rpc.MetaHTTPPath, r.URL.Path)
		}),
		runtime.WithForwardResponseOption(tagAnswer),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithDisableHTTPMethodOverride(),
	)
	for _, register := range c.Gateways {
		if err := register(ctx, mux, conn); err != nil {
			return nil, fmt.Errorf("gateway: %w", err)
		}
	}
	return &gateway{GatewayConfig: c, mux: mux}, nil
}

type gateway struct {
	GatewayConfig
	mux http.Handler
}

// plainPath is every path that a resource name or verb can make. Encoded characters have no place in it, so what the edge
// routed, what the token was made for and what the mux matches cannot differ.
var plainPath = regexp.MustCompile(`^(/[A-Za-z0-9_~:@!$&'()*+,;=.-]+)+$`)

// plainHeader is what a header that becomes metadata or a field may hold.
var plainHeader = regexp.MustCompile(`^[\x21-\x7e]{1,256}$`)

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := Identify(w, r, g.Rand); err != nil {
		rpcerr.WriteHTTP(w, r, rpcerr.Unavailable("").In(g.Service))
		return
	}
	if g.Admission != nil {
		leave, refused := g.Admission.EnterHTTP()
		if refused != nil {
			rpcerr.WriteHTTP(w, r, refused)
			return
		}
		defer leave()
	}
	if err := g.prepare(w, r); err != nil {
		rpcerr.WriteHTTP(w, r, err.In(g.Service))
		return
	}
	g.mux.ServeHTTP(w, r)
}

func (g *gateway) prepare(w http.ResponseWriter, r *http.Request) *rpcerr.Error {
	if err := CheckPath(r); err != nil {
		return err
	}
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || len(r.Header.Values("Authorization")) != 1 {
		return rpcerr.Unauthenticated("no token")
	}
	if _, err := g.Verifier.Verify(token, r.Method, r.URL.Path); err != nil {
		return rpcerr.Unauthenticated(err.Error())
	}
	r.Header.Del("Grpc-Timeout") // deadlines are ours
	var bad []rpcerr.Field
	for _, name := range []string{HeaderIdempotencyKey, "If-Match", HeaderWaitPosition} {
		values := r.Header.Values(name)
		if len(values) > 1 || len(values) == 1 && !plainHeader.MatchString(values[0]) {
			bad = append(bad, rpcerr.Field{Path: name, Description: "want one value of up to 256 visible ASCII characters"})
		}
	}
	if len(bad) > 0 {
		return rpcerr.Invalid(bad...)
	}
	return readBody(w, r, g.MaxBody)
}

// readBody takes the whole body before it is decoded, so that a body over the limit is told apart from a malformed one.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) *rpcerr.Error {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return rpcerr.BodyTooLarge(limit)
	case err != nil:
		return &rpcerr.Error{Code: codes.Canceled, Reason: rpcerr.ReasonCancelled, Message: "the body did not arrive whole"}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	return nil
}

// CheckPath refuses a path with encoded characters, empty or dotted segments: it may mean one thing to a router and another
// to the next.
func CheckPath(r *http.Request) *rpcerr.Error {
	path := r.URL.Path
	if r.URL.RawPath != "" || strings.Contains(r.URL.EscapedPath(), "%") || strings.Contains(r.RequestURI, "#") {
		return rpcerr.BadPath("encoded characters are not allowed in a path")
	}
	if path != "/" && !plainPath.MatchString(path) {
		return rpcerr.BadPath("the path has empty segments or characters that are not allowed")
	}
	for _, segment := range strings.Split(path, "/") {
		if segment == "." || segment == ".." {
			return rpcerr.BadPath("dotted segments are not allowed in a path")
		}
	}
	return nil
}

// Identify gives a request its trace and its X-Request-Id, on the request for whoever serves it and on the answer.
func Identify(w http.ResponseWriter, r *http.Request, rand io.Reader) error {
	t, ok := telemetry.ParseTrace(r.Header.Get("Traceparent"))
	if !ok {
		var err error
		if t, err = telemetry.NewTrace(rand); err != nil {
			return err
		}
		r.Header.Set("Traceparent", t.String())
	}
	id := r.Header.Get(rpcerr.HeaderRequestID)
	if !rpc.PlainID(id) {
		id = t.ID()
		r.Header.Set(rpcerr.HeaderRequestID, id)
	}
	w.Header().Set(rpcerr.HeaderRequestID, id)
	return nil
}

// incoming names the only headers that reach a method; everything else, "Grpc-Metadata-" above all, ends here.
func incoming(header string) (string, bool) {
	switch http.CanonicalHeaderKey(header) {
	case HeaderIdempotencyKey:
		return rpc.MetaIdempotencyKey, true
	case "If-Match":
		return rpc.MetaIfMatch, true
	case HeaderWaitPosition:
		return rpc.MetaWaitPosition, true
	case "Traceparent":
		return rpc.MetaTraceparent, true
	case rpcerr.HeaderRequestID:
		return rpc.MetaRequestID, true
	}
	return "", false
}

func outgoing(key string) (string, bool) {
	if key == rpc.MetaPosition {
		return HeaderPosition, true
	}
	return "", false
}

// tagAnswer repeats a resource's etag in the ETag header (RFC 9110 section 8.8.3).
func tagAnswer(_ context.Context, w http.ResponseWriter, m proto.Message) error {
	if m == nil {
		return nil
	}
	r := m.ProtoReflect()
	fd := r.Descriptor().Fields().ByName("etag")
	if fd != nil && fd.Kind() == protoreflect.StringKind && !fd.IsList() && r.Get(fd).String() != "" {
		w.Header().Set("ETag", `"`+r.Get(fd).String()+`"`)
	}
	return nil
}
