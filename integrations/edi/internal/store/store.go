package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	storagev1 "crossdock.dev/gen/crossdock/edi/storage/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
)

// ErrNotFound: there is no such record.
var ErrNotFound = store.ErrNotFound

// ErrMoved is returned when what a change was made up from is no longer so: read again and make it up anew.
var ErrMoved = errors.New("the store has moved on")

// Interchange reads an interchange by its id.
func Interchange(ctx context.Context, r store.Reader, id string) (message.Interchange, error) {
	rec, err := interchangeTable.Get(ctx, r, store.Key(id))
	if err != nil {
		return message.Interchange{}, err
	}
	return interchangeOf(rec), nil
}

// SetsOf reads the first n sets of an interchange, all when n is 0.
func SetsOf(ctx context.Context, r store.Reader, id string, n int) ([]message.Set, error) {
	var out []message.Set
	rg := store.Prefix(store.Key(id))
	for rg.Limit = n; ; {
		rows, err := setTable.Scan(ctx, r, rg)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			out = append(out, setOf(row.Value))
		}
		if len(rows) == 0 || n > 0 {
			return out, nil
		}
		rg.From = append(slices.Clone(rows[len(rows)-1].Key), 0)
	}
}

// SetOf reads one set.
func SetOf(ctx context.Context, r store.Reader, id string, index int) (message.Set, error) {
	rec, err := setTable.Get(ctx, r, setKey(id, index))
	if err != nil {
		return message.Set{}, err
	}
	return setOf(rec), nil
}

func setKey(id string, index int) []byte { return store.Key(id, uint32(index)) }

// Page reads up to n interchanges, newest first, that are older than the one with id before; the newest when it is empty.
func Page(ctx context.Context, r store.Reader, before string, n int) ([]message.Interchange, error) {
	rg := store.Range{Reverse: true, Limit: n}
	if before != "" {
		rg.To = store.Key(before)
	}
	rows, err := interchangeTable.Scan(ctx, r, rg)
	if err != nil {
		return nil, err
	}
	out := make([]message.Interchange, len(rows))
	for i, row := range rows {
		out[i] = interchangeOf(row.Value)
	}
	return out, nil
}

// Seen reads what is known of the pair and control number of an interchange.
func Seen(ctx context.Context, r store.Reader, x message.Interchange) (message.Seen, error) {
	rec, err := identityTable.Get(ctx, r, identityKey(x))
	if errors.Is(err, ErrNotFound) {
		return message.Seen{}, nil
	}
	if err != nil {
		return message.Seen{}, err
	}
	seen := message.Seen{ID: rec.GetInterchange(), Results: map[int]string{}}
	copy(seen.SHA256[:], rec.GetSha256())
	found, err := SetsOf(ctx, r, seen.ID, 0)
	for _, s := range found {
		seen.Results[s.Index] = s.Result
	}
	return seen, err
}

func identityKey(x message.Interchange) []byte { return store.Key(x.Sender, x.Receiver, x.Control) }

// Delivery is a file as it was taken in.
type Delivery struct {
	ID           string
	Document     string // SHA-256, hexadecimal
	Size         int64
	FileName     string
	Interchanges int // recorded so far
	Complete     bool
}

// DeliveryOf reads a delivery by its id; one of which nothing is recorded is ErrNotFound.
func DeliveryOf(ctx context.Context, r store.Reader, id string) (Delivery, error) {
	rec, err := deliveryTable.Get(ctx, r, store.Key(id))
	if err != nil {
		return Delivery{}, err
	}
	return Delivery{
		ID: rec.GetId(), Document: rec.GetDocumentSha256(), Size: rec.GetSize(), FileName: rec.GetFileName(),
		Interchanges: int(rec.GetInterchanges()), Complete: rec.GetComplete(),
	}, nil
}

// Delivered reads the ids of the interchanges that a delivery brought, in order.
func Delivered(ctx context.Context, r store.Reader, delivery string) ([]string, error) {
	var out []string
	err := store.Each(ctx, r, delivered, store.Key(delivery), func(kv store.KV) error {
		rec := &storagev1.Reference{}
		if err := proto.Unmarshal(kv.Value, rec); err != nil {
			return err
		}
		out = append(out, rec.GetInterchange())
		return nil
	})
	return out, err
}

const maxControlNumber = 999_999_999

