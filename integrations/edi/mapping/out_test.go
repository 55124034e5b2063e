package mapping_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
)

var starTilde = x12.Separators{Element: "*", Component: ">", Segment: "~"}

// lines are the segments of a set.
func lines(set x12.Set) []string {
	return strings.Split(strings.TrimSuffix(set.Text(starTilde), "~"), "~")
}

// page is the set in a message that was written by hand for the played day.
func page(t *testing.T, name string) []string {
	t.Helper()
	data, err := os.ReadFile("../x12/testdata/day/" + name)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Split(strings.ReplaceAll(string(data), "\n", ""), "~")
	from := slices.IndexFunc(all, func(s string) bool { return strings.HasPrefix(s, "ST*") })
	to := slices.IndexFunc(all, func(s string) bool { return strings.HasPrefix(s, "SE*") })
	return all[from : to+1]
}

// good fails when the table of the set finds fault with it.
func good(t *testing.T, set x12.Set) {
	t.Helper()
	f, err := x12.ParseBare([]byte(set.Text(starTilde)), x12.Bare{Separators: starTilde, Version: "004010"})
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range f.Findings {
		if found.Severity != x12.Info {
			t.Errorf("%s: %v", set.ID(), found)
		}
	}
}

func on(t *testing.T, zone, instant string) time.Time {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, instant)
	if err != nil {
		t.Fatal(err)
	}
	return at.In(loc)
}

func firstTender(t *testing.T) mapping.LoadTender {
	const zone = "America/New_York"
	northline := mapping.Party{
		Name: "Northline Supply Inc.", Qualifier: "93", ID: "LE-US", Street: []string{"1200 Demo Parkway"}, City: "Columbus", State: "OH", PostalCode: "43215", Country: "US",
	}
	dc := northline
	dc.Name, dc.ID = "Northline DC Columbus", "LOC-CMH"
	billTo := northline
	billTo.Role = "BT"
	return mapping.LoadTender{
		Purpose: "00", SCAC: "CXBB", ShipmentID: "NL26030001", Payment: "PP", OrderNumbers: []string{"08292233294"}, RespondBy: on(t, zone, "2026-03-02T16:00:00Z"),
		Mode: "LTL", BillTo: billTo, Weight: "3156", WeightUnit: "LBR", Cartons: 314,
		Stops: []mapping.TenderStop{
			{
				Sequence: 1, Weight: "3156", WeightUnit: "LBR", Cartons: 314, Volume: "231.61", VolumeUnit: "FTQ",
				From: on(t, zone, "2026-03-03T13:00:00Z"), To: on(t, zone, "2026-03-03T21:00:00Z"), Site: dc,
				Goods: []mapping.Lading{{"WIDGETS CLASS 70", "2244", 137}, {"WIDGETS CLASS 85", "362", 67}, {"WIDGETS CLASS 100", "550", 110}},
			},
			{
				Sequence: 2, Delivery: true, OrderNumbers: []string{"08292233294"}, Weight: "3156", WeightUnit: "LBR", Cartons: 314, Volume: "231.61", VolumeUnit: "FTQ",
				From: on(t, zone, "2026-03-04T13:00:00Z"), To: on(t, zone, "2026-03-04T22:00:00Z"),
				Site: mapping.Party{Name: "XYZ Retail", Qualifier: "9", ID: "0003947268292", Street: []string{"31875 Solon Rd"}, City: "Solon", State: "OH", PostalCode: "44139", Country: "US"},
			},
		},
	}
}

func TestOut204(t *testing.T) {
	first := firstTender(t)
	set := mapping.Out204(first)
	compare(t, "first scenario", lines(set), page(t, "204.edi"))
	good(t, set)

	// Taking it back says which load, to whom, and its stops, since S5 is mandatory.
	first.Purpose = mapping.PurposeCancellation
	set = mapping.Out204(first)
	compare(t, "cancellation", lines(set), []string{"ST*204*0001", "B2**CXBB**NL26030001**PP", "B2A*01*LT", "L11*NL26030001*BM", "S5*1*CL", "S5*2*CU", "SE*7*0001"})
	good(t, set)
}

// Who answers by which clock: the codes of the United States, else UTC. A carrier elsewhere gets kilograms and cubic metres.
func TestOut204Elsewhere(t *testing.T) {
	for _, c := range []struct{ zone, instant, want string }{
		{"America/Chicago", "2026-03-09T15:00:00Z", "G62*64*20260309*1*1000*CT"}, // two days after the clocks went forward
		{"America/Chicago", "2026-03-06T21:00:00Z", "G62*64*20260306*1*1500*CT"},
		{"America/New_York", "2026-03-02T16:00:00Z", "G62*64*20260302*1*1100*ET"},
		{"Europe/Amsterdam", "2026-03-03T11:00:00Z", "G62*64*20260303*1*1100*UT"},
		{"UTC", "2026-03-03T11:00:00Z", "G62*64*20260303*1*1100*UT"},
	} {
		m := firstTender(t)
		m.RespondBy = on(t, c.zone, c.instant)
		if got := lines(mapping.Out204(m))[5]; got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.zone, c.instant, got, c.want)
		}
	}
	m := firstTender(t)
	m.Mode, m.Stops = "TL", m.Stops[:1]
	m.Stops[0].WeightUnit, m.Stops[0].VolumeUnit, m.WeightUnit = "KGM", "MTQ", "KGM"
	m.Stops[0].Site.State, m.Stops[0].Site.Country = "Limburg", "NL"
	m.Stops[0].Site.Street = []string{strings.Repeat("x", 60), "b", "c"}
	set := mapping.Out204(m)
	for _, want := range []string{
		"B2**CXBB**NL26030001*K*PP", "MS3*CXBB*B**M", "S5*1*CL*3156*K*314*CT*231.61*X", "N3*" + strings.Repeat("X", 55) + "*B", "N4*COLUMBUS**43215*NL", "AT8*G*K*2244*137",
	} {
		if !slices.Contains(lines(set), want) {
			t.Errorf("no %s in %v", want, lines(set))
		}
	}
	good(t, set)
}

