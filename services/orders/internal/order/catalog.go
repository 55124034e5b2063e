package order

import (
	"fmt"
	"strings"
	"time"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/quantity"
)

// Catalog is what master data holds. A look-up of what it does not hold is no error: ok is false, or the list is empty.
type Catalog interface {
	Customer(name string) (c Customer, ok bool, err error)
	LegalEntity(name string) (e LegalEntity, ok bool, err error)
	Site(name string) (s Site, ok bool, err error)
	SitesByExternalID(id ExternalID) ([]Site, error)
	Item(name string) (i Item, ok bool, err error)
	ItemsByExternalID(id ExternalID) ([]Item, error)
	Calendar(name string) (c calendar.Calendar, ok bool, err error)
	Lane(from, to string) (l Lane, ok bool, err error)
	// Terms are the approved contract versions of a customer, in any order.
	Terms(customer string) ([]Terms, error)
}

// Customer is a party that buys from us.
type Customer struct {
	Name, LegalEntity, Currency string
}

// LegalEntity is one of our own companies.
type LegalEntity struct {
	Name, ShipFrom string
}

// Site is a place that goods leave from or go to.
type Site struct {
	Name, Owner, Zone string
	Open              []time.Weekday
	From, To          calendar.TimeOfDay // opening hours, local
	ShippingCalendar  string             // ship-from sites alone
	CutOff            calendar.TimeOfDay
	HasCutOff         bool
}

func (s Site) calendar() (calendar.Calendar, error) {
	return calendar.New(calendar.Spec{ID: s.Name, Zone: s.Zone, WorkingDays: s.Open, From: s.From, To: s.To})
}

// Item is something that is sold.
type Item struct {
	Name, BaseUnit string
	GrossWeight    quantity.Quantity // of one base unit
	UnitsPerCarton int
	ValidFrom      calendar.Date // first day it may be ordered; zero for ever
}

// Lane is a way between two sites.
type Lane struct {
	Name        string
	TransitDays map[Mode]int // working days
}

// Terms is an approved contract version of a customer.
type Terms struct {
	Contract      string
	Version       int
	EffectiveFrom calendar.Date // first ship date, local to the ship-from
	AutoRelease   bool
}

// Missing is one thing that master data lacks for an order.
type Missing struct {
	Field  string   // of the order, such as "lines[2].item"
	Reason string   // in words
	Keys   []string // any of these, when it arrives, is a reason to look again
}

// Keys under which orders wait for master data; a resource's own name is one as it is.
func KeyOfItemID(id ExternalID) string {
	return "items?" + strings.Join([]string{id.System, id.Qualifier, id.Value}, "/")
}

// KeyOfSiteID is the key of a site by a partner's name for it.
func KeyOfSiteID(id ExternalID) string {
	return "locations?" + strings.Join([]string{id.System, id.Kind, id.Qualifier, id.Value}, "/")
}

// KeyOfLane is the key of the lane between two sites.
func KeyOfLane(from, to string) string { return "lanes?" + from + "/" + to }

// KeyOfTerms is the key of a customer's contract.
func KeyOfTerms(customer string) string { return "contracts?" + customer }

// Basis is the master data that an order rests on, once nothing is missing.
type Basis struct {
	ShipFrom, ShipTo Site
	Shipping         calendar.Calendar
	Lane             Lane
	Items            []Item  // by place of the line
	Windows          Windows // the earliest feasible as of now
	Terms            Terms   // in force on the ship date
}

// Resolve fills in what the order left out and looks up what it rests on. What master data lacks is returned, all of it;
// the basis is whole only when nothing is. Fields once filled in are not looked for again.
func (o Order) Resolve(c Catalog, p Policy, now time.Time) (Order, Basis, []Missing, error) {
	r := resolver{Order: o.clone(), catalog: c, limit: p.LTLLimit, today: calendar.DateOf(now, time.UTC)}
	for _, step := range []func() error{r.customer, r.shipFrom, r.shipTo, r.items, r.mode, r.lane} {
		if err := step(); err != nil {
			return o, Basis{}, nil, err
		}
	}
	if len(r.missing) == 0 {
		if err := r.terms(p, now); err != nil {
			return o, Basis{}, nil, err
		}
	}
	return r.Order, r.basis, r.missing, nil
}

