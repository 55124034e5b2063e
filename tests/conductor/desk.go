package conductor

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/grpc"

	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/tests/seed"
)

// Desk is the users of the enterprise: it loads the master data, some of it late, and releases the orders that wait for a person.
// What it does has the same request ids every time, so doing it again changes nothing.
type Desk struct {
	dir  fs.FS
	own  string
	conn func(service string) grpc.ClientConnInterface
	jobs []job
}

// job is one thing that the desk does, once.
type job struct {
	name string
	at   time.Time
	// do reports false when it cannot be done yet.
	do func(ctx context.Context) (bool, error)
}

// userReleasesAfter is how long an order waits for its release by a user (the page of the order that is released in part).
const userReleasesAfter = time.Hour

// NewDesk reads the seed in dir; what the desk has done it notes in the folder own.
func NewDesk(dir fs.FS, own string, conn func(service string) grpc.ClientConnInterface) (*Desk, error) {
	d := &Desk{dir: dir, own: own, conn: conn}
	if err := os.MkdirAll(own, 0o700); err != nil {
		return nil, err
	}
	d.add("seed", Start, func(ctx context.Context) (bool, error) {
		_, err := seed.Load(ctx, dir, conn("masterdata"))
		return true, err
	})
	for _, file := range []string{seed.ItemsLate, seed.CodeMapLate} {
		at, err := seed.LateAt(dir, file)
		if err != nil {
			return nil, err
		}
		d.add(file, at, func(ctx context.Context) (bool, error) {
			_, err := seed.LoadLate(ctx, dir, file, conn("masterdata"))
			return true, err
		})
	}
	raw, err := fs.ReadFile(dir, "rest_orders.json")
	if err != nil {
		return nil, err
	}
	var orders []release
	if err := json.Unmarshal(raw, &orders); err != nil {
		return nil, fmt.Errorf("rest_orders.json: %w", err)
	}
	for _, o := range orders {
		if len(o.ReleaseByUser) > 0 {
			d.add("release-"+o.PO, o.SentAt.Add(userReleasesAfter), func(ctx context.Context) (bool, error) { return d.release(ctx, o) })
		}
	}
	return d, nil
}

func (d *Desk) add(name string, at time.Time, do func(context.Context) (bool, error)) {
	if _, err := os.Stat(filepath.Join(d.own, name)); err != nil {
		d.jobs = append(d.jobs, job{name, at, do})
	}
}

// Name is the desk's.
func (d *Desk) Name() string { return "desk" }

// Step does what is due.
func (d *Desk) Step(ctx context.Context, now time.Time) (did bool, next time.Time, err error) {
	var left []job
	for _, j := range d.jobs {
		if j.at.After(now) {
			if left = append(left, j); next.IsZero() || j.at.Before(next) {
				next = j.at
			}
			continue
		}
		done, err := j.do(ctx)
		if err != nil {
			return did, next, fmt.Errorf("%s: %w", j.name, err)
		}
		if !done {
			left = append(left, j)
			continue
		}
		did = true
		if err := os.WriteFile(filepath.Join(d.own, j.name), nil, 0o600); err != nil {
			return did, next, err
		}
	}
	d.jobs = left
	return did, next, nil
}

// release is an order that a user releases.
type release struct {
	PO            string            `json:"po"`
	Customer      string            `json:"customer"`
	SentAt        time.Time         `json:"sent_at"`
	ReleaseByUser map[string]string `json:"release_by_user"` // quantity by line
	Lines         []struct{ Line, Unit string }
}

func (d *Desk) release(ctx context.Context, r release) (bool, error) {
	orders := ordersv1.NewOrderServiceClient(d.conn("orders"))
	found, err := orders.ListOrders(ctx, &ordersv1.ListOrdersRequest{Customer: "parties/" + r.Customer, CustomerOrderNumber: r.PO})
	if err != nil || len(found.GetOrders()) == 0 {
		return false, err
	}
	req := &ordersv1.ReleaseOrderRequest{Name: found.GetOrders()[0].GetName(), RequestId: "desk-release-" + r.PO}
	units := map[string]string{}
	for _, l := range r.Lines {
		units[l.Line] = l.Unit
	}
	for _, line := range slices.Sorted(maps.Keys(r.ReleaseByUser)) {
		req.Lines = append(req.Lines, &ordersv1.ReleaseOrderRequest_Line{
			Line: line, Quantity: &typev1.Quantity{Value: r.ReleaseByUser[line], Unit: units[line]},
		})
	}
	_, err = orders.ReleaseOrder(ctx, req)
	return true, err
}
