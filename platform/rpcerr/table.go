package rpcerr

import (
	"net/http"
	"time"

	"google.golang.org/grpc/codes"
)

// Reasons that the platform gives. A service adds its own in its errors.proto; they take code and status by their code.
const (
	ReasonInvalidFields      = "INVALID_FIELDS"
	ReasonInvalidRequest     = "INVALID_REQUEST"
	ReasonInvalidPageToken   = "INVALID_PAGE_TOKEN"
	ReasonInvalidFilter      = "INVALID_FILTER"
	ReasonUnauthenticated    = "UNAUTHENTICATED"
	ReasonPermissionDenied   = "PERMISSION_DENIED"
	ReasonNotFound           = "NOT_FOUND"
	ReasonAlreadyExists      = "ALREADY_EXISTS"
	ReasonTransitionRefused  = "TRANSITION_REFUSED"
	ReasonPreconditionFailed = "PRECONDITION_FAILED"
	ReasonRequestIDReused    = "REQUEST_ID_REUSED"
	ReasonStaleETag          = "STALE_ETAG"
	ReasonQuotaExceeded      = "QUOTA_EXCEEDED"
	ReasonOverloaded         = "OVERLOADED"
	ReasonLogRangeGone       = "LOG_RANGE_GONE"
	ReasonForked             = "FORKED"
	ReasonArchived           = "ARCHIVED"
	ReasonUnavailable        = "UNAVAILABLE"
	ReasonStoreFull          = "STORE_FULL"
	ReasonStoreClosed        = "STORE_CLOSED"
	ReasonSeriesFenced       = "SERIES_FENCED"
	ReasonOutcomeUnknown     = "OUTCOME_UNKNOWN"
	ReasonStopping           = "STOPPING"
	ReasonNotYetRead         = "NOT_YET_READ"
	ReasonDeadlineExceeded   = "DEADLINE_EXCEEDED"
	ReasonCancelled          = "CANCELLED"
	ReasonUnimplemented      = "UNIMPLEMENTED"
	ReasonInternal           = "INTERNAL"

	// The next exist on HTTP alone.
	ReasonBadPath          = "BAD_PATH"
	ReasonMethodNotAllowed = "METHOD_NOT_ALLOWED"
	ReasonBodyTooLarge     = "BODY_TOO_LARGE"
)

// Row is one line of the table: what a reason is on gRPC and on HTTP.
type Row struct {
	Reason string
	Code   codes.Code
	HTTP   int
	// IfMatch is the HTTP status when the caller stated the etag by If-Match; 0 means the same as HTTP.
	IfMatch int
	// Title is the short text of the problem, the same for every occurrence (RFC 9457 section 3.1.3).
	Title string
}

