package mapping_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
)

// units are those of the corpus' PO103. CS, FTK and EA are codes of UN/ECE
// Recommendation 20.
var units = mapping.Units{"EA": "EA", "CA": "CS", "SF": "FTK"}

type mapped struct {
	po       mapping.PurchaseOrder
	problems []mapping.Problem
	data     []byte
}

// mapFile maps every 850 of a corpus file.
func mapFile(t *testing.T, name string, units mapping.Units) []mapped {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../x12/testdata/corpus/850", name))
	if err != nil {
		t.Fatal(err)
	}
	return mapData(t, data, units)
}

func mapData(t *testing.T, data []byte, units mapping.Units) []mapped {
	t.Helper()
	f, err := x12.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	var out []mapped
	for _, x := range f.Interchanges {
		for _, g := range x.Groups {
			for _, set := range g.Sets {
				po, problems := mapping.In850(set, x.Format.Separators, units)
				out = append(out, mapped{po, problems, data})
			}
		}
	}
	return out
}

// TestIn850Corpus compares every 850 of the corpus with what an independent
// parser found in it.
func TestIn850Corpus(t *testing.T) {
	files, err := filepath.Glob("../x12/testdata/expected/850/*.json")
	if err != nil || len(files) != 6 {
		t.Fatalf("got %d expectations, %v; want 6", len(files), err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var expected struct {
				Facts struct {
					Interchanges []struct {
						Groups []struct {
							Transactions []struct {
								Purpose, Type string
								Number        string `json:"po_number"`
								Date          string `json:"po_date"`
								Lines         []struct {
									ID, Qty, UOM, Price string
									IDs                 [][]*string
								}
								CTT01 string
								AMT   [][]string
							}
						}
					}
				}
			}
			if err := json.Unmarshal(raw, &expected); err != nil {
				t.Fatal(err)
			}
			got := mapFile(t, name, units)
			n := 0
			for _, x := range expected.Facts.Interchanges {
				for _, g := range x.Groups {
					for _, want := range g.Transactions {
						po := got[n].po
						n++
						head := []string{po.Purpose, po.Type, po.Number, strings.ReplaceAll(po.Date, "-", ""), po.LineCount}
						if w := []string{want.Purpose, want.Type, want.Number, want.Date, want.CTT01}; !reflect.DeepEqual(head, w) {
							t.Errorf("head: got %q, want %q", head, w)
						}
						total := ""
						for _, a := range want.AMT {
							if a[0] == "1" {
								total = a[1]
							}
						}
						if po.Total != total {
							t.Errorf("total: got %q, want %q", po.Total, total)
						}
						if len(po.Lines) != len(want.Lines) {
							t.Fatalf("lines: got %d, want %d", len(po.Lines), len(want.Lines))
						}
						for i, w := range want.Lines {
							l := po.Lines[i]
							if w.ID == "" {
								w.ID = strconv.Itoa(i + 1)
							}
							var ids []mapping.Qualified
							for _, p := range w.IDs {
								if p[0] != nil && p[1] != nil && *p[1] != "" {
									ids = append(ids, mapping.Qualified{Qualifier: *p[0], Value: *p[1]})
								}
							}
							if l.ID != w.ID || l.Quantity != w.Qty || l.UnitX12 != w.UOM || l.Unit != units[w.UOM] || l.Price != w.Price || !reflect.DeepEqual(l.Items, ids) {
								t.Errorf("line %d: got %+v, want %+v with items %v", i+1, l, w, ids)
							}
						}
					}
				}
			}
			if n != len(got) {
				t.Errorf("sets: got %d, want %d", len(got), n)
			}
		})
	}
}

