package rpc_test

import (
	"net"
	"testing"
	"time"

	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/rpc"
)

// Somebody who connects and says nothing does not hold up a stop: gRPC waits for such connections, as long as they may take.
func TestSilentConnectionDoesNotHoldUpAStop(t *testing.T) {
	pki, err := auth.DevPKI(t.TempDir(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	tlsConfig, err := auth.ServerTLS(pki.Service("orders"))
	if err != nil {
		t.Fatal(err)
	}
	server, err := rpc.NewServer(rpc.ServerConfig{Service: "orders", TLS: tlsConfig, HandshakeTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := &noting{Listener: lis, accepted: make(chan struct{}, 1)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(accepted) }()
	silent, err := net.Dial("tcp", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	<-accepted.accepted
	stopped := make(chan struct{})
	go func() {
		server.GracefulStop()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-time.After(30 * time.Second):
		t.Fatal("the server waits for a connection that says nothing")
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
}

// noting tells of each connection that was accepted.
type noting struct {
	net.Listener
	accepted chan struct{}
}

func (l *noting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.accepted <- struct{}{}
	}
	return c, err
}
