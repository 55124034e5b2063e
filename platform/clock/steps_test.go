package clock

import (
	"testing"
	"time"
)

func TestSteps(t *testing.T) {
	var s Steps
	wall, passed := at, time.Duration(0)
	for _, look := range []struct{ wall, passed, want time.Duration }{
		{0, time.Hour, 0}, // the first look has nothing to compare with
		{time.Second, time.Second, 0},
		{time.Hour, time.Hour, 0}, // a long pause is no step
		{time.Hour + time.Second, time.Second, time.Hour},
		{time.Second, time.Second, 0}, // told once
		{time.Second - time.Hour, time.Second, -time.Hour},
		{1999 * time.Millisecond, 0, 0}, // slewed
		{2 * time.Second, 0, 2 * time.Second},
	} {
		wall, passed = wall.Add(look.wall), passed+look.passed
		if got := s.Look(wall, passed); got != look.want {
			t.Errorf("time of day %v on, %v passed: a step of %v, want %v", look.wall, look.passed, got, look.want)
		}
	}
}
