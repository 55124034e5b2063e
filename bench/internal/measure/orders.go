package measure

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"

	"crossdock.dev/bench/internal/limits"
	"crossdock.dev/bench/internal/load"
	"crossdock.dev/bench/internal/suite"
)

// adapter is the service that orders and carriers' messages come through.
const adapter = "edi"

// customer is the one whose orders are made: less than a truckload, two lines, no automatic release.
const customer = "parties/CUS-LAK"

// carrier is the first that its lane's routing guide names.
const carrier = "parties/CAR-CXBB"

// parties get an API key.
var parties = []string{customer, carrier}

// callTimeout bounds one call.
const callTimeout = time.Minute

// order is the n-th order of a run: 60 cases of gloves and 40 carts for the clinic in Pittsburgh.
func order(run string, n uint64) *ordersv1.Order {
	line := func(id, item, quantity, unit, price string) *ordersv1.OrderLine {
		return &ordersv1.OrderLine{Line: id, Item: "items/" + item, Quantity: &typev1.Quantity{Value: quantity, Unit: unit}, UnitPrice: price}
	}
	return &ordersv1.Order{
		Customer: customer, CustomerOrderNumber: number(run, n), ShipFrom: "locations/LOC-CMH", ShipTo: "locations/LOC-PITL",
		Mode: "LTL", CurrencyCode: "USD",
		Lines: []*ordersv1.OrderLine{line("10", "NS-GLOVE-30", "60", "CS", "42.00"), line("20", "NS-CART-35", "40", "EA", "118.50")},
	}
}

// orderCalls makes orders over connections.
type orderCalls struct {
	run     string
	clients []ordersv1.OrderServiceClient
	made    atomic.Uint64 // acknowledged
}

func newOrderCalls(conns suite.Conns) *orderCalls {
	c := &orderCalls{run: newRun()}
	for _, conn := range conns {
		c.clients = append(c.clients, ordersv1.NewOrderServiceClient(conn))
	}
	return c
}

// newRun begins the numbers of orders that nobody has made.
func newRun() string { return "B" + uuid.NewString()[:8] }

// create makes the n-th order; the request id is random, as a partner may choose it.
func (c *orderCalls) create(ctx context.Context, t load.Turn) error {
	_, err := c.order(ctx, t)
	return err
}

func (c *orderCalls) order(ctx context.Context, t load.Turn) (*ordersv1.Order, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	o, err := c.clients[t.Worker%len(c.clients)].CreateOrder(ctx, &ordersv1.CreateOrderRequest{Order: order(c.run, t.N), RequestId: uuid.NewString()})
	if err != nil {
		return nil, err
	}
	if want := number(c.run, t.N); o.GetCustomerOrderNumber() != want {
		return nil, fmt.Errorf("answered order %q, want %q", o.GetCustomerOrderNumber(), want)
	}
	c.made.Add(1)
	return o, nil
}

// number is the customer's number of the n-th order.
func number(run string, n uint64) string { return fmt.Sprintf("%s-%08d", run, n) }

// ordersAlone starts masterdata and orders on fresh stores. What orders follows beside masterdata does not run: nobody else takes of
// the processors.
func (r *runner) ordersAlone(ctx context.Context) (*suite.Running, *orderCalls, suite.Conns, error) {
	if err := r.reset(); err != nil {
		return nil, nil, nil, err
	}
	run, err := r.Home.Only(ctx, "masterdata", "orders")
	if err != nil {
		return nil, nil, nil, err
	}
	conns, err := run.Dial(r.Conns, "orders", adapter)
	if err != nil {
		return nil, nil, nil, errors.Join(err, run.Stop())
	}
	return run, newOrderCalls(conns), conns, nil
}

// createOrder is the benchmark of that name.
func createOrder(ctx context.Context, r *runner) error {
	run, calls, conns, err := r.ordersAlone(ctx)
	if err != nil {
		return err
	}
	f, _, err := r.measured(ctx, "create-order", r.callers(), r.plan(r.Callers), servers(run, "orders"), calls.create)
	if err := errors.Join(err, conns.Close(), run.Stop()); err != nil {
		return err
	}
	if err := r.checkOrders(calls.made.Load()); err != nil {
		return err
	}
	if err := r.against(ctx, &f, limitEchoWriterLoop); err != nil {
		return err
	}
	return r.found(f)
}

// checkOrders compares the orders in the store, which nobody has open, with those that were acknowledged.
func (r *runner) checkOrders(want uint64) error {
	return r.ordersStore(func(tx *bbolt.Tx) error {
		if got := count(tx.Bucket([]byte("orders"))); got != want {
			return fmt.Errorf("%d orders are stored, %d were acknowledged", got, want)
		}
		return nil
	})
}

func (r *runner) ordersStore(look func(tx *bbolt.Tx) error) error {
	db, err := bbolt.Open(filepath.Join(r.Home.Data("orders"), "orders.db"), 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return err
	}
	return errors.Join(db.View(look), db.Close())
}

func count(b *bbolt.Bucket) (n uint64) {
	c := b.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		n++
	}
	return n
}

// orderRows learns what one order writes, from a store with some: the order, its lines, the entry of the log and the look-up of its
// cause. Indexes are left out: they are the suite's own cost.
func (r *runner) orderRows(ctx context.Context) ([]limits.Row, error) {
	if r.rows != nil {
		return r.rows, nil
	}
	run, calls, conns, err := r.ordersAlone(ctx)
	if err != nil {
		return nil, err
	}
	_, err = load.Run(ctx, load.Plan{Workers: min(r.Callers, 64), Count: r.Sample}, calls.create)
	if err := errors.Join(err, conns.Close(), run.Stop()); err != nil {
		return nil, err
	}
	made := calls.made.Load()
	if err := r.checkOrders(made); err != nil {
		return nil, err
	}
	return r.rows, r.ordersStore(func(tx *bbolt.Tx) error {
		// The last entries of the log are those of the orders; before them it has read master data.
		for name, rows := range map[string]uint64{"orders": made, "order_lines": 2 * made, "log": made} {
			r.rows = append(r.rows, sizes(tx.Bucket([]byte(name)), name, rows, made)...)
		}
		days := tx.Bucket([]byte("causes"))
		today, _ := days.Cursor().Last()
		r.rows = append(r.rows, sizes(days.Bucket(today), "causes", made, made)...)
		r.progress("one order writes %v", r.rows)
		return nil
	})
}

// sizes are what each of several changes puts into a bucket, by its last rows.
func sizes(b *bbolt.Bucket, name string, rows, changes uint64) []limits.Row {
	var keys, values, n uint64
	c := b.Cursor()
	for k, v := c.Last(); k != nil && n < rows; k, v = c.Prev() {
		n, keys, values = n+1, keys+uint64(len(k)), values+uint64(len(v))
	}
	if n == 0 {
		return nil
	}
	out := make([]limits.Row, rows/changes)
	for i := range out {
		out[i] = limits.Row{Bucket: name, Key: int(keys / n), Value: int(values / n)}
	}
	return out
}
