//go:build !failpoints

package clock

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// In the programs that are shipped nothing but the machine says what time it is.
func TestShippedClockHasNoOffset(t *testing.T) {
	offset := filepath.Join(t.TempDir(), "offset")
	if err := os.WriteFile(offset, []byte("1h0m0s"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CROSSDOCK_CLOCK_OFFSET", offset) // OffsetFile of the programs that are attacked
	before := time.Now()
	if got := System().Now(); got.Before(before) || got.After(before.Add(time.Minute)) {
		t.Errorf("got %v, want %v", got, before)
	}
}
