package series_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"crossdock.dev/services/billing/internal/series"
)

var noon = time.Date(2026, 3, 4, 14, 46, 0, 0, time.UTC)

func drawn(n int) (series.Series, []series.Registration) {
	s := series.Series{Name: "NLS26", LegalEntity: "legalEntities/LE-US"}
	var all []series.Registration
	for i := range n {
		var r series.Registration
		s, r = s.Draw(fmt.Sprintf("invoices/inv_%d", i), noon.Add(time.Duration(i)*time.Minute))
		all = append(all, r)
	}
	return s, all
}

func TestDraw(t *testing.T) {
	s, all := drawn(3)
	for i, want := range []string{"NLS26-000001", "NLS26-000002", "NLS26-000003"} {
		if all[i].Number != want {
			t.Errorf("number %d = %s, want %s", i, all[i].Number, want)
		}
	}
	if breaches := series.Check(s, all, noVoid); breaches != nil {
		t.Errorf("breaches %q, want none", breaches)
	}
	_, late := s.Draw("invoices/inv_late", noon.Add(-time.Hour))
	if want := noon.Add(2 * time.Minute); !late.Time.Equal(want) {
		t.Errorf("a clock that stepped back gives %v, want %v", late.Time, want)
	}
}

func TestCheckFinds(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*series.Series, []series.Registration) []series.Registration
		want  string
	}{
		{"hole", func(_ *series.Series, r []series.Registration) []series.Registration { return append(r[:1], r[2]) }, "after 1 comes 3"},
		{"lost end", func(_ *series.Series, r []series.Registration) []series.Registration { return r[:2] }, "the next number is 4"},
		{"time", func(_ *series.Series, r []series.Registration) []series.Registration { r[2].Time = noon; return r }, "earlier time"},
		{"two numbers", func(_ *series.Series, r []series.Registration) []series.Registration {
			r[2].Document = r[0].Document
			return r
		}, "bears number 1 and 3"},
		{"another print", func(_ *series.Series, r []series.Registration) []series.Registration {
			r[1].Number = "NLS26-2"
			return r
		}, "printed as NLS26-2"},
		{"counter set back", func(s *series.Series, r []series.Registration) []series.Registration { s.Next = 2; return r }, "the next number is 2"},
	} {
		s, all := drawn(3)
		all = c.spoil(&s, all)
		if got := strings.Join(series.Check(s, all, noVoid), "\n"); !strings.Contains(got, c.want) {
			t.Errorf("%s: breaches %q, want one with %q", c.name, got, c.want)
		}
	}
}

func noVoid(uint64) (uint64, bool) { return 0, false }

// Numbers that were passed over after a restore are no hole; others are.
func TestVoidNumbers(t *testing.T) {
	s := series.Series{Name: "NLS26"}
	var all []series.Registration
	for _, next := range []uint64{1, 2, 13, 14} { // 3 to 12 may stand on invoices that a restore has lost
		s.Next = next
		var r series.Registration
		s, r = s.Draw(fmt.Sprint("invoices/", next), time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC))
		all = append(all, r)
	}
	for name, c := range map[string]struct {
		from, to uint64
		want     string
	}{
		"explained":       {3, 12, ""},
		"not at all":      {0, 0, "series NLS26: after 2 comes 13"},
		"not to the end":  {3, 11, "series NLS26: after 11 comes 13"},
		"one that stands": {3, 13, "series NLS26: after 13 comes 13"},
	} {
		void := func(n uint64) (uint64, bool) { return c.to, c.from <= n && n <= c.to }
		if got := strings.Join(series.Check(s, all, void), "\n"); got != c.want && !strings.HasPrefix(got, c.want+"\n") {
			t.Errorf("%s: Check = %q, want %q", name, got, c.want)
		}
	}
}
