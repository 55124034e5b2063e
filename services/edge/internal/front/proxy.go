package front

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"

	"google.golang.org/grpc/codes"

	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/telemetry"
)

// tokenKey finds the handover in a request's context.
type tokenKey struct{}

// handover is what the proxy gets from the door for one call.
type handover struct {
	token string
	call  *call
}

// passed are the only headers of a partner that reach a service. What could carry an identity or a route (Forwarded,
// X-Forwarded-*, Grpc-Metadata-*, cookies) is not among them.
var passed = []string{
	"Accept", "Content-Type", "If-Match", "User-Agent", "Traceparent",
	serve.HeaderIdempotencyKey, serve.HeaderWaitPosition, rpcerr.HeaderRequestID,
}

// proxy hands calls to one service's gateway.
func (h *Handler) proxy(service string, b Backend) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: b.Transport,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(b.URL)
			p.Out.Host = ""
			p.Out.Header = http.Header{}
			for _, name := range passed {
				if v, ok := p.In.Header[http.CanonicalHeaderKey(name)]; ok {
					p.Out.Header[http.CanonicalHeaderKey(name)] = v
				}
			}
			if hand, ok := p.In.Context().Value(tokenKey{}).(handover); ok {
				p.Out.Header.Set("Authorization", "Bearer "+hand.token)
			}
		},
		ModifyResponse: func(resp *http.Response) error {
			resp.Header.Del(rpcerr.HeaderRequestID) // stands in the answer already
			if resp.StatusCode == http.StatusUnauthorized {
				return errTokenRefused
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			e := h.unreached(service, err)
			if hand, ok := r.Context().Value(tokenKey{}).(handover); ok {
				hand.call.reason = e.Reason
			}
			rpcerr.WriteHTTP(w, r, e.In(domain))
		},
		ErrorLog: slog.NewLogLogger(h.Log.Handler(), slog.LevelWarn),
	}
}

// errTokenRefused: a service does not take the token that the door has just signed, as when the clock was set in between. The partner's
// key was good: it hears that the service is not there, and asks again.
var errTokenRefused = errors.New("the token of the call was refused")

// unreached is the refusal for a call whose service did not answer. Whether it took effect is unknown: a repeat with the
// same Idempotency-Key is safe.
func (h *Handler) unreached(service string, err error) *rpcerr.Error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		h.Log.Warn("service too slow", telemetry.KeyPeer, service)
		return &rpcerr.Error{Code: codes.DeadlineExceeded, Reason: rpcerr.ReasonDeadlineExceeded, Message: "the service did not answer in time; repeat with the same Idempotency-Key"}
	case errors.Is(err, context.Canceled):
		return &rpcerr.Error{Code: codes.Canceled, Reason: rpcerr.ReasonCancelled, Message: "cancelled by the caller"}
	}
	h.Log.Warn("service not reached", telemetry.KeyPeer, service, telemetry.KeyError, err.Error())
	return rpcerr.Unavailable("")
}
