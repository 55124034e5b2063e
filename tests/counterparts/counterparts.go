// Package counterparts is the other side of the day: the customers and carriers that the suite deals with. They know nothing but
// X12 files, REST with a key, and their own papers: no code of the suite is in them.
//
// A partner keeps what it has done in a folder of its own, so that it may be ended at any moment and made again. It never acts
// before its time and never twice. What it sends as a file is kept before it is brought; a call carries a key that is the same
// every time, and is repeated until it is answered.
package counterparts

import (
	"context"
	"path/filepath"
	"time"

	"crossdock.dev/tests/counterparts/carrier"
	"crossdock.dev/tests/counterparts/customer"
)

// Partner is one customer or carrier.
type Partner interface {
	// Name is "CXAA" or "CUS-HHS".
	Name() string
	// Step does what is to be done at business time now: takes in what was sent to it, brings what has come due. did says that
	// anything was done; next is when it next has something to do, zero when nothing is known. After an error, the same is tried
	// again by the next step; the error of a Door is wrapped.
	Step(ctx context.Context, now time.Time) (did bool, next time.Time, err error)
}

// Door is the partners' REST door, as one partner sees it. An answer other than 2xx is an error that tells status and problem.
type Door interface {
	Call(ctx context.Context, method, path, key string, body []byte) ([]byte, error)
}

// Config is where the partners meet the suite.
type Config struct {
	Inbox  string                  // the suite's
	Outbox string                  // the suite's, with a folder for each party, such as "CAR-CXAA"
	Own    string                  // holds a folder for each partner
	Door   func(party string) Door // party as the suite names it, such as "parties/CAR-CXAA"
}

// The partners of the day.
var (
	filing   = []string{"CUS-XYZ", "CUS-SNX", "CUS-XFL"}
	calling  = []string{"CUS-HHS", "CUS-PIN", "CUS-LAK", "CUS-TUL", "CUS-RHB"}
	carriers = []string{"CXAA", "CXBB", "CXCC", "CXDD", "CXEE"} // by SCAC
)

// All makes the partners of the day: the customers, then the carriers.
func All(c Config) ([]Partner, error) {
	var out []Partner
	add := func(p Partner, err error) error {
		out = append(out, p)
		return err
	}
	orders, err := customer.Data()
	if err != nil {
		return nil, err
	}
	for _, name := range filing {
		if err := add(customer.NewFiling(orders, name, filepath.Join(c.Outbox, name), c.Inbox, filepath.Join(c.Own, name))); err != nil {
			return nil, err
		}
	}
	for _, name := range calling {
		if err := add(customer.NewCalling(orders, name, c.Inbox, filepath.Join(c.Own, name), c.Door("parties/"+name))); err != nil {
			return nil, err
		}
	}
	scripts, err := carrier.Data()
	if err != nil {
		return nil, err
	}
	for _, scac := range carriers {
		party := "CAR-" + scac
		p, err := carrier.New(scripts, scac, filepath.Join(c.Outbox, party), c.Inbox, filepath.Join(c.Own, scac), c.Door("parties/"+party))
		if err := add(p, err); err != nil {
			return nil, err
		}
	}
	return out, nil
}
