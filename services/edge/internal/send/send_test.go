package send

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"crossdock.dev/platform/clock"
	"crossdock.dev/services/edge/internal/webhook"
)

var secret = webhook.SecretOf([]byte(strings.Repeat("s", 32)))

func sender(timeout time.Duration, reach webhook.Reach) *Sender {
	return New(Config{Reach: reach, Timeout: timeout, Machine: clock.SystemMachine()})
}

func attempt(t *testing.T, url string, timeout time.Duration) webhook.Attempt {
	t.Helper()
	s := sender(timeout, webhook.Reach{Private: true})
	defer s.Close()
	a, err := s.Send(t.Context(), Message{ID: "whd_1", URL: url, Body: []byte(`{"a":1}`), Secrets: []webhook.Secret{secret}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What arrives is verified by the library of the specification, with each of two secrets, and with no other.
func TestSignature(t *testing.T) {
	before := webhook.SecretOf([]byte(strings.Repeat("b", 32)))
	type received struct {
		header http.Header
		body   []byte
		method string
	}
	got := make(chan received, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- received{r.Header, body, r.Method}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer srv.Close()
	s := sender(time.Minute, webhook.Reach{Private: true})
	defer s.Close()
	a, err := s.Send(t.Context(), Message{ID: "whd_1", URL: srv.URL + "/hook?x=1", Body: []byte(`{"a":1}`), Secrets: []webhook.Secret{secret, before}})
	if err != nil || a.Verb() != webhook.VerbSucceed || a.Status != 204 {
		t.Fatalf("%+v %v, want success with 204", a, err)
	}
	r := <-got
	if r.method != "POST" || string(r.body) != `{"a":1}` || r.header.Get("Content-Type") != "application/json" || r.header.Get("webhook-id") != "whd_1" {
		t.Errorf("%s %s %v, want POST of the body as JSON with its webhook-id", r.method, r.body, r.header)
	}
	for _, c := range []struct {
		secret webhook.Secret
		body   string
		good   bool
	}{{secret, `{"a":1}`, true}, {before, `{"a":1}`, true}, {secret, `{"a":2}`, false}, {webhook.SecretOf([]byte("other")), `{"a":1}`, false}} {
		wh, err := standardwebhooks.NewWebhook(c.secret.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if err := wh.Verify([]byte(c.body), r.header); (err == nil) != c.good {
			t.Errorf("secret %d, body %s: %v, want verified %v", c.secret.Raw()[0], c.body, err, c.good)
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	reached := false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			reached = true
			return
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	defer srv.Close()
	if a := attempt(t, srv.URL, time.Minute); a.Status != 307 || a.Error != webhook.ErrStatus || reached {
		t.Errorf("%+v, redirect followed %v; want 307 as a failure, not followed", a, reached)
	}
}

// An endpoint that does not answer in time, or answers without end, costs a bounded time.
func TestSlowAndEndlessAnswers(t *testing.T) {
	left := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server learns that the caller left once the body is read
		if r.URL.Path == "/silent" {
			<-r.Context().Done()
			left <- struct{}{}
			return
		}
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 4<<10)); err != nil {
				break
			}
		}
		left <- struct{}{}
	}))
	defer srv.Close()
	if a := attempt(t, srv.URL+"/silent", 100*time.Millisecond); a.Error != webhook.ErrTimeout || a.Status != 0 {
		t.Errorf("silent: %+v, want TIMEOUT", a)
	}
	<-left
	if a := attempt(t, srv.URL+"/endless", time.Minute); a.Status != 200 || a.Verb() != webhook.VerbSucceed {
		t.Errorf("endless: %+v, want success by its status alone", a)
	}
	<-left // the connection was given up
}

func TestUnreachableAndUntrusted(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	gone := srv.URL
	srv.Close()
	if a := attempt(t, gone, time.Minute); a.Error != webhook.ErrUnreachable {
		t.Errorf("nobody listens: %+v, want UNREACHABLE", a)
	}
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	defer untrusted.Close()
	untrusted.Config.ErrorLog = nil
	if a := attempt(t, untrusted.URL, time.Minute); a.Error != webhook.ErrTLS {
		t.Errorf("a certificate that nobody signed: %+v, want TLS", a)
	}
}

// A program that stops ends an attempt, and the attempt does not count.
func TestStopIsNoAttempt(t *testing.T) {
	entered := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(entered)
		<-r.Context().Done()
	}))
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	s := sender(time.Minute, webhook.Reach{Private: true})
	defer s.Close()
	if _, err := s.Send(ctx, Message{ID: "whd_1", URL: srv.URL, Secrets: []webhook.Secret{secret}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// The guard is at the dial: whatever passed the check of the URL, a name that resolves to a private address is not connected to.
func TestDialIsGuarded(t *testing.T) {
	reached := false
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer srv.Close()
	s := sender(time.Minute, webhook.Reach{})
	defer s.Close()
	for _, url := range []string{srv.URL, strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)} {
		resp, err := s.client.Post(url, "application/json", strings.NewReader("{}")) // past the check of the URL
		if err == nil {
			resp.Body.Close()
		}
		if !errors.Is(err, errAddress) || reasonOf(err) != webhook.ErrAddress || reached {
			t.Errorf("%s: %v, reached %v; want the address refused", url, err, reached)
		}
	}
	a, err := s.Send(t.Context(), Message{ID: "whd_1", URL: srv.URL, Secrets: []webhook.Secret{secret}})
	if err != nil || a.Error != webhook.ErrAddress || reached {
		t.Errorf("%+v %v, reached %v; want ADDRESS_REFUSED", a, err, reached)
	}
}
