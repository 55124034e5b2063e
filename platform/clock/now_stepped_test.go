//go:build failpoints

package clock

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A stepped clock shows another time of day, and measures what passes as before.
func TestStepped(t *testing.T) {
	begun := time.Now()
	for _, by := range []time.Duration{0, time.Hour, -time.Hour, 100 * 24 * time.Hour} {
		at := stepped(begun, by)
		if got := at.Round(0).Sub(begun.Round(0)); got != by {
			t.Errorf("stepped by %v: the time of day moved by %v", by, got)
		}
		if got := at.Sub(begun); got != 0 {
			t.Errorf("stepped by %v: %v have passed, want 0", by, got)
		}
	}
}

// The clocks of a program follow the file: business time, a story's clock that runs, and machine time.
func TestOffsetFile(t *testing.T) {
	dir := t.TempDir()
	offset, story := filepath.Join(dir, "offset"), filepath.Join(dir, "clock.json")
	t.Setenv(OffsetFile, offset)
	if err := SetFile(story, at, true); err != nil {
		t.Fatal(err)
	}
	begun := SystemMachine().Now()
	clocks := map[string]Business{"system": System(), "machine": SystemMachine(), "story": File(story)}
	for name, c := range clocks {
		before := c.Now().Round(0)
		if err := os.WriteFile(offset, []byte("1h0m0s"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := c.Now().Round(0).Sub(before); got < time.Hour || got > time.Hour+time.Minute {
			t.Errorf("%s: moved by %v, want an hour", name, got)
		}
		if got := SystemMachine().Now().Sub(begun); got < 0 || got > time.Minute {
			t.Errorf("%v have passed by machine time, want what has", got)
		}
		if err := os.Remove(offset); err != nil {
			t.Fatal(err)
		}
		if got := c.Now().Round(0).Sub(before); got < 0 || got > time.Minute {
			t.Errorf("%s: moved by %v without the file, want nothing", name, got)
		}
	}
}