// resolver collects what is found and what is not.
type resolver struct {
	Order
	catalog Catalog
	limit   quantity.Quantity
	today   calendar.Date
	basis   Basis
	missing []Missing
}

func (r *resolver) lacks(field, reason string, keys ...string) {
	r.missing = append(r.missing, Missing{Field: field, Reason: reason, Keys: keys})
}

func (r *resolver) customer() error {
	c, ok, err := r.catalog.Customer(r.Customer)
	if err != nil {
		return err
	}
	if !ok {
		r.lacks("customer", r.Customer+" is no known customer", r.Customer)
	} else {
		r.LegalEntity = orElse(r.LegalEntity, c.LegalEntity)
		r.Currency = orElse(r.Currency, c.Currency)
	}
	if r.LegalEntity == "" {
		return nil
	}
	e, ok, err := r.catalog.LegalEntity(r.LegalEntity)
	if err != nil {
		return err
	}
	switch {
	case !ok:
		r.lacks("legal_entity", r.LegalEntity+" is not known", r.LegalEntity)
	case r.ShipFrom == "" && e.ShipFrom == "":
		r.lacks("ship_from", e.Name+" has no site to ship from", e.Name)
	default:
		r.ShipFrom = orElse(r.ShipFrom, e.ShipFrom)
	}
	return nil
}

func (r *resolver) shipFrom() error {
	if r.ShipFrom == "" {
		return nil
	}
	s, ok, err := r.catalog.Site(r.ShipFrom)
	if err != nil {
		return err
	}
	switch {
	case !ok, s.Owner != r.LegalEntity && r.LegalEntity != "":
		r.lacks("ship_from", r.ShipFrom+" is no known site of "+orElse(r.LegalEntity, "ours"), r.ShipFrom)
		return nil
	case !s.HasCutOff || s.ShippingCalendar == "":
		r.lacks("ship_from", r.ShipFrom+" has no cut-off or no shipping calendar", r.ShipFrom)
		return nil
	}
	r.basis.ShipFrom = s
	r.basis.Shipping, ok, err = r.catalog.Calendar(s.ShippingCalendar)
	if err == nil && !ok {
		r.lacks("ship_from", s.ShippingCalendar+" of "+s.Name+" is not known", s.ShippingCalendar)
	}
	return err
}

// shipTo takes sites of the customer alone: another's is answered like an unknown one.
func (r *resolver) shipTo() error {
	var found []Site
	key, said := r.ShipTo, r.ShipTo
	if r.ShipTo != "" {
		s, ok, err := r.catalog.Site(r.ShipTo)
		if err != nil {
			return err
		}
		if ok {
			found = []Site{s}
		}
	} else {
		var err error
		if found, err = r.catalog.SitesByExternalID(r.ShipToExternal); err != nil {
			return err
		}
		id := r.ShipToExternal
		key, said = KeyOfSiteID(id), strings.TrimSpace(id.Kind+" "+id.Qualifier)+" "+id.Value
	}
	var own []Site
	for _, s := range found {
		if s.Owner == r.Customer {
			own = append(own, s)
		}
	}
	if len(own) != 1 {
		r.lacks("ship_to", said+" is no known site of "+r.Customer, key)
		return nil
	}
	if _, err := own[0].calendar(); err != nil {
		r.lacks("ship_to", own[0].Name+" has no opening hours", own[0].Name)
		return nil
	}
	r.basis.ShipTo, r.ShipTo = own[0], own[0].Name
	return nil
}

