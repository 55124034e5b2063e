// Package idempotency makes the cause of a change out of a call: who calls which method with which request id, and a
// fingerprint of the other arguments, so that the store can tell a repeat (same answer again) from a reuse of the id (refused).
//
// It promises that only the field request_id and fields marked as personal are left out of the fingerprint (the hash stands in
// the log for ever, and a short name could be guessed from it after it was erased), and that the principal is the one proved
// by the interceptor. Left to others: making request ids, and remembering answers (package store).
package idempotency

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	governancev1 "crossdock.dev/gen/crossdock/governance/v1"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/store"
)

// ErrNoPrincipal is returned for a call that no interceptor has proved.
var ErrNoPrincipal = errors.New("idempotency: the call has no principal")

const requestID = protoreflect.Name("request_id")

// Cause returns the cause of a change that req asks for. A request without the field request_id, or with an empty one, gives a
// cause that is not remembered.
func Cause(ctx context.Context, req proto.Message) (store.Cause, error) {
	o := origin.From(ctx)
	principal := o.Principal.String()
	if principal == "" || o.Method == "" {
		return store.Cause{}, ErrNoPrincipal
	}
	c := store.Cause{Principal: principal, Method: o.Method, Actor: o.Actor, Traceparent: o.Traceparent, After: o.After}
	if f := req.ProtoReflect().Descriptor().Fields().ByName(requestID); f != nil && f.Kind() == protoreflect.StringKind && !f.IsList() {
		c.RequestID = req.ProtoReflect().Get(f).String()
		req = proto.Clone(req)
		req.ProtoReflect().Clear(f)
	}
	if holdsPersonal(req.ProtoReflect()) {
		req = proto.Clone(req)
		clearPersonal(req.ProtoReflect())
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(req)
	if err != nil {
		return store.Cause{}, fmt.Errorf("fingerprint of %s: %w", o.Method, err)
	}
	sum := sha256.Sum256(data)
	c.Fingerprint = sum[:]
	return c, nil
}

// personal walks the fields of m that are set, calling fn with each that is marked as personal and its message.
func personal(m protoreflect.Message, fn func(m protoreflect.Message, f protoreflect.FieldDescriptor)) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if marked, ok := proto.GetExtension(f.Options(), governancev1.E_Personal).(bool); ok && marked {
			fn(m, f)
			return true
		}
		switch {
		case f.IsMap() && f.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, e protoreflect.Value) bool {
				personal(e.Message(), fn)
				return true
			})
		case f.IsMap() || f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				personal(v.List().Get(i).Message(), fn)
			}
		default:
			personal(v.Message(), fn)
		}
		return true
	})
}

func holdsPersonal(m protoreflect.Message) bool {
	found := false
	personal(m, func(protoreflect.Message, protoreflect.FieldDescriptor) { found = true })
	return found
}

func clearPersonal(m protoreflect.Message) {
	personal(m, func(m protoreflect.Message, f protoreflect.FieldDescriptor) { m.Clear(f) })
}
