package order

// ReleaseState is how far the quantities have come towards a carrier.
type ReleaseState string

// The release states. PARTLY_ names the most advanced of several.
const (
	Unreleased       ReleaseState = "UNRELEASED"
	Released         ReleaseState = "RELEASED"
	Planned          ReleaseState = "PLANNED"
	Tendered         ReleaseState = "TENDERED"
	Secured          ReleaseState = "SECURED"
	ReleaseCancelled ReleaseState = "RELEASE_CANCELLED"
	PartlyReleased   ReleaseState = "PARTLY_RELEASED"
	PartlyPlanned    ReleaseState = "PARTLY_PLANNED"
	PartlyTendered   ReleaseState = "PARTLY_TENDERED"
	PartlySecured    ReleaseState = "PARTLY_SECURED"
)

// FulfilmentState is how far the goods have come.
type FulfilmentState string

// The fulfilment states.
const (
	Open            FulfilmentState = "OPEN"
	InTransit       FulfilmentState = "IN_TRANSIT"
	Delivered       FulfilmentState = "DELIVERED"
	PartlyInTransit FulfilmentState = "PARTLY_IN_TRANSIT"
	PartlyDelivered FulfilmentState = "PARTLY_DELIVERED"
)

// BillingState is how far the money has come.
type BillingState string

// The billing states.
const (
	NotBillable    BillingState = "NOT_BILLABLE"
	Billable       BillingState = "BILLABLE"
	Billed         BillingState = "BILLED"
	PartlyBillable BillingState = "PARTLY_BILLABLE"
	PartlyBilled   BillingState = "PARTLY_BILLED"
)

// Dimensions are the three states that follow from the quantities.
type Dimensions struct {
	Release    ReleaseState
	Fulfilment FulfilmentState
	Billing    BillingState
}

// rung is one step of a dimension: its name when all stands there, and when only some does.
type rung[S ~string] struct {
	all, some S
	stands    bool // some quantity of some line stands here
}

// Dimension computes the states of an order from the quantities of its lines. If they stand in several states, the name is
// PARTLY_ and the most advanced. Short, damaged, refused and lost quantities make an order partly, but never give the name.
// Cancelled quantities do not count; an order cancelled whole is RELEASE_CANCELLED, OPEN and NOT_BILLABLE.
func Dimension(lines []Quantities) Dimensions {
	release := []rung[ReleaseState]{
		{all: Unreleased, some: Unreleased}, {all: Released, some: PartlyReleased}, {all: Planned, some: PartlyPlanned},
		{all: Tendered, some: PartlyTendered}, {all: Secured, some: PartlySecured},
	}
	fulfilment := []rung[FulfilmentState]{{all: Open, some: Open}, {all: InTransit, some: PartlyInTransit}, {all: Delivered, some: PartlyDelivered}}
	billing := []rung[BillingState]{{all: NotBillable, some: NotBillable}, {all: Billable, some: PartlyBillable}, {all: Billed, some: PartlyBilled}}
	wanted, exceptions := false, false
	for _, q := range lines {
		n := q.n
		wanted = wanted || q.Wanted().Sign() > 0
		exceptions = exceptions || n.Lost.Add(n.Short).Add(n.Damaged).Add(n.Refused).Sign() > 0

		release[0].stands = release[0].stands || q.Unreleased().Sign() > 0
		release[1].stands = release[1].stands || q.live().Sub(n.Planned).Sign() > 0
		release[2].stands = release[2].stands || n.Planned.Sub(n.Tendered).Sign() > 0
		release[3].stands = release[3].stands || n.Tendered.Sub(n.Secured).Sign() > 0
		release[4].stands = release[4].stands || n.Secured.Sign() > 0

		fulfilment[0].stands = fulfilment[0].stands || q.Unreleased().Add(q.Open()).Sign() > 0
		fulfilment[1].stands = fulfilment[1].stands || q.InTransit().Sign() > 0
		fulfilment[2].stands = fulfilment[2].stands || n.Accepted.Sign() > 0

		billing[0].stands = billing[0].stands || q.Wanted().Sub(n.Authorized).Sign() > 0
		billing[1].stands = billing[1].stands || n.Authorized.Sub(q.billedNet()).Sign() > 0
		billing[2].stands = billing[2].stands || q.billedNet().Sign() > 0
	}
	if !wanted {
		return Dimensions{ReleaseCancelled, Open, NotBillable}
	}
	return Dimensions{highest(release, false), highest(fulfilment, exceptions), highest(billing, false)}
}

// highest names the most advanced step at which something stands; elsewhere says that something stands at no step at all.
func highest[S ~string](rungs []rung[S], elsewhere bool) S {
	for i := len(rungs) - 1; i > 0; i-- {
		if !rungs[i].stands {
			continue
		}
		for _, lower := range rungs[:i] {
			elsewhere = elsewhere || lower.stands
		}
		if elsewhere {
			return rungs[i].some
		}
		return rungs[i].all
	}
	return rungs[0].all
}
