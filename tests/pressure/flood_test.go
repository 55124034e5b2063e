package pressure

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/rpcerr"
)

// flood sends orders over connections of its own, by a client that knows no mercy: nothing is repeated, nothing held back.
type flood struct {
	clients []ordersv1.OrderServiceClient
	conns   []*grpc.ClientConn
	next    atomic.Int64
}

func newFlood(pki *auth.PKI, as, addr string, conns int) (*flood, error) {
	c, err := auth.ClientTLS(pki.Service(as), "orders")
	if err != nil {
		return nil, err
	}
	f := &flood{}
	for range conns {
		cc, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(credentials.NewTLS(c)), grpc.WithDisableRetry())
		if err != nil {
			return nil, err
		}
		f.conns, f.clients = append(f.conns, cc), append(f.clients, ordersv1.NewOrderServiceClient(cc))
	}
	return f, nil
}

func (f *flood) close() {
	for _, cc := range f.conns {
		_ = cc.Close() // the test is over
	}
}

// shot is what became of one order.
type shot struct {
	number string // at the customer
	took   time.Duration
	err    error
}

// fire sends one new order.
func (f *flood) fire(ctx context.Context, deadline time.Duration) shot {
	n := f.next.Add(1)
	number := fmt.Sprintf("P-%d", n)
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	begun := time.Now()
	_, err := f.clients[int(n)%len(f.clients)].CreateOrder(ctx, &ordersv1.CreateOrderRequest{RequestId: "flood-" + number, Order: &ordersv1.Order{
		Customer: customer, CustomerOrderNumber: number, ShipTo: "locations/LOC-PITL",
		Lines: []*ordersv1.OrderLine{{Line: "10", Item: "items/NS-GLOVE-30", Quantity: &typev1.Quantity{Value: "10", Unit: "CS"}, UnitPrice: "42.00"}},
	}})
	return shot{number, time.Since(begun), err}
}

// customer does not release by itself, so that orders alone is at work.
const customer = "parties/CUS-LAK"

// closed sends with a number of callers, each of which waits for its answer, for some time or some calls, whatever comes later.
func (f *flood) closed(ctx context.Context, callers, least int, d time.Duration) (shots []shot, took time.Duration) {
	var mu sync.Mutex
	var all sync.WaitGroup
	begun := time.Now()
	for range callers {
		all.Go(func() {
			var mine []shot
			for len(mine) < least || time.Since(begun) < d {
				mine = append(mine, f.fire(ctx, time.Minute))
			}
			mu.Lock()
			defer mu.Unlock()
			shots = append(shots, mine...)
		})
	}
	all.Wait()
	return shots, time.Since(begun)
}

// open sends at a rate, whatever becomes of it, for some time.
func (f *flood) open(ctx context.Context, rate float64, d, deadline time.Duration) (shots []shot, took time.Duration) {
	var mu sync.Mutex
	var all sync.WaitGroup
	begun := time.Now()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	sent := 0
	for now := range tick.C {
		if now.Sub(begun) >= d {
			break
		}
		for ; float64(sent) < rate*now.Sub(begun).Seconds(); sent++ {
			all.Go(func() {
				s := f.fire(ctx, deadline)
				mu.Lock()
				defer mu.Unlock()
				shots = append(shots, s)
			})
		}
	}
	took = time.Since(begun)
	all.Wait()
	return shots, took
}

// tally sorts shots by what became of them.
type tally struct {
	good, refused   []time.Duration
	late, other     int
	acknowledged    []string
	unlike, without []error // answers that no overload gives, and refusals that say neither why nor for how long
}

func count(shots []shot) tally {
	var t tally
	for _, s := range shots {
		e := rpcerr.From(s.err)
		switch code := status.Code(s.err); {
		case s.err == nil:
			t.good, t.acknowledged = append(t.good, s.took), append(t.acknowledged, s.number)
		case code == codes.ResourceExhausted:
			t.refused = append(t.refused, s.took)
			if e.Reason != rpcerr.ReasonOverloaded || e.RetryAfter <= 0 {
				t.without = append(t.without, s.err)
			}
		case code == codes.DeadlineExceeded:
			t.late++
		case code == codes.Unavailable:
			t.other++
		default:
			t.unlike = append(t.unlike, s.err)
		}
	}
	return t
}

// quantile is what a share of durations is not above.
func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(d))
	return s[int(q*float64(len(s)-1))].Round(10 * time.Microsecond)
}
