package message

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"crossdock.dev/integrations/edi/internal/profile"
	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
)

func TestJudgeOrder(t *testing.T) {
	same, other := [32]byte{1}, [32]byte{2}
	none := Prior{}
	prior := Prior{Set: "interchanges/edi_1/sets/1", SHA256: same, Order: "orders/ord_1"}
	bad := []mapping.Problem{
		{Severity: x12.Warning, Reason: mapping.TotalDiffers, Text: "not said: a warning"},
		{Severity: x12.Error, Reason: mapping.UnitUnknown, Field: "lines[2].unit", Value: "QQ", Text: "unknown unit"},
		{Severity: x12.Error, Reason: mapping.PriceMissing, Field: "lines[1].price", Text: "no price"},
		{Severity: x12.Error, Reason: mapping.PriceMissing, Field: "lines[2].price", Text: "no price"},
	}
	const words = "lines[2].unit: unknown unit (QQ); no price in 2 places"
	for _, c := range []struct {
		name     string
		purpose  string
		sha      [32]byte
		problems []mapping.Problem
		prior    Prior
		ask      bool
		want     Verdict
	}{
		{"new", "00", same, nil, none, false, Verdict{Disposition: InProgress}},
		{"new, a person decides on repeats", "00", same, nil, none, true, Verdict{Disposition: InProgress}},
		{"new with warnings", "00", same, bad[:1], none, false, Verdict{Disposition: InProgress}},
		{"new with errors", "00", same, bad, none, false, Verdict{Disposition: Parked, Code: MappingFailed, Reason: words}},
		{"again", "00", same, nil, prior, false, Verdict{Disposition: Duplicate, Reason: "same order as " + prior.Set, Result: prior.Order}},
		{"again, a person decides", "00", same, nil, prior, true, Verdict{Disposition: Parked, Code: DuplicatePOAsk, Reason: "order number came before with the same content as " + prior.Set, Result: prior.Order}},
		{"other content", "00", other, nil, prior, false, Verdict{Disposition: Parked, Code: DuplicatePODiffers, Reason: "order number came before with other content as " + prior.Set, Result: prior.Order}},
		{"replacement of nothing, with errors", "05", other, bad, none, false, Verdict{Disposition: Parked, Code: ReplaceWithoutOriginal, Reason: "replaces an order that never came; " + words}},
		{"replacement", "05", other, nil, prior, false, Verdict{Disposition: Parked, Code: ChangeNotApplied, Reason: "purpose 05 for an order that came as " + prior.Set, Result: prior.Order}},
		{"cancellation", "01", other, nil, prior, false, Verdict{Disposition: Parked, Code: ChangeNotApplied, Reason: "purpose 01 for an order that came as " + prior.Set, Result: prior.Order}},
		{"cancellation of nothing", "01", other, nil, none, false, Verdict{Disposition: Parked, Code: ChangeWithoutOriginal, Reason: "purpose 01 for an order that never came"}},
	} {
		got := JudgeOrder(Order{Number: "1", Purpose: c.purpose, SHA256: c.sha, Problems: c.problems}, c.prior, c.ask)
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", c.name, got, c.want)
		}
	}
}

func TestClean(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{
		{"  plain ", 10, "plain"}, {"line\nbreak\x00", 20, "line break"}, {"caf\xe9", 10, "café"}, {"café", 4, "caf"}, {"", 5, ""}, {"abcdef", 3, "abc"},
	} {
		if got := Clean(c.in, c.n); got != c.want {
			t.Errorf("Clean(%q, %d): got %q, want %q", c.in, c.n, got, c.want)
		}
	}
}

// A set behind one with more errors than are reported is refused for its own error all the same.
func TestManyErrors(t *testing.T) {
	profiles, err := profile.Load("../../partners/day.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sets := "ST*850*0001~BEG*00*SA*PO1**20101127~" + strings.Repeat("PO1*1*2*EA*x**VN*A~", maxErrors+1) + fmt.Sprintf("SE*%d*0001~", maxErrors+4) +
		"ST*850*0002~BEG*00*SA*PO2**20101127~PO1*1*2*EA*x**VN*A~SE*4*0002~ST*850*0003~BEG*00*SA*PO3**20101127~PO1*1*2*EA*1**VN*A~SE*4*0003~"
	data := good[:strings.Index(good, "ST*850")] + sets + "GE*3*1~IEA*1*000003438~"
	found, err := NewScanner(strings.NewReader(data), int64(len(data)), profiles).Next()
	if err != nil || found.Fault != "" || len(found.Sets) != 3 || len(found.Groups) != 1 {
		t.Fatalf("got %+v, %v", found, err)
	}
	for i, refused := range []bool{true, true, false} {
		if got := found.Sets[i].Refusal; (got != "") != refused {
			t.Errorf("set %d: refusal %q", i+1, got)
		}
	}
	if a := found.Groups[0].Ack; a.Code != "P" || a.Accepted != 1 {
		t.Errorf("997: got %s with %d accepted, want P with 1", a.Code, a.Accepted)
	}
}

// Statements are found again by their bytes.
func TestSegments(t *testing.T) {
	profiles, err := profile.Load("../../partners/day.yaml")
	if err != nil {
		t.Fatal(err)
	}
	data := strings.ReplaceAll(good, "CTT*1*2~SE*6", "PO1*2*7*EA*3**VN*B~CTT*2*9~SE*7")
	found, err := NewScanner(strings.NewReader(data), int64(len(data)), profiles).Next()
	if err != nil || len(found.Sets) != 1 {
		t.Fatalf("got %+v, %v", found, err)
	}
	var got []string
	for _, s := range found.Sets[0].Segments {
		got = append(got, s.ID+": "+data[s.Offset:s.Offset+s.Length])
	}
	if want := []string{"PO1: PO1*1*2*EA*1.50**VN*A", "PO1: PO1*2*7*EA*3**VN*B"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzScan: whatever the bytes, reading ends, places lie within the document, and every set has a verdict.
func FuzzScan(f *testing.F) {
	profiles, err := profile.Load("../../partners/day.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(good))
	f.Add([]byte(strings.ReplaceAll(good, "GE*1*1~", "")))
	f.Add([]byte(good + good[:200]))
	f.Add([]byte(strings.ReplaceAll(good, "PO", "FA")))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := NewScanner(bytes.NewReader(data), int64(len(data)), profiles)
		last := int64(0)
		for n := 0; ; n++ {
			found, err := s.Next()
			if err == io.EOF {
				if n == 0 {
					t.Fatal("a document without any interchange")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			h := found.Head
			if h.Offset < last || h.Size < 0 || h.Offset+h.Size > int64(len(data)) {
				t.Fatalf("interchange at %d, %d bytes, after %d of %d", h.Offset, h.Size, last, len(data))
			}
			last = h.Offset + h.Size
			_, sets := Judge(found, Seen{})
			for _, set := range sets {
				if set.Disposition == 0 || set.Offset < h.Offset || set.Length <= 0 || set.Offset+set.Length > last {
					t.Fatalf("set %+v of interchange at %d, %d bytes", set, h.Offset, h.Size)
				}
			}
		}
	})
}

const good = "ISA*00*          *00*          *12*4405197800     *01*999999999      *101127*1719*U*00401*000003438*0*P*>~" +
	"GS*PO*4405197800*999999999*20101127*1719*1*X*004010~ST*850*0001~BEG*00*SA*PO1**20101127~N1*ST*X*9*1~" +
	"PO1*1*2*EA*1.50**VN*A~CTT*1*2~SE*6*0001~GE*1*1~IEA*1*000003438~"
