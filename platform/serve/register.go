package serve

import (
	"context"
	"net"
	"slices"
	"strings"
	"time"

	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/discovery/consul"
	"crossdock.dev/platform/telemetry"
)

// GatewaySuffix follows a service's name in the catalogue where its partner-only gateway is meant.
const GatewaySuffix = "-gateway"

// leaveTimeout bounds telling an agent that a service stops.
const leaveTimeout = 2 * time.Second

// register keeps the service, and its gateway under a name of its own, in Consul's catalogue as long as ctx lasts. leave takes
// them out: callers go elsewhere while calls under way come to their end.
func (r *runner) register(ctx context.Context, addrs Addrs) (leave func(), err error) {
	leave = func() {}
	if r.Consul == nil {
		return leave, nil
	}
	meta := map[string]string{"version": telemetry.Version(), "tier": r.tier()}
	listeners := map[string]net.Addr{r.Name: addrs.GRPC}
	if addrs.HTTP != nil && len(r.Gateways) > 0 {
		listeners[r.Name+GatewaySuffix] = addrs.HTTP
	}
	var registrars []*consul.Registrar
	for service, at := range listeners {
		addr, err := r.reachable(at)
		if err != nil {
			return leave, err
		}
		registrar, err := consul.NewRegistrar(*r.Consul, consul.Instance{
			Service: service, ID: service + "@" + addr, Addr: addr, HealthAddr: addrs.Admin.String(), Meta: meta,
		}, r.Log)
		if err != nil {
			return leave, err
		}
		registrars = append(registrars, registrar)
	}
	// Registering ends before leaving begins, or an instance that left would come back.
	ctx, end := context.WithCancel(ctx)
	var running []chan struct{}
	for _, registrar := range registrars {
		ended := make(chan struct{})
		running = append(running, ended)
		go func() {
			defer close(ended)
			registrar.Run(ctx)
		}()
	}
	return func() {
		end()
		for _, ended := range running {
			<-ended
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
		defer cancel()
		for _, registrar := range registrars {
			if err := registrar.Leave(ctx); err != nil {
				r.Log.Warn("consul was not told of the stop, its checks will find out", telemetry.KeyError, err.Error())
			}
		}
	}, nil
}

// reachable is the address of a listener as others reach it.
func (r *runner) reachable(at net.Addr) (string, error) {
	host, port, err := net.SplitHostPort(at.String())
	if err != nil {
		return "", err
	}
	if r.Advertise != "" {
		host = r.Advertise
	}
	return net.JoinHostPort(host, port), nil
}

// tier is what the service's own methods say of it, such as "SYSTEM".
func (r *runner) tier() string {
	policies := auth.NewPolicies(nil)
	var tiers []string
	for name, info := range r.server.GetServiceInfo() {
		if !strings.HasPrefix(name, "crossdock."+r.Name+".") {
			continue
		}
		for _, m := range info.Methods {
			if p, ok := policies.Lookup("/" + name + "/" + m.Name); ok {
				tiers = append(tiers, p.Policy.GetTier().String())
			}
		}
	}
	slices.Sort(tiers)
	return strings.Join(slices.Compact(tiers), ",")
}
