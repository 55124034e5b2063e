package rpc

import (
	"context"
	"net"

	"google.golang.org/grpc/test/bufconn"

	"crossdock.dev/platform/auth"
)

// MemoryListener connects a service's gateway to its own server without a socket. The server knows such a connection by
// its type, and accepts partners' tokens on it alone.
type MemoryListener struct{ buf *bufconn.Listener }

// NewMemoryListener makes a listener with room for 256 KiB in each direction.
func NewMemoryListener() *MemoryListener { return &MemoryListener{buf: bufconn.Listen(256 << 10)} }

// Accept returns the next connection, an auth.MemoryConn.
func (l *MemoryListener) Accept() (net.Conn, error) {
	c, err := l.buf.Accept()
	if err != nil {
		return nil, err
	}
	return auth.MemoryConn{Conn: c}, nil
}

// Close ends the listener.
func (l *MemoryListener) Close() error { return l.buf.Close() }

// Addr is the listener's address, "bufconn".
func (l *MemoryListener) Addr() net.Addr { return l.buf.Addr() }

// Dial connects to the listener.
func (l *MemoryListener) Dial(ctx context.Context) (net.Conn, error) { return l.buf.DialContext(ctx) }
