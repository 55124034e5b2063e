// Package discovery turns a target such as "static:///127.0.0.1:7101" into the addresses that a client connection uses. It
// promises that an address list never becomes empty by itself. It leaves dialling, credentials and retries to package rpc.
package discovery

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"google.golang.org/grpc/resolver"
)

// SchemeStatic names targets that list their addresses: "static:///host:port,host:port".
const SchemeStatic = "static"

// Static resolves static targets; pass it to grpc.WithResolvers.
func Static() resolver.Builder { return staticBuilder{} }

// ParseStatic returns the addresses of a static target and names every bad one.
func ParseStatic(target string) ([]string, error) {
	list, ok := strings.CutPrefix(target, SchemeStatic+":///")
	if !ok {
		return nil, fmt.Errorf("target %q: want %s:///host:port[,host:port]", target, SchemeStatic)
	}
	var addrs []string
	var errs []error
	for _, a := range strings.Split(list, ",") {
		host, port, err := net.SplitHostPort(a)
		if err != nil || host == "" || port == "" {
			errs = append(errs, fmt.Errorf("target %q: bad address %q", target, a))
			continue
		}
		addrs = append(addrs, a)
	}
	return addrs, errors.Join(errs...)
}

type staticBuilder struct{}

func (staticBuilder) Scheme() string { return SchemeStatic }

func (staticBuilder) Build(target resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	addrs, err := ParseStatic(SchemeStatic + ":///" + target.Endpoint())
	if err != nil {
		return nil, err
	}
	var st resolver.State
	for _, a := range addrs {
		st.Addresses = append(st.Addresses, resolver.Address{Addr: a})
	}
	if err := cc.UpdateState(st); err != nil {
		return nil, fmt.Errorf("target %s: %w", target.URL.String(), err)
	}
	return fixed{}, nil
}

// fixed is a resolver whose addresses never change.
type fixed struct{}

func (fixed) ResolveNow(resolver.ResolveNowOptions) {}
func (fixed) Close()                                {}
