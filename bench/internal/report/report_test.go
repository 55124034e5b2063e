package report

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"crossdock.dev/bench/internal/machine"
)

func sample() Figure {
	f := Figure{Name: "create-order", Variant: "callers=256", Rate: 8000, P50: 31.5, P99: 60, CPU: 125.25, Ops: 40000, More: map[string]float64{"MiB": 12}}
	f.AgainstLimit("limit-echo", 10000)
	return f
}

// A line is what benchstat reads: a name that begins with Benchmark, a count, then values and units in turn.
func TestLine(t *testing.T) {
	var b bytes.Buffer
	if err := Line(&b, sample()); err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(b.String())
	want := "BenchmarkCreateOrder/callers=256 40000 125000 ns/op 8000.0 ops/s 31.500 p50-ms 60.000 p99-ms 125.25 cpu-us/op 0.800 ratio 12.000 MiB"
	if got := strings.Join(fields, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !regexp.MustCompile(`^Benchmark\S+\s+\d+(\s+[0-9.]+ \S+)+\n$`).MatchString(b.String()) {
		t.Errorf("benchstat does not read %q", b.String())
	}
}

// Programs find the agreed fields, and null where there is no limit.
func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b, []Figure{sample(), {Name: "limit-echo", Rate: 10000}}); err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{"name": "create-order", "rate": 8000.0, "p50_ms": 31.5, "p99_ms": 60.0, "cpu_us": 125.25, "limit": 10000.0, "ratio": 0.8} {
		if got[0][key] != want {
			t.Errorf("%s is %v, want %v", key, got[0][key], want)
		}
	}
	for _, key := range []string{"limit", "ratio"} {
		if value, ok := got[1][key]; !ok || value != nil {
			t.Errorf("%s of a limit is %v, present %t; want null", key, value, ok)
		}
	}
}

func TestMarkdown(t *testing.T) {
	d := machine.Description{Commit: "abc", Go: "go1.26", Kernel: "6.18", CPU: "Example 9000", FileSystem: "ext4", CPUs: 2, MemoryBytes: 8 << 30,
		Time: time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)}
	var b bytes.Buffer
	if err := Markdown(&b, d, []Figure{sample()}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Commit abc, 2026-03-02 11:00 UTC, go1.26.\n2 × Example 9000, 8 GiB memory, Linux 6.18, ext4.\n",
		"| create-order (callers=256) | 8000 | 31.5 | 60.0 | 125 | 10000 (limit-echo) | 0.80 | 12.0 MiB |\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("got\n%s\nwant in it\n%s", b.String(), want)
		}
	}
}
