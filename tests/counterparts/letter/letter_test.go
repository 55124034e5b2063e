package letter_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"crossdock.dev/tests/counterparts/carrier"
	"crossdock.dev/tests/counterparts/customer"
	"crossdock.dev/tests/counterparts/letter"
	"crossdock.dev/tests/counterparts/segments"
)

// What each partner writes is an interchange with its own separators, which the fixed width of the ISA gives (X12.5).
func TestWrite(t *testing.T) {
	carriers, err := carrier.Data()
	must(t, err)
	customers, err := customer.Data()
	must(t, err)
	at := time.Date(2026, 3, 8, 2, 30, 0, 0, time.UTC)
	for name, want := range map[string]struct{ sender, receiver, usage, version, separators, tail string }{
		"CXAA":    {"02/CXAA", "ZZ/NORTHLINE", "P", "004010", "*U>~", "~\r\n"},
		"CXBB":    {"02/CXBB", "ZZ/NORTHLINE", "P", "004010", "*U>~", "~  \n\n"},
		"CXCC":    {"02/CXCC", "ZZ/NORTHLINE", "P", "004010", "*U:|", "|"},
		"CXDD":    {"02/CXDD", "ZZ/NORTHLINEEU", "P", "005010", "*^:~", "~\r\n"},
		"CXEE":    {"02/CXEE", "ZZ/NORTHLINE", "P", "004010", "*U<\n", "\n\n"},
		"CUS-XYZ": {"12/4405197800", "01/999999999", "P", "004010VICS", "*U>~", "~\n"},
		"CUS-SNX": {"ZZ/SENDERISA", "14/0073268795005", "T", "004010", "*U>~", "~\n"},
		"CUS-XFL": {"01/049351117", "ZZ/BARSAN", "T", "004010", "*U>~", "~\n"},
	} {
		files := carriers
		if strings.HasPrefix(name, "CUS-") {
			files = customers
		}
		files, err := fs.Sub(files, name)
		must(t, err)
		l, err := letter.Open(files)
		must(t, err)
		text := string(l.Write("997", []string{"AK1*SM*7", "AK9*A*1*1*1"}, 11, at))
		if len(text) < 106 {
			t.Errorf("%s: got %q", name, text)
			continue
		}
		if got := text[3:4] + text[82:83] + text[104:106]; got != want.separators {
			t.Errorf("%s: got separators %q, want %q", name, got, want.separators)
		}
		if !strings.HasSuffix(text, want.tail) {
			t.Errorf("%s: got the end %q, want %q", name, text[len(text)-6:], want.tail)
		}
		all, err := segments.Read([]byte(text))
		if err != nil || len(all) != 1 || len(all[0].Sets) != 1 {
			t.Errorf("%s: got %v, %v from %q", name, all, err, text)
			continue
		}
		in := all[0]
		if in.Sender != want.sender || in.Receiver != want.receiver || in.Usage != want.usage || in.Version != want.version || len(in.Control) != 9 {
			t.Errorf("%s: got %+v, want %+v", name, in, want)
		}
		if s := in.Sets[0]; s.GroupID != "FA" || s.Written != "202603080230" || s.Group != strings.TrimLeft(in.Control, "0") || s.First("AK1").At(2) != "7" {
			t.Errorf("%s: got %+v", name, s)
		}
		if l.Deviation == "" {
			t.Errorf("%s: nobody says where it departs from the usual", name)
		}
	}
}

// One answer for each group, none for a 997.
func TestGroups(t *testing.T) {
	isa := "ISA*00*          *00*          *ZZ*NORTHLINE      *02*CXBB           *260302*1112*U*00401*000000007*0*P*>~"
	text := isa + "GS*SM*NORTHLINE*CXBB*20260302*1112*7*X*004010~ST*204*0001~SE*2*0001~ST*204*0002~SE*2*0002~GE*2*7~" +
		"GS*FA*NORTHLINE*CXBB*20260302*1113*8*X*004010~ST*997*0001~SE*2*0001~GE*1*8~" +
		"GS*SM*NORTHLINE*CXBB*20260302*1114*9*X*004010~ST*204*0001~SE*2*0001~GE*1*9~IEA*3*000000007~"
	groups, err := letter.Groups([]byte(text))
	must(t, err)
	if len(groups) != 2 || len(groups[0].Sets) != 2 || groups[1].Control != "9" {
		t.Fatalf("got %+v, want the groups 7 with two sets and 9", groups)
	}
	if got, want := groups[1].Answer("CXBB"), "202603021114-CXBB-997-9.edi"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	files, err := carrier.Data()
	must(t, err)
	files, err = fs.Sub(files, "CXBB")
	must(t, err)
	l, err := letter.Open(files)
	must(t, err)
	want := "AK1*SM*7 AK2*204*0001 AK5*A AK2*204*0002 AK5*A AK9*A*2*2*2"
	if got := strings.Join(l.Acknowledge(groups[0]), " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := letter.Groups([]byte("hello")); err == nil {
		t.Error("a greeting has groups")
	}
}

func TestBadLetters(t *testing.T) {
	good := map[string]string{
		"partner.txt": "terminator ~\ndeviation none", "envelope.txt": "ISA*{{control9}}\n{{set}}\nIEA*1*{{control9}}", "997.txt": "AK1*{{functional}}*{{group}}",
	}
	for name, want := range map[string]string{"partner.txt": "missing", "envelope.txt": "envelope.txt:2: ", "997.txt": "997.txt:2: "} {
		files := fstest.MapFS{}
		for n, text := range good {
			files[n] = &fstest.MapFile{Data: []byte(text)}
		}
		files[name] = &fstest.MapFile{Data: []byte("# what follows is wrong\nterminator {{who}}")}
		if name == "partner.txt" {
			files[name] = &fstest.MapFile{Data: []byte("terminator ~")}
		}
		if _, err := letter.Open(files); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
		delete(files, name)
		if _, err := letter.Open(files); err == nil {
			t.Errorf("without %s: no error", name)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
