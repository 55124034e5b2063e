package telemetry

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// The variables that every OTLP exporter reads; either turns the export on.
const (
	EndpointVariable       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	TracesEndpointVariable = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
)

// SpanKind is where a span stands in its trace.
type SpanKind = trace.SpanKind

// The kinds of spans.
const (
	SpanServer   = trace.SpanKindServer
	SpanClient   = trace.SpanKindClient
	SpanConsumer = trace.SpanKindConsumer
	SpanInternal = trace.SpanKindInternal
)

// Spans exports spans by OTLP over HTTP. Their ids are those of Trace, which log lines and entries carry whether spans are
// exported or not; so a trace goes on across the event feed. A nil Spans exports nothing and costs nothing.
type Spans struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// exportTimeout bounds one batch: a collector that is away holds nobody up, and its spans are dropped.
const exportTimeout = 5 * time.Second

// StartSpans exports to a collector, such as "http://127.0.0.1:4318", or where the environment says; nil when neither does.
func StartSpans(ctx context.Context, service, endpoint string) (*Spans, error) {
	var options []otlptracehttp.Option
	switch {
	case endpoint != "":
		options = append(options, otlptracehttp.WithEndpointURL(endpoint))
	case os.Getenv(EndpointVariable) == "" && os.Getenv(TracesEndpointVariable) == "":
		return nil, nil
	}
	exporter, err := otlptracehttp.New(ctx, append(options, otlptracehttp.WithTimeout(exportTimeout))...)
	if err != nil {
		return nil, fmt.Errorf("export of spans: %w", err)
	}
	about := resource.NewSchemaless(attribute.String("service.name", service), attribute.String("service.version", Version()))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about), sdktrace.WithIDGenerator(ids{}),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())))
	return &Spans{provider: provider, tracer: provider.Tracer("crossdock.dev/platform")}, nil
}

// Stop exports what is left, within ctx.
func (s *Spans) Stop(ctx context.Context) error {
	if s == nil {
		return nil
	}
	return s.provider.Shutdown(ctx)
}

// ids gives a new span the ids of the Trace in its context.
type ids struct{}

func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	t := TraceFrom(ctx)
	return t.TraceID, t.SpanID
}

func (ids) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID { return TraceFrom(ctx).SpanID }

// Link leads from a span to the one that told the fact which it acts on.
type Link struct {
	Trace    Trace
	Log      string
	Sequence uint64
}

// Span is a span under way. A nil Span does nothing.
type Span struct{ span trace.Span }

// Begin begins the span own, which follows parent; the zero Trace for one that begins a trace.
func (s *Spans) Begin(ctx context.Context, kind SpanKind, name string, own, parent Trace, links ...Link) *Span {
	if s == nil {
		return nil
	}
	ctx = WithTrace(ctx, own)
	if parent != (Trace{}) {
		ctx = trace.ContextWithRemoteSpanContext(ctx, spanContext(parent))
	}
	options := []trace.SpanStartOption{trace.WithSpanKind(kind)}
	for _, l := range links {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: spanContext(l.Trace), Attributes: []attribute.KeyValue{
			attribute.String("crossdock.log", l.Log), attribute.Int64("crossdock.sequence", int64(l.Sequence)),
		}}))
	}
	_, span := s.tracer.Start(ctx, name, options...)
	return &Span{span}
}

// End ends the span. reason is the stable reason of a refusal, "" for none; nothing else of an error is exported.
func (s *Span) End(reason string) {
	if s == nil {
		return
	}
	if reason != "" {
		s.span.SetStatus(codes.Error, reason)
	}
	s.span.End()
}

func spanContext(t Trace) trace.SpanContext {
	var flags trace.TraceFlags
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: t.TraceID, SpanID: t.SpanID, TraceFlags: flags.WithSampled(t.Sampled), Remote: true})
}

type spansKey struct{}

// WithSpans returns a context whose calls to other services are exported too.
func WithSpans(ctx context.Context, s *Spans) context.Context {
	if s == nil {
		return ctx
	}
	return context.WithValue(ctx, spansKey{}, s)
}

// SpansFrom returns what WithSpans put into the context, nil when nothing did.
func SpansFrom(ctx context.Context) *Spans {
	s, _ := ctx.Value(spansKey{}).(*Spans)
	return s
}
