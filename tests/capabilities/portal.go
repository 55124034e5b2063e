package capabilities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// portal is a partner's own server, which the suite tells what happens.
type portal struct {
	*httptest.Server
	secret    string
	told      chan message
	simulated bool
}

// message is what was told, with its signature checked.
type message struct {
	id, body string
	err      error
}

// portal opens a partner's server on loopback and registers it for events.
func (w *World) portal(ctx context.Context, party string, events ...string) (*portal, error) {
	p := &portal{told: make(chan message, 1000), simulated: w.Programs == nil}
	ready := make(chan struct{})
	p.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		<-ready
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err == nil {
			err = p.verify(body, r.Header)
		}
		if err != nil {
			rw.WriteHeader(http.StatusBadRequest)
		}
		select {
		case p.told <- message{r.Header.Get("webhook-id"), string(body), err}:
		default: // nobody reads so many
		}
	}))
	body, err := json.Marshal(map[string]any{"url": p.URL, "eventTypes": events})
	if err != nil {
		return nil, err
	}
	answer, err := w.REST(ctx, party, http.MethodPost, "/v1/webhooks", "portal-"+p.URL, body)
	if err == nil {
		var made struct{ Secret string }
		err = json.Unmarshal(answer, &made)
		p.secret = made.Secret
	}
	close(ready)
	if err == nil && p.secret == "" {
		err = errors.New("registering a webhook answered no secret")
	}
	if err != nil {
		p.Close()
	}
	return p, err
}

func (p *portal) verify(body []byte, h http.Header) error {
	wh, err := standardwebhooks.NewWebhook(p.secret)
	if err != nil {
		return err
	}
	if p.simulated { // the suite's machine time is not ours
		return wh.VerifyIgnoringTimestamp(body, h)
	}
	return wh.Verify(body, h)
}

// await waits for a message that fits, and returns its id.
func (p *portal) await(ctx context.Context, fits func(body string) bool) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		select {
		case m := <-p.told:
			if m.err != nil {
				return "", fmt.Errorf("message %s: %w", m.id, m.err)
			}
			if fits(m.body) {
				return m.id, nil
			}
		case <-ctx.Done():
			return "", errors.New("was not told")
		}
	}
}
