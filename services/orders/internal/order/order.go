package order

import (
	"slices"
	"time"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
)

// Order is a customer's order. Names are resource names, such as "parties/CUS-XYZ"; empty fields are not known yet.
type Order struct {
	Name            string // "orders/ord_..."
	Customer        string
	Number          string // at the customer; unique per customer for ever
	LegalEntity     string
	ShipFrom        string
	ShipTo          string
	ShipToExternal  ExternalID // as the partner wrote it; zero when it did not
	Mode            Mode
	Currency        string // ISO 4217
	OrderDate       calendar.Date
	RequestedDate   calendar.Date // kept also when it lies in the past
	PickupLocal     string        // appointment at the ship-from, "2026-03-07T08:00", local; empty for none
	DeliveryLocal   string        // appointment at the ship-to, likewise
	Consolidate     bool
	EtaWatch        bool
	PaymentTerms    string
	StatedTotal     money.Amount // as the customer wrote it; without currency when it did not
	Source          string       // the document that it came in
	Lines           []Line
	Commercial      Commercial
	Holds           []Hold
	Missing         []Missing // what the MASTER_DATA hold is about
	Promise         *Promise  // nil before confirmation
	CancelReason    string    // why the customer wants it cancelled; empty when it does not
	Releases        int       // how many there are
	Revision        uint64
	Created, Update time.Time // business time, UTC
}

// Line is one line of an order.
type Line struct {
	ID          string // as the customer numbered it; unique in the order
	Item        string
	ExternalIDs []ExternalID // tried in order; kept as given
	Description string
	Unit        string // UN/ECE Rec 20, of all quantities
	Price       decimal.Decimal
	Pack        int // base units per carton; 0 until the item is known
	Quantities  Quantities
}

// ExternalID is a name in another system's words.
type ExternalID struct{ System, Kind, Qualifier, Value string }

// Mode is how goods are carried.
type Mode string

// The modes.
const (
	TL  Mode = "TL"
	LTL Mode = "LTL"
)

// HoldKind is why an order is held.
type HoldKind string

// The kinds of hold.
const (
	HoldCredit     HoldKind = "CREDIT"
	HoldExport     HoldKind = "EXPORT"
	HoldAddress    HoldKind = "ADDRESS"
	HoldMasterData HoldKind = "MASTER_DATA"
	HoldCustomer   HoldKind = "CUSTOMER"
	HoldQuality    HoldKind = "QUALITY"
	HoldFraud      HoldKind = "FRAUD"
)

// Hold blocks confirmation and release until it is taken away. An order has one of a kind at most.
type Hold struct {
	Kind   HoldKind
	Reason string   // in words
	Fields []string // of the order, such as "lines[2].item"
	Actor  string   // who placed it
	Since  time.Time
}

// Dimensions are the order's states towards carrier, goods and money.
func (o Order) Dimensions() Dimensions {
	qs := make([]Quantities, len(o.Lines))
	for i, l := range o.Lines {
		qs[i] = l.Quantities
	}
	return Dimension(qs)
}

// Hold returns the hold of a kind.
func (o Order) Hold(k HoldKind) (Hold, bool) {
	for _, h := range o.Holds {
		if h.Kind == k {
			return h, true
		}
	}
	return Hold{}, false
}

// clone keeps what a verb changes apart from the order that it was given.
func (o Order) clone() Order {
	o.Lines = slices.Clone(o.Lines)
	o.Holds = slices.Clone(o.Holds)
	o.Missing = slices.Clone(o.Missing)
	if o.Promise != nil {
		p := *o.Promise
		o.Promise = &p
	}
	return o
}

// line finds a line by its number, -1 when there is none.
func (o Order) line(id string) int {
	return slices.IndexFunc(o.Lines, func(l Line) bool { return l.ID == id })
}

// Total is the sum of the lines, each rounded once half-up to the currency's minor unit.
func (o Order) Total() (money.Amount, error) {
	amounts := make([]money.Amount, len(o.Lines))
	for i, l := range o.Lines {
		var err error
		if amounts[i], err = money.Round(l.Quantities.n.Ordered.Mul(l.Price), o.Currency); err != nil {
			return money.Amount{}, err
		}
	}
	return money.Sum(o.Currency, amounts...)
}

// commitment tells CommitmentChanged when what the customer may count on, or how far, differs from before.
func (o Order) commitment(before Order, milestone Moment) []Fact {
	was, is := before.Dimensions(), o.Dimensions()
	var wasPromise, isPromise Promise
	if before.Promise != nil {
		wasPromise = *before.Promise
	}
	if o.Promise != nil {
		isPromise = *o.Promise
	}
	if was.Release == is.Release && was.Fulfilment == is.Fulfilment && wasPromise.Estimate.At.Equal(isPromise.Estimate.At) &&
		wasPromise.Trust.same(isPromise.Trust) {
		return nil
	}
	return []Fact{CommitmentChanged{o, milestone}}
}
