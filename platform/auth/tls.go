package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// Files are the PEM files of an identity: its certificate, its key, and the authority that the suite trusts.
type Files struct {
	Cert string `yaml:"cert_file"`
	Key  string `yaml:"key_file"`
	CA   string `yaml:"ca_file"`
}

// ServerTLS is the configuration of a listener that takes TLS 1.3 with a certificate of the suite from the caller. The
// own certificate is read again when its file changes; a changed authority needs a restart.
func ServerTLS(f Files) (*tls.Config, error) {
	pair, err := newPair(f)
	if err != nil {
		return nil, err
	}
	pool, err := readPool(f.CA)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS13,
		ClientAuth:     tls.RequireAndVerifyClientCert,
		ClientCAs:      pool,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair.get() },
		VerifyConnection: func(s tls.ConnectionState) error {
			_, err := PeerID(s)
			return err
		},
	}, nil
}

// ClientTLS is the configuration of a caller that accepts one service of the suite and nobody else: the server must show
// spiffe://crossdock/service/<service>. Host names play no part.
func ClientTLS(f Files, service string) (*tls.Config, error) {
	pair, err := newPair(f)
	if err != nil {
		return nil, err
	}
	pool, err := readPool(f.CA)
	if err != nil {
		return nil, err
	}
	want := ServiceID(service)
	return &tls.Config{
		MinVersion:           tls.VersionTLS13,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair.get() },
		// The standard check compares host names, which an identity by SPIFFE id does not have; VerifyConnection below
		// checks the chain and the id on every handshake, resumed ones included.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			if err := verifyServerChain(s, pool); err != nil {
				return err
			}
			got, err := PeerID(s)
			if err != nil {
				return err
			}
			if got != want {
				return fmt.Errorf("server is %s, want %s", got, want)
			}
			return nil
		},
	}, nil
}

func verifyServerChain(s tls.ConnectionState, pool *x509.CertPool) error {
	if len(s.PeerCertificates) == 0 {
		return ErrNoIdentity
	}
	opts := x509.VerifyOptions{Roots: pool, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, c := range s.PeerCertificates[1:] {
		opts.Intermediates.AddCert(c)
	}
	if _, err := s.PeerCertificates[0].Verify(opts); err != nil {
		return fmt.Errorf("server certificate: %w", err)
	}
	return nil
}

// PeerID is the id in the peer's certificate. The chain must have been verified by the handshake.
func PeerID(s tls.ConnectionState) (ID, error) {
	if len(s.PeerCertificates) == 0 {
		return ID{}, ErrNoIdentity
	}
	uris := s.PeerCertificates[0].URIs
	if len(uris) != 1 { // a SPIFFE certificate has exactly one URI SAN (X509-SVID section 2)
		return ID{}, ErrNoIdentity
	}
	return ParseID(uris[0])
}

func readPool(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read authority: %s holds no certificate", path)
	}
	return pool, nil
}

// pair is a certificate with its key, read again when the certificate's file has changed.
type pair struct {
	files Files
	mu    sync.Mutex
	seen  stamp
	cert  *tls.Certificate
}

func newPair(f Files) (*pair, error) {
	p := &pair{files: f}
	if _, err := p.get(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *pair) get() (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, err := stampOf(p.files.Cert)
	if err == nil && p.cert != nil && now == p.seen {
		return p.cert, nil
	}
	var cert tls.Certificate
	if err == nil {
		cert, err = tls.LoadX509KeyPair(p.files.Cert, p.files.Key)
	}
	switch {
	case err == nil:
		p.cert, p.seen = &cert, now
	case p.cert == nil:
		return nil, fmt.Errorf("read identity: %w", err)
	}
	// A half-written renewal keeps the certificate in use; the next handshake looks again.
	return p.cert, nil
}

// stamp tells one state of a file from another.
type stamp struct {
	modified int64
	size     int64
}

func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, err
	}
	return stamp{modified: info.ModTime().UnixNano(), size: info.Size()}, nil
}

// Memory marks a connection of the process to itself: the only one on which a partner's token is accepted. It cannot be
// made from outside, because the handshake decides by the Go type of the connection.
type Memory struct{ credentials.CommonAuthInfo }

// AuthType names the kind of connection.
func (Memory) AuthType() string { return "memory" }

// MemoryConn is a connection that never left the process.
type MemoryConn struct{ net.Conn }

// ServerCredentials does the mTLS handshake on every connection except a MemoryConn, which is passed as it is.
func ServerCredentials(c *tls.Config) credentials.TransportCredentials {
	return serverCredentials{TransportCredentials: credentials.NewTLS(c)}
}

// MemoryCredentials is the client's side of a MemoryConn.
func MemoryCredentials() credentials.TransportCredentials { return insecure.NewCredentials() }

type serverCredentials struct {
	credentials.TransportCredentials
}

func (c serverCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if _, ok := conn.(MemoryConn); ok {
		return conn, Memory{credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}}, nil
	}
	return c.TransportCredentials.ServerHandshake(conn)
}

func (c serverCredentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("server credentials cannot dial")
}

func (c serverCredentials) Clone() credentials.TransportCredentials {
	return serverCredentials{TransportCredentials: c.TransportCredentials.Clone()}
}

// PublicTLS is the configuration of a listener for callers outside the suite: TLS 1.2 or newer, no certificate asked for.
// Of the files it takes certificate and key, read again when the certificate's file changes.
func PublicTLS(f Files) (*tls.Config, error) {
	pair, err := newPair(f)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair.get() },
	}, nil
}
