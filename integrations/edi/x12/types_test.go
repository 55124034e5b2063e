package x12

import "testing"

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		value    string
		decimals int
		want     string // "": an error
	}{
		{"65940", 2, "659.40"}, {"5", 2, "0.05"}, {"-49832", 2, "-498.32"}, {"0", 2, "0.00"}, {"000123", 0, "123"}, {"-7", 0, "-7"},
		{"1", 4, "0.0001"}, {"557.21", 2, ""}, {"", 2, ""}, {"-", 2, ""}, {"1-", 2, ""}, {"1 2", 0, ""}, {"+5", 2, ""}, {"1,5", 2, ""},
		{"99999999999999999999999", 2, "999999999999999999999.99"},
	} {
		got, err := ParseN(c.value, c.decimals)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("ParseN(%q, %d): got %q, %v; want %q", c.value, c.decimals, got, err, c.want)
		}
	}
	for _, c := range []struct{ value, want string }{
		{"9.25", "9.25"}, {".5", "0.5"}, {"7.", "7"}, {"-0.50", "-0.50"}, {"007", "7"}, {"0", "0"}, {"", ""}, {".", ""}, {"-", ""}, {"1E5", ""}, {"1.2.3", ""}, {"NaN", ""},
	} {
		got, err := ParseR(c.value)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("ParseR(%q): got %q, %v; want %q", c.value, got, err, c.want)
		}
	}
	for _, c := range []struct{ value, want string }{
		{"13558.47", "1355847"}, {"0.05", "5"}, {"-498.32", "-49832"}, {"457.6", "45760"}, {"3", "300"}, {"0.00", "0"}, {"1.230", "123"}, {"1.234", ""}, {"x", ""},
	} {
		got, err := FormatN(c.value, 2)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("FormatN(%q, 2): got %q, %v; want %q", c.value, got, err, c.want)
		}
	}
}

func TestDatesAndTimes(t *testing.T) {
	for value, want := range map[string]string{
		"20260302": "2026-03-02", "260302": "2026-03-02", "991231": "1999-12-31", "20240229": "2024-02-29",
		"20230229": "", "20261302": "", "2026-3-2": "", "": "", "202603": "", "0": "",
	} {
		d, err := ParseDate(value)
		if err == nil != (want != "") || err == nil && d.String() != want {
			t.Errorf("ParseDate(%q): got %v, %v; want %q", value, d, err, want)
		}
	}
	for value, want := range map[string]Clock{
		"0800": {8, 0, 0, 0}, "235959": {23, 59, 59, 0}, "1200005": {12, 0, 0, 50}, "12000005": {12, 0, 0, 5},
	} {
		if got, err := ParseTime(value); err != nil || got != want {
			t.Errorf("ParseTime(%q): got %v, %v; want %v", value, got, err, want)
		}
	}
	for _, value := range []string{"", "8", "08:00", "2400", "0860", "080060", "12345", "123456789"} {
		if got, err := ParseTime(value); err == nil {
			t.Errorf("ParseTime(%q): got %v, want an error", value, got)
		}
	}
}

func TestAccessors(t *testing.T) {
	s := Seg("B3", "", "INV", "", "PP", "", "20260305", "42524", "", "", "", "CXBB")
	if v, err := s.N(7, 2); v != "425.24" || err != nil {
		t.Errorf("B307: got %q, %v", v, err)
	}
	if d, err := s.DT(6); d.String() != "2026-03-05" || err != nil {
		t.Errorf("B306: got %v, %v", d, err)
	}
	if v, err := s.R(9); v != "" || err != nil {
		t.Errorf("absent: got %q, %v", v, err)
	}
	if _, ok, err := s.TM(20); ok || err != nil {
		t.Errorf("beyond the end: got %v, %v", ok, err)
	}
	if _, err := s.N(4, 2); err == nil {
		t.Error("B304 as a number: want an error")
	}
}

