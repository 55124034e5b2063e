package mapping_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
)

// eachSet gives every set of the corpus with the identifier, beside what an independent parser found in it.
func eachSet(t *testing.T, id string, see func(t *testing.T, set x12.Set, sep x12.Separators, want map[string]any)) int {
	t.Helper()
	files, err := filepath.Glob("../x12/testdata/expected/" + id + "/*.json")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var want struct {
			Facts struct {
				Interchanges []struct {
					Groups []struct{ Transactions []map[string]any }
				}
			}
		}
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		data, err := os.ReadFile(filepath.Join("../x12/testdata/corpus", id, name))
		if err != nil {
			t.Fatal(err)
		}
		f, err := x12.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range f.Interchanges {
			for j, g := range x.Groups {
				for k, set := range g.Sets {
					n++
					t.Run(fmt.Sprintf("%s/%d", name, n), func(t *testing.T) {
						see(t, set, x.Format.Separators, want.Facts.Interchanges[i].Groups[j].Transactions[k])
					})
				}
			}
		}
	}
	return n
}

// said is a text of the expectation without the blanks that some senders pad with.
func said(want map[string]any, key string) string {
	s, _ := want[key].(string)
	return strings.TrimSpace(s)
}

func compare(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// own has each code mean itself.
func own(_, code string) (string, bool) { return code, true }

func dashed(date string) string {
	if len(date) != 8 {
		return date
	}
	return date[:4] + "-" + date[4:6] + "-" + date[6:]
}

func TestIn990Corpus(t *testing.T) {
	n := eachSet(t, "990", func(t *testing.T, set x12.Set, sep x12.Separators, want map[string]any) {
		got, problems := mapping.In990(set, sep, own)
		compare(t, "answer", []string{got.SCAC, got.ShipmentID, got.Letter, got.Answer, got.Date},
			[]string{said(want, "scac"), said(want, "shipment_id"), said(want, "action_B104"), said(want, "action_B104"), ""})
		if len(problems) > 0 {
			t.Errorf("problems: %v", problems)
		}
	})
	if n != 1 {
		t.Errorf("%d sets, want 1", n)
	}
}

// Reasons stand where each carrier puts them; after the first stop nothing is about the whole tender any more.
func TestIn990(t *testing.T) {
	sep := x12.Separators{Element: "*", Component: ">", Segment: "~"}
	set := func(segments ...string) x12.Set { return parseSet(t, "990", segments...) }
	got, problems := mapping.In990(set("B1*CXAA*NL26030002**D", "K1*NO TRUCKS IN CMH"), sep, own)
	compare(t, "K1", []string{got.Letter, got.Date, got.ReasonText, got.ReasonCode}, []string{"D", "", "NO TRUCKS IN CMH", ""})
	got, _ = mapping.In990(set("B1*CXBB*NL1*20260303*E", "V9*DEC*NO EQUIPMENT******A30"), sep, own)
	compare(t, "V9", []string{got.Letter, got.Date, got.ReasonText, got.ReasonCode}, []string{"E", "2026-03-03", "NO EQUIPMENT", "A30"})
	got, problems = mapping.In990(set("B1*CXBB*NL26030001*20260302*A", "N9*CN*CXB0001001", "S5*1*CL", "N9*CN*OTHER"), sep, own)
	compare(t, "PRO", got.CarrierReference, "CXB0001001")
	compare(t, "not mapped", []string{problems[0].Source.SegmentID, problems[1].Source.SegmentID}, []string{"S5", "N9"})
	got, problems = mapping.In990(set("B1*CXCC*NL3**R"), sep, func(string, string) (string, bool) { return "", false })
	if got.Letter != "R" || got.Answer != "" || len(problems) != 1 || problems[0].Reason != mapping.UnmappedCode || problems[0].Field != mapping.ListResponse || problems[0].Value != "R" {
		t.Errorf("unmapped: got %+v, %v", got, problems)
	}
}

// parseSet makes a set of segments in the day's separators.
func parseSet(t *testing.T, id string, segments ...string) x12.Set {
	t.Helper()
	text := "ST*" + id + "*0001~" + strings.Join(segments, "~") + fmt.Sprintf("~SE*%d*0001~", len(segments)+2)
	f, err := x12.ParseBare([]byte(text), x12.Bare{Separators: x12.Separators{Element: "*", Component: ">", Segment: "~"}, Version: "004010"})
	if err != nil {
		t.Fatal(err)
	}
	return f.Interchanges[0].Groups[0].Sets[0]
}

func TestIn214Corpus(t *testing.T) {
	n := eachSet(t, "214", func(t *testing.T, set x12.Set, sep x12.Separators, want map[string]any) {
		got, problems := mapping.In214(set, sep, own)
		for _, p := range problems {
			if p.Severity == x12.Error {
				t.Errorf("problem: %v", p)
			}
		}
		compare(t, "head", []string{got.CarrierReference, got.ShipmentID, got.SCAC},
			[]string{said(want, "reference_B1001"), said(want, "shipment_id_B1002"), said(want, "scac_B1003")})
		var events, expected []string
		for _, e := range got.Events {
			code := e.Code
			if e.List == mapping.ListAppointment {
				code = "appointment " + code
			}
			events = append(events, fmt.Sprintf("%s %s %s %s %s %s,%s,%s %s/%s/%s", e.LX, code, e.ReasonCode, e.LocalTime, e.ZoneCode,
				e.City, e.State, e.Country, e.Equipment.Owner, e.Equipment.Number, e.Equipment.Type))
		}
		for _, fact := range want["events"].([]any) {
			e := fact.(map[string]any)
			code, reason := said(e, "status_AT701"), said(e, "reason_AT702")
			if appointment := said(e, "appt_AT703"); appointment != "" {
				code, reason = "appointment "+appointment, said(e, "appt_reason_AT704")
			}
			at, _ := e["location"].(map[string]any)
			box, _ := e["equipment"].(map[string]any)
			clock := said(e, "time")
			expected = append(expected, fmt.Sprintf("%s %s %s %sT%s:%s:00 %s %s,%s,%s %s/%s/%s", said(e, "lx"), code, reason, dashed(said(e, "date")), clock[:2], clock[2:4], said(e, "tz"),
				said(at, "city"), said(at, "state"), said(at, "country"), said(box, "scac"), said(box, "number"), said(box, "type")))
		}
		compare(t, "events", events, expected)
	})
	if n != 32 {
		t.Errorf("%d sets, want 32", n)
	}
}

// The times of the day's carriers: minutes or seconds, with an offset, a zone or neither.
func TestIn214Times(t *testing.T) {
	sep := x12.Separators{Element: "*", Component: ">", Segment: "~"}
	for _, c := range []struct{ at7, local, zone, instant string }{
		{"AT7*AF*NS***20260305*100000", "2026-03-05T10:00:00", "", ""},
		{"AT7*AF*NS***20260305*1000", "2026-03-05T10:00:00", "", ""},
		{"AT7*AF*NS***20260305*10000050", "2026-03-05T10:00:00.50", "", ""},
		{"AT7*X6*NS***20260304*0900*UT", "2026-03-04T09:00:00", "", "2026-03-04T09:00:00Z"},
		{"AT7*X3*NS***20260307*1805*LT", "2026-03-07T18:05:00", "", ""},
		{"AT7*X3*NS***20260307*1805*CT", "2026-03-07T18:05:00", "America/Chicago", ""},
		{"AT7*X3*NS***20260307*1805*CS", "2026-03-07T18:05:00", "", "2026-03-08T00:05:00Z"}, // six hours behind UTC
		{"AT7*X3*NS***20260307*1805*01", "2026-03-07T18:05:00", "", "2026-03-07T17:05:00Z"}, // one hour ahead
		{"AT7*X3*NS***20260307*1805*20", "2026-03-07T18:05:00", "", "2026-03-07T23:05:00Z"}, // five hours behind
	} {
		got, problems := mapping.In214(parseSet(t, "214", "B10*P*NL1*CXEE", "LX*1", c.at7), sep, own)
		if len(problems) > 0 || len(got.Events) != 1 {
			t.Fatalf("%s: %v", c.at7, problems)
		}
		e := got.Events[0]
		compare(t, c.at7, []string{e.LocalTime, e.ZoneName, e.Instant}, []string{c.local, c.zone, c.instant})
	}
	_, problems := mapping.In214(parseSet(t, "214", "B10*P*NL1*CXEE", "LX*1", "AT7*AF*NS***20260305*2500", "AT7*AF*NS***20260305*1000*QQ", "AT7*AF*NS*AA*NA*20260305*1000"), sep, own)
	var reasons []mapping.Reason
	for _, p := range problems {
		reasons = append(reasons, p.Reason)
	}
	compare(t, "reasons", reasons, []mapping.Reason{mapping.TimeInvalid, mapping.ZoneUnknown, mapping.CodesExclusive})
}

// in210 reads a bill that is held whole.
func in210(set x12.Set, sep x12.Separators) (mapping.FreightBill, []mapping.Problem) {
	r := mapping.NewBillReader(sep)
	for i, s := range set.Segments {
		r.Add(s, i+1)
	}
	return r.Bill()
}

func TestIn210Corpus(t *testing.T) {
	n := eachSet(t, "210", func(t *testing.T, set x12.Set, sep x12.Separators, want map[string]any) {
		got, problems := in210(set, sep)
		compare(t, "head", []string{got.Number, got.ShipmentID, got.Payment, got.Date, got.Total, got.DeliveryDate, got.SCAC, got.Currency, got.ChargeSum},
			[]string{
				said(want, "invoice_B302"), said(want, "shipment_id_B303"), said(want, "payment_B304"), dashed(said(want, "invoice_date_B306")), said(want, "net_due_B307"),
				dashed(said(want, "delivery_date_B309")), said(want, "scac_B311"), said(want, "currency_C3"), said(want, "l1_sum"),
			})
		if got.ChargeCount != int(want["l1_count"].(float64)) {
			t.Errorf("%d charges, want %v", got.ChargeCount, want["l1_count"])
		}
		var charges, expected []string
		for _, c := range got.Charges {
			charges = append(charges, c.Code+" "+c.Amount)
		}
		for _, fact := range want["l1"].([]any) {
			expected = append(expected, said(fact.(map[string]any), "special_charge")+" "+said(fact.(map[string]any), "charge"))
		}
		// Of a long bill the expectation lists the first.
		compare(t, "charges", charges[:min(len(expected), len(charges))], expected)
		if lines := want["l3"].([]any); len(lines) > 0 {
			compare(t, "L305", got.LinesTotal, said(lines[0].(map[string]any), "charge_L305"))
		}
		var errors []string
		for _, p := range problems {
			if p.Severity == x12.Error {
				errors = append(errors, string(p.Reason))
			}
		}
		// UPS bills accounts, not loads, and the paper mill's line-haul has no code.
		allowed := []string{string(mapping.ShipmentMissing), string(mapping.CodeMissing)}
		if slices.ContainsFunc(errors, func(e string) bool { return !slices.Contains(allowed, e) }) {
			t.Errorf("problems: %v", problems)
		}
	})
	if n != 6 {
		t.Errorf("%d sets, want 6", n)
	}
}

func TestIn210(t *testing.T) {
	sep := x12.Separators{Element: "*", Component: ">", Segment: "~"}
	first := []string{
		"B3**CXBB-1001*NL26030001*PP*L*20260305*42524**20260304*035*CXBB", "C3*USD", "N9*BM*NL26030001", "N9*CN*CXB0001001",
		"N1*BT*NORTHLINE SUPPLY INC.*93*LE-US", "N3*1200 DEMO PARKWAY", "N4*COLUMBUS*OH*43215*US",
		"LX*1", "L5*1*LTL LINE-HAUL 3156 LB", "L0*1***3156*G***314*CTN", "L1*1*830.54*FR*83054****LHS",
		"LX*2", "L1*2*60*PW*-49832****DSC", "LX*3", "L1*3*28*PW*9302****FUE", "L3*3156*G***42524******314",
	}
	got, problems := in210(parseSet(t, "210", first...), sep)
	if len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
	compare(t, "bill", []string{got.Number, got.ShipmentID, got.CarrierReference, got.Currency, got.Total, got.ChargeSum, got.LinesTotal, got.Charges[0].Description, got.Charges[1].Description},
		[]string{"CXBB-1001", "NL26030001", "CXB0001001", "USD", "425.24", "425.24", "425.24", "LTL LINE-HAUL 3156 LB", ""})
	if unmapped := got.Name(func(list, code string) (string, bool) { return "OUR-" + code, code != "FUE" }); len(unmapped) != 1 || unmapped[0].Value != "FUE" ||
		unmapped[0].Source.Position != 16 || got.Charges[1].Word != "OUR-DSC" {
		t.Errorf("named: got %v, %v", got.Charges, unmapped)
	}

	// A header that is not the sum of its lines is for billing to judge, and L305 that is not is worth a word.
	got, problems = in210(parseSet(t, "210", "B3**CXEE-9015*NL1*PP**20260312*19065*CO***CXEE", "LX*1", "L1*1***31000****LHS", "L1*2***-17050****DSC", "L1*3***4115****FUE", "L3*800*G***18066"), sep)
	compare(t, "correction", []string{got.Total, got.ChargeSum, got.Correction}, []string{"190.65", "180.65", "CO"})
	if len(problems) != 1 || problems[0].Severity != x12.Warning || problems[0].Reason != mapping.TotalDiffers {
		t.Errorf("problems: got %v", problems)
	}

	// Nothing is guessed.
	_, problems = in210(parseSet(t, "210", "B3***NL1*PP**20269999*180.65", "LX*1", "L1*1***18.5****FUE", "L1*2****", "L9*XYZ"), sep)
	var reasons []string
	for _, p := range problems {
		reasons = append(reasons, fmt.Sprintf("%s %s", p.Source.SegmentID, p.Reason))
	}
	compare(t, "reasons", reasons, []string{
		"B3 BILL_NUMBER_MISSING", "B3 DATE_INVALID", "B3 AMOUNT_INVALID", "L1 AMOUNT_INVALID", "L1 CODE_MISSING", "L1 AMOUNT_MISSING", "L9 SEGMENT_NOT_MAPPED",
	})
	_, problems = in210(x12.Set{}, sep)
	if len(problems) != 1 || problems[0].Reason != mapping.ShipmentMissing {
		t.Errorf("empty: got %v", problems)
	}
}

// A bill of any size is counted and added up whole, and held in part.
func TestBillReaderIsBounded(t *testing.T) {
	r := mapping.NewBillReader(x12.Separators{Element: "*", Segment: "~"})
	r.Add(x12.Seg("B3", "", "N", "NL1", "PP", "", "20260312", "1000"), 2)
	for i := range 50_000 {
		r.Add(x12.Seg("L1", "1", "", "", "1", "", "", "", "FUE"), i+3)
		r.Add(x12.Seg("ZZZ"), i+3)
		r.Add(x12.Seg("L1", "1", "", "", "1.5"), i+3)
	}
	b, problems := r.Bill()
	if b.ChargeCount != 100_000 || b.ChargeSum != "500.00" || len(b.Charges) != mapping.MaxCharges || len(problems) != 200 {
		t.Errorf("%d charges that add up to %s, %d held, %d problems; want 100000, 500.00, %d and 200", b.ChargeCount, b.ChargeSum, len(b.Charges), len(problems), mapping.MaxCharges)
	}
}
