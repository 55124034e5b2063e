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
	version, revision := Build()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "crossdock_build_info",
		Help:        "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"service": c.Service, "version": version, "revision": revision},
	})
	info.Set(1)
	reg.MustRegister(info)
	return &Telemetry{Log: log, Registry: reg}
}

// Build returns the main module's version and the commit that the program was built from, "unknown" where not recorded.
func Build() (version, revision string) {
	version, revision = "unknown", "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, revision
	}
	if info.Main.Version != "" {
		version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	return version, revision
}

// Discard is a logger that writes nothing, for tests and tools.
func Discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
