package platformtest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"crossdock.dev/platform/platformtest"
	"crossdock.dev/platform/step"
)

func TestDrive(t *testing.T) {
	at := time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)
	now := func() time.Time { return at }
	// Two that pass work to each other: a puts it into b, b gives it back twice.
	inA, inB, back := 1, 0, 2
	a := step.Func(func(_ context.Context, got time.Time) (bool, error) {
		if !got.Equal(at) {
			t.Errorf("step at %v, want %v", got, at)
		}
		if inA == 0 {
			return false, nil
		}
		inA--
		inB++
		return true, nil
	})
	b := step.Func(func(context.Context, time.Time) (bool, error) {
		if inB == 0 {
			return false, nil
		}
		inB--
		if back > 0 {
			back--
			inA++
		}
		return true, nil
	})
	if err := platformtest.Drive(t.Context(), now, 10, a, b); err != nil || inA+inB+back != 0 {
		t.Errorf("got %v, left %d %d %d", err, inA, inB, back)
	}
	forever := step.Func(func(context.Context, time.Time) (bool, error) { return true, nil })
	if err := platformtest.Drive(t.Context(), now, 10, a, forever); err == nil {
		t.Error("a stepper that never rests was not noticed")
	}
	broken := errors.New("broken")
	if err := platformtest.Drive(t.Context(), now, 10, a, step.Func(func(context.Context, time.Time) (bool, error) { return false, broken })); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}
