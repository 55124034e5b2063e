package wire

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
)

// covers checks that every value of an enumeration of the contract has a value of the domain and comes back as it was. The
// unspecified value is let off where it is not allowed.
func covers[D, W interface {
	comparable
}](t *testing.T, p pairs[D, W], values protoreflect.EnumValueDescriptors, make func(protoreflect.EnumNumber) W) {
	t.Helper()
	var none D
	for i := range values.Len() {
		v := values.Get(i)
		w := make(v.Number())
		if d := p.from(w); v.Number() != 0 && d == none {
			t.Errorf("%s has no value in the domain", v.FullName())
		} else if v.Number() != 0 && p.to(d) != w {
			t.Errorf("%s comes back as %v", v.FullName(), p.to(d))
		}
	}
}

func TestEnumerations(t *testing.T) {
	covers(t, rules, typev1.EventTime_Rule(0).Descriptor().Values(), func(n protoreflect.EnumNumber) typev1.EventTime_Rule { return typev1.EventTime_Rule(n) })
	covers(t, shipmentStates, freightv1.Shipment_State(0).Descriptor().Values(), func(n protoreflect.EnumNumber) freightv1.Shipment_State { return freightv1.Shipment_State(n) })
	covers(t, confidences, freightv1.Confidence(0).Descriptor().Values(), func(n protoreflect.EnumNumber) freightv1.Confidence { return freightv1.Confidence(n) })
	covers(t, loadStates, freightv1.Load_State(0).Descriptor().Values(), func(n protoreflect.EnumNumber) freightv1.Load_State { return freightv1.Load_State(n) })
	covers(t, roles, freightv1.Stop_Role(0).Descriptor().Values(), func(n protoreflect.EnumNumber) freightv1.Stop_Role { return freightv1.Stop_Role(n) })
	covers(t, tenderStates, freightv1.Tender_State(0).Descriptor().Values(), func(n protoreflect.EnumNumber) freightv1.Tender_State { return freightv1.Tender_State(n) })
	covers(t, declineReasons, freightv1.DeclineReason(0).Descriptor().Values(), func(n protoreflect.EnumNumber) freightv1.DeclineReason { return freightv1.DeclineReason(n) })
	covers(t, milestones, freightv1.Milestone(0).Descriptor().Values(), func(n protoreflect.EnumNumber) freightv1.Milestone { return freightv1.Milestone(n) })
	covers(t, sources, freightv1.Claim_Source(0).Descriptor().Values(), func(n protoreflect.EnumNumber) freightv1.Claim_Source { return freightv1.Claim_Source(n) })
	covers(t, proofTypes, freightv1.ProofOfDelivery_Type(0).Descriptor().Values(), func(n protoreflect.EnumNumber) freightv1.ProofOfDelivery_Type {
		return freightv1.ProofOfDelivery_Type(n)
	})
	covers(t, proofStates, freightv1.ProofOfDelivery_State(0).Descriptor().Values(), func(n protoreflect.EnumNumber) freightv1.ProofOfDelivery_State {
		return freightv1.ProofOfDelivery_State(n)
	})
	covers(t, kinds, freightv1.ProofOfDelivery_Exception_Kind(0).Descriptor().Values(), func(n protoreflect.EnumNumber) freightv1.ProofOfDelivery_Exception_Kind {
		return freightv1.ProofOfDelivery_Exception_Kind(n)
	})
}
