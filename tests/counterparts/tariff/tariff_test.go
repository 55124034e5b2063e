package tariff_test

import (
	"testing"

	"crossdock.dev/tests/counterparts/tariff"
)

// The amounts are those of the day's pages, each worked out there by hand.
func TestBill(t *testing.T) {
	type weight = map[string]string
	type cents = map[string]int64
	for _, c := range []struct {
		page, scac string
		freight    tariff.Freight
		want       cents
	}{
		{"01", "CXBB", tariff.Freight{Shipped: "2026-03-03", Cities: []string{"COLUMBUS", "SOLON"}, Weight: weight{"70": "2244", "85": "362", "100": "550"}}, cents{"LHS": 83054, "DSC": -49832, "FUE": 9302}},
		{"02", "CXCC", tariff.Freight{Shipped: "2026-03-04", Cities: []string{"Columbus", "Chicago"}}, cents{"LHS": 101000}},
		{"05", "CXAA", tariff.Freight{NotUsed: true}, cents{"TON": 20000}},
		{"05 as rated", "CXAA", tariff.Freight{Shipped: "2026-03-06", Cities: []string{"COLUMBUS", "DETROIT"}}, cents{"LHS": 45000, "FUE": 11480}},
		{"06", "CXBB", tariff.Freight{Shipped: "2026-03-05", Cities: []string{"COLUMBUS", "PITTSBURGH"}, Weight: weight{"70": "300", "100": "650"}, Extra: []string{"LFT"}}, cents{"LHS": 38800, "DSC": -23280, "FUE": 4578, "LFT": 7500}},
		{"07", "CXBB", tariff.Freight{Shipped: "2026-03-05", Cities: []string{"COLUMBUS", "DETROIT"}, Weight: weight{"70": "3200"}}, cents{"LHS": 76800, "DSC": -46080, "FUE": 9062}},
		{"08", "CXEE", tariff.Freight{Shipped: "2026-03-05", Cities: []string{"COLUMBUS", "INDIANAPOLIS"}, Weight: weight{"70": "800"}}, cents{"LHS": 31000, "DSC": -17050, "FUE": 4115}},
		{"09", "CXAA", tariff.Freight{Shipped: "2026-03-07", Cities: []string{"COLUMBUS", "NASHVILLE"}}, cents{"LHS": 81700, "FUE": 21280}},
		{"12", "CXEE", tariff.Freight{Shipped: "2026-03-10", Cities: []string{"COLUMBUS", "INDIANAPOLIS"}, Weight: weight{"100": "1020"}}, cents{"LHS": 43860, "DSC": 19737 - 43860, "FUE": 5822}},
		{"13", "CXAA", tariff.Freight{Shipped: "2026-03-06", Cities: []string{"COLUMBUS", "CHICAGO"}, Rates: map[string]string{"LHS": "2.15966"}}, cents{"LHS": 77100, "FUE": 19992}},
		{"14", "CXBB", tariff.Freight{Shipped: "2026-03-10", Cities: []string{"COLUMBUS", "DETROIT"}, Weight: weight{"70": "3200"}, Rates: map[string]string{"FUE": "34"}}, cents{"LHS": 76800, "DSC": -46080, "FUE": 10445}},
		{"16", "CXAA", tariff.Freight{Shipped: "2026-03-11", Cities: []string{"COLUMBUS", "NASHVILLE"}}, cents{"LHS": 81700, "FUE": 21660}},
		{"17", "CXAA", tariff.Freight{Shipped: "2026-03-11", Cities: []string{"COLUMBUS", "INDIANAPOLIS", "CHICAGO"}, Dwell: 185}, cents{"LHS": 77185, "FUE": 20463, "SOC": 7500, "DET": 9000}},
		{"18", "CXDD", tariff.Freight{Shipped: "2026-03-04", Cities: []string{"VENLO", "EINDHOVEN"}}, cents{"LHS": 18000, "FUE": 2070}},
		{"19", "CXDD", tariff.Freight{Shipped: "2026-03-05", Cities: []string{"VENLO", "HAMBURG"}}, cents{"LHS": 62350, "FUE": 7170}},
		{"filler HHS", "CXBB", tariff.Freight{Shipped: "2026-03-18", Cities: []string{"COLUMBUS", "DETROIT"}, Weight: weight{"70": "1600"}}, cents{"LHS": 48000, "DSC": 19200 - 48000, "FUE": 5856}},
		{"filler PIN", "CXEE", tariff.Freight{Shipped: "2026-03-12", Cities: []string{"COLUMBUS", "INDIANAPOLIS"}, Weight: weight{"70": "1200"}}, cents{"LHS": 37200, "DSC": 16740 - 37200, "FUE": 5022}},
	} {
		t.Run(c.page, func(t *testing.T) {
			of, err := tariff.Of(c.scac)
			if err != nil {
				t.Fatal(err)
			}
			lines, err := of.Bill(c.freight)
			if err != nil {
				t.Fatal(err)
			}
			var total int64
			for _, l := range lines {
				if l.Cents != c.want[l.Code] {
					t.Errorf("%s: got %d, want %d", l.Code, l.Cents, c.want[l.Code])
				}
				total += c.want[l.Code]
			}
			if len(lines) != len(c.want) || tariff.Total(lines) != total {
				t.Errorf("got %v, want %v", lines, c.want)
			}
		})
	}
}

func TestBillRefuses(t *testing.T) {
	for scac, f := range map[string]tariff.Freight{
		"CXAA": {Shipped: "2026-03-05", Cities: []string{"COLUMBUS", "ATHENS"}},
		"CXBB": {Shipped: "2026-03-05", Cities: []string{"COLUMBUS", "SOLON"}, Weight: map[string]string{"500": "10"}},
		"CXCC": {Shipped: "2026-03-05", Cities: []string{"COLUMBUS", "ATHENS"}},
		"CXDD": {Shipped: "2025-03-05", Cities: []string{"VENLO", "HAMBURG"}},
		"CXEE": {Shipped: "2026-03-05"},
	} {
		of, err := tariff.Of(scac)
		if err != nil {
			t.Fatal(err)
		}
		if lines, err := of.Bill(f); err == nil {
			t.Errorf("%s: got %v, want an error", scac, lines)
		}
	}
}
