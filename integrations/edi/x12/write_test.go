package x12_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"crossdock.dev/integrations/edi/x12"
)

// outbound is a small interchange as an adapter would build it.
func outbound(reason string) x12.Interchange {
	return x12.Interchange{
		Format: x12.Format{Separators: x12.Separators{Element: "*", Component: ">", Segment: "~"}, AfterSegment: "\n", Trailer: "\n"},
		Header: x12.Seg("ISA", "00", "", "00", "", "ZZ", "NORTHLINE", "02", "CXBB", "260302", "1112", "U", "00401", "000000001", "0", "P", ">"),
		Groups: []x12.Group{{
			Header: x12.Seg("GS", "GF", "NORTHLINE", "CXBB", "20260302", "1112", "1", "X", "004010"),
			Sets: []x12.Set{{Segments: []x12.Segment{
				x12.Seg("ST", "990", "0001"), x12.Seg("B1", "CXBB", "NL1", "", "A", "", ""), x12.Seg("K1", reason), x12.Seg("SE", "4", "0001"),
			}}},
			Trailer: x12.Seg("GE", "1", "1"),
		}},
		Trailer: x12.Seg("IEA", "1", "000000001"),
	}
}

func TestWriteOutbound(t *testing.T) {
	const want = "ISA*00*          *00*          *ZZ*NORTHLINE      *02*CXBB           *260302*1112*U*00401*000000001*0*P*>~\n" +
		"GS*GF*NORTHLINE*CXBB*20260302*1112*1*X*004010~\nST*990*0001~\nB1*CXBB*NL1**A~\nK1*%~\nSE*4*0001~\nGE*1*1~\nIEA*1*000000001~\n"
	for _, c := range []struct {
		name, data, replace, written string
		refused                      string // the separator of the SeparatorError
		replaced                     int
	}{
		{"plain", "NO DRIVER", "", "NO DRIVER", "", 0},
		{"characters of several bytes", "KÖLN…", "", "KÖLN…", "", 0},
		{"element separator refused", "4*4", "", "", "*", 0},
		{"component separator refused", "4>4", "", "", ">", 0},
		{"terminator refused", "4~4", "", "", "~", 0},
		{"line break refused", "4\n4", "", "", "\n", 0},
		{"all replaced and said", "a*b>c~d\ne", " ", "a b c d e", "", 1},
		{"replacement is a separator itself", "4*4", "*", "", "*", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			replaced, err := x12.Write(&b, outbound(c.data), x12.Options{Outbound: true, Replace: c.replace})
			if c.refused != "" {
				var refused *x12.SeparatorError
				if !errors.As(err, &refused) || refused.Separator != c.refused || refused.SegmentID != "K1" || refused.Element != 1 {
					t.Fatalf("got %v, want a SeparatorError for K101 and %q", err, c.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			compare(t, "interchange", b.String(), strings.Replace(want, "%", c.written, 1))
			if len(replaced) != c.replaced {
				t.Errorf("replacements: got %v, want %d", replaced, c.replaced)
			}
			for _, r := range replaced {
				if r.SegmentID != "K1" || r.Ordinal != 4 || r.Element != 1 || r.Before != c.data || r.After != c.written {
					t.Errorf("replacement: got %+v", r)
				}
			}
			f := parse(t, b.String())
			if got := errorsOf(f); got != nil {
				t.Errorf("read back: %q", got)
			}
		})
	}
}

func TestWriteRefuses(t *testing.T) {
	change := func(f func(*x12.Interchange)) x12.Interchange {
		x := outbound("NO")
		f(&x)
		return x
	}
	for name, x := range map[string]x12.Interchange{
		"no separators":           change(func(x *x12.Interchange) { x.Format.Separators = x12.Separators{} }),
		"equal separators":        change(func(x *x12.Interchange) { x.Format.Component = "*" }),
		"ISA with 15 elements":    change(func(x *x12.Interchange) { x.Header.Elements = x.Header.Elements[:15] }),
		"ISA element too long":    change(func(x *x12.Interchange) { x.Header.Elements[5] = x12.El("SIXTEEN CHARS...") }),
		"ISA16 not the separator": change(func(x *x12.Interchange) { x.Header.Elements[15] = x12.El(":") }),
		"separator in the ISA":    change(func(x *x12.Interchange) { x.Header.Elements[5] = x12.El("A*B") }),
		"repetition in data": change(func(x *x12.Interchange) {
			x.Format.Repetition = "N"
		}),
	} {
		if _, err := x12.Write(&bytes.Buffer{}, x, x12.Options{Outbound: true}); err == nil {
			t.Errorf("%s: written without an error", name)
		}
	}
	if _, err := x12.Write(failing{}, outbound("NO"), x12.Options{Outbound: true}); err == nil {
		t.Error("error of the underlying writer is lost")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// TestWriteComposite writes and reads components and repetitions.
func TestWriteComposite(t *testing.T) {
	x := outbound("NO")
	x.Format.Repetition = "^"
	x.Groups[0].Sets[0].Segments[2] = x12.Segment{ID: "ZZ", Elements: []x12.Element{
		{Value: "a", More: []string{"b", "", ""}, Repeats: [][]string{{"c"}, {"d", "e"}}},
		{Value: "f", More: []string{"", ""}},
	}}
	var b bytes.Buffer
	if _, err := x12.Write(&b, x, x12.Options{Outbound: true}); err != nil {
		t.Fatal(err)
	}
	if want := "\nZZ*a>b^c^d>e*f~\n"; !strings.Contains(b.String(), want) {
		t.Errorf("got %q, want %q in it", b.String(), want)
	}
}
