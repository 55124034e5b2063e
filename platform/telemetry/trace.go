package telemetry

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
)

// Trace is a W3C trace context (Trace Context level 1, traceparent version 00).
type Trace struct {
	TraceID [16]byte
	SpanID  [8]byte
	Sampled bool
}

// NewTrace begins a trace with ids from rand. It fails only when rand does.
func NewTrace(rand io.Reader) (Trace, error) {
	t := Trace{Sampled: true}
	if err := fill(rand, t.TraceID[:]); err != nil {
		return Trace{}, err
	}
	return t.Child(rand)
}

// Child is the same trace with a new span id.
func (t Trace) Child(rand io.Reader) (Trace, error) {
	if err := fill(rand, t.SpanID[:]); err != nil {
		return Trace{}, err
	}
	return t, nil
}

// fill reads an id and keeps it from being all zero, which the format forbids.
func fill(rand io.Reader, b []byte) error {
	if _, err := io.ReadFull(rand, b); err != nil {
		return fmt.Errorf("read random id: %w", err)
	}
	for _, c := range b {
		if c != 0 {
			return nil
		}
	}
	b[len(b)-1] = 1
	return nil
}

// String writes the traceparent header; "" for the zero Trace.
func (t Trace) String() string {
	if t == (Trace{}) {
		return ""
	}
	flags := "00"
	if t.Sampled {
		flags = "01"
	}
	return "00-" + t.ID() + "-" + t.Span() + "-" + flags
}

// ID is the trace id in hex.
func (t Trace) ID() string { return hex.EncodeToString(t.TraceID[:]) }

// Span is the span id in hex.
func (t Trace) Span() string { return hex.EncodeToString(t.SpanID[:]) }

// ParseTrace reads a traceparent header; ok is false when it is absent or malformed, and the caller begins a new trace.
func ParseTrace(s string) (t Trace, ok bool) {
	// version "-" trace-id "-" parent-id "-" flags; a higher version may append fields.
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return Trace{}, false
	}
	version, ok := lowerHex(s[:2])
	if !ok || version[0] == 0xff || (version[0] == 0 && len(s) != 55) || (len(s) > 55 && s[55] != '-') {
		return Trace{}, false
	}
	id, ok1 := lowerHex(s[3:35])
	span, ok2 := lowerHex(s[36:52])
	flags, ok3 := lowerHex(s[53:55])
	if !ok1 || !ok2 || !ok3 {
		return Trace{}, false
	}
	copy(t.TraceID[:], id)
	copy(t.SpanID[:], span)
	t.Sampled = flags[0]&1 == 1
	if t.TraceID == [16]byte{} || t.SpanID == [8]byte{} {
		return Trace{}, false
	}
	return t, true
}

// lowerHex decodes hex and refuses upper case, as the format does.
func lowerHex(s string) ([]byte, bool) {
	for i := range len(s) {
		if s[i] >= 'A' && s[i] <= 'F' {
			return nil, false
		}
	}
	b, err := hex.DecodeString(s)
	return b, err == nil
}

type traceKey struct{}

// WithTrace returns a context that carries t.
func WithTrace(ctx context.Context, t Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// TraceFrom returns the context's trace, the zero Trace when it has none.
func TraceFrom(ctx context.Context) Trace {
	t, _ := ctx.Value(traceKey{}).(Trace)
	return t
}