func (r *resolver) items() error {
	r.basis.Items = make([]Item, len(r.Lines))
	for i := range r.Lines {
		l := &r.Lines[i]
		field := fmt.Sprintf("lines[%d].item", i)
		item, ok, err := r.item(*l)
		switch {
		case err != nil:
			return err
		case !ok:
			names, keys := []string{}, []string{}
			if l.Item != "" {
				names, keys = append(names, l.Item), append(keys, l.Item)
			} else {
				for _, id := range l.ExternalIDs {
					names, keys = append(names, strings.TrimSpace(id.Qualifier+" "+id.Value)), append(keys, KeyOfItemID(id))
				}
			}
			r.lacks(field, fmt.Sprintf("line %s: %s is no known item", l.ID, strings.Join(names, ", ")), keys...)
			continue
		case r.today.Before(item.ValidFrom):
			r.lacks(field, fmt.Sprintf("line %s: %s may be ordered from %s on", l.ID, item.Name, item.ValidFrom), item.Name)
		case l.Unit != item.BaseUnit:
			r.lacks(fmt.Sprintf("lines[%d].quantity.unit", i), fmt.Sprintf("line %s: %s is counted in %s, not in %s", l.ID, item.Name, item.BaseUnit, l.Unit), item.Name)
		}
		l.Item = item.Name
		if l.Pack == 0 {
			l.Pack = item.UnitsPerCarton
		}
		r.basis.Items[i] = item
	}
	return nil
}

// item finds a line's item by name, else by the first external id that names exactly one.
func (r *resolver) item(l Line) (Item, bool, error) {
	if l.Item != "" {
		return r.catalog.Item(l.Item)
	}
	for _, id := range l.ExternalIDs {
		found, err := r.catalog.ItemsByExternalID(id)
		if err != nil {
			return Item{}, false, err
		}
		if len(found) == 1 {
			return found[0], true, nil
		}
	}
	return Item{}, false, nil
}

// weightPlaces is enough places to turn any weight into pounds for the comparison with the limit.
const weightPlaces = 8

// mode is LTL up to the limit of gross weight and TL above, once all items are known.
func (r *resolver) mode() error {
	if r.Mode != "" {
		return nil
	}
	total := decimal.Zero
	for i, item := range r.basis.Items {
		if item.Name == "" {
			return nil
		}
		weight, err := item.GrossWeight.Mul(r.Lines[i].Quantities.n.Ordered).In(r.limit.Unit(), weightPlaces)
		if err != nil { // a weight that is none, such as a count
			r.lacks(fmt.Sprintf("lines[%d].item", i), fmt.Sprintf("line %s: %s has no weight", r.Lines[i].ID, item.Name), item.Name)
			return nil
		}
		total = total.Add(weight.Value())
	}
	r.Mode = LTL
	if r.limit.Value().Less(total) {
		r.Mode = TL
	}
	return nil
}

func (r *resolver) lane() error {
	if r.basis.ShipFrom.Name == "" || r.basis.ShipTo.Name == "" {
		return nil
	}
	l, ok, err := r.catalog.Lane(r.ShipFrom, r.ShipTo)
	if err != nil {
		return err
	}
	_, served := l.TransitDays[r.Mode]
	switch {
	case !ok:
		r.lacks("ship_to", fmt.Sprintf("no lane from %s to %s", r.ShipFrom, r.ShipTo), KeyOfLane(r.ShipFrom, r.ShipTo))
	case r.Mode != "" && !served:
		r.lacks("mode", fmt.Sprintf("%s has no transit days for %s", l.Name, r.Mode), KeyOfLane(r.ShipFrom, r.ShipTo))
	}
	r.basis.Lane = l
	return nil
}

// terms finds the dates, then the contract version in force on the ship date: the highest one.
func (r *resolver) terms(p Policy, now time.Time) error {
	w, err := r.windows(p, r.basis, now)
	if err != nil {
		return err
	}
	all, err := r.catalog.Terms(r.Customer)
	if err != nil {
		return err
	}
	found := false
	for _, t := range all {
		if !t.EffectiveFrom.After(w.ShipDate) && (!found || t.Version > r.basis.Terms.Version) {
			r.basis.Terms, found = t, true
		}
	}
	if !found {
		r.lacks("customer", fmt.Sprintf("%s has no approved contract in force on %s", r.Customer, w.ShipDate), KeyOfTerms(r.Customer))
	}
	r.basis.Windows = w
	return nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func reasons(ms []Missing) string {
	parts := make([]string, len(ms))
	for i, m := range ms {
		parts[i] = m.Reason
	}
	return strings.Join(parts, "; ")
}
