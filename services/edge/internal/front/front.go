// Package front is the partners' door: HTTP in, HTTP to the services' own gateways.
//
// It promises that nothing reaches a service without a partner's active key; that what a service learns of the partner
// stands in a token signed for this one call (audience, HTTP method, path) and in no header that a partner could write; that
// a path means the same here and there, because encoded, empty and dotted segments are refused; that bodies, calls at once
// and each partner's rate and calls at once are bounded; and that every answer carries a request id. It leaves what a partner may see and do to
// the services.
package front

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/telemetry"
	"crossdock.dev/services/edge/internal/apikey"
)

// Doors finds active keys by their secrets.
type Doors interface {
	Open(ctx context.Context, secret apikey.Secret) (k apikey.Key, ok bool, err error)
}

// Signer signs the token that a service gets instead of the partner's key. *auth.Signer is one.
type Signer interface {
	Sign(t auth.Token) (string, error)
}

// Route sends the paths under a prefix, such as "/v1/orders", to a service.
type Route struct {
	Prefix, Service string
}

// Backend is a service's own partner-only gateway.
type Backend struct {
	// URL is its base, "http://127.0.0.1:7202".
	URL *url.URL
	// Transport carries the calls; required.
	Transport http.RoundTripper
}

// Config is what the door needs; all of it is required.
type Config struct {
	Doors    Doors
	Signer   Signer
	Routes   []Route
	Backends map[string]Backend
	// OpenAPI holds crossdock/<service>/<version>/*.openapi.json.
	OpenAPI fs.FS
	Quota   Quota
	// MaxBody bounds a body, in bytes.
	MaxBody int64
	// MaxInFlight bounds calls at the same time.
	MaxInFlight int
	// Timeout bounds a call to a service.
	Timeout time.Duration
	// Now is machine time, for quotas.
	Now func() time.Time
	// Rand makes request ids.
	Rand io.Reader
	Log  *slog.Logger
}

// Handler is the door.
type Handler struct {
	Config
	documents documents
	quotas    *quotas
	inFlight  chan struct{}
	proxies   map[string]*httputil.ReverseProxy
	metrics   *metrics
}

// New makes the door, and fails when a route leads to a service without a backend or a document.
func New(c Config) (*Handler, error) {
	docs, err := readDocuments(c.OpenAPI, servicesOf(c.Routes))
	if err != nil {
		return nil, err
	}
	h := &Handler{
		Config: c, documents: docs, quotas: newQuotas(c.Quota, c.Now), inFlight: make(chan struct{}, c.MaxInFlight),
		proxies: map[string]*httputil.ReverseProxy{}, metrics: newMetrics(),
	}
	for _, r := range c.Routes {
		b, ok := c.Backends[r.Service]
		if !ok {
			return nil, fmt.Errorf("route %s: service %s has no address", r.Prefix, r.Service)
		}
		h.proxies[r.Service] = h.proxy(r.Service, b)
	}
	return h, nil
}

// domain is the service whose name stands in refusals made here.
const domain = "edge"

// ServeHTTP serves one call.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := h.Now()
	c := &call{status: http.StatusOK}
	rec := &recorder{ResponseWriter: w, call: c}
	if err := h.serve(rec, r, c); err != nil {
		c.reason = err.Reason
		rpcerr.WriteHTTP(rec, r, err.In(domain))
	}
	took := h.Now().Sub(begun)
	h.metrics.observe(c, took)
	level := slog.LevelInfo
	if c.status >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	trace, _ := telemetry.ParseTrace(r.Header.Get("Traceparent"))
	h.Log.LogAttrs(r.Context(), level, "partner call",
		slog.String("http_method", r.Method), slog.String("http_path", r.URL.Path), slog.Int("http_status", c.status),
		slog.String(telemetry.KeyReason, c.reason), slog.String(telemetry.KeyPrincipal, c.principal), slog.String("api_key", c.key),
		slog.String(telemetry.KeyRequestID, w.Header().Get(rpcerr.HeaderRequestID)), slog.String(telemetry.KeyTraceID, trace.ID()),
		slog.Float64(telemetry.KeyDuration, float64(took.Microseconds())/1000))
}

// call is what the log says of a call.
type call struct {
	principal, key, reason string
	class, service         string // for the metrics alone
	status                 int
}

// recorder notes the status of an answer.
type recorder struct {
	http.ResponseWriter
	call *call
}

