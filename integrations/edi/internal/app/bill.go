package app

import (
	"context"
	"fmt"
	"strings"

	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/integrations/edi/internal/profile"
	"crossdock.dev/integrations/edi/internal/store"
	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
	platform "crossdock.dev/platform/store"
)

// Bill is a carrier's freight bill. Amounts are exact decimals in Currency.
type Bill struct {
	Carrier   string // "parties/CAR-CXBB"
	Number    string
	Load      string // number
	Reference string // PRO number
	Date      string // CCYY-MM-DD
	Currency  string
	Charges   []Charge
	Total     string
	Source    string // the set
}

// Charge is a line of a bill with our code.
type Charge struct{ Code, Description, Amount string }

// ownCodes are our charge codes. A carrier that writes one of them (data element 150) means it, unless its code map says
// something else.
var ownCodes = map[string]bool{"LHS": true, "DSC": true, "FUE": true, "SOC": true, "DET": true, "LFT": true, "RES": true, "TON": true}

// judgeBill decides about a 210. Whether the bill is right is for billing to say, a header that is not the sum of its lines
// included.
func (a *App) judgeBill(ctx context.Context, tx *platform.Tx, x message.Interchange, s message.Set, p profile.Profile, set x12.Set) (message.Verdict, []byte, error) {
	codes := a.meanings(ctx, tx, x)
	b, problems := billOf(set, func(code string) (string, bool) {
		word, ok := codes.charge(code)
		return word, ok
	})
	if codes.err != nil {
		return message.Verdict{}, nil, codes.err
	}
	b.Carrier, b.Source = x.Party, message.SetName(x.ID, s.Index)
	if b.Currency == "" {
		b.Currency = p.Currency
	}
	v := message.Verdict{Disposition: message.InProgress}
	request, more := a.Carriers.Bill(b)
	if wait, waits := codes.wait(message.ChargeCodeUnknown, append(problems, more...)); waits {
		return wait, nil, nil
	}
	return v, request, nil
}

// charge looks a charge code up.
func (m *meanings) charge(code string) (string, bool) {
	if m.err == nil && ownCodes[code] {
		codes, err := store.Codes(m.ctx, m.r, ChargeList, m.party, m.day, false)
		if m.err = err; codes[code] == "" {
			return code, true
		}
	}
	return m.find(ChargeList, code)
}

// billed books what billing made of a bill.
func (a *App) billed(ctx context.Context, tx *platform.Tx, x message.Interchange, set x12.Set, answer Answer, refused *RefusedError, v *message.Verdict) error {
	b, _ := billOf(set, func(code string) (string, bool) { return code, true })
	t, _, err := offered(ctx, tx, x, b.Load)
	if err != nil {
		return err
	}
	switch {
	case refused != nil:
		*v = message.Wait(message.FreightBillRefused, refused.Detail)
	case answer.State == "DUPLICATE":
		v.Disposition, v.Reason = message.Duplicate, "the same bill came before"
	case answer.State == "REJECTED":
		v.Disposition, v.Code, v.Reason = message.Rejected, message.FreightBillRejected, message.Clean(answer.Detail, 400)
	}
	v.Related = t.Related
	return nil
}

// billOf reads a 210: B3 and C3 of its head, the PRO number of N9 or L11, and a charge for each L1 with the words of the L5 before
// it.
func billOf(set x12.Set, word func(code string) (string, bool)) (Bill, []mapping.Problem) {
	var b Bill
	var problems []mapping.Problem
	description := ""
	for i, s := range set.Segments {
		at := mapping.Source{SegmentID: s.ID, Position: i + 1, Offset: s.Offset, Length: s.Length}
		problem := func(reason mapping.Reason, field, value, text string) {
			problems = append(problems, mapping.Problem{Severity: x12.Error, Reason: reason, Field: field, Value: message.Clean(value, 60), Source: at, Text: text})
		}
		amount := func(n int, field string) string {
			v, err := s.N(n, 2)
			if err != nil || v == "" {
				problem(mapping.AmountInvalid, field, s.Get(n), "not an amount with two implied decimals")
			}
			return v
		}
		switch s.ID {
		case "B3":
			b.Number, b.Load = message.Clean(s.Get(2), 30), message.Clean(s.Get(3), 40)
			if d, err := s.DT(6); err != nil {
				problem(mapping.DateInvalid, "date", s.Get(6), "not a date")
			} else if d != (x12.Date{}) {
				b.Date = d.String()
			}
			b.Total = amount(7, "total")
		case "C3":
			b.Currency = strings.TrimSpace(s.Get(1))
		case "N9":
			if s.Get(1) == "CN" && b.Reference == "" {
				b.Reference = message.Clean(s.Get(2), 40)
			}
		case "LX":
			description = ""
		case "L5":
			description = message.Clean(s.Get(2), 200)
		case "L1":
			code := strings.TrimSpace(s.Get(8))
			c := Charge{Description: description, Amount: amount(4, fmt.Sprintf("charges[%d].amount", len(b.Charges)))}
			if text := message.Clean(s.Get(12), 200); text != "" {
				c.Description = text
			}
			var ok bool
			switch c.Code, ok = word(code); {
			case code == "":
				problem(mapping.CodeMissing, "charges", "", "a charge without a code")
			case !ok:
				problem(mapping.UnmappedCode, ChargeList, code, "no code map says what this charge is")
			}
			b.Charges = append(b.Charges, c)
		}
	}
	if b.Number == "" || b.Load == "" {
		problems = append(problems, mapping.Problem{Severity: x12.Error, Reason: mapping.ShipmentMissing, Field: "load", Text: "no invoice number or no load number in B3"})
	}
	return b, problems
}