// ControlNumber is the number drawn after issued others, as ISA13 shows it. After the last one the series begins again.
func ControlNumber(issued uint64) string { return fmt.Sprintf("%09d", NextNumber(issued)) }

// NextNumber is the number drawn after issued others.
func NextNumber(issued uint64) int64 { return int64(issued%maxControlNumber) + 1 }

// Issued reads how many control numbers were drawn for a mailbox, so that the next one can be: store.ErrFenced while it gives none,
// after a restore.
func Issued(ctx context.Context, r store.Reader, us, partner string) (uint64, error) {
	rec, err := controlTable.Get(ctx, r, store.Key(us, partner))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return 0, err
	}
	next, err := store.NextNumber(ctx, r, seriesName(us, partner), rec.GetIssued()+1)
	if err != nil {
		return 0, err
	}
	return next - 1, nil
}

// seriesName is the name under which a restore fences a mailbox's control numbers.
func seriesName(us, partner string) string { return "control/" + us + ">" + partner }

// lastNumbers are the last control numbers given, by mailbox.
func lastNumbers(ctx context.Context, r store.Reader) (map[string]uint64, error) {
	out := map[string]uint64{}
	return out, store.Each(ctx, r, controlNumbers, nil, func(kv store.KV) error {
		rec := &storagev1.ControlNumbers{}
		if err := proto.Unmarshal(kv.Value, rec); err != nil {
			return err
		}
		ends, ok := store.Strings(kv.Key)
		if !ok || len(ends) != 2 {
			return fmt.Errorf("control numbers %x: key cannot be read", kv.Key)
		}
		out[seriesName(ends[0], ends[1])] = rec.GetIssued()
		return nil
	})
}

// Intake is an interchange of a delivery with all that its arrival means.
type Intake struct {
	Delivery    Delivery // as it stands after this interchange
	Interchange message.Interchange
	SHA256      [32]byte // of the interchange's bytes
	Sets        []message.Set
	Seen        message.Seen // that the decision was made with
	Acks        []message.GroupAck
	Answers     []Answer
	Issued      uint64 // control numbers drawn for the mailbox before Answers
}

// Answer is one of our interchanges, about to be sent. Its control number is the mailbox's next.
type Answer struct {
	Interchange message.Interchange
	Set         message.Set
}

// TakeIn writes an interchange that came, with its answers, and tells of it. ErrMoved when the delivery is further already, the
// control number was seen meanwhile or another answer has drawn its number.
func TakeIn(ctx context.Context, tx *store.Tx, in Intake) error {
	if err := in.unmoved(ctx, tx); err != nil {
		return err
	}
	x := in.Interchange
	d := in.Delivery
	err := errors.Join(
		deliveryTable.Put(ctx, tx, store.Key(d.ID), &storagev1.Delivery{
			Id: d.ID, DocumentSha256: d.Document, Size: d.Size, FileName: d.FileName, Interchanges: uint32(d.Interchanges), Complete: d.Complete,
		}),
		deliveredTable.Put(ctx, tx, store.Key(d.ID, uint32(d.Interchanges)), &storagev1.Reference{Interchange: x.ID}),
	)
	if err == nil && x.Uses() {
		err = identityTable.Put(ctx, tx, identityKey(x), &storagev1.Identity{Interchange: x.ID, Sha256: in.SHA256[:]})
	}
	if err != nil {
		return err
	}
	counted := tally{}
	sets := slices.Clone(in.Sets)
	if x.Disposition == message.Accepted {
		for _, ack := range in.Acks {
			ours, known, err := acknowledged(ctx, tx, counted, x, ack)
			if err != nil {
				return err
			}
			s := &sets[ack.Set-1]
			if s.Relate(ours.Related...); !known {
				s.Reason = message.Clean(strings.TrimPrefix(s.Reason+"; we never sent group "+ack.Control, "; "), 400)
			}
		}
	}
	for i := range sets {
		if err := relate(ctx, tx, x.Party, &sets[i]); err != nil {
			return err
		}
	}
	if err := insert(ctx, tx, counted, x, sets...); err != nil {
		return err
	}
	for _, a := range in.Answers {
		if err := relate(ctx, tx, x.Party, &a.Set); err != nil {
			return err
		}
		if err := insert(ctx, tx, counted, a.Interchange, a.Set); err != nil {
			return err
		}
		if err := keepGroup(ctx, tx, a.Interchange, a.Set); err != nil {
			return err
		}
	}
	if n := uint64(len(in.Answers)); n > 0 {
		if err := controlTable.Put(ctx, tx, store.Key(x.Receiver, x.Sender), &storagev1.ControlNumbers{Issued: in.Issued + n}); err != nil {
			return err
		}
	}
	if err := counted.save(ctx, tx); err != nil {
		return err
	}
	return tellIntake(tx, x, in.Sets, sets)
}

