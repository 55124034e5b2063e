package telemetry_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"crossdock.dev/platform/telemetry"
)

// The first is the example of W3C Trace Context section 3.2.3; the others break its grammar (3.2.2) one way each.
func TestParseTrace(t *testing.T) {
	const example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	got, ok := telemetry.ParseTrace(example)
	if !ok || got.String() != example || got.ID() != "4bf92f3577b34da6a3ce929d0e0e4736" || got.Span() != "00f067aa0ba902b7" || !got.Sampled {
		t.Errorf("got %+v, %v", got, ok)
	}
	if got, ok := telemetry.ParseTrace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"); !ok || got.Sampled {
		t.Errorf("not sampled: got %+v, %v", got, ok)
	}
	// A later version may append fields, and is read like version 00 (3.2.4).
	if got, ok := telemetry.ParseTrace("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes"); !ok || got.String() != example {
		t.Errorf("later version: got %+v, %v", got, ok)
	}
	for _, bad := range []string{
		"",
		"00",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
		"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
	} {
		if got, ok := telemetry.ParseTrace(bad); ok {
			t.Errorf("%q was read as %v", bad, got)
		}
	}
}

func TestNewTraceIsNeverAllZero(t *testing.T) {
	tr, err := telemetry.NewTrace(bytes.NewReader(make([]byte, 24)))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := telemetry.ParseTrace(tr.String()); !ok {
		t.Errorf("%s is not a valid traceparent", tr)
	}
	if _, err := telemetry.NewTrace(bytes.NewReader(nil)); err == nil {
		t.Error("no randomness, no error")
	}
}

func TestStart(t *testing.T) {
	var out bytes.Buffer
	tel := telemetry.Start(telemetry.Config{Service: "orders", Level: slog.LevelInfo, Out: &out})
	tel.Log.Debug("not written")
	tel.Log.Info("written", telemetry.KeyOrder, "orders/ord_1")
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	if line["service"] != "orders" || line["order"] != "orders/ord_1" || line["msg"] != "written" {
		t.Errorf("line %v", line)
	}
	families, err := tel.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		names = append(names, f.GetName())
	}
	for _, want := range []string{"crossdock_build_info", "go_goroutines", "process_open_fds"} {
		if !strings.Contains(strings.Join(names, " "), want) {
			t.Errorf("no metric %s", want)
		}
	}
}
