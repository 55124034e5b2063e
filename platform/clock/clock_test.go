package clock

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var at = time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)

func TestManual(t *testing.T) {
	m := NewManual(at.In(time.FixedZone("CST", -6*3600)))
	if got := m.Now(); got != at {
		t.Errorf("Now = %v, want %v in UTC", got, at)
	}
	changed, soon, late, now := m.Changed(), m.After(time.Minute), m.After(time.Hour), m.After(0)
	<-now
	m.Advance(59 * time.Second)
	<-changed
	select {
	case <-soon:
		t.Error("a timer fired a second early")
	default:
	}
	m.Set(at.Add(time.Minute))
	if got := <-soon; !got.Equal(at.Add(time.Minute)) {
		t.Errorf("timer sent %v", got)
	}
	m.Set(at.Add(-time.Hour))
	select {
	case <-late:
		t.Error("a clock set back fired a timer")
	default:
	}
	if got := m.Now(); !got.Equal(at.Add(-time.Hour)) {
		t.Errorf("Now = %v, want the time set", got)
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock.json")
	c := File(path)
	if got := time.Since(c.Now()); got < 0 || got > time.Minute {
		t.Errorf("without a file the clock is %v behind the system", got)
	}
	set := func(at time.Time, running bool) {
		t.Helper()
		if err := SetFile(path, at, running); err != nil {
			t.Fatal(err)
		}
	}
	set(at, false)
	if a, b := c.Now(), File(path).Now(); a != at || b != at {
		t.Errorf("frozen clocks show %v and %v, want %v", a, b, at)
	}
	set(at.Add(24*time.Hour), false)
	if got := c.Now(); got != at.Add(24*time.Hour) {
		t.Errorf("after a change: %v", got)
	}
	set(at, true)
	first := c.Now()
	if first.Before(at) || first.Sub(at) > time.Minute || c.Now().Before(first) {
		t.Errorf("running clock shows %v, want a little after %v", first, at)
	}
	if err := os.WriteFile(path, []byte("half a fi"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := c.Now(); got.Before(first) || got.Sub(at) > time.Minute {
		t.Errorf("with a broken file: %v, want the last known time", got)
	}
}

func TestFixed(t *testing.T) {
	if got := Fixed(at).Now(); got != at {
		t.Errorf("Fixed = %v", got)
	}
}

func TestFileTellsOfJumps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock.json")
	c := File(path)
	jumps := c.(Changer)
	// The first jump makes the file; the others replace it, also by the same time.
	for _, to := range []time.Time{at, at.Add(time.Hour), at.Add(time.Hour)} {
		changed, same := jumps.Changed(), jumps.Changed()
		select {
		case <-changed:
			t.Fatalf("told of a jump to %v before it", to)
		default:
		}
		if err := SetFile(path, to, false); err != nil {
			t.Fatal(err)
		}
		<-changed
		<-same
		if got := c.Now(); got != to {
			t.Errorf("after the jump: %v, want %v", got, to)
		}
	}
	if _, ok := System().(Changer); ok {
		t.Error("the system's clock is watched for jumps")
	}
}

// What passes is measured by the clock that nobody can set: a reading of machine time holds it, and String shows it so.
func TestMachineTimeIsNotSet(t *testing.T) {
	if got := SystemMachine().Now().String(); !strings.Contains(got, " m=+") {
		t.Errorf("%s is the time of day alone", got)
	}
}
