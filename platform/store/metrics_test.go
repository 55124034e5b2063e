package store

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"crossdock.dev/platform/clock"
)

// Two changes are made, one is repeated, one refused; the store is checked, and closed.
func TestMetrics(t *testing.T) {
	o := testOptions(t.TempDir() + "/things.db")
	o.Machine = clock.NewManual(time.Unix(1_780_000_000, 0))
	s := openTest(t, o)
	for _, id := range []string{"a", "b", "a"} {
		mustChange(t, s, request(id), func(tx *Tx) error { return putThing(context.Background(), tx, "thing", "1") })
	}
	if _, err := s.Change(context.Background(), request("c"), func(*Tx) ([]byte, error) { return nil, errors.New("no") }); err == nil {
		t.Fatal("the change was made")
	}
	wantClean(t, s)
	if _, err := s.Verify(context.Background()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(s)
	want := `
# HELP crossdock_store_changes_total Changes that were asked for, by outcome: made, repeated (an answer was given again) or refused.
# TYPE crossdock_store_changes_total counter
crossdock_store_changes_total{outcome="made"} 2
crossdock_store_changes_total{outcome="refused"} 1
crossdock_store_changes_total{outcome="repeated"} 1
# HELP crossdock_store_commits_total Commits that are on the disk.
# TYPE crossdock_store_commits_total counter
crossdock_store_commits_total 2
# HELP crossdock_store_log_position Sequence of the last entry of the own log.
# TYPE crossdock_store_log_position gauge
crossdock_store_log_position 2
# HELP crossdock_store_ready 1 while the store takes changes.
# TYPE crossdock_store_ready gauge
crossdock_store_ready 1
# HELP crossdock_store_verify_breaches Breaches that the last check found.
# TYPE crossdock_store_verify_breaches gauge
crossdock_store_verify_breaches 0
# HELP crossdock_store_verify_timestamp_seconds When the running store was last checked to the end, Unix time; 0 before the first time since the start.
# TYPE crossdock_store_verify_timestamp_seconds gauge
crossdock_store_verify_timestamp_seconds 1.78e+09
`
	names := []string{"crossdock_store_changes_total", "crossdock_store_commits_total", "crossdock_store_log_position", "crossdock_store_ready",
		"crossdock_store_verify_breaches", "crossdock_store_verify_timestamp_seconds"}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	if got := gathered(t, reg, "crossdock_store_bytes"); got != float64(info.Size()) {
		t.Errorf("crossdock_store_bytes %v, want %d", got, info.Size())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := gathered(t, reg, "crossdock_store_ready"); got != 0 {
		t.Errorf("a closed store: crossdock_store_ready %v, want 0", got)
	}
}

func gathered(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