func (r *recorder) WriteHeader(status int) {
	r.call.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// serve refuses, cheapest check first, or hands the call to its service.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, c *call) *rpcerr.Error {
	if err := serve.Identify(w, r, h.Rand); err != nil {
		return rpcerr.Unavailable("")
	}
	if err := serve.CheckPath(r); err != nil {
		return err
	}
	select {
	case h.inFlight <- struct{}{}:
		defer func() { <-h.inFlight }()
	default:
		return rpcerr.Exhausted(time.Second)
	}
	if doc, ok := h.documents.find(r.URL.Path); ok {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			return rpcerr.MethodNotAllowed()
		}
		h.documents.serve(w, doc)
		return nil
	}
	key, refused := h.authenticate(r)
	if refused != nil {
		return refused
	}
	c.principal, c.key = (origin.Principal{Kind: origin.Partner, Name: key.ID, Party: key.Party}).String(), key.ID
	c.class = classOf(key.Roles)
	leave, retry := h.quotas.take(key.Party, w.Header())
	if retry > 0 {
		e := rpcerr.Exhausted(retry)
		e.Reason, e.Message = rpcerr.ReasonQuotaExceeded, "the partner's quota is used up"
		return e
	}
	defer leave()
	service, ok := h.route(r.URL.Path)
	if !ok {
		return &rpcerr.Error{Code: codes.NotFound, Reason: rpcerr.ReasonNotFound, Message: "no such path"}
	}
	c.service = service
	if err := h.readBody(w, r); err != nil {
		return err
	}
	token, err := h.Signer.Sign(auth.Token{
		Service: service, KeyID: key.ID, Party: key.Party, Roles: key.Roles, Scopes: key.Scopes(),
		LegalEntities: key.LegalEntities, Method: r.Method, Path: r.URL.Path,
	})
	if err != nil {
		h.Log.Error("token not signed", telemetry.KeyError, err.Error())
		return rpcerr.Internal(w.Header().Get(rpcerr.HeaderRequestID))
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.Timeout)
	defer cancel()
	h.proxies[service].ServeHTTP(w, r.WithContext(context.WithValue(ctx, tokenKey{}, handover{token, c})))
	return nil
}

// authenticate finds the key that the caller shows. An unknown and a revoked one are answered alike.
func (h *Handler) authenticate(r *http.Request) (apikey.Key, *rpcerr.Error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return apikey.Key{}, rpcerr.Unauthenticated("no API key: send Authorization: Bearer cdk_...")
	}
	scheme, text, ok := strings.Cut(values[0], " ")
	if !ok || len(values) > 1 || !strings.EqualFold(scheme, "Bearer") {
		return apikey.Key{}, rpcerr.Unauthenticated("want one header Authorization: Bearer cdk_...")
	}
	unknown := rpcerr.Unauthenticated("the API key is not valid")
	secret, ok := apikey.ParseSecret(text)
	if !ok {
		return apikey.Key{}, unknown
	}
	key, ok, err := h.Doors.Open(r.Context(), secret)
	switch {
	case err != nil:
		h.Log.Error("key not looked up", telemetry.KeyError, err.Error())
		return apikey.Key{}, rpcerr.Unavailable("")
	case !ok:
		return apikey.Key{}, unknown
	}
	return key, nil
}

// route finds the service of a path: the prefix itself, what lies under it, and verbs on it ("/v1/orders:search").
func (h *Handler) route(path string) (string, bool) {
	for _, r := range h.Routes {
		rest, ok := strings.CutPrefix(path, r.Prefix)
		if ok && (rest == "" || rest[0] == '/' || rest[0] == ':') {
			return r.Service, true
		}
	}
	return "", false
}

// readBody takes the whole body, so that a slow partner holds no connection of a service and a body over the limit is
// refused before anything is sent on.
func (h *Handler) readBody(w http.ResponseWriter, r *http.Request) *rpcerr.Error {
	if r.ContentLength > h.MaxBody {
		return rpcerr.BodyTooLarge(h.MaxBody)
	}
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return rpcerr.BodyTooLarge(h.MaxBody)
	case err != nil:
		return &rpcerr.Error{Code: codes.Canceled, Reason: rpcerr.ReasonCancelled, Message: "the body did not arrive whole"}
	}
	r.ContentLength, r.TransferEncoding = int64(len(body)), nil
	// With GetBody, a call with an Idempotency-Key is sent again when an idle connection to the service turns out dead.
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}
