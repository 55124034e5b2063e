package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

const corpus = "../../x12/testdata/corpus/"

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(corpus + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParse(t *testing.T) {
	var out bytes.Buffer
	if err := parse(&out, read(t, "810/xlate-staedi__invoice810_po850_dual.edi")); err != nil {
		t.Fatal(err)
	}
	var f parsedFile
	if err := json.Unmarshal(out.Bytes(), &f); err != nil {
		t.Fatal(err)
	}
	// One interchange with two groups of different versions.
	if len(f.Interchanges) != 1 || len(f.Interchanges[0].Groups) != 2 || f.Interchanges[0].Groups[1].Version != "003010" || f.Interchanges[0].Groups[1].Sets[0].ID != "850" {
		t.Errorf("got %+v", f.Interchanges)
	}
	out.Reset()
	if err := parse(&out, read(t, "850/aaronhuggins-node-x12__850.edi")); err != nil {
		t.Fatal(err)
	}
	f = parsedFile{}
	if err := json.Unmarshal(out.Bytes(), &f); err != nil {
		t.Fatal(err)
	}
	x := f.Interchanges[0]
	if x.Sender != "12/4405197800" || x.Separators["component"] != ">" || x.Groups[0].Sets[0].Segments != 33 || len(f.Findings) != 0 {
		t.Errorf("got %+v, %+v", x, f.Findings)
	}
	out.Reset()
	if err := parse(&out, []byte("hello")); err == nil || !json.Valid(out.Bytes()) {
		t.Errorf("no X12: got %v and %s", err, out.String())
	}
}

func TestValidate(t *testing.T) {
	now := time.Date(2026, 3, 2, 11, 5, 0, 0, time.UTC)
	for _, c := range []struct {
		file  string
		good  bool
		wants []string
	}{
		{"850/aaronhuggins-node-x12__850.edi", true, []string{"AK9*A*1*1*1~", "*01*999999999      *12*4405197800     *260302*1105*"}},
		{"850/olmelabs-ediengine__850.SyntaxNotes.ERR.edi", false, []string{"PO1 at 13, element 7", "AK4*7*234*2~", "AK4*6*384*2~", "AK9*R*1*1*0~"}},
		{"850/indice-co-edi-net__x12.850.issue135.edi", false, []string{"AK5*R*23~", "AK9*P*2*2*1~"}},
		{"997/xlate-staedi__simple997.edi", true, nil},
	} {
		var out bytes.Buffer
		good, err := validate(&out, read(t, c.file), now)
		if err != nil || good != c.good {
			t.Errorf("%s: got %v, %v, want %v\n%s", c.file, good, err, c.good, out.String())
		}
		for _, want := range c.wants {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: output has no %q:\n%s", c.file, want, out.String())
			}
		}
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		args []string
		want int
	}{
		{[]string{"validate", corpus + "850/aaronhuggins-node-x12__850.edi"}, 0},
		{[]string{"validate", corpus + "850/olmelabs-ediengine__850.SyntaxNotes.ERR.edi"}, 1},
		{[]string{"parse", corpus + "none.edi"}, 2},
		{[]string{"parse"}, 2},
		{[]string{"-config", "../../none.yaml", "verify"}, 2},
		{[]string{"-config", "../../config.example.yaml", "dance"}, 2},
	} {
		if got := command(t.Context(), c.args, io.Discard, io.Discard); got != c.want {
			t.Errorf("%q: exit %d, want %d", c.args, got, c.want)
		}
	}
}