// table is the one place where a reason meets its code and its status. The first row of a code is what an unlisted reason
// of that code gets, so a service's own reasons need no row.
var table = []Row{
	{Reason: ReasonInvalidRequest, Code: codes.InvalidArgument, HTTP: http.StatusBadRequest, Title: "Bad request"},
	{Reason: ReasonInvalidFields, Code: codes.InvalidArgument, HTTP: http.StatusBadRequest, Title: "Bad fields"},
	{Reason: ReasonInvalidPageToken, Code: codes.InvalidArgument, HTTP: http.StatusBadRequest, Title: "Bad page token"},
	{Reason: ReasonInvalidFilter, Code: codes.InvalidArgument, HTTP: http.StatusBadRequest, Title: "Bad filter"},
	{Reason: ReasonBadPath, Code: codes.InvalidArgument, HTTP: http.StatusBadRequest, Title: "Bad path"},
	{Reason: ReasonBodyTooLarge, Code: codes.InvalidArgument, HTTP: http.StatusRequestEntityTooLarge, Title: "Body too large"},
	{Reason: ReasonUnauthenticated, Code: codes.Unauthenticated, HTTP: http.StatusUnauthorized, Title: "No valid credential"},
	{Reason: ReasonPermissionDenied, Code: codes.PermissionDenied, HTTP: http.StatusForbidden, Title: "Not allowed"},
	{Reason: ReasonNotFound, Code: codes.NotFound, HTTP: http.StatusNotFound, Title: "Not found"},
	{Reason: ReasonAlreadyExists, Code: codes.AlreadyExists, HTTP: http.StatusConflict, Title: "Already exists"},
	{Reason: ReasonPreconditionFailed, Code: codes.FailedPrecondition, HTTP: http.StatusConflict, Title: "Not possible in this state"},
	{Reason: ReasonTransitionRefused, Code: codes.FailedPrecondition, HTTP: http.StatusConflict, Title: "Not possible in this state"},
	{Reason: ReasonRequestIDReused, Code: codes.FailedPrecondition, HTTP: http.StatusUnprocessableEntity, Title: "Request id reused with other arguments"},
	{Reason: ReasonStaleETag, Code: codes.Aborted, HTTP: http.StatusConflict, IfMatch: http.StatusPreconditionFailed, Title: "Changed by somebody else"},
	{Reason: ReasonOverloaded, Code: codes.ResourceExhausted, HTTP: http.StatusTooManyRequests, Title: "Too many requests"},
	{Reason: ReasonQuotaExceeded, Code: codes.ResourceExhausted, HTTP: http.StatusTooManyRequests, Title: "Quota used up"},
	{Reason: ReasonLogRangeGone, Code: codes.OutOfRange, HTTP: http.StatusGone, Title: "No longer held"},
	{Reason: ReasonForked, Code: codes.OutOfRange, HTTP: http.StatusGone, Title: "No more: the store was restored to an earlier moment"},
	{Reason: ReasonArchived, Code: codes.OutOfRange, HTTP: http.StatusGone, Title: "Moved to an archive: the reader has to be reseeded"},
	{Reason: ReasonUnavailable, Code: codes.Unavailable, HTTP: http.StatusServiceUnavailable, Title: "Try again with the same request id"},
	{Reason: ReasonStoreFull, Code: codes.Unavailable, HTTP: http.StatusServiceUnavailable, Title: "Try again with the same request id"},
	{Reason: ReasonSeriesFenced, Code: codes.Unavailable, HTTP: http.StatusServiceUnavailable, Title: "Waits for a person after a restore; try again with the same request id"},
	{Reason: ReasonStoreClosed, Code: codes.Unavailable, HTTP: http.StatusServiceUnavailable, Title: "Try again with the same request id"},
	{Reason: ReasonOutcomeUnknown, Code: codes.Unavailable, HTTP: http.StatusServiceUnavailable, Title: "Try again with the same request id"},
	{Reason: ReasonStopping, Code: codes.Unavailable, HTTP: http.StatusServiceUnavailable, Title: "Try again with the same request id"},
	{Reason: ReasonNotYetRead, Code: codes.Unavailable, HTTP: http.StatusServiceUnavailable, Title: "Try again with the same request id"},
	{Reason: ReasonDeadlineExceeded, Code: codes.DeadlineExceeded, HTTP: http.StatusGatewayTimeout, Title: "Took too long"},
	{Reason: ReasonCancelled, Code: codes.Canceled, HTTP: 499, Title: "Cancelled by the caller"},
	{Reason: ReasonUnimplemented, Code: codes.Unimplemented, HTTP: http.StatusNotImplemented, Title: "Not implemented"},
	{Reason: ReasonMethodNotAllowed, Code: codes.Unimplemented, HTTP: http.StatusMethodNotAllowed, Title: "Method not allowed"},
	{Reason: ReasonInternal, Code: codes.Internal, HTTP: http.StatusInternalServerError, Title: "Our mistake"},
}

// Table returns a copy of the rows, for documentation and tests.
func Table() []Row { return append([]Row(nil), table...) }

// Lookup finds the row of a reason; a reason without one gets the first row of its code, and an unknown code is INTERNAL.
func Lookup(code codes.Code, reason string) Row {
	var byCode *Row
	for i := range table {
		if table[i].Code != code {
			continue
		}
		if table[i].Reason == reason {
			return table[i]
		}
		if byCode == nil {
			byCode = &table[i]
		}
	}
	if byCode == nil {
		byCode = &table[len(table)-1]
	}
	return *byCode
}

