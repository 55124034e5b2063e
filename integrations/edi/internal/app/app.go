// Package app is what the adapter does: it takes files in, answers them, decides about each set, hands on what it says, and
// writes and sends our own interchanges. Each verb reads, lets package message decide, and writes in one change of the store; bytes are on the disk
// before a change refers to them.
package app

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/integrations/edi/internal/profile"
	"crossdock.dev/integrations/edi/internal/store"
	"crossdock.dev/integrations/edi/internal/transport"
	"crossdock.dev/platform/clock"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
	"crossdock.dev/platform/typeid"
)

// Config is what an App works with.
type Config struct {
	Store     *platform.Store
	Clock     clock.Business
	IDs       typeid.Source
	Rand      io.Reader // for trace ids
	Profiles  profile.Set
	Inbox     transport.Inbox
	Outbox    transport.Outbox
	Documents transport.Documents
	Orders    Orders
	Carriers  Carriers
	Printer   Printer
}

// App takes interchanges in and hands on what they say.
type App struct{ Config }

// New returns an App.
func New(c Config) *App { return &App{c} }

// Kinds of tasks.
const (
	judgeTask   = "judge"   // decide about a set
	orderTask   = "order"   // hand an order on
	carrierTask = "carrier" // hand on what a carrier says
	writeTask   = "write"   // write one of our interchanges
	sendTask    = "send"    // put it into the outbox
	ackTask     = "ack"     // look whether it was acknowledged in time
)

// Handlers carry out the tasks.
func (a *App) Handlers() map[string]tasks.Handler {
	return map[string]tasks.Handler{
		judgeTask: a.judge, orderTask: a.order, carrierTask: a.hand, writeTask: a.write, sendTask: a.send, ackTask: a.overdue,
	}
}

// work names a set in the payload of a task: id of the interchange, "/", index.
func work(id string, index int) []byte { return fmt.Appendf(nil, "%s/%d", id, index) }

func parseWork(t tasks.Task) (id string, index int, err error) {
	id, n, _ := strings.Cut(string(t.Payload), "/")
	if index, err = strconv.Atoi(n); err != nil {
		return "", 0, tasks.Permanent(fmt.Errorf("payload %q names no set", t.Payload))
	}
	return id, index, nil
}

// turn is the subject of what becomes of a set. What a party says of one load goes in order, and so do its orders; what it says of
// other loads waits for neither.
func turn(x message.Interchange, s message.Set) string {
	if loads := s.LoadNumbers(); len(loads) > 0 {
		return x.Party + "/loads/" + loads[0]
	}
	return x.Party
}

// load reads a set with its interchange.
func (a *App) load(ctx context.Context, t tasks.Task) (x message.Interchange, s message.Set, err error) {
	id, index, err := parseWork(t)
	if err != nil {
		return x, s, err
	}
	err = a.Store.View(ctx, func(r platform.Reader) (err error) {
		if x, err = store.Interchange(ctx, r, id); err != nil {
			return err
		}
		s, err = store.SetOf(ctx, r, id, index)
		return err
	})
	return x, s, err
}
