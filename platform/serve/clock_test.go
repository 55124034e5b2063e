package serve

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// A machine whose clock is set by an hour either way while a program runs: each step is told and counted, once.
func TestClockStepIsTold(t *testing.T) {
	var lines bytes.Buffer
	w := newClockWatch(slog.New(slog.NewTextHandler(&lines, nil)))
	at := time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)
	for second, off := range []time.Duration{0, 0, time.Hour, time.Hour, 0, 0} {
		passed := time.Duration(second) * time.Second
		w.look(at.Add(passed+off), passed)
	}
	if got := testutil.ToFloat64(w.counted); got != 2 {
		t.Errorf("%v steps counted, want 2", got)
	}
	for _, by := range []string{"by_ms=3600000\n", "by_ms=-3600000\n"} {
		if n := strings.Count(lines.String(), by); n != 1 {
			t.Errorf("%q was told %d times, want once:\n%s", by, n, lines.String())
		}
	}
}
