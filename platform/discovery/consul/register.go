package consul

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/hashicorp/consul/api"

	"crossdock.dev/platform/clock"
)

// Instance is one running program of a service.
type Instance struct {
	// Service is the service's name, ID this instance's among all of the agent.
	Service, ID string
	// Addr is where the service is called, host:port.
	Addr string
	// HealthAddr answers gRPC health checks without TLS; the agent asks it from the same machine.
	HealthAddr string
	// Meta is what an operator sees of the instance, such as its version and tier.
	Meta map[string]string
}

// Timing of registrations.
const (
	// checkInterval is how often the agent asks for an instance's health.
	checkInterval = time.Second
	// forgetAfter is how long an instance may be critical before the agent drops it: a program that was killed.
	forgetAfter = 10 * time.Minute
	// lookInterval is how often an instance looks whether the agent still knows it.
	lookInterval = time.Second
	callTimeout  = 5 * time.Second
)

// Registrar keeps an instance registered.
type Registrar struct {
	config   Config
	client   *api.Client
	instance Instance
	host     string
	port     int
	machine  clock.Machine
	log      *slog.Logger
}

// NewRegistrar checks the instance; nothing is registered yet.
func NewRegistrar(c Config, i Instance, log *slog.Logger) (*Registrar, error) {
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	r := &Registrar{config: c, client: client, instance: i, machine: clock.SystemMachine(), log: log}
	host, port, err := net.SplitHostPort(i.Addr)
	if err == nil {
		r.host = host
		r.port, err = strconv.Atoi(port)
	}
	if err != nil {
		return nil, fmt.Errorf("register %s: address %q: %w", i.Service, i.Addr, err)
	}
	if i.Service == "" || i.ID == "" || i.HealthAddr == "" {
		return nil, errors.New("register: Service, ID and HealthAddr are required")
	}
	return r, nil
}

// Run registers the instance, and again whenever the agent has forgotten it, until ctx ends. An agent that is away is no error:
// the service serves those who know it.
func (r *Registrar) Run(ctx context.Context) {
	known := false
	for ctx.Err() == nil {
		still, err := r.known(ctx)
		switch {
		case err != nil:
		case !still:
			if err = r.register(ctx); err == nil {
				r.log.InfoContext(ctx, "registered with consul", "id", r.instance.ID, "address", r.instance.Addr, "again", known)
				known = true
			}
		}
		if err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "consul agent does not answer, the service goes on", "error", err)
		}
		select {
		case <-r.machine.After(lookInterval):
		case <-ctx.Done():
		}
	}
}

// Leave deregisters the instance: callers choose others from the next moment on.
func (r *Registrar) Leave(ctx context.Context) error {
	return r.call(ctx, "deregister", func(o *api.QueryOptions) error {
		return r.client.Agent().ServiceDeregisterOpts(r.instance.ID, o)
	})
}

// known asks whether the agent knows the instance as it is.
func (r *Registrar) known(ctx context.Context) (found bool, err error) {
	err = r.call(ctx, "look up", func(o *api.QueryOptions) error {
		s, _, err := r.client.Agent().Service(r.instance.ID, o)
		if status, ok := errors.AsType[api.StatusError](err); ok && status.Code == 404 {
			return nil
		}
		if err != nil {
			return err
		}
		found = s.Address == r.host && s.Port == r.port && s.Meta["version"] == r.instance.Meta["version"]
		return nil
	})
	return found, err
}

func (r *Registrar) register(ctx context.Context) error {
	return r.call(ctx, "register", func(o *api.QueryOptions) error {
		return r.client.Agent().ServiceRegisterOpts(&api.AgentServiceRegistration{
			ID: r.instance.ID, Name: r.instance.Service, Address: r.host, Port: r.port, Meta: r.instance.Meta,
			Check: &api.AgentServiceCheck{
				Name: "serving", GRPC: r.instance.HealthAddr, Interval: checkInterval.String(), Timeout: "1s",
				DeregisterCriticalServiceAfter: forgetAfter.String(),
			},
		}, api.ServiceRegisterOpts{ReplaceExistingChecks: true, Token: o.Token}.WithContext(o.Context()))
	})
}

func (r *Registrar) call(ctx context.Context, what string, do func(*api.QueryOptions) error) error {
	token, err := r.config.token()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := do((&api.QueryOptions{Token: token}).WithContext(ctx)); err != nil {
		return fmt.Errorf("%s %s: %w", what, r.instance.ID, err)
	}
	return nil
}
