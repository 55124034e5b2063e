package telemetry_test

import (
	"context"
	"crypto/rand"
	"testing"

	"crossdock.dev/platform/telemetry"
)

// Without an endpoint nothing is exported, and every part of it may be called all the same.
func TestSpansAreOffByDefault(t *testing.T) {
	t.Setenv(telemetry.EndpointVariable, "")
	t.Setenv(telemetry.TracesEndpointVariable, "")
	s, err := telemetry.StartSpans(t.Context(), "orders", "")
	if err != nil || s != nil {
		t.Fatalf("%v, %v; want nothing", s, err)
	}
	own, err := telemetry.NewTrace(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.Begin(t.Context(), telemetry.SpanServer, "x", own, telemetry.Trace{}).End("REASON")
	if ctx := context.Background(); telemetry.WithSpans(ctx, nil) != ctx || telemetry.SpansFrom(ctx) != nil {
		t.Error("a context carries spans that are not exported")
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// A collector that is away fails neither a call nor the start.
func TestSpansWithoutTheirCollector(t *testing.T) {
	s, err := telemetry.StartSpans(t.Context(), "orders", "http://127.0.0.1:1")
	if err != nil || s == nil {
		t.Fatalf("%v, %v; want a start", s, err)
	}
	own, err := telemetry.NewTrace(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.Begin(t.Context(), telemetry.SpanServer, "x", own, telemetry.Trace{}).End("")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = s.Stop(ctx) // says that the span was lost, or not
}
