package tests

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "crossdock.dev/gen/crossdock/billing/v1"
	_ "crossdock.dev/gen/crossdock/edge/v1"
	_ "crossdock.dev/gen/crossdock/edi/v1"
	_ "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	governancev1 "crossdock.dev/gen/crossdock/governance/v1"
	_ "crossdock.dev/gen/crossdock/masterdata/v1"
	_ "crossdock.dev/gen/crossdock/orders/v1"
	_ "crossdock.dev/gen/crossdock/tower/v1"
	_ "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/platform/idempotency"
	"crossdock.dev/platform/origin"
)

// TestEveryMethodHasAPolicy fails the build for a method that does not say who owns it, who may call it, what makes a repeat
// safe, and the rest. Every field of the policy counts, callers apart: a method may be for people and partners alone.
func TestEveryMethodHasAPolicy(t *testing.T) {
	methods := 0
	eachFile(func(f protoreflect.FileDescriptor) {
		for i := range f.Services().Len() {
			service := f.Services().Get(i)
			for j := range service.Methods().Len() {
				m := service.Methods().Get(j)
				methods++
				policy, ok := proto.GetExtension(m.Options(), governancev1.E_Method).(*governancev1.MethodPolicy)
				if !ok || policy == nil {
					t.Errorf("%s has no policy", m.FullName())
					continue
				}
				fields := policy.ProtoReflect().Descriptor().Fields()
				for k := range fields.Len() {
					if field := fields.Get(k); field.Name() != "callers" && !policy.ProtoReflect().Has(field) {
						t.Errorf("%s says no %s", m.FullName(), field.Name())
					}
				}
				changes := m.Input().Fields().ByName("request_id") != nil
				if repeatable := policy.GetIdempotency() == governancev1.MethodPolicy_REQUEST_ID; repeatable != changes {
					t.Errorf("%s: idempotency %s, request_id in its request: %v", m.FullName(), policy.GetIdempotency(), changes)
				}
			}
		}
	})
	if methods < 50 {
		t.Errorf("%d methods found: the packages are not linked", methods)
	}
}

// TestPersonalDataIsMarked names the fields that hold data about people. A new one that looks like it must be marked, or
// listed here with the reason why it is none.
func TestPersonalDataIsMarked(t *testing.T) {
	suspicious := map[protoreflect.Name]bool{
		"phone": true, "email": true, "received_by": true, "signature": true, "contact_name": true, "driver": true, "first_name": true, "last_name": true,
	}
	marked := map[protoreflect.FullName]bool{}
	var walk func(m protoreflect.MessageDescriptor)
	walk = func(m protoreflect.MessageDescriptor) {
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			is, ok := proto.GetExtension(f.Options(), governancev1.E_Personal).(bool)
			if ok && is {
				marked[f.FullName()] = true
			} else if suspicious[f.Name()] {
				t.Errorf("%s looks like data about a person and is not marked as personal", f.FullName())
			}
		}
		for i := range m.Messages().Len() {
			walk(m.Messages().Get(i))
		}
	}
	eachFile(func(f protoreflect.FileDescriptor) {
		for i := range f.Messages().Len() {
			walk(f.Messages().Get(i))
		}
	})
	if want := protoreflect.FullName("crossdock.freight.v1.ProofOfDelivery.received_by"); !marked[want] {
		t.Errorf("%s is not marked as personal", want)
	}
}

// TestFingerprintsHoldNothingPersonal: a fingerprint stands in the log for ever, and a short name could be guessed from it after
// the name itself was erased.
func TestFingerprintsHoldNothingPersonal(t *testing.T) {
	ctx := origin.With(t.Context(), origin.Origin{Principal: origin.Principal{Kind: origin.Service, Name: "x"}, Method: "/s/m"})
	fingerprint := func(name, load string) []byte {
		t.Helper()
		req := &freightv1.CreateProofOfDeliveryRequest{ProofOfDelivery: &freightv1.ProofOfDelivery{ReceivedBy: name, Load: load}}
		cause, err := idempotency.Cause(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		if req.GetProofOfDelivery().GetReceivedBy() != name {
			t.Error("the request was changed")
		}
		return cause.Fingerprint
	}
	if !bytes.Equal(fingerprint("J. Example", "NL1"), fingerprint("", "NL1")) {
		t.Error("a name changed the fingerprint")
	}
	if bytes.Equal(fingerprint("J. Example", "NL1"), fingerprint("J. Example", "NL2")) {
		t.Error("another load did not change the fingerprint")
	}
}

// eachFile calls fn for every file of our contracts, storage records included.
func eachFile(fn func(protoreflect.FileDescriptor)) {
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if f.Package().Parent() != "" && f.Package()[:min(len(f.Package()), 10)] == "crossdock." {
			fn(f)
		}
		return true
	})
}
