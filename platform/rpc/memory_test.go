package rpc_test

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/internal/widgettest"
	"crossdock.dev/platform/rpc"
)

// The interceptor does not take the gateway's word: without the token, or with that of another route, a call over memory
// is nobody's.
func TestTheServerVerifiesTheTokenItself(t *testing.T) {
	contract, err := widgettest.New()
	if err != nil {
		t.Fatal(err)
	}
	pki, err := auth.DevPKI(t.TempDir(), service)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := auth.NewSigner(pki.TokenKey(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := auth.NewVerifier(pki.TokenKeys(), service, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	tlsConfig, err := auth.ServerTLS(pki.Service(service))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.Sign(auth.Token{Service: service, KeyID: "k", Party: "parties/P", Scopes: []string{"widgets.read"}, Method: "GET", Path: "/v1/widgets/w1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name     string
		verifier *auth.Verifier
		md       []string
		want     codes.Code
	}{
		{"the route's token", verifier, []string{"authorization", "Bearer " + token, rpc.MetaHTTPMethod, "GET", rpc.MetaHTTPPath, "/v1/widgets/w1"}, codes.OK},
		{"no token", verifier, []string{rpc.MetaHTTPMethod, "GET", rpc.MetaHTTPPath, "/v1/widgets/w1"}, codes.Unauthenticated},
		{"two tokens", verifier, []string{"authorization", "Bearer " + token, "authorization", "Bearer " + token, rpc.MetaHTTPMethod, "GET", rpc.MetaHTTPPath, "/v1/widgets/w1"}, codes.Unauthenticated},
		{"another route", verifier, []string{"authorization", "Bearer " + token, rpc.MetaHTTPMethod, "GET", rpc.MetaHTTPPath, "/v1/widgets/w2"}, codes.Unauthenticated},
		{"no route", verifier, []string{"authorization", "Bearer " + token}, codes.Unauthenticated},
		{"a service that takes no partners", nil, []string{"authorization", "Bearer " + token, rpc.MetaHTTPMethod, "GET", rpc.MetaHTTPPath, "/v1/widgets/w1"}, codes.Unauthenticated},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv, err := rpc.NewServer(rpc.ServerConfig{Service: service, TLS: tlsConfig, Verifier: test.verifier, Policies: contract.Policies()})
			if err != nil {
				t.Fatal(err)
			}
			contract.Register(widgettest.Handlers{})(srv)
			memory := rpc.NewMemoryListener()
			ended := make(chan error, 1)
			go func() { ended <- srv.Serve(memory) }()
			defer func() {
				srv.Stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}()
			cc, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(auth.MemoryCredentials()),
				grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return memory.Dial(ctx) }))
			if err != nil {
				t.Fatal(err)
			}
			defer cc.Close()
			ctx := metadata.AppendToOutgoingContext(t.Context(), test.md...)
			err = cc.Invoke(ctx, widgettest.Get, contract.Message("GetWidgetRequest"), contract.Message("Widget"))
			if status.Code(err) != test.want {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}
