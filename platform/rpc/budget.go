package rpc

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"crossdock.dev/platform/rpcerr"
)

// budget bounds the repeats of calls that a full server has refused: a tenth of the calls that it answered, and maxRepeats in stock.
// So callers that repeat add at most a tenth to a load that is too much already; beyond that a refusal goes to the caller,
// who knows better what can wait.
type budget struct {
	mu   sync.Mutex
	left float64
}

const (
	maxRepeats  = 10  // in stock
	perAnswered = 0.1 // repeats that an answered call adds
	maxAttempts = 4   // of one call
)

func newBudget() *budget { return &budget{left: maxRepeats} }

// spend makes a call, and repeats it while the server is too full to begin it: nothing of it was done, so that is safe for any method.
func (b *budget) spend(ctx context.Context, call func() error) error {
	for attempt := 1; ; attempt++ {
		err := call()
		e := rpcerr.From(err)
		if e == nil || e.Code != codes.ResourceExhausted || e.Reason != rpcerr.ReasonOverloaded || e.RetryAfter <= 0 {
			b.add()
			return err
		}
		// Half of it to one and a half: callers that were refused together do not come back together.
		pause := time.Duration((0.5 + rand.Float64()) * float64(e.RetryAfter))
		end, ok := ctx.Deadline()
		if attempt == maxAttempts || ok && time.Until(end) < pause || !b.take() {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

func (b *budget) add() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = min(b.left+perAnswered, maxRepeats)
}

func (b *budget) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