func TestIn850RealOrder(t *testing.T) {
	m := mapFile(t, "aaronhuggins-node-x12__850.edi", units)[0]
	if m.problems != nil {
		t.Errorf("problems: got %+v, want none", m.problems)
	}
	po := m.po
	if po.Contract != "610385385" || po.Release != "" {
		t.Errorf("contract, release: got %q, %q", po.Contract, po.Release)
	}
	if want := []mapping.Reference{{Qualifier: "DP", Value: "038"}, {Qualifier: "PS", Value: "R"}}; !reflect.DeepEqual(po.References, want) {
		t.Errorf("references: got %v, want %v", po.References, want)
	}
	if want := []mapping.Date{{Qualifier: "002", Date: "2010-12-14"}}; !reflect.DeepEqual(po.Dates, want) {
		t.Errorf("dates: got %v, want %v", po.Dates, want)
	}
	want := mapping.Party{Role: "ST", Name: "XYZ RETAIL", Qualifier: "9", ID: "0003947268292", Street: []string{"31875 SOLON RD"}, City: "SOLON", State: "OH", PostalCode: "44139"}
	if got := po.ShipTo(); got == nil {
		t.Error("no ship-to")
	} else {
		want.Source = got.Source
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("ship-to: got %+v, want %+v", *got, want)
		}
		if text := string(m.data[got.Source.Offset:][:got.Source.Length]); text != "N1*ST*XYZ RETAIL*9*0003947268292" || got.Source.Position != 10 {
			t.Errorf("ship-to source: got %q at %d", text, got.Source.Position)
		}
	}
	if po.BillTo() != nil {
		t.Errorf("bill-to: got %+v, want none", po.BillTo())
	}
	if len(po.Terms) != 1 || po.Terms[0].Text != "2 % if paid within 45 days, net 46" || !reflect.DeepEqual(po.Terms[0].Raw, []string{"14", "3", "2", "", "45", "", "46"}) {
		t.Errorf("terms: got %+v", po.Terms)
	}
	if len(po.Instructions) != 3 || po.Instructions[0].Text != "PALLETIZE SHIPMENT" || po.Instructions[2].Text != "SEE XYZ RETAIL ROUTING GUIDE" {
		t.Errorf("instructions: got %+v", po.Instructions)
	}
	l := po.Lines[0]
	if l.Description() != "SMALL WIDGET" || l.PriceBasis != "TE" || l.Pack != "4" || l.PackSize != "4" || l.PackSizeUnit != "EA" {
		t.Errorf("line 1: got %+v", l)
	}
	if text := string(m.data[l.Source.Offset:][:l.Source.Length]); !strings.HasPrefix(text, "PO1*1*120*EA") || l.Source.Position != 13 {
		t.Errorf("line 1 source: got %q at %d", text, l.Source.Position)
	}
}

func TestIn850PartnersOrder(t *testing.T) {
	m := mapFile(t, "apimeister-x12-types__004010_850.edi", units)[0]
	if m.problems != nil {
		t.Errorf("problems: got %+v, want none", m.problems)
	}
	po := m.po
	if po.BillTo() == nil || po.BillTo().ID != "1223334444" || po.ShipTo() == nil || po.ShipTo().PostalCode != "30603" {
		t.Errorf("parties: got %+v", po.Parties)
	}
	if want := []mapping.Date{{Qualifier: "002", Date: "1997-12-19"}}; !reflect.DeepEqual(po.Dates, want) {
		t.Errorf("a date said twice is kept once: got %v, want %v", po.Dates, want)
	}
	if l := po.Lines[6]; l.ID != "7" || l.Unit != "CS" || l.PackSize != "4.56" || l.PackSizeUnit != "LB" {
		t.Errorf("line 7: got %+v", l)
	}
}

// reasons counts problems by reason.
func reasons(problems []mapping.Problem) map[mapping.Reason]int {
	out := map[mapping.Reason]int{}
	for _, p := range problems {
		out[p.Reason]++
	}
	return out
}

func TestIn850Incomplete(t *testing.T) {
	all := mapFile(t, "indice-co-edi-net__x12.850.issue135.edi", units)
	for i, lines := range []int{10, 11} {
		want := map[mapping.Reason]int{mapping.PurposeNotOriginal: 1, mapping.ShipToMissing: 1, mapping.PriceMissing: lines}
		if got := reasons(all[i].problems); !reflect.DeepEqual(got, want) {
			t.Errorf("set %d: got %v, want %v", i, got, want)
		}
	}
	styles := map[string]bool{}
	for _, l := range all[0].po.Lines {
		styles[l.Items[0].Value] = true
		if l.Currency != "USD" || len(l.References) != 2 || len(l.Dates) != 2 {
			t.Errorf("line %s: got %+v", l.ID, l)
		}
	}
	if len(styles) != 5 {
		t.Errorf("styles: got %d, want 5", len(styles))
	}
}

// order is a good 850; each case below changes one thing in it.
const order = "ISA*00*          *00*          *12*4405197800     *01*999999999      *101127*1719*U*00401*000003438*0*P*>~" +
	"GS*PO*4405197800*999999999*20101127*1719*1*X*004010~ST*850*0001~BEG*00*SA*PO1**20101127~N1*ST*X*9*1~" +
	"PO1*1*2*EA*1.50**VN*A~PO1*2*3*EA*.5**VN*B~CTT*2*5~AMT*1*4.5~SE*9*0001~GE*1*1~IEA*1*000003438~"

