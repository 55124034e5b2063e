// Package send carries a signed message to a partner's endpoint by HTTP.
//
// It promises that a connection goes to an address that may be sent to, whatever a name resolves to at that moment; that no proxy
// and no redirect is followed; that an answer is bounded in time and size and looked at for its status alone; and that nothing of
// what is sent is in a log. It leaves what an answer means, and when to try again, to package webhook.
package send

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/failpoint"
	"crossdock.dev/services/edge/internal/webhook"
)

const (
	maxAnswer = 16 << 10 // bytes of an answer's body that are read, so that the connection may be used again
	maxHeader = 16 << 10
	agent     = "Crossdock-Webhooks/1"
)

// Config says how messages are sent; all of it is required.
type Config struct {
	Reach webhook.Reach
	// Timeout bounds one attempt.
	Timeout time.Duration
	Machine clock.Machine
}

// Sender sends messages. Safe for use from many goroutines.
type Sender struct {
	c      Config
	client *http.Client
}

// New makes a sender.
func New(c Config) *Sender {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: -1, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		return c.check(address)
	}}
	transport := &http.Transport{
		Proxy:                  nil, // a proxy would be dialled in place of the endpoint
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConnsPerHost:    1,
		MaxIdleConns:           64,
		IdleConnTimeout:        30 * time.Second,
		DisableCompression:     true,
	}
	return &Sender{c: c, client: &http.Client{
		Transport: transport, Timeout: c.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

var errAddress = errors.New("not an address that may be sent to")

// check is asked for every connection with the address that the name resolved to.
func (c Config) check(address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || !c.Reach.Allows(ap.Addr()) {
		return errAddress
	}
	return nil
}

// Close ends connections that are not in use.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Message is what is sent.
type Message struct {
	ID      string // webhook-id
	URL     string
	Body    []byte
	Secrets []webhook.Secret
}

// Send makes one attempt. The error says that there was none, or that ctx ended before it was over.
func (s *Sender) Send(ctx context.Context, m Message) (webhook.Attempt, error) {
	now := s.c.Machine.Now()
	a := webhook.Attempt{Start: now.UTC()}
	if s.c.Reach.CheckURL(m.URL) != "" { // registered where more was allowed
		a.Error = webhook.ErrAddress
		return a, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return a, fmt.Errorf("message %s: no request can be made of its address", m.ID)
	}
	signature, err := sign(m, now)
	if err != nil {
		return a, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", agent)
	req.Header.Set(standardwebhooks.HeaderWebhookID, m.ID)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	failpoint.Hit("webhook.send.before")
	resp, err := s.client.Do(req)
	failpoint.Hit("webhook.send.after")
	a.Duration = s.c.Machine.Now().Sub(now)
	if err != nil {
		if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
			return a, ctx.Err()
		}
		a.Error = reasonOf(err)
		return a, nil
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // what the partner says is of no interest; the status is
	_ = resp.Body.Close()
	if a.Status = resp.StatusCode; a.Status < 200 || a.Status > 299 {
		a.Error = webhook.ErrStatus
	}
	return a, nil
}

// sign gives one signature for each secret, separated by spaces.
func sign(m Message, at time.Time) (string, error) {
	signatures := make([]string, len(m.Secrets))
	for i, secret := range m.Secrets {
		wh, err := standardwebhooks.NewWebhookRaw(secret.Raw())
		if err != nil {
			return "", fmt.Errorf("message %s: %w", m.ID, err)
		}
		if signatures[i], err = wh.Sign(m.ID, at, m.Body); err != nil {
			return "", fmt.Errorf("message %s: %w", m.ID, err)
		}
	}
	return strings.Join(signatures, " "), nil
}

// reasonOf is the stable word for a failure. The error itself holds the address, whose query may be a secret of the partner's.
func reasonOf(err error) string {
	var timeout net.Error
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.Is(err, errAddress):
		return webhook.ErrAddress
	case errors.As(err, &timeout) && timeout.Timeout():
		return webhook.ErrTimeout
	case errors.As(err, &certificate), errors.As(err, &record), errors.As(err, &alert), errors.As(err, &unknown):
		return webhook.ErrTLS
	}
	return webhook.ErrUnreachable
}
