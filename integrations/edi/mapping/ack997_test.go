package mapping_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
)

// The interchanges below were worked by hand for this project's played day:
// which 997 each corpus file gets, to the byte.
func TestAck997(t *testing.T) {
	star := x12.Separators{Element: "*", Component: ">", Segment: "~"}
	lf := x12.Separators{Element: "*", Component: ">", Segment: "\n"}
	us := mapping.Address{Qualifier: "01", ID: "999999999"}
	for _, c := range []struct {
		name, file string
		change     [2]string
		envelope   mapping.Envelope
		numbers    mapping.Numbers
		at         time.Time
		want       string
	}{
		{
			name: "accepted", file: "aaronhuggins-node-x12__850.edi",
			envelope: mapping.Envelope{From: us, To: mapping.Address{Qualifier: "12", ID: "4405197800"}, FromGroup: "999999999", ToGroup: "4405197800",
				ControlVersion: "00401", Version: "004010VICS", Usage: "P", Separators: star, AfterSegment: "\n"},
			numbers: mapping.Numbers{Interchange: 1, Group: 1},
			at:      time.Date(2026, 3, 2, 11, 5, 0, 0, time.UTC),
			want: `ISA*00*          *00*          *01*999999999      *12*4405197800     *260302*1105*U*00401*000000001*0*P*>~
GS*FA*999999999*4405197800*20260302*1105*1*X*004010VICS~
ST*997*0001~
AK1*PO*1421~
AK2*850*000000010~
AK5*A~
AK9*A*1*1*1~
SE*6*0001~
GE*1*1~
IEA*1*000000001~
`,
		},
		{
			name: "two syntax notes broken", file: "olmelabs-ediengine__850.SyntaxNotes.ERR.edi",
			change: [2]string{"*1421", "*1422"}, // so that it is no repeat of the good file's group
			envelope: mapping.Envelope{From: mapping.Address{Qualifier: "ZZ", ID: "123456789012345"}, To: mapping.Address{Qualifier: "ZZ", ID: "ABCDEFGHIJKLMNO"},
				FromGroup: "999999999", ToGroup: "4405197800", ControlVersion: "00401", Version: "004010", Usage: "P", Separators: lf},
			numbers: mapping.Numbers{Interchange: 2, Group: 2},
			at:      time.Date(2026, 3, 2, 6, 25, 0, 0, time.FixedZone("EST", -5*3600)),
			want: `ISA*00*          *00*          *ZZ*123456789012345*ZZ*ABCDEFGHIJKLMNO*260302*1125*U*00401*000000002*0*P*>
GS*FA*999999999*4405197800*20260302*1125*2*X*004010
ST*997*0001
AK1*PO*1422
AK2*850*000000010
AK3*PO1*13**8
AK4*7*234*2
AK3*PO4*30**8
AK4*6*384*2
AK5*R*5
AK9*R*1*1*0
SE*10*0001
GE*1*2
IEA*1*000000002
`,
		},
		{
			name: "control number twice", file: "indice-co-edi-net__x12.850.issue135.edi",
			envelope: mapping.Envelope{From: mapping.Address{Qualifier: "ZZ", ID: "BARSAN"}, To: mapping.Address{Qualifier: "01", ID: "049351117"},
				FromGroup: "BARSAN", ToGroup: "049351117", ControlVersion: "00401", Version: "004010", Usage: "T", Separators: lf},
			numbers: mapping.Numbers{Interchange: 1, Group: 1},
			at:      time.Date(2026, 3, 2, 11, 35, 0, 0, time.UTC),
			want: `ISA*00*          *00*          *ZZ*BARSAN         *01*049351117      *260302*1135*U*00401*000000001*0*T*>
GS*FA*BARSAN*049351117*20260302*1135*1*X*004010
ST*997*0001
AK1*PO*1
AK2*850*0001
AK5*A
AK2*850*0001
AK5*R*23
AK9*P*2*2*1
SE*8*0001
GE*1*1
IEA*1*000000001
`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			data, err := os.ReadFile("../x12/testdata/corpus/850/" + c.file)
			if err != nil {
				t.Fatal(err)
			}
			if c.change[0] != "" {
				data = bytes.ReplaceAll(data, []byte(c.change[0]), []byte(c.change[1]))
			}
			f, err := x12.Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			ack, ok := x12.Acknowledge(f, 0, 0, x12.AckOptions{})
			if !ok {
				t.Fatal("not acknowledged")
			}
			x, err := mapping.Ack997(c.envelope, ack, c.numbers, c.at)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if _, err := x12.Write(&got, x, x12.Options{Outbound: true}); err != nil {
				t.Fatal(err)
			}
			if got.String() != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got.String(), c.want)
			}
			answer, err := x12.Parse(got.Bytes())
			if err != nil || len(answer.Findings) != 0 {
				t.Errorf("our own answer: %v %v", err, answer.Findings)
			}
		})
	}
}

func TestWrap(t *testing.T) {
	e := mapping.Envelope{From: mapping.Address{Qualifier: "ZZ", ID: "A"}, To: mapping.Address{Qualifier: "ZZ", ID: "B"}, ControlVersion: "00501", Version: "005010",
		Usage: "P", AckRequested: true, Separators: x12.Separators{Element: "*", Component: ">", Repetition: "^", Segment: "~"}}
	for _, n := range []mapping.Numbers{{}, {Interchange: 1}, {Group: 1}, {Interchange: 1_000_000_000, Group: 1}, {Interchange: 1, Group: -1}} {
		if _, err := e.Wrap("FA", nil, n, time.Time{}); err == nil {
			t.Errorf("%+v: wrapped without an error", n)
		}
	}
	x, err := e.Wrap("FA", nil, mapping.Numbers{Interchange: 999_999_999, Group: 7}, time.Date(2026, 3, 2, 23, 59, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]string{11: "^", 12: "00501", 13: "999999999", 14: "1"} {
		if got := x.Header.Get(n); got != want {
			t.Errorf("ISA%02d: got %q, want %q", n, got, want)
		}
	}
	if x.Format.Repetition != "^" {
		t.Errorf("repetition separator: got %q, want ^", x.Format.Repetition)
	}
}
