package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/integrations/edi/internal/profile"
	"crossdock.dev/integrations/edi/internal/store"
	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
	platform "crossdock.dev/platform/store"
)

// Bill is a carrier's freight bill in our words.
type Bill struct {
	mapping.FreightBill
	Carrier string // "parties/CAR-CXBB"
	Source  string // the set
}

// ownCodes are our charge codes. A carrier that writes one of them (data element 150) means it, unless its code map says
// something else.
var ownCodes = map[string]bool{"LHS": true, "DSC": true, "FUE": true, "SOC": true, "DET": true, "LFT": true, "RES": true, "TON": true}

// written is a bill as the carrier writes it, with what is wrong with it.
type written struct {
	mapping.FreightBill
	problems []mapping.Problem
}

// readBill maps a 210 of any size: it is read segment by segment.
func (a *App) readBill(x message.Interchange, s message.Set) (b written, err error) {
	f, _, err := a.Documents.Open(x.Document)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	section := io.NewSectionReader(f, s.Offset, s.Length)
	events := x12.NewBareReader(section, x12.Bare{Separators: x.Separators, Version: s.Version}, x12.Limits{})
	bill := mapping.NewBillReader(x.Separators)
	for {
		e, err := events.Next()
		switch {
		case err == io.EOF:
			b.FreightBill, b.problems = bill.Bill()
			return b, nil
		case err != nil:
			return b, fmt.Errorf("set %d of document %s: %w", s.Index, x.Document, err)
		case e.Kind == x12.SetSegment:
			bill.Add(e.Segment, e.Position)
		}
	}
}

// judgeBill decides about a 210. Whether the bill is right is for billing to say, a header that is not the sum of its lines
// included.
func (a *App) judgeBill(ctx context.Context, tx *platform.Tx, x message.Interchange, s message.Set, p profile.Profile, b written) (message.Verdict, []byte, error) {
	codes := a.meanings(ctx, tx, x)
	bill := Bill{FreightBill: b.FreightBill, Carrier: x.Party, Source: message.SetName(x.ID, s.Index)}
	bill.Charges = slices.Clone(b.Charges) // a change may run twice
	bill.Currency = cmp.Or(b.Currency, p.Currency)
	problems := append(slices.Clone(b.problems), bill.Name(codes.charge)...)
	if codes.err != nil {
		return message.Verdict{}, nil, codes.err
	}
	request, more := a.Carriers.Bill(bill)
	if wait, waits := codes.wait(message.ChargeCodeUnknown, append(problems, more...)); waits {
		return wait, nil, nil
	}
	return message.Verdict{Disposition: message.InProgress}, request, nil
}

// charge looks a charge code up.
func (m *meanings) charge(list, code string) (string, bool) {
	if m.err == nil && ownCodes[code] {
		codes, err := store.Codes(m.ctx, m.r, list, m.party, m.day, false)
		if m.err = err; codes[code] == "" {
			return code, true
		}
	}
	return m.find(list, code)
}

// billed books what billing made of a bill.
func (a *App) billed(ctx context.Context, tx *platform.Tx, x message.Interchange, s message.Set, answer Answer, refused *RefusedError, v *message.Verdict) error {
	for _, load := range s.LoadNumbers() {
		t, _, err := offered(ctx, tx, x, load)
		if err != nil {
			return err
		}
		v.Related = append(v.Related, t.Related...)
	}
	switch {
	case refused != nil:
		related := v.Related
		*v = message.Wait(message.FreightBillRefused, refused.Detail)
		v.Related = related
	case answer.State == "DUPLICATE":
		v.Disposition, v.Reason = message.Duplicate, "the same bill came before"
	case answer.State == "REJECTED":
		v.Disposition, v.Code, v.Reason = message.Rejected, message.FreightBillRejected, message.Clean(answer.Detail, 400)
	}
	return nil
}
