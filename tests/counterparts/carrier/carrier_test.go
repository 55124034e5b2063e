package carrier_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"crossdock.dev/tests/counterparts/carrier"
	"crossdock.dev/tests/counterparts/segments"
)

// door keeps the calls that come to it.
type door struct{ calls []string }

func (d *door) Call(_ context.Context, method, path, key string, body []byte) ([]byte, error) {
	d.calls = append(d.calls, method+" "+path+" "+key+" "+string(body))
	return nil, nil
}

func data(t *testing.T) fs.FS {
	t.Helper()
	files, err := carrier.Data()
	must(t, err)
	return files
}

// page reads the sets that a page prints, without their envelopes.
func page(t *testing.T, name string) []segments.Set {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	must(t, err)
	return sets(t, string(raw))
}

func sets(t *testing.T, text string) (out []segments.Set) {
	t.Helper()
	all, err := segments.Read([]byte(text))
	must(t, err)
	for _, in := range all {
		for _, s := range in.Sets {
			out = append(out, segments.Set{ID: s.ID, Segments: s.Segments})
		}
	}
	return out
}

// The carrier of the first order says what its page prints, when the page says so.
func TestFirstOrder(t *testing.T) {
	dir := t.TempDir()
	offer, err := os.ReadFile(filepath.Join("testdata", "204.edi"))
	must(t, err)
	must(t, os.Mkdir(filepath.Join(dir, "out"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "out", "1.edi"), offer, 0o600))
	d := &door{}
	c, err := carrier.New(data(t), "CXBB", filepath.Join(dir, "out"), filepath.Join(dir, "in"), filepath.Join(dir, "own"), d)
	must(t, err)

	var said []string // what was brought, and when
	var got []segments.Set
	seen := map[string]bool{}
	for now := time.Date(2026, 3, 2, 11, 12, 0, 0, time.UTC); !now.IsZero(); {
		_, next, err := c.Step(t.Context(), now)
		must(t, err)
		found, err := filepath.Glob(filepath.Join(dir, "in", "*"))
		must(t, err)
		for _, f := range found {
			if seen[f] {
				continue
			}
			seen[f] = true
			raw, err := os.ReadFile(f)
			must(t, err)
			for _, s := range sets(t, string(raw)) {
				said = append(said, now.Format("02 15:04")+" "+s.ID)
				got = append(got, s)
			}
		}
		for range d.calls[len(said)-len(got):] {
			said = append(said, now.Format("02 15:04")+" POD")
		}
		now = next
	}
	want := []string{"02 11:12 997", "02 14:20 990", "03 14:20 214", "03 15:15 214", "04 13:50 214", "04 14:30 214", "04 14:45 POD", "05 12:00 210"}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("when (-want +got):\n%s", diff)
	}
	printed := slices.Concat(page(t, "990.edi"), page(t, "214.edi"), page(t, "210.edi"))
	if diff := cmp.Diff(printed, got[1:]); diff != "" {
		t.Errorf("sets (-page +got):\n%s", diff)
	}
	const ack = "[[ST 997 0001] [AK1 SM 1] [AK2 204 0001] [AK5 A] [AK9 A 1 1 1] [SE 6 0001]]"
	if text := strings.NewReplacer(`"`, "", ",", "").Replace(strings.Join(strings.Fields(cmpText(got[0])), " ")); text != ack {
		t.Errorf("acknowledgement: got %s, want %s", text, ack)
	}
	const proof = `POST /v1/proofsOfDelivery 20260304144500-CXBB-NL26030001-06 {"load": "NL26030001", "order": "08292233294", "type": "SIGNED_RECEIPT", ` +
		`"signedAt": "2026-03-04T09:35:00-05:00", "receivedBy": "J. Example",` + "\n" + `"pieces": 314, "exceptions": []}`
	if diff := cmp.Diff([]string{proof}, d.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func cmpText(s segments.Set) string {
	var out []string
	for _, g := range s.Segments {
		out = append(out, "["+strings.Join(g, " ")+"]")
	}
	return "[" + strings.Join(out, " ") + "]"
}

// A load whose order no script names is acknowledged and not answered.
func TestStrangeOrder(t *testing.T) {
	dir := t.TempDir()
	offer, err := os.ReadFile(filepath.Join("testdata", "204.edi"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "1.edi"), []byte(strings.ReplaceAll(string(offer), "08292233294", "STRANGE")), 0o600))
	c, err := carrier.New(data(t), "CXBB", dir, filepath.Join(dir, "in"), filepath.Join(dir, "own"), nil)
	must(t, err)
	did, next, err := c.Step(t.Context(), time.Date(2026, 3, 2, 11, 12, 0, 0, time.UTC))
	if found, _ := filepath.Glob(filepath.Join(dir, "in", "*")); !did || !next.IsZero() || err != nil || len(found) != 1 {
		t.Errorf("got %t, %s, %v and %v, want one acknowledgement and nothing more to do", did, next, err, found)
	}
}

