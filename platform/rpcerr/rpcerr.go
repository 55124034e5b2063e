// Package rpcerr says what a refused call looks like to its caller, on gRPC and on REST alike. It is for handlers, which
// turn domain errors into an *Error with a stable reason, and for the interceptors and the gateway, which put it on the
// wire. It promises that one table decides the gRPC code and the HTTP status of a reason, that all bad fields of a request
// are named at once, and that no text of an inner error reaches a caller. It leaves the reasons of a business (such as
// HOLD_IN_THE_WAY) to the service that owns them.
package rpcerr

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Error is a refusal as its caller sees it. Everything in it is public.
type Error struct {
	// Code is the canonical gRPC code.
	Code codes.Code
	// Reason is stable, in upper snake case; programs decide by it.
	Reason string
	// Domain is the owner of the reason, "crossdock.dev/<service>"; the server fills it in when empty.
	Domain string
	// Message is for people.
	Message string
	// Metadata is what a program needs beside the reason, such as the names of unmet conjuncts.
	Metadata map[string]string
	// Fields are the bad fields of the request, all of them.
	Fields []Field
	// RetryAfter is how long to wait before a repeat; 0 when a repeat does not help or any time will do.
	RetryAfter time.Duration
	// HTTP is the status for refusals that only exist on HTTP, such as 413; 0 means by the table.
	HTTP int
}

// Field is one bad field.
type Field struct {
	// Path leads to the field in proto names, such as "order.lines[2].quantity.value". REST answers show it in JSON names.
	Path string
	// Description says in words what is wrong with it.
	Description string
	// Reason is stable, such as "REQUIRED" or a rule's id "string.pattern"; may be empty.
	Reason string
}

// Error returns the reason and the message.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Reason)
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "; %s: %s", f.Path, f.Description)
	}
	return b.String()
}

// In returns a copy that belongs to a service, unless it already has a domain.
func (e *Error) In(service string) *Error {
	c := *e
	if c.Domain == "" {
		c.Domain = Domain(service)
	}
	return &c
}

// With returns a copy with one more metadata entry.
func (e *Error) With(key, value string) *Error {
	c := *e
	c.Metadata = maps.Clone(e.Metadata)
	if c.Metadata == nil {
		c.Metadata = map[string]string{}
	}
	c.Metadata[key] = value
	return &c
}

// GRPCStatus makes Error a gRPC status with ErrorInfo, BadRequest and RetryInfo as they apply.
func (e *Error) GRPCStatus() *status.Status {
	st := status.New(e.Code, e.Message)
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: e.Reason, Domain: e.Domain, Metadata: e.Metadata}}
	if len(e.Fields) > 0 {
		bad := &errdetails.BadRequest{}
		for _, f := range e.Fields {
			bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
				Field: f.Path, Description: f.Description, Reason: f.Reason,
			})
		}
		details = append(details, bad)
	}
	if e.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(e.RetryAfter)})
	}
	// WithDetails fails for code OK alone, and an Error never has it.
	if with, err := st.WithDetails(details...); err == nil {
		return with
	}
	return st
}

// Domain is the ErrorInfo domain of a service.
func Domain(service string) string { return "crossdock.dev/" + service }

// FromStatus reads an Error back from a status, as a client got it. A status without ErrorInfo gets the reason of its code.
func FromStatus(st *status.Status) *Error {
	e := &Error{Code: st.Code(), Message: st.Message()}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			e.Reason, e.Domain, e.Metadata = d.GetReason(), d.GetDomain(), d.GetMetadata()
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				e.Fields = append(e.Fields, Field{Path: v.GetField(), Description: v.GetDescription(), Reason: v.GetReason()})
			}
		case *errdetails.RetryInfo:
			e.RetryAfter = d.GetRetryDelay().AsDuration()
		}
	}
	if e.Reason == "" {
		e.Reason = reasonOf(e.Code)
	}
	return e
}

// From reads an Error from what a client call returned; nil for nil, and for an error that is no status the code is UNKNOWN.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return FromStatus(status.Convert(err))
}

// Reason is the stable reason of an error that a client call returned, "" for nil.
func Reason(err error) string {
	if err == nil {
		return ""
	}
	return From(err).Reason
}
