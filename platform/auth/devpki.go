package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"

	"crossdock.dev/platform/origin"
)

// PKI is a folder of identities for development and tests: an authority, a certificate for each service and person, and
// the edge's token keys. Its private keys lie unprotected in files: never use it elsewhere.
type PKI struct{ dir string }

const devLife = 365 * 24 * time.Hour

// DevUser is the person that DevPKI makes a certificate for.
const DevUser = "dev"

// DevPKI creates what is missing in dir and keeps what is there: the authority, a certificate for each service named,
// one for the person DevUser, and the edge's token keys. Files are readable by their owner alone.
func DevPKI(dir string, services ...string) (*PKI, error) {
	p := &PKI{dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create identities: %w", err)
	}
	ca, caKey, err := p.authority()
	if err != nil {
		return nil, fmt.Errorf("create authority: %w", err)
	}
	ids := []ID{UserID(DevUser)}
	for _, s := range services {
		ids = append(ids, ServiceID(s))
	}
	for _, id := range ids {
		if !plain(id.Name) {
			return nil, fmt.Errorf("create identity: bad name %q", id.Name)
		}
		if err := p.leaf(id, ca, caKey); err != nil {
			return nil, fmt.Errorf("create identity %s: %w", id, err)
		}
	}
	if err := p.tokenKeys(); err != nil {
		return nil, fmt.Errorf("create token keys: %w", err)
	}
	return p, nil
}

// Dir is the folder.
func (p *PKI) Dir() string { return p.dir }

// Service is the identity of a service.
func (p *PKI) Service(name string) Files { return p.files("service-" + name) }

// User is the identity of a person.
func (p *PKI) User(name string) Files { return p.files("user-" + name) }

// TokenKey is the edge's private key, a JWK.
func (p *PKI) TokenKey() string { return filepath.Join(p.dir, "edge-token.jwk") }

// TokenKeys are the edge's public keys, a JWKS.
func (p *PKI) TokenKeys() string { return filepath.Join(p.dir, "edge-token.jwks") }

func (p *PKI) files(name string) Files {
	return Files{Cert: filepath.Join(p.dir, name+".crt"), Key: filepath.Join(p.dir, name+".key"), CA: filepath.Join(p.dir, "ca.crt")}
}

func (p *PKI) authority() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	f := p.files("ca")
	if exist(f.Cert, f.Key) {
		return readCert(f)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template, err := certTemplate("crossdock development authority")
	if err != nil {
		return nil, nil, err
	}
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	if err := writeCert(f, der, key); err != nil {
		return nil, nil, err
	}
	return readCert(f)
}

func (p *PKI) leaf(id ID, ca *x509.Certificate, caKey *ecdsa.PrivateKey) error {
	f := p.Service(id.Name)
	if id.Kind == origin.User {
		f = p.User(id.Name)
	}
	if exist(f.Cert, f.Key) {
		return nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template, err := certTemplate(id.Name)
	if err != nil {
		return err
	}
	template.URIs = []*url.URL{id.URL()}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), caKey)
	if err != nil {
		return err
	}
	return writeCert(f, der, key)
}

func (p *PKI) tokenKeys() error {
	if exist(p.TokenKey(), p.TokenKeys()) {
		return nil
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(public)
	kid := "edge-" + hex.EncodeToString(sum[:6])
	key, err := tokenJWK(private, kid)
	if err != nil {
		return err
	}
	pub, err := tokenJWK(public, kid)
	if err != nil {
		return err
	}
	set := jwk.NewSet()
	if err := set.AddKey(pub); err != nil {
		return err
	}
	// The public file goes first: a private key without it would be made anew.
	if err := writeJSON(p.TokenKeys(), set); err != nil {
		return err
	}
	return writeJSON(p.TokenKey(), key)
}

func tokenJWK(raw any, kid string) (jwk.Key, error) {
	key, err := jwk.Import(raw)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]any{jwk.KeyIDKey: kid, jwk.AlgorithmKey: jwa.EdDSA(), jwk.KeyUsageKey: "sig"} {
		if err := key.Set(name, value); err != nil {
			return nil, err
		}
	}
	return key, nil
}

func certTemplate(name string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now() // machine time: certificates are checked against it
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{Organization: []string{"Crossdock development"}, CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(devLife),
	}, nil
}

func readCert(f Files) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	certPEM, err := os.ReadFile(f.Cert)
	if err != nil {
		return nil, nil, err
	}
	keyPEM, err := os.ReadFile(f.Key)
	if err != nil {
		return nil, nil, err
	}
	certBlock, _ := pem.Decode(certPEM)
	keyBlock, _ := pem.Decode(keyPEM)
	if certBlock == nil || keyBlock == nil {
		return nil, nil, errors.New("not PEM")
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, nil, err
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, nil, errors.New("not an ECDSA key")
	}
	return cert, ec, nil
}

func writeCert(f Files, der []byte, key *ecdsa.PrivateKey) error {
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writeFile(f.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})); err != nil {
		return err
	}
	return writeFile(f.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(path, append(b, '\n'))
}

// writeFile writes through a temporary name, so that a reader never sees half a file.
func writeFile(path string, b []byte) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

func exist(paths ...string) bool {
	for _, path := range paths {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}
