package rpc

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"crossdock.dev/platform/origin"
)

// Metadata keys. Identity is never among them.
const (
	// MetaPosition answers a change with the place of its entry: "orders/1/12" (log, epoch, sequence).
	MetaPosition = "crossdock-position"
	// MetaWaitPosition asks a call to wait until the service's own log, or its reading of another, has come that far.
	MetaWaitPosition = "crossdock-wait-position"
	// MetaAfter is the causal past of a call between services: positions parted by commas.
	MetaAfter = "crossdock-after"
	// MetaActor is the principal at the beginning of the chain of causes, accepted from services alone.
	MetaActor = "crossdock-actor"
	// MetaTraceparent is the W3C trace context.
	MetaTraceparent = "traceparent"
	// MetaRequestID is the id by which a person finds a call again.
	MetaRequestID = "x-request-id"

	// The next are written by a service's own gateway and read on the in-memory connection alone.

	// MetaHTTPMethod is the HTTP method that the partner used.
	MetaHTTPMethod = "crossdock-http-method"
	// MetaHTTPPath is the path that the partner used.
	MetaHTTPPath = "crossdock-http-path"
	// MetaIdempotencyKey is the Idempotency-Key header.
	MetaIdempotencyKey = "crossdock-idempotency-key"
	// MetaIfMatch is the If-Match header.
	MetaIfMatch = "crossdock-if-match"
	// MetaAuthorization carries the internal token.
	MetaAuthorization = "authorization"
)

// maxAfter bounds the causal past of a call; the suite has fewer logs than that.
const maxAfter = 64

// FormatPosition writes a position as "log/epoch/sequence".
func FormatPosition(p origin.Position) string {
	return p.Log + "/" + strconv.FormatUint(p.Epoch, 10) + "/" + strconv.FormatUint(p.Sequence, 10)
}

// ParsePosition reads what FormatPosition wrote.
func ParsePosition(s string) (origin.Position, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 || parts[0] == "" || len(parts[0]) > 40 {
		return origin.Position{}, fmt.Errorf("position %q: want log/epoch/sequence", s)
	}
	epoch, err1 := strconv.ParseUint(parts[1], 10, 64)
	sequence, err2 := strconv.ParseUint(parts[2], 10, 64)
	if err1 != nil || err2 != nil {
		return origin.Position{}, fmt.Errorf("position %q: want log/epoch/sequence", s)
	}
	return origin.Position{Log: parts[0], Epoch: epoch, Sequence: sequence}, nil
}

// FormatAfter writes a causal past, "" for an empty one.
func FormatAfter(after []origin.Position) string {
	parts := make([]string, len(after))
	for i, p := range after {
		parts[i] = FormatPosition(p)
	}
	return strings.Join(parts, ",")
}

// ParseAfter reads what FormatAfter wrote, merged to one position per log.
func ParseAfter(s string) ([]origin.Position, error) {
	if s == "" {
		return nil, nil
	}
	parts := strings.Split(s, ",")
	if len(parts) > maxAfter {
		return nil, fmt.Errorf("causal past of %d positions: at most %d", len(parts), maxAfter)
	}
	after := make([]origin.Position, 0, len(parts))
	for _, part := range parts {
		p, err := ParsePosition(part)
		if err != nil {
			return nil, err
		}
		after = append(after, p)
	}
	return origin.MergeAfter(after, nil), nil
}

// SetPosition tells the caller of the current method where its change stands in the log. Call it once, before returning;
// the zero position (nothing was written) is not told. Outside a call it does nothing.
func SetPosition(ctx context.Context, p origin.Position) {
	if p.Log == "" || p.Sequence == 0 {
		return
	}
	// The only error is "not in a call" or "header already sent": then nobody could read it.
	_ = grpc.SetHeader(ctx, metadata.Pairs(MetaPosition, FormatPosition(p)))
}

// PositionFrom reads the position out of an answer's header (grpc.Header).
func PositionFrom(header metadata.MD) (origin.Position, bool) {
	v := header.Get(MetaPosition)
	if len(v) == 0 {
		return origin.Position{}, false
	}
	p, err := ParsePosition(v[len(v)-1])
	return p, err == nil
}

// WithWaitPosition returns a context whose calls wait until the called service has come as far as p: read your writes.
func WithWaitPosition(ctx context.Context, p origin.Position) context.Context {
	if p.Log == "" || p.Sequence == 0 {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, MetaWaitPosition, FormatPosition(p))
}