// Part of a load is unloaded at every stop but the last.
func TestOut204Stops(t *testing.T) {
	m := firstTender(t)
	second := m.Stops[1]
	second.Sequence, second.OrderNumbers = 3, []string{"HH-1017", "HH-1018"}
	m.Stops, m.OrderNumbers = append(m.Stops, second), []string{"PC-1017", "HH-1017", "HH-1018"}
	var got []string
	for _, s := range lines(mapping.Out204(m)) {
		if strings.HasPrefix(s, "S5*") {
			got = append(got, s[:7])
		}
		if strings.HasPrefix(s, "L11*") {
			got = append(got, s)
		}
	}
	compare(t, "stops", got, []string{
		"L11*NL26030001*BM", "L11*PC-1017*PO", "L11*HH-1017*PO", "L11*HH-1018*PO", "S5*1*CL", "S5*2*PU", "L11*08292233294*PO", "S5*3*CU", "L11*HH-1017*PO", "L11*HH-1018*PO",
	})
	good(t, mapping.Out204(m))
}

func firstInvoice() mapping.Invoice {
	out := mapping.Invoice{
		Date: "2026-03-04", Number: "NLS26-000001", OrderDate: "2010-11-27", OrderNumber: "08292233294", LoadNumber: "NL26030001", ShipDate: "2026-03-03", FreightTerms: "PREPAID_AND_ADD",
		Seller: mapping.Party{Name: "Northline Supply Inc.", Qualifier: "93", ID: "LE-US", Street: []string{"1200 Demo Parkway"}, City: "Columbus", State: "OH", PostalCode: "43215", Country: "US"},
		ShipTo: mapping.Party{Name: "XYZ Retail", Qualifier: "9", ID: "0003947268292", Street: []string{"31875 Solon Rd"}, City: "Solon", State: "OH", PostalCode: "44139", Country: "US"},
		Total:  "13558.47",
		Charges: []mapping.InvoiceCharge{
			{Code: "LHS", Description: "Freight 31.56 cwt at 14.50", Amount: "457.62"}, {Code: "FUE", Description: "Fuel 12 % of line-haul", Amount: "54.91"},
		},
	}
	for _, l := range [][7]string{
		{"1", "120", "9.25", "065322-117", "AB3542", "SMALL WIDGET", "TE"}, {"2", "220", "13.79", "066850-116", "RD5322", "MEDIUM WIDGET", "TE"},
		{"3", "126", "10.99", "060733-110", "XY5266", "LARGE WIDGET", "TE"}, {"4", "76", "4.35", "065308-116", "VX2332", "NANO WIDGET", "TE"},
		{"5", "72", "7.5", "065374-118", "RV0524", "BLUE WIDGET", "TE"}, {"6", "696", "9.55", "067504-118", "DX1875", "ORANGE WIDGET", "TE"},
	} {
		out.Lines = append(out.Lines, mapping.InvoiceLine{
			ID: l[0], Quantity: l[1], UnitX12: "EA", Price: l[2], PriceBasis: l[6], Items: []mapping.Qualified{{"CB", l[3]}, {"VN", l[4]}}, Description: l[5],
		})
	}
	return out
}

func TestOut810(t *testing.T) {
	i := firstInvoice()
	want := page(t, "810.edi")
	for _, s := range want { // the customer's terms are printed as it wrote them
		if strings.HasPrefix(s, "ITD*") {
			i.Terms = append(i.Terms, mapping.Terms{Raw: strings.Split(s, "*")[1:]})
		}
	}
	set, err := mapping.Out810(i)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "first scenario", lines(set), want)
	good(t, set)

	i.Total = "1.005"
	if _, err := mapping.Out810(i); err == nil {
		t.Error("an amount with three decimals was written")
	}
	i = firstInvoice()
	i.Charges, i.FreightTerms, i.Total = nil, "COLLECT", "13045.94"
	if set, err = mapping.Out810(i); err != nil || !slices.Contains(lines(set), "FOB*CC") || !slices.Contains(lines(set), "TDS*1304594") || strings.Contains(set.Text(starTilde), "SAC*") {
		t.Errorf("collect: got %v, %v", lines(set), err)
	}
	good(t, set)
}
