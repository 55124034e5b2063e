package core

import (
	"context"
	"errors"
	"net/url"

	"google.golang.org/grpc"

	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/serve"
	"crossdock.dev/services/edge/internal/front"
)

// Own is the backend of what edge serves partners itself, /v1/webhooks: its own methods behind the interceptors and the gateway of
// every service, in memory. tokenKeys is the file with the public keys of the tokens that the door signs; close ends it.
func (c *Core) Own(id auth.Files, tokenKeys string) (_ Backend, closeOwn func() error, _ error) {
	verifier, err := auth.NewVerifier(tokenKeys, Service, c.deps.Machine.Now)
	if err != nil {
		return Backend{}, nil, err
	}
	tlsConfig, err := auth.ServerTLS(id)
	if err != nil {
		return Backend{}, nil, err
	}
	server, err := rpc.NewServer(rpc.ServerConfig{
		Service: Service, TLS: tlsConfig, Verifier: verifier, Log: c.deps.Log, Waiter: c.followers, Own: c.store,
	})
	if err != nil {
		return Backend{}, nil, err
	}
	c.Register(server)
	memory := rpc.NewMemoryListener()
	ctx, cancel := context.WithCancel(context.Background())
	handler, err := serve.NewGateway(ctx, serve.GatewayConfig{Service: Service, Verifier: verifier, Memory: memory, Gateways: c.Gateways()})
	if err != nil {
		cancel()
		return Backend{}, nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(memory) }()
	closeOwn = func() error {
		cancel()
		server.GracefulStop()
		if err := <-ended; err != nil && !errors.Is(err, grpc.ErrServerStopped) { // stopped before it began
			return err
		}
		return nil
	}
	return Backend{URL: &url.URL{Scheme: "http", Host: Service}, Transport: front.Local{Handler: handler}}, closeOwn, nil
}
