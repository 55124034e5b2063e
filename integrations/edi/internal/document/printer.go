// Package document gathers what a set of ours says from what freight and billing tell: a tender for a 204, an invoice for an 810.
// It promises to say nothing but what the facts, the copies of masterdata and the customer's own order say, and to name what it
// misses. Writing the set is package mapping's; envelopes and sending are package app's.
package document

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/integrations/edi/internal/app"
	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/integrations/edi/internal/store"
	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
	platform "crossdock.dev/platform/store"
)

// Printer implements app.Printer.
type Printer struct{}

// Print returns the set of a draft.
func (Printer) Print(ctx context.Context, r platform.Reader, d store.Draft, original func(party, number string) (*mapping.PurchaseOrder, error)) (set x12.Set, functionalID string, err error) {
	fact, err := d.Fact.UnmarshalNew()
	if err != nil {
		return set, "", &app.UnfitError{Detail: fmt.Sprintf("the fact cannot be read: %v", err)}
	}
	l := &look{ctx: ctx, r: r, original: original}
	switch m := fact.(type) {
	case *freightv1.LoadTendered:
		t, err := l.tender(m)
		return mapping.Out204(t), "SM", errors.Join(l.err, err)
	case *freightv1.Tender:
		return mapping.Out204(cancellation(m)), "SM", nil
	case *billingv1.InvoiceIssued:
		i, err := l.invoice(m.GetInvoice())
		if err = errors.Join(l.err, err); err != nil {
			return set, "", err
		}
		if set, err = mapping.Out810(i); err != nil {
			err = &app.UnfitError{Detail: err.Error()}
		}
		return set, "IN", err
	}
	return set, "", &app.UnfitError{Detail: fmt.Sprintf("no document says %T", fact)}
}

// look reads copies of masterdata, and remembers those that have not come.
type look struct {
	ctx     context.Context
	r       platform.Reader
	missing []string
	err     error
	// original is the 850 that an order came as.
	original func(party, number string) (*mapping.PurchaseOrder, error)
}

// order is the 850 that a customer's order came as; empty when it came another way.
func (l *look) order(customer, number string) mapping.PurchaseOrder {
	po, err := l.original(customer, number)
	l.err = errors.Join(l.err, err)
	if po == nil {
		return mapping.PurchaseOrder{}
	}
	return *po
}

func (l *look) read(name string, m proto.Message) {
	err := store.Resource(l.ctx, l.r, name, m)
	if errors.Is(err, store.ErrNotFound) {
		l.missing = append(l.missing, name)
		return
	}
	l.err = errors.Join(l.err, err)
}

// complete says what is missing.
func (l *look) complete() error {
	if len(l.missing) > 0 && l.err == nil {
		l.err = &app.MissingError{Names: l.missing}
	}
	return l.err
}

func (l *look) legalEntity(name string) *masterdatav1.LegalEntity {
	m := &masterdatav1.LegalEntity{}
	l.read(name, m)
	return m
}

func (l *look) party(name string) *masterdatav1.Party {
	m := &masterdatav1.Party{}
	l.read(name, m)
	return m
}

func (l *look) location(name string) *masterdatav1.Location {
	m := &masterdatav1.Location{}
	l.read(name, m)
	return m
}

// ours is the qualifier of our own names of places and companies: assigned by the organisation that sends the set (data element
// 66).
const ours = "93"

// bare is the last part of a resource name.
func bare(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// address is a party of a set.
func address(name, qualifier, id string, a *typev1.Address) mapping.Party {
	return mapping.Party{
		Name: name, Qualifier: qualifier, ID: id, Street: a.GetLines(), City: a.GetCity(), State: a.GetState(), PostalCode: a.GetPostcode(), Country: a.GetCountry(),
	}
}

// ourselves is the legal entity that buys the freight or issues the invoice.
func (l *look) ourselves(name string) mapping.Party {
	le := l.legalEntity(name)
	return address(le.GetDisplayName(), ours, bare(name), le.GetAddress())
}

// site is a place where goods are loaded or unloaded: by the number and name that the customer's own order gave it, else by ours.
func (l *look) site(name string, po mapping.PurchaseOrder) mapping.Party {
	at := l.location(name)
	p := address(at.GetDisplayName(), ours, bare(name), at.GetAddress())
	for _, id := range at.GetExternalIds() {
		if id.GetSystem() == "x12" && id.GetKind() == "n1_st" {
			p.Qualifier, p.ID = id.GetQualifier(), id.GetValue()
			if st := po.ShipTo(); st != nil && st.Qualifier == p.Qualifier && st.ID == p.ID && st.Name != "" {
				p.Name = message.Text(st.Name)
			}
			break
		}
	}
	return p
}

// billTo is who pays the carrier: our own company, or of collect freight the customer, as its order says.
func (l *look) billTo(s *freightv1.Shipment, legalEntity, method string, po mapping.PurchaseOrder) mapping.Party {
	out := mapping.Party{}
	switch bt := po.BillTo(); {
	case method != collect:
		out = l.ourselves(legalEntity)
	case bt != nil:
		out = *bt
		out.Name, out.City = message.Text(bt.Name), message.Text(bt.City)
		out.Street = nil
		for _, line := range bt.Street {
			out.Street = append(out.Street, message.Text(line))
		}
	default:
		out.Name = l.party(s.GetCustomer()).GetDisplayName()
	}
	out.Role = "BT"
	return out
}

// collect is the method of payment of freight that the customer pays (X12 data element 146).
const collect = "CC"
