package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	storagev1 "crossdock.dev/gen/crossdock/edi/storage/v1"
	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/platform/store"
)

// Draft is a document to be sent that has not been written yet.
type Draft struct {
	Party   string
	Set     string // "204" or "810"
	Purpose string // of a 204: B2A01
	Fact    *anypb.Any
	Related []string
}

// KeepDraft stores a draft under the id of the interchange that it becomes.
func KeepDraft(ctx context.Context, tx *store.Tx, id string, d Draft) error {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(&storagev1.Draft{
		Party: d.Party, Set: d.Set, Purpose: d.Purpose, Fact: d.Fact, Related: d.Related,
	})
	if err != nil {
		return err
	}
	return keepPieces(ctx, tx, drafts, raw, id)
}

// DraftOf reads a draft; ErrNotFound once it is written.
func DraftOf(ctx context.Context, r store.Reader, id string) (Draft, error) {
	raw, err := pieces(ctx, r, drafts, id)
	if err == nil && len(raw) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Draft{}, err
	}
	rec := &storagev1.Draft{}
	if err := proto.Unmarshal(raw, rec); err != nil {
		return Draft{}, fmt.Errorf("draft %s: %w", id, err)
	}
	return Draft{rec.GetParty(), rec.GetSet(), rec.GetPurpose(), rec.GetFact(), rec.GetRelated()}, nil
}

// DropDraft removes a draft that need not go any more, and ends what waited for it. ok is false when it has been written.
func DropDraft(ctx context.Context, tx *store.Tx, id, reason string) (ok bool, err error) {
	if _, err := DraftOf(ctx, tx, id); err != nil {
		if errors.Is(err, ErrNotFound) {
			err = nil
		}
		return false, err
	}
	if err := dropPieces(ctx, tx, drafts, id); err != nil {
		return false, err
	}
	_, _, held, err := Reopen(ctx, tx, id, 1)
	if errors.Is(err, ErrNotFound) || err == nil && !held {
		return true, nil // nobody was told that it waits
	}
	if err != nil {
		return false, err
	}
	return true, Settle(ctx, tx, id, 1, message.Verdict{Disposition: message.Duplicate, Reason: reason})
}

// Send writes one of our interchanges that a draft has become, and removes the draft. issued is how many numbers were drawn for
// the mailbox before it: ErrMoved when another has drawn the next; ErrNotFound when the draft was dropped meanwhile.
func Send(ctx context.Context, tx *store.Tx, x message.Interchange, s message.Set, issued uint64) error {
	if _, err := DraftOf(ctx, tx, x.ID); err != nil {
		return err
	}
	now, err := Issued(ctx, tx, x.Sender, x.Receiver)
	if err != nil {
		return err
	}
	if now != issued {
		return ErrMoved
	}
	if before, err := SetOf(ctx, tx, x.ID, s.Index); err == nil {
		s.ReasonCode = before.ReasonCode // it has waited for a person, who is told when it has gone
	} else if !errors.Is(err, ErrNotFound) {
		return err
	}
	counted := tally{}
	return errors.Join(
		controlTable.Put(ctx, tx, store.Key(x.Sender, x.Receiver), &storagev1.ControlNumbers{Issued: issued + 1}),
		insert(ctx, tx, counted, x, s),
		counted.save(ctx, tx),
		keepGroup(ctx, tx, x, s),
		dropPieces(ctx, tx, drafts, x.ID),
	)
}

// Hold records one of ours that cannot be written: its set waits, and the draft stays. ErrNotFound when the draft was dropped meanwhile.
func Hold(ctx context.Context, tx *store.Tx, x message.Interchange, s message.Set, v message.Verdict) error {
	if _, err := DraftOf(ctx, tx, x.ID); err != nil {
		return err
	}
	s.Disposition = message.InProgress
	if err := insert(ctx, tx, tally{}, x, s); err != nil {
		return err
	}
	return Settle(ctx, tx, x.ID, s.Index, v)
}

// SaveResource replaces the copy of a resource of masterdata.
func SaveResource(ctx context.Context, tx *store.Tx, name string, m proto.Message) error {
	resource, err := anypb.New(m)
	if err != nil {
		return err
	}
	return masterdataTable.Put(ctx, tx, store.Key(name), &storagev1.Masterdata{Resource: resource})
}

// Resource reads the copy of a resource of masterdata into m; ErrNotFound when masterdata has told nothing of it.
func Resource(ctx context.Context, r store.Reader, name string, m proto.Message) error {
	rec, err := masterdataTable.Get(ctx, r, store.Key(name))
	if err != nil {
		return err
	}
	return rec.GetResource().UnmarshalTo(m)
}

