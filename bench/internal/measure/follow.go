package measure

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"

	"crossdock.dev/bench/internal/suite"
)

// follower reads the feeds of the suite and tells whoever waits what became of an order.
type follower struct {
	mu      sync.Mutex
	waiting map[string]map[string]chan proto.Message // by fact, by order
	early   map[string]map[string]proto.Message      // told before somebody waited

	cancel context.CancelFunc
	conns  suite.Conns
	ended  sync.WaitGroup
	failed chan error // the first failure
}

// subjects finds the order that a fact of a type is about; other facts are not looked at.
var subjects = map[string]func(f *eventlogv1.Fact) (order string, m proto.Message, err error){
	"LoadTendered": func(f *eventlogv1.Fact) (string, proto.Message, error) {
		m := &freightv1.LoadTendered{}
		err := f.GetPayload().UnmarshalTo(m)
		if len(m.GetShipments()) == 0 {
			return "", m, err
		}
		return m.GetShipments()[0].GetOrder(), m, err
	},
	"InvoiceIssued": func(f *eventlogv1.Fact) (string, proto.Message, error) {
		m := &billingv1.InvoiceIssued{}
		err := f.GetPayload().UnmarshalTo(m)
		return m.GetInvoice().GetOrder(), m, err
	},
	"OrderClosed": func(f *eventlogv1.Fact) (string, proto.Message, error) {
		m := &ordersv1.OrderClosed{}
		err := f.GetPayload().UnmarshalTo(m)
		return m.GetOrder(), m, err
	},
	"ProcessEnded": func(f *eventlogv1.Fact) (string, proto.Message, error) {
		m := &workflowv1.ProcessEnded{}
		err := f.GetPayload().UnmarshalTo(m)
		return m.GetProcess().GetOrder(), m, err
	},
}

// follow follows the logs of services from where they end now.
func follow(ctx context.Context, run *suite.Running, services ...string) (*follower, error) {
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{waiting: map[string]map[string]chan proto.Message{}, early: map[string]map[string]proto.Message{}, cancel: cancel, failed: make(chan error, 1)}
	for fact := range subjects {
		f.waiting[fact], f.early[fact] = map[string]chan proto.Message{}, map[string]proto.Message{}
	}
	for _, service := range services {
		conns, err := run.Dial(1, service, adapter)
		if err != nil {
			return nil, errors.Join(err, f.close())
		}
		f.conns = append(f.conns, conns...)
		client := eventlogv1.NewEventLogServiceClient(conns[0])
		log, err := client.GetLog(ctx, &eventlogv1.GetLogRequest{})
		if err != nil {
			return nil, errors.Join(err, f.close())
		}
		stream, err := client.TailEntries(ctx, &eventlogv1.TailEntriesRequest{After: log.GetLast()})
		if err != nil {
			return nil, errors.Join(err, f.close())
		}
		f.ended.Go(func() {
			for {
				resp, err := stream.Recv()
				if err == nil {
					err = f.read(resp.GetEntries())
				}
				if err != nil {
					select {
					case f.failed <- fmt.Errorf("feed of %s: %w", service, err):
					default: // another failed first
					}
					return
				}
			}
		})
	}
	return f, nil
}

func (f *follower) close() error {
	f.cancel()
	f.ended.Wait()
	return f.conns.Close()
}

func (f *follower) read(entries []*eventlogv1.Entry) error {
	for _, e := range entries {
		var head eventlogv1.Head
		if err := proto.Unmarshal(e.GetHead(), &head); err != nil {
			return err
		}
		for _, fact := range head.GetFacts() {
			subject := subjects[fact.GetType()]
			if subject == nil {
				continue
			}
			order, m, err := subject(fact)
			if err != nil {
				return err
			}
			f.tell(fact.GetType(), order, m)
		}
	}
	return nil
}

func (f *follower) tell(fact, order string, m proto.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if waiter, ok := f.waiting[fact][order]; ok {
		delete(f.waiting[fact], order)
		waiter <- m
		return
	}
	f.early[fact][order] = m
}

// await returns the next fact of a type about an order.
func (f *follower) await(ctx context.Context, fact, order string) (proto.Message, error) {
	f.mu.Lock()
	if m, ok := f.early[fact][order]; ok {
		delete(f.early[fact], order)
		f.mu.Unlock()
		return m, nil
	}
	waiter := make(chan proto.Message, 1)
	f.waiting[fact][order] = waiter
	f.mu.Unlock()
	select {
	case m := <-waiter:
		return m, nil
	case err := <-f.failed:
		f.failed <- err // for the others
		return nil, err
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for %s of %s: %w", fact, order, ctx.Err())
	}
}
