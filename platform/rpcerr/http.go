package rpcerr

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Problem is an RFC 9457 problem detail as REST callers get it.
type Problem struct {
	// Type identifies the reason: a URI reference, "https://crossdock.dev/errors/<domain's service>/<REASON>".
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Reason string `json:"reason"`
	// Fields are the bad fields in JSON names.
	Fields    []ProblemField    `json:"fields,omitempty"`
	RequestID string            `json:"request_id,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
}

// ProblemField is one bad field of a Problem.
type ProblemField struct {
	Field       string `json:"field"`
	Description string `json:"description"`
	Reason      string `json:"reason,omitempty"`
}

// HeaderRequestID is the header that carries the id of a request; every answer has it.
const HeaderRequestID = "X-Request-Id"

// WriteHTTP answers a request with a problem. The request id is read from the answer's X-Request-Id header.
func WriteHTTP(w http.ResponseWriter, r *http.Request, e *Error) {
	st := e.HTTPStatus(r.Header.Get("If-Match") != "")
	p := Problem{
		Type:      "https://" + typePath(e),
		Title:     Lookup(e.Code, e.Reason).Title,
		Status:    st,
		Detail:    e.Message,
		Reason:    e.Reason,
		RequestID: w.Header().Get(HeaderRequestID),
		Metadata:  e.Metadata,
	}
	for _, f := range e.Fields {
		p.Fields = append(p.Fields, ProblemField{Field: jsonPath(f.Path), Description: f.Description, Reason: f.Reason})
	}
	h := w.Header()
	h.Del("Trailer")
	h.Del("Transfer-Encoding")
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if e.RetryAfter > 0 {
		// Whole seconds, rounded up (RFC 9110 section 10.2.3).
		h.Set("Retry-After", strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
	}
	if st == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	body, err := json.Marshal(p)
	if err != nil { // strings and numbers alone: cannot fail
		body = []byte(`{"title":"Our mistake","status":500,"reason":"INTERNAL"}`)
	}
	w.WriteHeader(st)
	_, _ = w.Write(append(body, '\n')) // the caller has left; there is nobody to tell
}

// GatewayErrors is the error handler of a gateway mux (runtime.WithErrorHandler).
func GatewayErrors(service string) runtime.ErrorHandlerFunc {
	return func(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
		WriteHTTP(w, r, FromStatus(status.Convert(err)).In(service))
	}
}

// GatewayRouting is the routing error handler of a gateway mux (runtime.WithRoutingErrorHandler).
func GatewayRouting(service string) runtime.RoutingErrorHandlerFunc {
	return func(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, httpStatus int) {
		WriteHTTP(w, r, routing(httpStatus).In(service))
	}
}

func routing(httpStatus int) *Error {
	switch httpStatus {
	case http.StatusNotFound:
		return &Error{Code: codes.NotFound, Reason: ReasonNotFound, Message: "no such path"}
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return MethodNotAllowed()
	default:
		return BadPath("the path is malformed")
	}
}

// BadPath refuses a path before anything is routed.
func BadPath(why string) *Error {
	return &Error{Code: codes.InvalidArgument, Reason: ReasonBadPath, Message: why}
}

// MethodNotAllowed refuses an HTTP method that a path does not have.
func MethodNotAllowed() *Error {
	return &Error{Code: codes.Unimplemented, Reason: ReasonMethodNotAllowed, Message: "the path does not take this method"}
}

// BodyTooLarge refuses a body over the limit, in bytes.
func BodyTooLarge(limit int64) *Error {
	return (&Error{Code: codes.InvalidArgument, Reason: ReasonBodyTooLarge, Message: "the body is larger than is taken"}).
		With("limit_bytes", strconv.FormatInt(limit, 10))
}

func typePath(e *Error) string {
	domain := e.Domain
	if domain == "" {
		domain = "crossdock.dev"
	}
	host, service, ok := strings.Cut(domain, "/")
	if !ok {
		return host + "/errors/" + e.Reason
	}
	return host + "/errors/" + service + "/" + e.Reason
}

// jsonPath turns proto field names into the JSON names that REST callers wrote: "order_id" becomes "orderId" (the
// protobuf JSON mapping); indexes and quoted map keys stay as they are.
func jsonPath(path string) string {
	var b strings.Builder
	quoted, up := false, false
	for _, c := range path {
		switch {
		case c == '"':
			quoted = !quoted
			b.WriteRune(c)
		case quoted:
			b.WriteRune(c)
		case c == '_':
			up = true
			continue
		case up:
			b.WriteString(strings.ToUpper(string(c)))
		default:
			b.WriteRune(c)
		}
		up = false
	}
	return b.String()
}
