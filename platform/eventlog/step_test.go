package eventlog

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"crossdock.dev/platform/store"
)

// A Step that failed returns when nothing of what it submitted is under way any more, or the next one would meet it. The first fact
// of two must be tried again; the change of the second stands behind one that does not end.
func TestFailedStepLeavesNothingUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newService(t, "a")
		a.tell("A1:k", "A2:k")
		b := newService(t, "b", a)
		applying, behind, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
		again := errors.New("not now")
		c := NewConsumer(ConsumerConfig{Log: "a", Source: Local(a.store), Store: b.store,
			Keys: func(f Fact) []string {
				if f.Subject == "A2" {
					<-applying // the first is being changed by itself; what is submitted now is for another commit
					b.store.Submit(t.Context(), store.Cause{Principal: "user/dev"}, func(*store.Tx) ([]byte, error) { <-release; return nil, nil })
					close(behind)
				}
				return f.Related
			},
			Apply: func(context.Context, *store.Tx, Fact) error {
				close(applying)
				<-behind
				return Transient(again)
			}})
		NewFollowers(c).Stepping = true
		ended := make(chan error, 1)
		go func() {
			_, err := c.Step(t.Context(), start)
			ended <- err
		}()
		synctest.Wait()
		select {
		case err := <-ended:
			t.Errorf("the step returned with a change under way: %v", err)
			ended <- err
		default:
		}
		close(release)
		if err := <-ended; !errors.Is(err, again) {
			t.Errorf("the step ended with %v, want %v", err, again)
		}
	})
}
