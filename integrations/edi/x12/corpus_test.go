package x12_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"crossdock.dev/integrations/edi/x12"
)

const corpus = "testdata/corpus"

// corpusFiles lists the files of the corpus by their path below it.
func corpusFiles(t testing.TB) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(corpus, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(corpus, path)
			out = append(out, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 45 {
		t.Fatalf("corpus has %d files, want at least 45", len(out))
	}
	return out
}

func readCorpus(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(corpus, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// parseCorpus parses a file, through the entry for bare sets where it has no
// envelope.
func parseCorpus(t testing.TB, name string) x12.File {
	t.Helper()
	data := readCorpus(t, name)
	parse := func() (x12.File, error) { return x12.Parse(data) }
	if strings.Contains(name, "noenv") {
		parse = func() (x12.File, error) { return x12.ParseBare(data, x12.Bare{Version: "004010"}) }
	}
	f, err := parse()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return f
}

// notWrittenAlike lists the corpus files which Write does not give back byte
// for byte, each with its reason.
var notWrittenAlike = map[string]string{}

func TestCorpusIsWrittenAsRead(t *testing.T) {
	for _, name := range corpusFiles(t) {
		t.Run(name, func(t *testing.T) {
			want := readCorpus(t, name)
			f := parseCorpus(t, name)
			var got bytes.Buffer
			for _, x := range f.Interchanges {
				if _, err := x12.Write(&got, x, x12.Options{}); err != nil {
					t.Fatal(err)
				}
			}
			same := bytes.Equal(got.Bytes(), want)
			reason, excepted := notWrittenAlike[name]
			switch {
			case same && excepted:
				t.Errorf("written as read, although excepted because %q", reason)
			case !same && !excepted:
				t.Errorf("got  %q\nwant %q", clip(got.Bytes(), want), clip(want, got.Bytes()))
			}
		})
	}
}

// clip shows a where it first differs from b.
func clip(a, b []byte) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return string(a[max(0, i-40):min(len(a), i+40)])
}

// expectation is what testdata/expected says, as far as it is compared.
type expectation struct {
	Facts struct {
		Interchanges []struct {
			Separators struct {
				Element, Component, Segment string
				Fixed                       *bool  `json:"isa_fixed_width_106"`
				Envelope                    string `json:"envelope"`
			} `json:"separators"`
			ISA *struct {
				SenderQual   string `json:"sender_qual"`
				Sender       string `json:"sender"`
				ReceiverQual string `json:"receiver_qual"`
				Receiver     string `json:"receiver"`
				Date         string `json:"date"`
				Time         string `json:"time"`
				ISA11        string `json:"isa11"`
				Version      string `json:"version"`
				Control      string `json:"control"`
				AckRequested string `json:"ack_requested"`
				Usage        string `json:"usage"`
			} `json:"isa"`
			IEA          []string `json:"iea"`
			ControlMatch *bool    `json:"isa_iea_control_match"`
			Groups       []struct {
				GS01, Sender, Receiver, Date, Time, Control, Version string
				Transactions                                         []map[string]any `json:"transactions"`
				GE                                                   []string         `json:"ge"`
			} `json:"groups"`
		} `json:"interchanges"`
	} `json:"facts"`
}

func readExpectation(t testing.TB, name string) expectation {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata/expected", filepath.FromSlash(name)+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var e expectation
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// TestCorpusMeansWhatIsExpected compares envelopes, counts, findings about
// them, and the head facts of each set.
func TestCorpusMeansWhatIsExpected(t *testing.T) {
	for _, name := range corpusFiles(t) {
		t.Run(name, func(t *testing.T) {
			f := parseCorpus(t, name)
			want := readExpectation(t, name).Facts
			equal(t, "interchanges", len(f.Interchanges), len(want.Interchanges))
			for i, wx := range want.Interchanges {
				if i >= len(f.Interchanges) {
					return
				}
				x := f.Interchanges[i]
				equal(t, "element separator", x.Format.Element, wx.Separators.Element)
				equal(t, "component separator", x.Format.Component, wx.Separators.Component)
				terminator := x.Format.Segment
				if terminator == "\n" || terminator == "\r" {
					terminator = "LF/CRLF"
				}
				equal(t, "terminator", terminator, wx.Separators.Segment)
				if wx.Separators.Fixed != nil {
					equal(t, "fixed width", !has(f, i, -1, -1, x12.LevelInterchange, x12.NoteStructure), *wx.Separators.Fixed)
				}
				if w := wx.ISA; w != nil {
					isa := func(n int) string { return strings.TrimSpace(x.Header.Get(n)) }
					equal(t, "ISA05", isa(5), w.SenderQual)
					equal(t, "ISA06", isa(6), w.Sender)
					equal(t, "ISA07", isa(7), w.ReceiverQual)
					equal(t, "ISA08", isa(8), w.Receiver)
					equal(t, "ISA09", isa(9), w.Date)
					equal(t, "ISA10", isa(10), w.Time)
					equal(t, "ISA11", isa(11), w.ISA11)
					equal(t, "ISA12", isa(12), w.Version)
					equal(t, "ISA13", isa(13), w.Control)
					equal(t, "ISA14", isa(14), w.AckRequested)
					equal(t, "ISA15", isa(15), w.Usage)
				}
				if wx.IEA != nil {
					equal(t, "IEA", strings.TrimSpace(x.Trailer.Get(1))+" "+strings.TrimSpace(x.Trailer.Get(2)), strings.Join(wx.IEA, " "))
				}
				if wx.ControlMatch != nil {
					equal(t, "ISA13 is IEA02", !has(f, i, -1, -1, x12.LevelInterchange, x12.NoteControlMismatch), *wx.ControlMatch)
				}
				equal(t, "groups", len(x.Groups), len(wx.Groups))
				for j, wg := range wx.Groups {
					g := x.Groups[j]
					gs := g.Header.Get
					equal(t, "GS", strings.Join([]string{gs(1), gs(2), gs(3), gs(4), gs(5), gs(6), gs(8)}, "*"),
						strings.Join([]string{wg.GS01, wg.Sender, wg.Receiver, wg.Date, wg.Time, wg.Control, wg.Version}, "*"))
					if wg.GE != nil {
						equal(t, "GE", strings.TrimSpace(g.Trailer.Get(1))+" "+strings.TrimSpace(g.Trailer.Get(2)), strings.Join(wg.GE, " "))
					}
					equal(t, "sets", len(g.Sets), len(wg.Transactions))
					for k, wt := range wg.Transactions {
						compareSet(t, f, i, j, k, wt)
					}
				}
			}
		})
	}
}

// has reports whether there is a finding with this place and code.
func has(f x12.File, i, j, k int, level x12.Level, code string) bool {
	for _, found := range f.Findings {
		if found.Interchange == i && found.Group == j && found.Set == k && found.Level == level && found.Code == code {
			return true
		}
	}
	return false
}

// compareSet compares the facts of one set: first those of every set, then
// those which stand in a segment that occurs once.
func compareSet(t *testing.T, f x12.File, i, j, k int, want map[string]any) {
	t.Helper()
	set := f.Interchanges[i].Groups[j].Sets[k]
	equal(t, "ST01", set.ID(), want["set"].(string))
	equal(t, "ST02", set.Control(), want["st02"].(string))
	equal(t, "segments", float64(len(set.Segments)), want["segments_counted"].(float64))
	se := set.Segments[len(set.Segments)-1]
	equal(t, "SE01", strings.TrimSpace(se.Get(1)), want["se01"].(string))
	equal(t, "SE01 matches", !has(f, i, j, k, x12.LevelSet, x12.SetCount), want["se01_matches"].(bool))
	mismatch, _ := want["se02_mismatch"].(string)
	equal(t, "SE02 mismatch", has(f, i, j, k, x12.LevelSet, x12.SetControl), mismatch != "")
	if mismatch != "" {
		equal(t, "SE02", strings.TrimSpace(se.Get(2)), mismatch)
	}

	first := map[string]x12.Segment{}
	count := map[string]int{}
	for _, s := range set.Segments {
		if _, ok := first[s.ID]; !ok {
			first[s.ID] = s
		}
		count[s.ID]++
	}
	text := func(key, id string, n int) {
		if w, ok := want[key].(string); ok {
			equal(t, key, first[id].Get(n), w)
		}
	}
	number := func(key, id string) {
		if w, ok := want[key].(float64); ok {
			equal(t, key, float64(count[id]), w)
		}
	}
	implied := func(key, id string, n int) {
		if w, ok := want[key].(string); ok {
			got, err := first[id].N(n, 2)
			if err != nil {
				t.Errorf("%s: %v", key, err)
			}
			equal(t, key, got, w)
		}
	}
	compareListed(t, set, want)
	switch set.ID() {
	case "204":
		if stops, ok := want["stops"].([]any); ok {
			compareStops(t, set, stops)
		}
		text("scac", "B2", 2)
		text("shipment_id", "B2", 4)
		text("payment", "B2", 6)
		text("purpose", "B2A", 1)
		text("application", "B2A", 2)
		text("total_weight_L301", "L3", 1)
		text("rate_L303", "L3", 3)
		text("quantity_L311", "L3", 11)
		number("stop_count", "S5")
	case "990":
		text("scac", "B1", 1)
		text("shipment_id", "B1", 2)
		text("action_B104", "B1", 4)
	case "214":
		text("reference_B1001", "B10", 1)
		text("shipment_id_B1002", "B10", 2)
		text("scac_B1003", "B10", 3)
		number("event_count", "AT7")
	case "210", "310":
		text("invoice_B302", "B3", 2)
		text("shipment_id_B303", "B3", 3)
		text("payment_B304", "B3", 4)
		text("invoice_date_B306", "B3", 6)
		implied("net_due_B307", "B3", 7)
		text("delivery_date_B309", "B3", 9)
		text("scac_B311", "B3", 11)
		text("currency_C3", "C3", 1)
		number("l1_count", "L1")
		number("lx_count", "LX")
	case "315":
		text("status_B403", "B4", 3)
		text("equip_no_B408", "B4", 8)
	case "810":
		text("invoice_date", "BIG", 1)
		text("invoice_number", "BIG", 2)
		text("po_date", "BIG", 3)
		text("po_number", "BIG", 4)
		implied("total_TDS01", "TDS", 1)
		number("line_count", "IT1")
	case "820":
		text("amount_BPR02", "BPR", 2)
		text("method_BPR04", "BPR", 4)
	case "824":
		text("st03", "ST", 3)
		text("ref", "BGN", 2)
	case "850":
		text("purpose", "BEG", 1)
		text("type", "BEG", 2)
		text("po_number", "BEG", 3)
		text("po_date", "BEG", 5)
		text("ctt01", "CTT", 1)
		number("line_count", "PO1")
		compareLines(t, set, want["lines"].([]any))
	case "855":
		text("ack_type", "BAK", 2)
		text("po_number", "BAK", 3)
		number("line_count", "PO1")
	case "856":
		text("purpose", "BSN", 1)
		text("shipment_id_BSN02", "BSN", 2)
		text("time", "BSN", 4)
		text("structure_BSN05", "BSN", 5)
	case "940":
		text("order_status_W0501", "W05", 1)
		text("depositor_order_W0502", "W05", 2)
		text("po_W0503", "W05", 3)
	case "997", "999":
		text("ak101", "AK1", 1)
		text("ak102", "AK1", 2)
		text("ak103", "AK1", 3)
		responses, _ := want["responses"].([]any)
		equal(t, "responses", count["AK2"], len(responses))
		if w, ok := want["ak9"].([]any); ok {
			for n, v := range w {
				equal(t, "AK9", first["AK9"].Get(n+1), v.(string))
			}
		}
	}
}

// listed are facts that stand in elements of segments: one row for each segment, or of one segment alone.
var listed = map[string]struct {
	segment  string
	elements []int
	one      bool // the first segment alone
	amount   int  // which of the elements has two implied decimals
}{
	"ack_codes": {"ACK", []int{1, 2, 3}, false, 0}, "bx": {"BX", []int{1, 2, 3, 4, 5, 6, 7, 8}, true, 0}, "containers_N7": {"N7", []int{1, 2}, false, 0},
	"d9": {"D9", []int{1, 2, 3}, false, 0}, "f9": {"F9", []int{1, 2, 3}, false, 0}, "hazmat_LH1": {"LH1", []int{1, 2, 3}, false, 0},
	"hl": {"HL", []int{1, 2, 3}, false, 0}, "m7": {"M7", []int{1}, false, 0}, "n7": {"N7", []int{1, 2, 3, 4}, false, 0}, "n9": {"N9", []int{1, 2}, false, 0},
	"oti": {"OTI", []int{1, 2, 3}, false, 0}, "ports_R4": {"R4", []int{1, 2, 3}, false, 0}, "prf_po": {"PRF", []int{1}, false, 0}, "r4": {"R4", []int{1, 2, 3, 4}, false, 0},
	"refs": {"REF", []int{1, 2}, false, 0}, "rmr": {"RMR", []int{1, 2, 4, 5}, false, 0}, "sn1": {"SN1", []int{2, 3}, false, 0},
	"sscc_MAN": {"MAN", []int{1, 2}, false, 0}, "td5": {"TD5", []int{2, 3, 4}, false, 0}, "ted": {"TED", []int{1, 2}, false, 0}, "trn": {"TRN", []int{1, 2}, false, 0},
	"w03": {"W03", []int{1}, false, 0}, "w04": {"W04", []int{1, 2, 3, 4, 5}, false, 0}, "w06": {"W06", []int{1, 2, 3}, true, 0}, "w01": {"W01", []int{1, 2, 3, 4, 5}, false, 0},
	"w76": {"W76", []int{1, 2, 3, 4, 5}, true, 0}, "amt": {"AMT", []int{1, 2}, false, 0},
	"date_B404": {"B4", []int{4}, true, 0}, "time_B405": {"B4", []int{5}, true, 0}, "equip_init_B407": {"B4", []int{7}, true, 0}, "equip_status_B409": {"B4", []int{9}, true, 0},
	"handling_BPR01": {"BPR", []int{1}, true, 0}, "cd_BPR03": {"BPR", []int{3}, true, 0}, "date_BPR16": {"BPR", []int{16}, true, 0},
	"weight_qual_L302": {"L3", []int{2}, true, 0}, "rate_qual_L304": {"L3", []int{4}, true, 0}, "charges_L305": {"L3", []int{5}, true, 5}, "date_qual_B310": {"B3", []int{10}, true, 0},
}

// compareListed compares the facts of that table.
func compareListed(t *testing.T, set x12.Set, want map[string]any) {
	t.Helper()
	for key, place := range listed {
		fact, ok := want[key]
		if !ok {
			continue
		}
		var got []string
		for _, s := range set.Segments {
			if s.ID != place.segment || place.one && got != nil {
				continue
			}
			var row []string
			for _, n := range place.elements {
				value := s.Get(n)
				if n == place.amount {
					v, err := s.N(n, 2)
					if err != nil {
						t.Errorf("%s: %v", key, err)
					}
					value = v
				}
				row = append(row, value)
			}
			got = append(got, strings.Join(row, "*"))
		}
		var rows []string
		list, isList := fact.([]any)
		switch {
		case !isList || place.one:
			rows = []string{joined(fact)}
		default:
			for _, row := range list {
				rows = append(rows, joined(row))
			}
		}
		equal(t, key, strings.Join(got, " | "), strings.Join(rows, " | "))
	}
}

// joined is a fact with its parts, where it has several, as elements; null is an empty one.
func joined(fact any) string {
	var parts []string
	switch v := fact.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		for _, part := range v {
			parts = append(parts, joined(part))
		}
	}
	return strings.Join(parts, "*")
}

// compareStops compares what a 204 says of its stops.
func compareStops(t *testing.T, set x12.Set, want []any) {
	t.Helper()
	type stop struct{ seq, reason, dates, refs, n1, n4 []string }
	var got []stop
	for _, s := range set.Segments {
		if s.ID == "S5" {
			got = append(got, stop{seq: []string{s.Get(1)}, reason: []string{s.Get(2)}})
		}
		if len(got) == 0 {
			continue
		}
		last := &got[len(got)-1]
		row := func(elements ...int) string {
			var values []string
			for _, n := range elements {
				values = append(values, s.Get(n))
			}
			return strings.Join(values, "*")
		}
		switch s.ID {
		case "G62":
			last.dates = append(last.dates, row(1, 2, 3, 4, 5))
		case "L11":
			last.refs = append(last.refs, row(2, 1))
		case "N1":
			last.n1 = append(last.n1, row(1, 3, 4))
		case "N4":
			last.n4 = append(last.n4, row(1, 2, 3, 4))
		}
	}
	equal(t, "stops", len(got), len(want))
	for i, w := range want {
		w := w.(map[string]any)
		for key, have := range map[string][]string{"seq": got[i].seq, "reason": got[i].reason, "dates": got[i].dates, "refs": got[i].refs, "n1": got[i].n1, "n4": got[i].n4} {
			fact, ok := w[key]
			if !ok {
				continue
			}
			rows := []string{joined(fact)}
			if list, isList := fact.([]any); isList {
				rows = nil
				for _, row := range list {
					rows = append(rows, joined(row))
				}
			}
			equal(t, "stop "+key, strings.Join(have, " | "), strings.Join(rows, " | "))
		}
	}
}

// compareLines compares PO1 elements with the lines of an 850.
func compareLines(t *testing.T, set x12.Set, want []any) {
	t.Helper()
	n := 0
	for _, s := range set.Segments {
		if s.ID != "PO1" {
			continue
		}
		if n >= len(want) {
			t.Fatalf("more lines than %d", len(want))
		}
		w := want[n].(map[string]any)
		n++
		for key, e := range map[string]int{"id": 1, "qty": 2, "uom": 3, "price": 4} {
			value, _ := w[key].(string)
			equal(t, "PO1 "+key, s.Get(e), value)
		}
		ids, _ := w["ids"].([]any)
		at := 6
		for _, pair := range ids {
			for s.Get(at) == "" && s.Get(at+1) == "" && at < len(s.Elements) {
				at += 2
			}
			q, _ := pair.([]any)[0].(string)
			v, _ := pair.([]any)[1].(string)
			equal(t, "PO1 id pair", s.Get(at)+"="+s.Get(at+1), q+"="+v)
			at += 2
		}
	}
	equal(t, "lines", n, len(want))
}

// TestDayMessagesAreGood reads messages that were written by hand to be good:
// no table may find fault with them.
func TestDayMessagesAreGood(t *testing.T) {
	sets := map[string]int{"204": 1, "990": 1, "214": 4, "210": 1, "810": 1, "997": 1}
	for id, want := range sets {
		data, err := os.ReadFile(filepath.Join("testdata/day", id+".edi"))
		if err != nil {
			t.Fatal(err)
		}
		f, err := x12.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range f.Findings {
			t.Errorf("%s: %v", id, found)
		}
		got := 0
		for _, x := range f.Interchanges {
			for _, g := range x.Groups {
				got += len(g.Sets)
			}
		}
		equal(t, id+" sets", got, want)
		equal(t, id+" written", write(t, f), string(data))
	}
}

// TestSameInterchange finds the repeats which the corpus holds: both
// interchanges of 850_fat are that of 850, and 850.OK says the same in another
// envelope with other separators.
func TestSameInterchange(t *testing.T) {
	const dir = "850/"
	bytesOf := func(name string, i int) string {
		offset, length := parseCorpus(t, dir+name).Interchanges[i].Range()
		return string(readCorpus(t, dir+name)[offset:][:length])
	}
	setOf := func(name string) string {
		return parseCorpus(t, dir+name).Interchanges[0].Groups[0].Sets[0].Text(x12.Separators{Element: "*", Component: ">", Segment: "~"})
	}
	want := bytesOf("aaronhuggins-node-x12__850.edi", 0)
	if !strings.HasPrefix(want, "ISA*") || !strings.HasSuffix(want, "IEA*1*000003438~") {
		t.Errorf("range: got %q", want)
	}
	for i := range 2 {
		equal(t, "interchange of 850_fat", bytesOf("aaronhuggins-node-x12__850_fat.edi", i), want)
	}
	if ok := bytesOf("olmelabs-ediengine__850.OK.edi", 0); ok == want {
		t.Error("850.OK has another envelope")
	}
	equal(t, "set", setOf("olmelabs-ediengine__850.OK.edi"), setOf("aaronhuggins-node-x12__850.edi"))
	if setOf("olmelabs-ediengine__850.SyntaxNotes.ERR.edi") == setOf("olmelabs-ediengine__850.OK.edi") {
		t.Error("the file with errors says something else")
	}
}