func reasonOf(code codes.Code) string { return Lookup(code, "").Reason }

// HTTPStatus is the status of a refusal; ifMatch says that the caller stated the etag by If-Match.
func (e *Error) HTTPStatus(ifMatch bool) int {
	if e.HTTP != 0 {
		return e.HTTP
	}
	row := Lookup(e.Code, e.Reason)
	if ifMatch && row.IfMatch != 0 {
		return row.IfMatch
	}
	return row.HTTP
}

// Invalid refuses a request for its fields: name all bad ones at once.
func Invalid(fields ...Field) *Error {
	return &Error{Code: codes.InvalidArgument, Reason: ReasonInvalidFields, Message: "the request has bad fields", Fields: fields}
}

// InvalidPageToken refuses a token that is damaged or was made for other arguments.
func InvalidPageToken(field string) *Error {
	return &Error{Code: codes.InvalidArgument, Reason: ReasonInvalidPageToken, Message: "the page token does not belong to these arguments",
		Fields: []Field{{Path: field, Description: "is not a token given for these arguments", Reason: ReasonInvalidPageToken}}}
}

// Unauthenticated refuses a caller without a valid credential; why is public.
func Unauthenticated(why string) *Error {
	return &Error{Code: codes.Unauthenticated, Reason: ReasonUnauthenticated, Message: why}
}

// Denied refuses a caller who is known but may not; why is public.
func Denied(why string) *Error {
	return &Error{Code: codes.PermissionDenied, Reason: ReasonPermissionDenied, Message: why}
}

// NotFound answers for a resource that is missing or that the caller may not see: both look the same.
func NotFound(resource string) *Error {
	return &Error{Code: codes.NotFound, Reason: ReasonNotFound, Message: resource + " not found", Metadata: map[string]string{"resource": resource}}
}

// AlreadyExists refuses a second resource with the same business key and names the first.
func AlreadyExists(resource string) *Error {
	return &Error{Code: codes.AlreadyExists, Reason: ReasonAlreadyExists, Message: resource + " already exists", Metadata: map[string]string{"resource": resource}}
}

// Precondition refuses what the state does not allow; metadata lists each unmet conjunct.
func Precondition(reason string, metadata map[string]string) *Error {
	return &Error{Code: codes.FailedPrecondition, Reason: reason, Message: "the state does not allow it", Metadata: metadata}
}

// Stale refuses a change made against an older revision.
func Stale(resource string) *Error {
	return &Error{Code: codes.Aborted, Reason: ReasonStaleETag, Message: resource + " has changed since it was read", Metadata: map[string]string{"resource": resource}}
}

// RequestIDReused refuses a known request id with other arguments.
func RequestIDReused() *Error {
	return &Error{Code: codes.FailedPrecondition, Reason: ReasonRequestIDReused, Message: "the request id was used before with other arguments"}
}

// Exhausted refuses for quota or overload and says when to come back.
func Exhausted(retryAfter time.Duration) *Error {
	return &Error{Code: codes.ResourceExhausted, Reason: ReasonOverloaded, Message: "too much at once", RetryAfter: retryAfter}
}

// Gone answers for a log range or token that is no longer held: start again from List.
func Gone(what string) *Error {
	return &Error{Code: codes.OutOfRange, Reason: ReasonLogRangeGone, Message: what + " is no longer held"}
}

// Unavailable asks for a repeat with the same request id.
func Unavailable(reason string) *Error {
	if reason == "" {
		reason = ReasonUnavailable
	}
	return &Error{Code: codes.Unavailable, Reason: reason, Message: "not available now, repeat with the same request id", RetryAfter: time.Second}
}

// Internal answers for what nobody foresaw. The reference finds the log line that has the inner error.
func Internal(reference string) *Error {
	return &Error{Code: codes.Internal, Reason: ReasonInternal, Message: "internal error, reference " + reference, Metadata: map[string]string{"reference": reference}}
}
