package x12_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"crossdock.dev/integrations/edi/x12"
)

// lines renders segments one per line, with * and >.
func lines(segments []x12.Segment) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString(s.Text(x12.Separators{Element: "*", Component: ">"}))
		b.WriteString("\n")
	}
	return b.String()
}

func compare(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s\ngot:\n%s\nwant:\n%s", what, got, want)
	}
}

// The bodies below were worked by hand from the standard (997 004010): ST is
// position 1, AK5 carries 5 for segments in error and 23 for a repeated ST02.
func TestAcknowledgeCorpus(t *testing.T) {
	for _, c := range []struct {
		name, file, want string
		included, good   int
	}{
		{"accepted", "850/aaronhuggins-node-x12__850.edi", `ST*997*0001
AK1*PO*1421
AK2*850*000000010
AK5*A
AK9*A*1*1*1
SE*6*0001
`, 1, 1},
		{"syntax notes, each element once", "850/olmelabs-ediengine__850.SyntaxNotes.ERR.edi", `ST*997*0001
AK1*PO*1421
AK2*850*000000010
AK3*PO1*13**8
AK4*7*234*2
AK3*PO4*30**8
AK4*6*384*2
AK5*R*5
AK9*R*1*1*0
SE*10*0001
`, 1, 0},
		{"repeated ST02", "850/indice-co-edi-net__x12.850.issue135.edi", `ST*997*0001
AK1*PO*1
AK2*850*0001
AK5*A
AK2*850*0001
AK5*R*23
AK9*P*2*2*1
SE*8*0001
`, 2, 1},
		{"wrong SE01", "940/olmelabs-ediengine__940_Failed_SE01.edi", `ST*997*0001
AK1*OW*9221
AK2*940*20066
AK5*R*4
AK9*R*1*1*0
SE*6*0001
`, 1, 0},
		{"GE02 is not GS06: the group is rejected", "940/olmelabs-ediengine__ControlNumbersMismatch.edi", `ST*997*0001
AK1*OW*3314
AK9*R*1*1*0*4
SE*4*0001
`, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := parseCorpus(t, c.file)
			ack, ok := x12.Acknowledge(f, 0, 0, x12.AckOptions{})
			if !ok {
				t.Fatal("not acknowledged")
			}
			compare(t, "from the tree", lines(ack.Set.Segments), c.want)
			if ack.Included != c.included || ack.Accepted != c.good {
				t.Errorf("included %d, accepted %d; want %d, %d", ack.Included, ack.Accepted, c.included, c.good)
			}

			r := x12.NewReader(bytes.NewReader(readCorpus(t, c.file)), x12.Limits{})
			var a x12.Acknowledger
			var streamed string
			for {
				e, err := r.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if ack, ok := a.Observe(e); ok {
					streamed += lines(ack.Set.Segments)
				}
			}
			compare(t, "from the stream", streamed, c.want)
		})
	}
}

func TestAcknowledgeNeverAnswersAcknowledgements(t *testing.T) {
	for _, name := range corpusFiles(t) {
		f := parseCorpus(t, name)
		for i, x := range f.Interchanges {
			for j, g := range x.Groups {
				_, ok := x12.Acknowledge(f, i, j, x12.AckOptions{})
				if want := g.Header.ID == "GS" && g.Header.Get(1) != "FA"; ok != want {
					t.Errorf("%s group %d/%d (%s): acknowledged %v, want %v", name, i, j, g.Header.Get(1), ok, want)
				}
			}
		}
	}
}

func TestAcknowledgeOptions(t *testing.T) {
	t.Run("unsupported version", func(t *testing.T) {
		f := parseCorpus(t, "810/xlate-staedi__invoice810_po850_dual.edi")
		for j, g := range f.Interchanges[0].Groups {
			if g.Version() != "003010" {
				continue
			}
			ack, _ := x12.Acknowledge(f, 0, j, x12.AckOptions{GroupError: x12.GroupVersion})
			compare(t, "997", lines(ack.Set.Segments), "ST*997*0001\nAK1*PO*165\nAK9*R*1*1*0*2\nSE*4*0001\n")
		}
	})
	t.Run("set that is not agreed", func(t *testing.T) {
		f := parseCorpus(t, "850/indice-co-edi-net__x12.850.issue135.edi")
		ack, _ := x12.Acknowledge(f, 0, 0, x12.AckOptions{Supports: func(set string) bool { return set == "860" }})
		compare(t, "997", lines(ack.Set.Segments), "ST*997*0001\nAK1*PO*1\nAK2*850*0001\nAK5*R*1\nAK2*850*0001\nAK5*R*1\nAK9*R*2*2*0\nSE*8*0001\n")
	})
	t.Run("tolerated deviation", func(t *testing.T) {
		f := parseCorpus(t, "940/olmelabs-ediengine__940_Failed_SE01.edi")
		ack, _ := x12.Acknowledge(f, 0, 0, x12.AckOptions{Control: "0042", Tolerate: func(f x12.Finding) bool {
			return f.Level == x12.LevelSet && f.Code == x12.SetCount
		}})
		compare(t, "997", lines(ack.Set.Segments), "ST*997*0042\nAK1*OW*9221\nAK2*940*20066\nAK5*E*4\nAK9*E*1*1*1\nSE*6*0042\n")
	})
	t.Run("several faults in one segment and a missing one", func(t *testing.T) {
		const text = isa + "GS*GF*CXBB*NORTHLINE*20260302*1420*1*X*004010~" +
			"ST*990*0001~N9*CN*~B1*CXBBX**20261302*A~ZZZ*1~BEG*00~SE*6*0001~GE*1*1~" + iea
		f, err := x12.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		ack, _ := x12.Acknowledge(f, 0, 0, x12.AckOptions{})
		compare(t, "997", lines(ack.Set.Segments), `ST*997*0001
AK1*GF*1
AK2*990*0001
AK3*B1*2**3
AK3*N9*2**8
AK4*2*127*2
AK3*B1*3**7*8
AK4*1*140*5*CXBBX
AK4*2*145*1
AK4*3*373*8*20261302
AK3*ZZZ*4**1
AK3*BEG*5**6
AK5*R*5
AK9*R*1*1*0
SE*15*0001
`)
	})
	t.Run("missing trailers", func(t *testing.T) {
		const text = isa + "GS*GF*CXBB*NORTHLINE*20260302*1420*1*X*004010~ST*990*0001~B1*CXBB*A~ST*990*0002~B1*CXBB*B~SE*3*0002~"
		f, err := x12.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		ack, _ := x12.Acknowledge(f, 0, 0, x12.AckOptions{})
		compare(t, "997", lines(ack.Set.Segments), "ST*997*0001\nAK1*GF*1\nAK9*R*2*2*0*3\nSE*4*0001\n")
		if !has(f, 0, 0, 0, x12.LevelSet, x12.SetTrailerMissing) || !has(f, 0, -1, -1, x12.LevelInterchange, x12.NoteEndOfFile) {
			t.Errorf("missing SE or IEA not reported: %v", f.Findings)
		}
	})
}