// relate adds to a set what leads to the cases of the loads that it speaks of, whatever becomes of it: a person who looks at a case
// sees what was refused or came twice as well.
func relate(ctx context.Context, r store.Reader, party string, s *message.Set) error {
	for _, number := range s.LoadNumbers() {
		t, err := TenderOf(ctx, r, number, party)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		s.Relate(t.Related...)
	}
	return nil
}

// unmoved compares what the intake was made up from with what is stored.
func (in Intake) unmoved(ctx context.Context, tx *store.Tx) error {
	d, err := DeliveryOf(ctx, tx, in.Delivery.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	seen, err := identityTable.Get(ctx, tx, identityKey(in.Interchange))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if d.Interchanges != in.Delivery.Interchanges-1 || seen.GetInterchange() != in.Seen.ID {
		return ErrMoved
	}
	if len(in.Answers) == 0 {
		return nil
	}
	issued, err := Issued(ctx, tx, in.Interchange.Receiver, in.Interchange.Sender)
	if err == nil && issued != in.Issued {
		err = ErrMoved
	}
	return err
}

func insert(ctx context.Context, tx *store.Tx, counted tally, x message.Interchange, of ...message.Set) error {
	if err := interchangeTable.Put(ctx, tx, store.Key(x.ID), interchangeRecord(x)); err != nil {
		return err
	}
	for _, s := range of {
		if err := setTable.Put(ctx, tx, setKey(x.ID, s.Index), setRecord(s)); err != nil {
			return err
		}
		counted.add(x, s, one)
	}
	return nil
}

// keepGroup remembers under which number a group of ours went.
func keepGroup(ctx context.Context, tx *store.Tx, x message.Interchange, s message.Set) error {
	return groupTable.Put(ctx, tx, groupKey(x.Sender, x.Receiver, s.Group), &storagev1.Reference{Interchange: x.ID})
}

// groupKey: some partners pad the number with zeros when they quote it.
func groupKey(us, partner, control string) []byte {
	return store.Key(us, partner, strings.TrimLeft(control, "0"))
}

// AckTimer is the id of the task that looks whether an interchange of ours was acknowledged in time.
func AckTimer(id string) string { return "ack:" + id }

// acknowledged books what a partner says of a group of ours and returns the set in it; known is false of a group that we never sent.
func acknowledged(ctx context.Context, tx *store.Tx, counted tally, by message.Interchange, ack message.GroupAck) (s message.Set, known bool, err error) {
	ref, err := groupTable.Get(ctx, tx, groupKey(by.Receiver, by.Sender, ack.Control))
	if errors.Is(err, ErrNotFound) {
		return s, false, nil
	}
	if err != nil {
		return s, false, err
	}
	x, err := Interchange(ctx, tx, ref.GetInterchange())
	if err != nil {
		return s, false, err
	}
	if x.Overdue {
		counted.addOverdue(x, minusOne)
	}
	x.AnswerCode, x.Overdue = ack.Code, false
	if err := errors.Join(interchangeTable.Put(ctx, tx, store.Key(x.ID), interchangeRecord(x)), tasks.Cancel(ctx, tx, AckTimer(x.ID))); err != nil {
		return s, false, err
	}
	if s, err = SetOf(ctx, tx, x.ID, 1); err != nil || x.AcknowledgeBy.IsZero() {
		return s, true, err
	}
	if !message.AcceptsGroup(ack.Code) {
		s.ReasonCode, s.Reason = message.AckRejected, "the partner's acknowledgement says "+ack.Code+", in "+by.Name()
		if err := setTable.Put(ctx, tx, setKey(x.ID, s.Index), setRecord(s)); err != nil {
			return s, true, err
		}
	}
	return s, true, tellAcknowledged(tx, x, s, by)
}

// Overdue marks an interchange of ours that was not acknowledged in time, and tells of it.
func Overdue(ctx context.Context, tx *store.Tx, id string) error {
	x, err := Interchange(ctx, tx, id)
	if err != nil || x.AnswerCode != "" || x.Overdue {
		return err
	}
	s, err := SetOf(ctx, tx, id, 1)
	if err != nil {
		return err
	}
	x.Overdue = true
	counted := tally{}
	counted.addOverdue(x, one)
	if err := errors.Join(interchangeTable.Put(ctx, tx, store.Key(id), interchangeRecord(x)), counted.save(ctx, tx)); err != nil {
		return err
	}
	return tx.Emit(store.Fact{Type: "AcknowledgementOverdue", Subject: x.Name(), Related: related(x, s), Payload: &ediv1.AcknowledgementOverdue{
		Interchange: Message(x, []message.Set{s}),
	}})
}

// Settle gives a set that is in progress its disposition, and tells of it. It does nothing when the set is settled already.
func Settle(ctx context.Context, tx *store.Tx, id string, index int, v message.Verdict) error {
	x, err := Interchange(ctx, tx, id)
	if err != nil {
		return err
	}
	s, err := SetOf(ctx, tx, id, index)
	if err != nil || s.Disposition != message.InProgress {
		return err
	}
	waited := s.ReasonCode != ""
	counted := tally{}
	counted.add(x, s, minusOne)
	s.Disposition, s.ReasonCode, s.Reason, s.Result, s.Unmapped = v.Disposition, v.Code, v.Reason, v.Result, v.Unmapped
	s.Relate(v.Related...)
	counted.add(x, s, one)
	if err := errors.Join(setTable.Put(ctx, tx, setKey(id, index), setRecord(s)), counted.save(ctx, tx)); err != nil {
		return err
	}
	for _, c := range s.Unmapped {
		if err := waitingTable.Put(ctx, tx, waitingKey(c, id, index), &storagev1.Reference{Interchange: id, Index: uint32(index)}); err != nil {
			return err
		}
	}
	if x.Direction == message.Outbound && s.Disposition == message.Applied {
		return tellSent(tx, x, s, waited)
	}
	return tellSet(tx, x, s)
}

func waitingKey(c message.Code, id string, index int) []byte {
	return store.Key(c.List, c.Code, id, uint32(index))
}

// Reopen takes a parked set up again: it is in progress as when it came, and keeps the reason it waited for until it is settled.
// ok is false of a set that does not wait.
func Reopen(ctx context.Context, tx *store.Tx, id string, index int) (x message.Interchange, s message.Set, ok bool, err error) {
	if x, err = Interchange(ctx, tx, id); err != nil {
		return x, s, false, err
	}
	if s, err = SetOf(ctx, tx, id, index); err != nil || !message.Waits(x, s) {
		return x, s, false, err
	}
	for _, c := range s.Unmapped {
		if err := tx.Delete(ctx, waitingSets, waitingKey(c, id, index)); err != nil {
			return x, s, false, err
		}
	}
	counted := tally{}
	counted.add(x, s, minusOne)
	s.Disposition, s.Unmapped = message.InProgress, nil
	counted.add(x, s, one)
	return x, s, true, errors.Join(setTable.Put(ctx, tx, setKey(id, index), setRecord(s)), counted.save(ctx, tx))
}

// Place is a set of an interchange.
type Place struct {
	Interchange string
	Index       int
}

// Waiting lists the sets that wait for the meaning of a code; of the given party, or of all when it is empty.
func Waiting(ctx context.Context, r store.Reader, c message.Code, party string) ([]Place, error) {
	var out []Place
	err := store.Each(ctx, r, waitingSets, store.Key(c.List, c.Code), func(kv store.KV) error {
		ref := &storagev1.Reference{}
		if err := proto.Unmarshal(kv.Value, ref); err != nil {
			return err
		}
		if party != "" {
			x, err := Interchange(ctx, r, ref.GetInterchange())
			if err != nil || x.Party != party {
				return err
			}
		}
		out = append(out, Place{ref.GetInterchange(), int(ref.GetIndex())})
		return nil
	})
	return out, err
}

// Prior reads what is known of a customer's order number.
func Prior(ctx context.Context, r store.Reader, party, number string) (message.Prior, error) {
	rec, err := orderTable.Get(ctx, r, store.Key(party, number))
	if errors.Is(err, ErrNotFound) {
		return message.Prior{}, nil
	}
	p := message.Prior{Set: message.SetName(rec.GetInterchange(), int(rec.GetIndex())), Order: rec.GetOrder()}
	copy(p.SHA256[:], rec.GetSha256())
	return p, err
}

// ClaimOrder notes that a set is the first to speak of a customer's order number.
func ClaimOrder(ctx context.Context, tx *store.Tx, party, number string, sha256 [32]byte, id string, index int) error {
	return orderTable.Put(ctx, tx, store.Key(party, number), &storagev1.PurchaseOrder{Sha256: sha256[:], Interchange: id, Index: uint32(index)})
}

// OrderBecame notes which order a number became; with none, the number is given back.
func OrderBecame(ctx context.Context, tx *store.Tx, party, number, order string) error {
	key := store.Key(party, number)
	if order == "" {
		return orderTable.Delete(ctx, tx, key)
	}
	rec, err := orderTable.Get(ctx, tx, key)
	if err != nil {
		return err
	}
	rec.Order = order
	return orderTable.Put(ctx, tx, key, rec)
}

// KeepRequest stores the bytes of a request until it is answered: a repeat sends the same ones, whatever this program or the code
// maps have become by then.
func KeepRequest(ctx context.Context, tx *store.Tx, id string, index int, request []byte) error {
	return keepPieces(ctx, tx, requests, request, id, uint32(index))
}

// Request reads a request back.
func Request(ctx context.Context, r store.Reader, id string, index int) ([]byte, error) {
	return pieces(ctx, r, requests, id, uint32(index))
}

// DropRequest removes a request that was answered.
func DropRequest(ctx context.Context, tx *store.Tx, id string, index int) error {
	return dropPieces(ctx, tx, requests, id, uint32(index))
}

// pieceSize keeps a piece well below the largest record.
const pieceSize = 48 << 10

func keepPieces(ctx context.Context, tx *store.Tx, b *store.Bucket, content []byte, key ...any) error {
	piece := uint32(0)
	for part := range slices.Chunk(content, pieceSize) {
		if err := tx.Put(ctx, b, store.Key(append(slices.Clone(key), piece)...), part); err != nil {
			return err
		}
		piece++
	}
	return nil
}

func pieces(ctx context.Context, r store.Reader, b *store.Bucket, key ...any) ([]byte, error) {
	var out bytes.Buffer
	err := store.Each(ctx, r, b, store.Key(key...), func(kv store.KV) error {
		out.Write(kv.Value)
		return nil
	})
	return out.Bytes(), err
}

func dropPieces(ctx context.Context, tx *store.Tx, b *store.Bucket, key ...any) error {
	var keys [][]byte
	err := store.Each(ctx, tx, b, store.Key(key...), func(kv store.KV) error {
		keys = append(keys, kv.Key)
		return nil
	})
	for _, k := range keys {
		err = errors.Join(err, tx.Delete(ctx, b, k))
	}
	return err
}

// CodeMap is a code as a partner writes it.
type CodeMap struct {
	Name      string // resource name
	List      string
	Party     string // empty: every partner
	Code      string
	Canonical string
	ValidFrom string // first day, "2026-03-02"; empty: ever
}

// SaveCodeMap replaces the copy of a code map.
func SaveCodeMap(ctx context.Context, tx *store.Tx, m CodeMap) error {
	return codeMapTable.Put(ctx, tx, store.Key(m.List, m.Name), &storagev1.CodeMap{
		Party: m.Party, Code: m.Code, Canonical: m.Canonical, ValidFrom: m.ValidFrom,
	})
}

// Codes reads what the codes of a list mean for a party on a day: its own row before that for everybody, the latest of several.
// With own, rows for everybody count for nothing.
func Codes(ctx context.Context, r store.Reader, list, party, day string, own bool) (map[string]string, error) {
	best, out := map[string]*storagev1.CodeMap{}, map[string]string{}
	err := store.Each(ctx, r, codeMaps, store.Key(list), func(kv store.KV) error {
		m := &storagev1.CodeMap{}
		if err := proto.Unmarshal(kv.Value, m); err != nil {
			return err
		}
		if m.GetParty() != party && (own || m.GetParty() != "") || m.GetValidFrom() > day {
			return nil
		}
		b := best[m.GetCode()]
		if b == nil || b.GetParty() == "" && m.GetParty() != "" || b.GetParty() == m.GetParty() && b.GetValidFrom() < m.GetValidFrom() {
			best[m.GetCode()] = m
			out[m.GetCode()] = m.GetCanonical()
		}
		return nil
	})
	return out, err
}