func TestIn850Problems(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		reason         mapping.Reason // "": no problem
		severity       x12.Severity
		field, value   string
		segment        string
		position       int
		element        int
	}{
		{name: "good"},
		{"change", "BEG*00", "BEG*04", mapping.PurposeNotOriginal, x12.Error, "purpose", "04", "BEG", 2, 1},
		{"no number", "SA*PO1*", "SA**", mapping.NumberMissing, x12.Error, "number", "", "BEG", 2, 3},
		{"bad date", "*20101127~N1", "*20101327~N1", mapping.DateInvalid, x12.Error, "date", "20101327", "BEG", 2, 5},
		{"no ship-to", "N1*ST", "N1*VN", mapping.ShipToMissing, x12.Error, "shipTo", "", "ST", 1, 0},
		{"unknown unit", "3*EA", "3*QQ", mapping.UnitUnknown, x12.Error, "lines[2].unit", "QQ", "PO1", 5, 3},
		{"no unit", "3*EA", "3*", mapping.UnitMissing, x12.Error, "lines[2].unit", "", "PO1", 5, 3},
		{"no price", "1.50**VN", "**VN", mapping.PriceMissing, x12.Error, "lines[1].price", "", "PO1", 4, 4},
		{"bad price", "1.50**VN", "1,50**VN", mapping.PriceInvalid, x12.Error, "lines[1].price", "1,50", "PO1", 4, 4},
		{"negative price", "1.50**VN", "-1.50**VN", mapping.PriceInvalid, x12.Error, "lines[1].price", "-1.50", "PO1", 4, 4},
		{"quantity zero", "*1*2*EA", "*1*0*EA", mapping.QuantityInvalid, x12.Error, "lines[1].quantity", "0", "PO1", 4, 2},
		{"no item", "**VN*B", "", mapping.ItemMissing, x12.Error, "lines[2].items", "", "PO1", 5, 7},
		{"line id twice", "PO1*2*3", "PO1*1*3", mapping.LineIDRepeated, x12.Error, "lines[1].id", "1", "PO1", 5, 1},
		{"line count", "CTT*2", "CTT*3", mapping.LineCountDiffers, x12.Error, "lineCount", "3", "CTT", 6, 1},
		{"hash total", "CTT*2*5", "CTT*2*6", mapping.HashTotalDiffers, x12.Warning, "hashTotal", "6", "CTT", 6, 2},
		{"total", "AMT*1*4.5", "AMT*1*4.51", mapping.TotalDiffers, x12.Warning, "total", "4.51", "AMT", 7, 2},
		{"charge that is not mapped", "N1*ST", "SAC*C*D240***500~N1*ST", mapping.SegmentNotMapped, x12.Warning, "", "", "SAC", 3, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := []byte(strings.Replace(order, c.old, c.new, 1))
			m := mapData(t, data, units)[0]
			if c.reason == "" {
				if m.problems != nil {
					t.Errorf("got %+v, want none", m.problems)
				}
				return
			}
			var got *mapping.Problem
			for i, p := range m.problems {
				if p.Reason == c.reason {
					got = &m.problems[i]
				}
			}
			if got == nil {
				t.Fatalf("got %+v, want %s", m.problems, c.reason)
			}
			if got.Severity != c.severity || got.Field != c.field || got.Value != c.value || got.Source.SegmentID != c.segment ||
				got.Source.Position != c.position || got.Element != c.element {
				t.Errorf("got %+v, want %+v", *got, c)
			}
			if text := string(data[got.Source.Offset:][:got.Source.Length]); got.Element > 0 && text != c.value {
				t.Errorf("byte range holds %q, want %q", text, c.value)
			}
		})
	}
	t.Run("no lines", func(t *testing.T) {
		_, problems := mapping.In850(x12.Set{}, x12.Separators{}, nil)
		if got, want := reasons(problems), (map[mapping.Reason]int{mapping.ShipToMissing: 1, mapping.LinesMissing: 1}); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// TestIn850TakesAnySet maps sets which are no 850 at all.
func TestIn850TakesAnySet(t *testing.T) {
	files, err := filepath.Glob("../x12/testdata/corpus/*/*")
	if err != nil || len(files) < 45 {
		t.Fatalf("got %d files, %v", len(files), err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := x12.Parse(data)
		if err != nil {
			continue // sets without an envelope
		}
		for _, x := range f.Interchanges {
			for _, g := range x.Groups {
				for _, set := range g.Sets {
					po, problems := mapping.In850(set, x.Format.Separators, units)
					if set.ID() != "850" && po.Number == "" && len(problems) == 0 {
						t.Errorf("%s: a set %s without a number and without a problem", path, set.ID())
					}
				}
			}
		}
	}
}