// A script that is wrong names its file and line.
func TestBadScripts(t *testing.T) {
	good, err := fs.Sub(data(t), "CXAA")
	must(t, err)
	files := fstest.MapFS{}
	for _, name := range []string{"partner.txt", "envelope.txt", "997.txt", "210.txt"} {
		raw, err := fs.ReadFile(good, name)
		must(t, err)
		files["CXAA/"+name] = &fstest.MapFile{Data: raw}
	}
	for text, want := range map[string]string{
		"order HH-1":                                                                 `bad.txt:1: "order" is neither a head nor the beginning of a block`,
		"# nothing":                                                                  "bad.txt: no order is named",
		"orders HH-1\norders HH-2":                                                   "bad.txt:2: orders was said before",
		"orders HH-1\nat noon send 990\nB1*CXAA":                                     `bad.txt:2: "noon" is no time`,
		"orders HH-1\n\nat pickup 25:00 send 990":                                    "bad.txt:3: ",
		"orders HH-1\nat 2026-03-03T15:10:00Z":                                       "bad.txt:2: nothing is to be done",
		"orders HH-1\nat tender +5m shout":                                           "bad.txt:2: nobody knows how to shout",
		"orders HH-1\nat tender +5m send 990":                                        "bad.txt:2: an empty 990",
		"orders HH-1\nat tender +5m send 990\nB1 CXAA":                               `bad.txt:2: "B1 CXAA" is no segment`,
		"orders HH-1\nat tender +5m send 990\nB1*{{who}}":                            "bad.txt:3: nothing is known to put for {{who}}",
		"orders HH-1\nat tender +5m send 210\nbill 1\nround 5":                       `bad.txt:2: a bill knows no "round 5"`,
		"orders HH-1\nat tender +5m send 210\nextra LFT":                             "bad.txt:2: the bill has no number",
		"orders HH-1\nat tender +5m send 210\nbill 1\nweighed 70":                    `bad.txt:2: "70" is no pair`,
		"orders HH-1\nat tender +5m prove\n{":                                        "bad.txt:2: the proof is no JSON",
		"orders HH-1\nat tender +5m send departure again":                            "bad.txt:2: nobody knows how to send departure again",
		"orders HH-1\nat tender +5m send 214 as x\nLX*1\nat tender +6m send y again": "bad.txt:4: nobody knows how to send y again",
		"orders HH-1 HH-1":                                                           "scripts/bad.txt: order HH-1 has a script already",
	} {
		files["CXAA/scripts/bad.txt"] = &fstest.MapFile{Data: []byte(text)}
		dir := t.TempDir()
		if _, err := carrier.New(files, "CXAA", dir, dir, dir, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// Each carrier departs from the usual in what it really sends, as its partner.txt says.
func TestDeviations(t *testing.T) {
	files := data(t)
	all := func(scac string) string {
		var text strings.Builder
		found, err := fs.Glob(files, scac+"/scripts/*.txt")
		must(t, err)
		for _, f := range found {
			raw, err := fs.ReadFile(files, f)
			must(t, err)
			text.Write(raw)
		}
		return text.String()
	}
	for scac, c := range map[string]struct{ has, lacks []string }{
		"CXAA": {has: []string{"B1*CXAA*{{load}}**A", "B1*CXAA*{{load}}**D", "AT7*X5*"}, lacks: []string{"AT7*X1*"}},
		"CXBB": {lacks: []string{"*LT\n", "*UT\n"}},
		"CXCC": {has: []string{"AT7*X8*", "AT7*LY*", "*R\n"}, lacks: []string{"N9*CN"}},
		"CXDD": {has: []string{"AT7*X6*", "*UT\n", "MS1*VENLO**NL", "*08150000*"}, lacks: []string{"AT7*AF*"}},
		"CXEE": {has: []string{"AT7*X4*", "*USA\n", "*092000\n"}, lacks: []string{"*LT\n"}},
	} {
		text := all(scac)
		for _, s := range c.has {
			if !strings.Contains(text, s) {
				t.Errorf("%s never sends %q", scac, s)
			}
		}
		for _, s := range c.lacks {
			if strings.Contains(text, s) {
				t.Errorf("%s sends %q", scac, s)
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