// TestTables reads every table of the dictionary.
func TestTables(t *testing.T) {
	for id, e := range elements004010 {
		_, number := e.Type.decimals()
		switch e.Type {
		case AN, ID, R, DT, TM, B:
		default:
			if !number {
				t.Errorf("element %s has type %q", id, e.Type)
			}
		}
		if e.Min < 1 || e.Max < e.Min {
			t.Errorf("element %s has length %d/%d", id, e.Min, e.Max)
		}
	}
	used := map[string]bool{}
	for id, s := range segments004010 {
		if len(s.Fields) == 0 {
			t.Errorf("segment %s has no element", id)
		}
		for n, f := range s.Fields {
			used[f.Number] = true
			if _, ok := elements004010[f.Number]; !ok && !f.composite() {
				t.Errorf("%s%02d: element %s is not defined", id, n+1, f.Number)
			}
		}
		for _, n := range s.Notes {
			if len(n.Elements) < 2 {
				t.Errorf("%s: note %c%v", id, n.Kind, n.Elements)
			}
			for _, e := range n.Elements {
				if e < 1 || e > len(s.Fields) {
					t.Errorf("%s: note %c%v names an element which is not there", id, n.Kind, n.Elements)
				}
			}
			switch n.Kind {
			case Paired, AtLeastOne, Exclusive, Conditional, ListConditional:
			default:
				t.Errorf("%s: note of kind %c", id, n.Kind)
			}
		}
	}
	for id := range elements004010 {
		if !used[id] {
			t.Errorf("element %s is used nowhere", id)
		}
	}
	var walk func(set string, nodes []Node, loop bool)
	walk = func(set string, nodes []Node, loop bool) {
		for i, n := range nodes {
			if n.ID == "" || n.Max < 0 {
				t.Errorf("set %s: node %+v", set, n)
			}
			if n.Loop != nil {
				if n.Loop[0].ID != n.ID || !n.Loop[0].Mandatory {
					t.Errorf("set %s: loop %s begins with %s", set, n.ID, n.Loop[0].ID)
				}
				walk(set, n.Loop, true)
			} else if loop && i == 0 && n.Max != 1 {
				t.Errorf("set %s: loop begins with %d %s", set, n.Max, n.ID)
			}
		}
	}
	for id, def := range sets004010 {
		if def.ID != id || functionalID[id] == "" {
			t.Errorf("set %s is listed as %s, functional id %q", def.ID, id, functionalID[id])
		}
		walk(id, def.Body, false)
	}
}

func TestLookup(t *testing.T) {
	for _, c := range []struct {
		version, set string
		found, exact bool
	}{
		{"004010", "850", true, true}, {"004010VICS", "850", true, true}, {"005010", "214", true, false}, {"004030", "210", true, false}, {"004010", "310", false, false},
	} {
		def, exact := Lookup(c.version, c.set)
		if (def != nil) != c.found || exact != c.exact {
			t.Errorf("Lookup(%s, %s): got %v, %v; want %v, %v", c.version, c.set, def != nil, exact, c.found, c.exact)
		}
	}
}

// TestSplitRepetitions splits only what may repeat.
func TestSplitRepetitions(t *testing.T) {
	sep := Separators{Element: "*", Component: ":", Repetition: "^", Segment: "~"}
	const text = "XX*a:b^c*d^e*"
	s := split(text, sep, func(n int) bool { return n == 1 })
	if len(s.Elements) != 3 || len(s.Elements[0].Repeats) != 1 || s.Elements[0].More[0] != "b" || s.Elements[1].Value != "d^e" {
		t.Errorf("got %+v", s.Elements)
	}
	if got := s.Text(sep); got != text {
		t.Errorf("text: got %q, want %q", got, text)
	}
	if off, n := s.ElementRange(2, sep); text[off:int(off)+n] != "d^e" {
		t.Errorf("range of element 2: got %d+%d", off, n)
	}
}

