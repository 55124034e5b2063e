package x12_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"crossdock.dev/integrations/edi/x12"
)

const (
	isa = "ISA*00*          *00*          *02*CXBB           *ZZ*NORTHLINE      *260302*1420*U*00401*000000001*0*P*>~"
	iea = "IEA*1*000000001~"
	doc = isa + "GS*GF*CXBB*NORTHLINE*20260302*1420*1*X*004010~ST*990*0001~B1*CXBB*NL26030001*20260302*A~N9*CN*CXB0001001~" +
		"SE*4*0001~GE*1*1~" + iea
)

func parse(t *testing.T, text string) x12.File {
	t.Helper()
	f, err := x12.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func write(t *testing.T, f x12.File) string {
	t.Helper()
	var b bytes.Buffer
	for _, x := range f.Interchanges {
		if _, err := x12.Write(&b, x, x12.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// errorsOf returns the texts of findings that are more than information.
func errorsOf(f x12.File) []string {
	var out []string
	for _, found := range f.Findings {
		if found.Severity > x12.Info {
			out = append(out, found.String())
		}
	}
	return out
}

func TestTerminators(t *testing.T) {
	for _, terminator := range []string{"~", "\n", "\r", "\r\n", "|", "$", "\\", "'", "\x1c", "\x85", "\xd6", "\u0085", "\u2026", "\u00d6", "\ufffd"} {
		for _, gap := range []string{"", "\n", "\r\n"} {
			text := strings.ReplaceAll(doc, "~", terminator+gap)
			f := parse(t, text)
			if got := errorsOf(f); got != nil {
				t.Errorf("%q + %q: findings %q", terminator, gap, got)
			}
			want := terminator
			if terminator == "\r\n" {
				want = "\r" // CR ends the segment, LF is white space after it
			}
			if got := f.Interchanges[0].Format.Segment; got != want {
				t.Errorf("terminator: got %q, want %q", got, want)
			}
			if got := f.Interchanges[0].Groups[0].Sets[0].Segments[1].Get(4); got != "A" {
				t.Errorf("%q + %q: B104 got %q, want A", terminator, gap, got)
			}
			if got := write(t, f); got != text {
				t.Errorf("%q + %q: wrote %q", terminator, gap, got)
			}
		}
	}
}

func TestEdges(t *testing.T) {
	ta1 := isa + "TA1*000000007*260302*1400*A*000~IEA*0*000000001~"
	for _, c := range []struct {
		name, text string
		want       []string // findings above information
	}{
		{"byte order mark, blanks around", "\ufeff \r\n" + doc + "  \n\n\x1a", nil},
		{"blank lines between segments", strings.Replace(doc, "~ST", "~\n\n  ST", 1), nil},
		{"two interchanges with their own separators", doc + "\n" + strings.NewReplacer("*", "|", "~", "'").Replace(doc), nil},
		{"TA1 without a group", ta1, nil},
		{"no last terminator", strings.TrimSuffix(doc, "~"), nil},
		{"lower case separators of the ISA", strings.Replace(doc, "*>~", "*a~", 1), []string{
			"warning: ISA, element 16: ISA16 cannot separate components (interchange code 027)"}},
		{"ISA16 left out", strings.Replace(doc, "*>~", "*~", 1), []string{
			"warning: ISA, element 16: ISA16 is left out; the interchange has no component separator (interchange code 027)",
			"warning: ISA: ISA elements are not padded to their fixed widths (interchange code 022)"}},
		{"empty segment", strings.Replace(doc, "~N9", "~~N9", 1), []string{"warning: B1 at 2: empty segment after this one"}},
		{"usage of no known kind", strings.Replace(doc, "*P*>", "*X*>", 1), []string{"error: ISA, element 15: ISA15 is none of P, T and I (interchange code 020)"}},
		{"wrong counts", strings.NewReplacer("SE*4", "SE*5", "GE*1*1", "GE*2*1", "IEA*1", "IEA*2").Replace(doc), []string{
			`error: SE at 4, element 1: SE01 says "5", there are 4 segments from ST to SE (set code 4)`,
			`error: GE, element 1: GE01 says "2", there are 1 sets in the group (group code 5)`,
			`error: IEA, element 1: IEA01 says "2", there are 1 groups in the interchange (interchange code 021)`}},
		{"control number padded otherwise", strings.Replace(doc, "GE*1*1~", "GE*1*000000001~", 1), []string{
			`warning: GE, element 2: GE02 "000000001" is not GS06 "1" (group code 4)`}},
		{"segment between sets", strings.Replace(doc, "~GE", "~XX*1~GE", 1), []string{
			"error: XX: segment outside of any set (interchange code 024)"}},
		{"set without group", isa + "ST*990*0001~B1*CXBB*A~SE*3*0001~IEA*0*000000001~", []string{
			"error: ST: ST without GS before it (interchange code 024)"}},
		{"new ISA before the IEA", strings.TrimSuffix(doc, iea) + doc, []string{"error: ISA: IEA is missing (interchange code 023)"}},
		{"decimal point in N2", strings.NewReplacer("GS*GF", "GS*IM", "*990*", "*210*", "B1*CXBB*NL26030001*20260302*A",
			"B3**INV1*NL1*PP**20260305*425.24****CXBB", "SE*4", "SE*4").Replace(doc), []string{
			"error: B3 at 2, element 7: not a number with implied decimals (element code 6)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := parse(t, c.text)
			got := errorsOf(f)
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("findings\ngot  %q\nwant %q", got, c.want)
			}
			if text := write(t, f); text != c.text {
				t.Errorf("got  %q\nwant %q", text, c.text)
			}
		})
	}
}

func TestInputThatIsNoX12(t *testing.T) {
	for text, note := range map[string]string{
		"":                                      x12.NoteEndOfFile,
		" \n":                                   x12.NoteEndOfFile,
		"hello":                                 x12.NoteStructure,
		"ISA":                                   x12.NoteStructure,
		"ISA*00*":                               x12.NoteStructure,
		"ISAX00":                                x12.NoteStructure,
		isa[:105]:                               x12.NoteStructure, // no terminator
		"ST*850*0001~SE*2*1~":                   x12.NoteStructure,
		doc + "and then a word":                 x12.NoteStructure,
		isa + strings.Repeat("X", 70_000) + "~": x12.NoteStructure,
	} {
		_, err := x12.Parse([]byte(text))
		var syntax *x12.SyntaxError
		if !errors.As(err, &syntax) || syntax.Note != note {
			t.Errorf("%.30q: got %v, want a SyntaxError with note %s", text, err, note)
		}
	}
	f, err := x12.Parse([]byte(doc + "junk"))
	if err == nil || len(f.Interchanges) != 1 {
		t.Errorf("what stands before the fault is kept: got %d interchanges, error %v", len(f.Interchanges), err)
	}
	if _, err := x12.ReadAll(x12.NewReader(io.MultiReader(strings.NewReader(doc[:150]), iotest.ErrReader(io.ErrClosedPipe)), x12.Limits{})); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("read error: got %v, want %v", err, io.ErrClosedPipe)
	}
}

// TestReadingIsTheSameInAnyPieces feeds each corpus file byte by byte.
func TestReadingIsTheSameInAnyPieces(t *testing.T) {
	for _, name := range corpusFiles(t) {
		if strings.Contains(name, "noenv") {
			continue
		}
		want := parseCorpus(t, name)
		got, err := x12.ReadAll(x12.NewReader(iotest.OneByteReader(bytes.NewReader(readCorpus(t, name))), x12.Limits{}))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s read byte by byte differs", name)
		}
	}
}

// TestFindingsPointIntoTheInput checks that the byte range of each element
// finding holds its value.
func TestFindingsPointIntoTheInput(t *testing.T) {
	seen := 0
	for _, name := range corpusFiles(t) {
		data := readCorpus(t, name)
		for _, f := range parseCorpus(t, name).Findings {
			if f.Offset < 0 || int(f.Offset)+f.Length > len(data) {
				t.Fatalf("%s: %v: range %d+%d outside of the input", name, f, f.Offset, f.Length)
			}
			got := string(data[f.Offset : int(f.Offset)+f.Length])
			switch {
			case f.Element > 0 && len(f.Value) < 99:
				seen++
				if got != f.Value {
					t.Errorf("%s: %v: range holds %q, want %q", name, f, got, f.Value)
				}
			case f.Element == 0 && f.Code != x12.SegmentMissing && !strings.HasPrefix(got, f.SegmentID):
				t.Errorf("%s: %v: range holds %q", name, f, got)
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d element findings seen", seen)
	}
}

func TestBareSets(t *testing.T) {
	f := parseCorpus(t, "997/apimeister-x12-types__two-sets-noenv.edi")
	if got := len(f.Interchanges[0].Groups[0].Sets); got != 2 {
		t.Errorf("sets: got %d, want 2", got)
	}
	if x := f.Interchanges[0]; x.Header.ID != "" || x.Groups[0].Header.ID != "" || x.Trailer.ID != "" {
		t.Errorf("a bare set has no envelope; got %q %q %q", x.Header.ID, x.Groups[0].Header.ID, x.Trailer.ID)
	}
	own := x12.Separators{Element: "|", Segment: "\n"}
	g, err := x12.ParseBare([]byte("ST|990|7\nB1|CXBB|L1||A\nSE|3|7\n"), x12.Bare{Separators: own, Version: "004010"})
	if err != nil || errorsOf(g) != nil || g.Interchanges[0].Groups[0].Sets[0].Control() != "7" {
		t.Errorf("given separators: %v %v", err, errorsOf(g))
	}
}

// TestRepetitionSeparator reads ISA11 by ISA12 and by the character.
func TestRepetitionSeparator(t *testing.T) {
	for _, c := range []struct{ isa11, isa12, want string }{
		{"U", "00401", ""}, {"^", "00401", ""}, {"^", "00402", "^"}, {"U", "00501", ""}, {"^", "00501", "^"}, {"-", "00406", "-"}, {" ", "00501", ""}, {">", "00501", ""},
	} {
		f := parse(t, strings.Replace(doc, "*U*00401*", "*"+c.isa11+"*"+c.isa12+"*", 1))
		if got := f.Interchanges[0].Format.Repetition; got != c.want {
			t.Errorf("ISA11 %q ISA12 %s: got %q, want %q", c.isa11, c.isa12, got, c.want)
		}
	}
	// No table of 004010 lets an element repeat, so ids keep their hyphens.
	f := parseCorpus(t, "856/truecommerce-node-x12__856.edi")
	for _, s := range f.Interchanges[0].Groups[0].Sets[0].Segments {
		if s.ID == "REF" && s.Get(1) == "BM" && s.Get(2) != "999999-001" {
			t.Errorf("REF02: got %q, want 999999-001", s.Get(2))
		}
	}
}

// endless repeats one invoice within a group for so many bytes.
type endless struct {
	head, body []byte
	left       int
	at         int
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.head) > 0 {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p, e.body[e.at:])
	e.at = (e.at + n) % len(e.body)
	e.left -= n
	return n, nil
}

// TestFlatMemory streams 20 MB of the UPS invoice (lines of one set without
// end) and looks at the heap on the way.
func TestFlatMemory(t *testing.T) {
	data := readCorpus(t, "210/jf-tech-omniparser__2_ups_edi_210.input.txt")
	lx := bytes.Index(data, []byte("LX*"))
	se := bytes.Index(data, []byte("\nSE*")) + 1
	if lx < 0 || se < lx {
		t.Fatal("the file is not as expected")
	}
	r := x12.NewReader(&endless{head: data[:lx], body: data[lx:se], left: 20 << 20}, x12.Limits{})
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	start, most, events := m.HeapAlloc, uint64(0), 0
	for {
		_, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if events++; events%200_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
	if events < 900_000 {
		t.Errorf("only %d events", events)
	}
	if most > start+1<<20 {
		t.Errorf("heap grew from %d to %d bytes over %d events", start, most, events)
	}
}

func TestFindingsAreBounded(t *testing.T) {
	long := strings.Replace(doc, "CXB0001001", strings.Repeat("Ü", 300), 1)
	if got := parse(t, long).Findings; len(got) != 1 || got[0].Code != x12.ElementLong || got[0].Length != 600 || got[0].Value != strings.Repeat("Ü", 49) {
		t.Errorf("a value is cut between characters, at 99 bytes at most: got %+v", got)
	}
	wide, err := x12.ReadAll(x12.NewReader(strings.NewReader(doc+strings.Repeat("\n", 500)), x12.Limits{Gap: 100}))
	if err != nil || len(wide.Interchanges[0].Format.Trailer) != 100 || len(wide.Findings) != 1 || wide.Findings[0].Severity != x12.Info {
		t.Errorf("white space beyond the limit is dropped and told: got %v, %v", wide.Findings, err)
	}
	text := isa + "GS*GF*A*B*20260302*1420*1*X*004010~ST*990*1~" + strings.Repeat("ZZ*1~", 200)
	f, err := x12.ReadAll(x12.NewReader(strings.NewReader(text), x12.Limits{Findings: 50}))
	if err != nil || len(f.Findings) != 50 || f.Dropped < 150 {
		t.Errorf("got %d findings, %d dropped, error %v; want 50 and at least 150", len(f.Findings), f.Dropped, err)
	}
}
