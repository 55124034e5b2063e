// Package telemetry makes what a service is seen by: a JSON logger, a Prometheus registry and W3C trace ids. It promises
// one spelling per log key and no global registry. It leaves to the interceptors what is recorded of a call, and to the
// service what is worth a line.
package telemetry

import (
	"io"
	"log/slog"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Log keys, one spelling each.
const (
	KeyService        = "service"
	KeyMethod         = "method"
	KeyCode           = "code"
	KeyReason         = "reason"
	KeyPrincipal      = "principal"
	KeyActor          = "actor"
	KeyRequestID      = "request_id"      // X-Request-Id, or the trace id when the caller gave none
	KeyIdempotencyKey = "idempotency_key" // the request message's request_id
	KeyTraceID        = "trace_id"
	KeySpanID         = "span_id"
	KeyReference      = "reference"
	KeyDuration       = "duration_ms"
	KeyError          = "error"
	KeyOrder          = "order"
	KeyShipment       = "shipment"
	KeyLoad           = "load"
	KeyInvoice        = "invoice"
	KeyParty          = "party"
	KeyPartner        = "partner"
	KeyTask           = "task"
	KeyKind           = "kind"    // of a task
	KeySubject        = "subject" // what a task or a fact is about
	KeyType           = "type"    // of a fact
	KeyLoop           = "loop"
	KeyPeer           = "peer" // another service
	KeyLog            = "log"
	KeySequence       = "sequence"
)

// Config says how a process is seen.
type Config struct {
	// Service is the process's name, such as "orders"; every line carries it.
	Service string
	// Level is the least level written.
	Level slog.Level
	// Out gets the log lines; a service passes os.Stderr.
	Out io.Writer
}

// Telemetry is a process's logger and registry.
type Telemetry struct {
	Log      *slog.Logger
	Registry *prometheus.Registry
}

// Start makes the logger and a registry that holds the Go runtime's, the process's and the build's metrics.
func Start(c Config) *Telemetry {
	log := slog.New(slog.NewJSONHandler(c.Out, &slog.HandlerOptions{Level: c.Level})).With(KeyService, c.Service)
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "crossdock_build_info",
		Help:        "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"service": c.Service, "version": Version()},
	})
	info.Set(1)
	reg.MustRegister(info)
	return &Telemetry{Log: log, Registry: reg}
}

// version is what the build stamped into the program:
//
//	go build -ldflags "-X crossdock.dev/platform/telemetry.version=$(git describe --always --dirty)"
var version string

// Version says what the program was built from: what the build stamped, else the main module's version, which go records by
// itself in a build from a checkout; "unknown" where neither did.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// Discard is a logger that writes nothing, for tests and tools.
func Discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