func TestSyntaxNotes(t *testing.T) {
	for _, c := range []struct {
		note string
		s    Segment
		want string // element and code of each finding
	}{
		{"P0102", Seg("X", "a", "b"), ""}, {"P0102", Seg("X", "a"), "2/2"}, {"P0102", Seg("X", "", "b"), "1/2"}, {"P0102", Seg("X"), ""},
		{"R0102", Seg("X", "", "b"), ""}, {"R0102", Seg("X"), "1/2"},
		{"C0102", Seg("X", "", "b"), ""}, {"C0102", Seg("X", "a"), "2/2"}, {"C010203", Seg("X", "a", "b"), "3/2"},
		{"L010203", Seg("X", "a", "", "c"), ""}, {"L010203", Seg("X", "a"), "2/2"}, {"L010203", Seg("X", "", "b"), ""},
		{"E0102", Seg("X", "a"), ""}, {"E0102", Seg("X", "a", "b"), "2/10"},
	} {
		got := ""
		seg("1 2 3", c.note).Notes[0].check(c.s, func(_ Severity, code string, n int, _ string) {
			got += string(rune('0'+n)) + "/" + code
		})
		if got != c.want {
			t.Errorf("%s on %v: got %q, want %q", c.note, c.s.Elements, got, c.want)
		}
	}
}

func TestElementChecks(t *testing.T) {
	for _, c := range []struct {
		def   ElementDef
		value string
		want  string // code of data element 723
	}{
		{ElementDef{Type: AN, Min: 2, Max: 5}, "ab", ""}, {ElementDef{Type: AN, Min: 2, Max: 5}, "a", ElementShort},
		{ElementDef{Type: AN, Min: 2, Max: 5}, "abcdef", ElementLong}, {ElementDef{Type: AN, Min: 2, Max: 5}, "abcde     ", ""},
		{ElementDef{Type: AN, Min: 2, Max: 5}, "ÄÖÜäö", ""}, {ElementDef{Type: AN, Min: 2, Max: 5}, "a\nb", ElementCharacter},
		{ElementDef{Type: ID, Min: 1, Max: 2, Codes: []string{"A", "R"}}, "R", ""}, {ElementDef{Type: ID, Min: 1, Max: 2, Codes: []string{"A", "R"}}, "Z", ElementCode},
		{ElementDef{Type: R, Min: 1, Max: 4}, "-12.34", ""}, {ElementDef{Type: R, Min: 1, Max: 4}, "123.45", ElementLong}, {ElementDef{Type: R, Min: 1, Max: 4}, "1,5", ElementCharacter},
		{ElementDef{Type: N2, Min: 1, Max: 4}, "-1234", ""}, {ElementDef{Type: N2, Min: 1, Max: 4}, "12.34", ElementCharacter}, {ElementDef{Type: N0, Min: 3, Max: 4}, "12", ElementShort},
		{ElementDef{Type: DT, Min: 8, Max: 8}, "20260302", ""}, {ElementDef{Type: DT, Min: 8, Max: 8}, "260302", ElementShort},
		{ElementDef{Type: DT, Min: 8, Max: 8}, "20260231", ElementDate}, {ElementDef{Type: DT, Min: 8, Max: 8}, "2026-3-2", ElementDate},
		{ElementDef{Type: TM, Min: 4, Max: 8}, "2359", ""}, {ElementDef{Type: TM, Min: 4, Max: 8}, "2460", ElementTime}, {ElementDef{Type: TM, Min: 4, Max: 8}, "12:00", ElementTime},
		{ElementDef{Type: B, Min: 1, Max: 2}, "\x00\x01\x02", ""},
	} {
		if got, _ := c.def.check(c.value); got != c.want {
			t.Errorf("%+v on %q: got %q, want %q", c.def, c.value, got, c.want)
		}
	}
}

// TestRepetitionsOfATable reads a set of which a table lets an element repeat.
func TestRepetitionsOfATable(t *testing.T) {
	def := set(SetDef{ID: "990", Body: []Node{req("ZA", 1)}})
	def.Segments = map[string]SegmentDef{"ZA": seg("373* 127")}
	v := newValidator(def, true)
	sep := Separators{Element: "*", Component: ":", Repetition: "^", Segment: "~"}
	s := split("ZA*20260302^20261302^20260303*a^b", sep, v.repeats("ZA"))
	r := &Reader{sep: sep, inSet: true, inGroup: true, lim: Limits{}.orDefaults()}
	e := Event{Segment: s}
	v.segment(r, &e)
	if len(s.Elements[0].Repeats) != 2 || s.Elements[1].Value != "a^b" || len(e.Findings) != 1 || e.Findings[0].Code != ElementDate {
		t.Errorf("got %+v and %v, want two repetitions in 01, none in 02, and one finding", s.Elements, e.Findings)
	}
}
