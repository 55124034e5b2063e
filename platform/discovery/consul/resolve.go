package consul

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"
	"google.golang.org/grpc/resolver"

	"crossdock.dev/platform/clock"
)

// Scheme names targets that an agent resolves: "consul:///orders".
const Scheme = "consul"

// Resolver returns the builder of resolvers that ask the agent; pass it to grpc.WithResolvers.
func Resolver(c Config, log *slog.Logger) (resolver.Builder, error) {
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	return builder{asker{config: c, client: client, machine: clock.SystemMachine(), log: log}}, nil
}

type builder struct{ asker }

func (b builder) Scheme() string { return Scheme }

func (b builder) Build(target resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	if target.Endpoint() == "" {
		return nil, fmt.Errorf("target %s: want %s:///service", target.URL.String(), Scheme)
	}
	return b.follow(target.Endpoint(), func(ctx context.Context, addrs []string) {
		state := resolver.State{}
		for _, a := range addrs {
			state.Addresses = append(state.Addresses, resolver.Address{Addr: a})
		}
		if err := cc.UpdateState(state); err != nil {
			b.log.WarnContext(ctx, "addresses refused", "peer", target.Endpoint(), "addresses", addrs, "error", err)
		}
	}, cc.ReportError), nil
}

// Addresses are where a service is now, for callers that make connections themselves.
type Addresses struct {
	follower *follower

	mu    sync.Mutex
	addrs []string
	err   error
	first chan struct{} // closed with the first answer
	once  sync.Once
	next  int
}

// Watch follows a service's addresses until Close.
func Watch(c Config, service string, log *slog.Logger) (*Addresses, error) {
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	a := &Addresses{first: make(chan struct{})}
	heard := func(addrs []string, err error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.addrs, a.err = addrs, err
		a.once.Do(func() { close(a.first) })
	}
	a.follower = asker{config: c, client: client, machine: clock.SystemMachine(), log: log}.follow(
		service, func(_ context.Context, addrs []string) { heard(addrs, nil) }, func(err error) { heard(nil, err) })
	return a, nil
}

// Pick returns one of the addresses, each in its turn. It waits for the first answer of the agent.
func (a *Addresses) Pick(ctx context.Context) (string, error) {
	select {
	case <-a.first:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.addrs) == 0 {
		return "", a.err
	}
	a.next++
	return a.addrs[a.next%len(a.addrs)], nil
}

// Close ends the watch.
func (a *Addresses) Close() error {
	a.follower.Close()
	return nil
}

// asker asks the agent.
type asker struct {
	config  Config
	client  *api.Client
	machine clock.Machine
	log     *slog.Logger
}

// follow tells of every change of a service's passing instances, and of failures as long as no address is known.
func (a asker) follow(service string, tell func(context.Context, []string), fail func(error)) *follower {
	ctx, stop := context.WithCancel(context.Background())
	f := &follower{asker: a, service: service, tell: tell, fail: fail, stop: stop, done: make(chan struct{}), again: make(chan struct{}, 1)}
	go f.run(ctx)
	return f
}

// follower keeps the addresses of one service.
type follower struct {
	asker
	service string
	tell    func(context.Context, []string)
	fail    func(error)
	stop    context.CancelFunc
	done    chan struct{}
	again   chan struct{}

	index uint64   // of the last answer; 0 asks for an answer at once
	known []string // what was told last
}

// The pause after a failed query doubles from minBackoff to maxBackoff, each with up to half of it left out by chance, so that
// many services do not come back to an agent in the same instant.
const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 10 * time.Second
)

func (f *follower) run(ctx context.Context) {
	defer close(f.done)
	var backoff time.Duration
	for ctx.Err() == nil {
		err := f.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			backoff = 0
			continue
		}
		backoff = min(max(2*backoff, minBackoff), maxBackoff)
		f.log.WarnContext(ctx, "consul query failed, known addresses stay", "peer", f.service, "addresses", len(f.known), "error", err, "again_in", backoff)
		if len(f.known) == 0 {
			f.fail(err)
		}
		select {
		case <-f.machine.After(backoff - rand.N(backoff/2)):
		case <-f.again: // a connection has failed: it may be the moment
		case <-ctx.Done():
		}
	}
}

// ask makes one blocking query: it returns when the answer differs from the last one or the agent's wait has passed.
func (f *follower) ask(ctx context.Context) error {
	token, err := f.config.token()
	if err != nil {
		return err
	}
	options := (&api.QueryOptions{WaitIndex: f.index, WaitTime: waitTime, Token: token, Datacenter: f.config.Datacenter}).WithContext(ctx)
	entries, meta, err := f.client.Health().Service(f.service, "", true, options)
	if err != nil {
		f.index = 0
		return fmt.Errorf("ask for %s: %w", f.service, err)
	}
	// An index that goes backwards belongs to another history: an agent that was wiped, another server's snapshot. Waiting for
	// the old one would wait for ever. And a query with 0 would not wait at all, again and again.
	if f.index = max(meta.LastIndex, 1); f.index < options.WaitIndex {
		f.index = 0
	}
	addrs := addresses(entries)
	if len(addrs) == 0 {
		// Nobody passing may mean that nobody runs, or that the agent has just begun anew. A connection to a service that has
		// gone fails by itself.
		if len(f.known) == 0 {
			f.fail(fmt.Errorf("%w: %s", ErrNoInstance, f.service))
		}
		return nil
	}
	if slices.Equal(addrs, f.known) {
		return nil
	}
	f.known = addrs
	f.tell(ctx, addrs)
	return nil
}

// ErrNoInstance says that no instance of a service is passing its check, and none was known before.
var ErrNoInstance = errors.New("consul: no passing instance")

// addresses are host:port of the instances, sorted: the order of an answer means nothing.
func addresses(entries []*api.ServiceEntry) []string {
	var out []string
	for _, e := range entries {
		host := e.Service.Address
		if host == "" {
			host = e.Node.Address
		}
		out = append(out, net.JoinHostPort(host, strconv.Itoa(e.Service.Port)))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ResolveNow ends a pause after a failure; a blocking query is under way otherwise.
func (f *follower) ResolveNow(resolver.ResolveNowOptions) {
	select {
	case f.again <- struct{}{}:
	default: // one is asked for already
	}
}

// Close ends the query.
func (f *follower) Close() {
	f.stop()
	<-f.done
}
