// Package seed fills masterdata with the data of the working day (day/seed), through MasterDataService alone.
//
// It promises that what a file says and the suite does not understand is an error that names file, row and column, found
// before anything is sent; that resources are sent in an order in which every reference is there; and that loading twice
// changes nothing, because each request has an id of its own, "seed/<file>/<key>". Files of other parts (accounts, number
// series, partner profiles, places, equipment, orders) are theirs to read.
package seed

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"google.golang.org/grpc"

	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
)

// Summary counts the resources that were sent.
type Summary struct {
	LegalEntities, Calendars, TaxRules, Parties, Locations, Items, Lanes, RoutingGuides, RateTables, FuelIndexes, Contracts, CodeMaps int
}

// Load sends the seed in dir, all but the late files. conn is a connection to masterdata, of somebody who may write and
// approve.
func Load(ctx context.Context, dir fs.FS, conn grpc.ClientConnInterface) (Summary, error) {
	p, err := read(dir)
	if err != nil {
		return Summary{}, err
	}
	return p.send(ctx, conn)
}

// The files that arrive during the day.
const (
	ItemsLate   = "items_late.csv"
	CodeMapLate = "code_map_214_late.csv"
)

// LoadLate sends one of the files that arrive during the day, ItemsLate or CodeMapLate. It is the caller's to wait until
// LateAt.
func LoadLate(ctx context.Context, dir fs.FS, file string, conn grpc.ClientConnInterface) (Summary, error) {
	p, _, err := readLate(dir, file)
	if err != nil {
		return Summary{}, err
	}
	return p.send(ctx, conn)
}

// LateAt is the business time at which a late file arrives.
func LateAt(dir fs.FS, file string) (time.Time, error) {
	_, at, err := readLate(dir, file)
	return at, err
}

// plan is what to send, in order.
type plan struct {
	steps   []step
	summary Summary
}

// step is one request.
type step struct {
	name string // file and key, for errors
	send func(ctx context.Context, c masterdatav1.MasterDataServiceClient) error
}

func (p *plan) send(ctx context.Context, conn grpc.ClientConnInterface) (Summary, error) {
	c := masterdatav1.NewMasterDataServiceClient(conn)
	for _, s := range p.steps {
		if err := s.send(ctx, c); err != nil {
			return Summary{}, fmt.Errorf("seed %s: %w", s.name, err)
		}
	}
	return p.summary, nil
}

// add notes a request; send gets its id.
func (p *plan) add(file, key string, send func(ctx context.Context, c masterdatav1.MasterDataServiceClient, requestID string) error) {
	name := file + "/" + key
	p.steps = append(p.steps, step{name, func(ctx context.Context, c masterdatav1.MasterDataServiceClient) error {
		return send(ctx, c, "seed/"+name)
	}})
}

// read reads the whole seed but the late files.
func read(dir fs.FS) (*plan, error) {
	r := &reader{problems: &problems{}, dir: dir, plan: &plan{}}
	r.legalEntities()
	r.calendars()
	r.taxRules()
	r.parties()
	r.locations()
	r.shipFrom()
	r.items("items.csv")
	r.lanes()
	r.routingGuides()
	r.rateTables()
	r.fuelIndexes()
	r.carrierTariffs()
	r.customerContracts()
	r.codeMap214("code_map_214.csv")
	r.codeMap990()
	r.units()
	return r.plan, r.err()
}

func readLate(dir fs.FS, file string) (*plan, time.Time, error) {
	r := &reader{problems: &problems{}, dir: dir, plan: &plan{}}
	switch file {
	case ItemsLate:
		r.items(file)
	case CodeMapLate:
		r.codeMap214(file)
	default:
		r.add(file, "", "", "is no late file")
	}
	return r.plan, r.late, r.err()
}
