package order

// Fact is something that happened to an order, told to others in the commit that made it so. Each holds the order as it
// stood right after.
type Fact interface{ About() Order }

// OrderCreated: an order was taken in.
type OrderCreated struct{ Order Order }

// OrderConfirmed: an order was promised.
type OrderConfirmed struct{ Order Order }

// OrderHeld: a hold was put on an order.
type OrderHeld struct {
	Order Order
	Hold  Hold
}

// OrderHoldReleased: a hold was taken away.
type OrderHoldReleased struct {
	Order Order
	Hold  Hold
}

// OrderReleased: all or part of an order was handed to planning.
type OrderReleased struct {
	Order   Order
	Release Release
}

// OrderCancellationRequested: a customer wants a released order cancelled; the carrier has to be called off.
type OrderCancellationRequested struct {
	Order    Order
	Releases []string // names of the releases to call off
}

// OrderCancellationRefused: part of an order left before the carrier could be called off, so it is no longer to be cancelled.
type OrderCancellationRefused struct {
	Order  Order
	Reason string // why the customer wanted it
}

// OrderCancelled: everything of an order was cancelled.
type OrderCancelled struct {
	Order  Order
	Reason string
}

// CommitmentChanged: the name of the release or fulfilment state, or the estimate, changed.
type CommitmentChanged struct {
	Order Order
	// Milestone is when the last milestone happened; zero when none did.
	Milestone Moment
}

// OrderClosed: everything ordered is billed or cancelled.
type OrderClosed struct{ Order Order }

// About is the order of the fact.
func (f OrderCreated) About() Order { return f.Order }

// About is the order of the fact.
func (f OrderConfirmed) About() Order { return f.Order }

// About is the order of the fact.
func (f OrderHeld) About() Order { return f.Order }

// About is the order of the fact.
func (f OrderHoldReleased) About() Order { return f.Order }

// About is the order of the fact.
func (f OrderReleased) About() Order { return f.Order }

// About is the order of the fact.
func (f OrderCancellationRequested) About() Order { return f.Order }

// About is the order of the fact.
func (f OrderCancellationRefused) About() Order { return f.Order }

// About is the order of the fact.
func (f OrderCancelled) About() Order { return f.Order }

// About is the order of the fact.
func (f CommitmentChanged) About() Order { return f.Order }

// About is the order of the fact.
func (f OrderClosed) About() Order { return f.Order }