// HasResource reports whether masterdata has told of a resource.
func HasResource(ctx context.Context, r store.Reader, name string) (bool, error) {
	_, err := masterdataTable.Get(ctx, r, store.Key(name))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Stop is a place where a load is worked on.
type Stop struct {
	Sequence int
	Delivery bool
	Zone     string // IANA
}

// Tender is the last offer of a load to a carrier.
type Tender struct {
	Number     string // of the load
	Carrier    string // "parties/CAR-CXBB"
	Name       string
	Load       string // resource name
	Stops      []Stop
	Related    []string
	Offered    bool   // a message that offers it was made
	Offer      string // id of the interchange that offers it
	Withdrawn  bool   // a message that takes it back was made
	Answer     string // that was applied, in our words; empty before
	AnsweredBy string // the set that brought it
}

// SaveTender replaces what is known of an offer.
func SaveTender(ctx context.Context, tx *store.Tx, t Tender) error {
	rec := &storagev1.Tender{
		Name: t.Name, Load: t.Load, Related: t.Related, Offered: t.Offered, Offer: t.Offer, Withdrawn: t.Withdrawn, Answer: t.Answer,
		AnsweredBy: t.AnsweredBy,
	}
	for _, s := range t.Stops {
		rec.Stops = append(rec.Stops, &storagev1.Tender_Stop{Sequence: int32(s.Sequence), Delivery: s.Delivery, Zone: s.Zone})
	}
	return tenderTable.Put(ctx, tx, store.Key(t.Number, t.Carrier), rec)
}

// TenderOf reads the last offer of a load to a carrier.
func TenderOf(ctx context.Context, r store.Reader, number, carrier string) (Tender, error) {
	rec, err := tenderTable.Get(ctx, r, store.Key(number, carrier))
	if err != nil {
		return Tender{}, err
	}
	t := Tender{
		Number: number, Carrier: carrier, Name: rec.GetName(), Load: rec.GetLoad(), Related: rec.GetRelated(), Offered: rec.GetOffered(),
		Offer: rec.GetOffer(), Withdrawn: rec.GetWithdrawn(), Answer: rec.GetAnswer(), AnsweredBy: rec.GetAnsweredBy(),
	}
	for _, s := range rec.GetStops() {
		t.Stops = append(t.Stops, Stop{int(s.GetSequence()), s.GetDelivery(), s.GetZone()})
	}
	return t, nil
}

// SaveFreightTerms notes who pays the freight of a shipment.
func SaveFreightTerms(ctx context.Context, tx *store.Tx, shipment, terms string) error {
	return shipmentTable.Put(ctx, tx, store.Key(shipment), &storagev1.Shipment{FreightTerms: terms})
}

// FreightTerms says who pays the freight of a shipment; empty when it was never offered to a carrier.
func FreightTerms(ctx context.Context, r store.Reader, shipment string) (string, error) {
	rec, err := shipmentTable.Get(ctx, r, store.Key(shipment))
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return rec.GetFreightTerms(), err
}

// Event is what tells one reported event from another.
type Event struct {
	SCAC, Load, Reference string
	Stop                  int
	List, Code, Time      string
}

func (e Event) key() []byte {
	return store.Key(e.SCAC, e.Load, e.Reference, uint32(e.Stop), e.List, e.Code, e.Time)
}

// ReportedBy is the set that told of an event first; empty when none has.
func ReportedBy(ctx context.Context, r store.Reader, e Event) (set string, err error) {
	ref, err := reportedTable.Get(ctx, r, e.key())
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return message.SetName(ref.GetInterchange(), int(ref.GetIndex())), err
}

// ClaimEvents notes that a set is the first to tell of events.
func ClaimEvents(ctx context.Context, tx *store.Tx, id string, index int, events []Event) error {
	for _, e := range events {
		if err := reportedTable.Put(ctx, tx, e.key(), &storagev1.Reference{Interchange: id, Index: uint32(index)}); err != nil {
			return err
		}
	}
	return nil
}

// ReleaseEvents takes back that a set told of events first: they did not come through.
func ReleaseEvents(ctx context.Context, tx *store.Tx, id string, index int, events []Event) error {
	for _, e := range events {
		ref, err := reportedTable.Get(ctx, tx, e.key())
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if ref.GetInterchange() != id || int(ref.GetIndex()) != index {
			continue
		}
		if err := reportedTable.Delete(ctx, tx, e.key()); err != nil {
			return err
		}
	}
	return nil
}

// ComparePlaces sorts sets as they came.
func ComparePlaces(a, b Place) int {
	return cmp.Or(strings.Compare(a.Interchange, b.Interchange), cmp.Compare(a.Index, b.Index))
}

// OrderSet is the set that became a customer's order, empty when it did not come as one.
func OrderSet(ctx context.Context, r store.Reader, party, number string) (Place, error) {
	rec, err := orderTable.Get(ctx, r, store.Key(party, number))
	if errors.Is(err, ErrNotFound) {
		return Place{}, nil
	}
	return Place{rec.GetInterchange(), int(rec.GetIndex())}, err
}

// UnitCodes are the X12 units that a party's own writing has for our units, the reverse of Codes.
func UnitCodes(ctx context.Context, r store.Reader, list, party, day string) (map[string]string, error) {
	codes, err := Codes(ctx, r, list, party, day, false)
	out := map[string]string{}
	for code, canonical := range codes {
		// Of several codes the one that is written as our unit, else the first by name.
		if have, ok := out[canonical]; !ok || code == canonical || have != canonical && code < have {
			out[canonical] = code
		}
	}
	return out, err
}
