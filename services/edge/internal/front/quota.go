package front

import (
	"container/list"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Quota is what each partner may ask for: a token bucket of Burst calls that fills with PerSecond calls a second, and AtOnce calls
// at the same time, so that a partner whose calls are slow does not fill the door.
type Quota struct {
	PerSecond, Burst, AtOnce int
	// Partners bounds the buckets kept; the one used longest ago is forgotten first. A forgotten bucket is a full one, so
	// this stands above the number of partners.
	Partners int
}

type quotas struct {
	Quota
	now func() time.Time

	mu     sync.Mutex
	order  *list.List // of *bucket, most recently used first
	byName map[string]*list.Element
}

type bucket struct {
	party   string
	limiter *rate.Limiter
	inside  atomic.Int64
}

func newQuotas(q Quota, now func() time.Time) *quotas {
	return &quotas{Quota: q, now: now, order: list.New(), byName: map[string]*list.Element{}}
}

// busyRetry is what a partner is told to wait who has AtOnce calls under way.
const busyRetry = time.Second

// take takes one call from a partner's bucket. retry is how long until the next call is allowed, 0 when this one is; then leave is
// called at its end.
func (q *quotas) take(party string, h http.Header) (leave func(), retry time.Duration) {
	b := q.bucket(party)
	leave = func() { b.inside.Add(-1) }
	now := q.now()
	r := b.limiter.ReserveN(now, 1)
	if d := r.DelayFrom(now); d > 0 {
		r.CancelAt(now)
		retry = d
	} else if b.inside.Add(1) > int64(q.AtOnce) {
		leave()
		retry = busyRetry
	}
	q.describe(h, int(max(0, b.limiter.TokensAt(now))))
	return leave, retry
}

// describe tells a partner its quota and what is left of it (draft-ietf-httpapi-ratelimit-headers-10): w is the seconds in
// which an empty bucket fills, t the seconds until it is full.
func (q *quotas) describe(h http.Header, left int) {
	h.Set("RateLimit-Policy", fmt.Sprintf(`"partner";q=%d;w=%d`, q.Burst, ceil(q.Burst, q.PerSecond)))
	h.Set("RateLimit", fmt.Sprintf(`"partner";r=%d;t=%d`, left, ceil(q.Burst-left, q.PerSecond)))
}

func ceil(n, d int) int { return (n + d - 1) / d }

func (q *quotas) bucket(party string) *bucket {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e, ok := q.byName[party]; ok {
		q.order.MoveToFront(e)
		return e.Value.(*bucket)
	}
	if q.order.Len() >= q.Partners {
		last := q.order.Back()
		delete(q.byName, last.Value.(*bucket).party)
		q.order.Remove(last)
	}
	b := &bucket{party: party, limiter: rate.NewLimiter(rate.Limit(q.PerSecond), q.Burst)}
	q.byName[party] = q.order.PushFront(b)
	return b
}
