package x12_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"crossdock.dev/integrations/edi/x12"
)

// The real order of the corpus, broken in one place after the other. What the 997 must say was worked by hand from its standard
// (997 004010): AK3 names the segment and its position with ST as 1, AK4 the element, the number of its data element, the code of
// data element 723 and the value; AK5 carries 5 for segments in error, and codes of data element 718.

const realOrder = "850/aaronhuggins-node-x12__850.edi"

// answered is the body of the 997 that answers a file with one group, without AK1.
func answered(t *testing.T, text string) string {
	t.Helper()
	f, err := x12.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	ack, ok := x12.Acknowledge(f, 0, 0, x12.AckOptions{})
	if !ok {
		t.Fatal("not acknowledged")
	}
	all := strings.Split(strings.TrimSpace(lines(ack.Set.Segments)), "\n")
	return strings.Join(all[2:len(all)-1], " ")
}

// order is the real order as segments, ISA first, so that ST is at index 2.
func order(t *testing.T) []string {
	t.Helper()
	return strings.Split(strings.TrimSuffix(strings.ReplaceAll(string(readCorpus(t, realOrder)), "~\n", "~"), "~"), "~")
}

// recount puts the right number of segments into SE01, since the mutation is about something else.
func recount(segments []string) string {
	for i, s := range segments {
		if strings.HasPrefix(s, "SE*") {
			segments[i] = fmt.Sprintf("SE*%d*%s", i-1, s[strings.LastIndexByte(s, '*')+1:])
		}
	}
	return strings.Join(segments, "~\n") + "~\n"
}

func TestMutatedOrder(t *testing.T) {
	const rejected = " AK5*R*5 AK9*R*1*1*0"
	segment := func(ak3 string, ak4 ...string) string {
		return "AK2*850*000000010 " + strings.Join(append([]string{ak3}, ak4...), " ") + rejected
	}
	const good = "AK2*850*000000010 AK5*A AK9*A*1*1*1"
	for _, c := range []struct{ name, old, new, want string }{
		{"as it is", "", "", good},
		// elements
		{"mandatory", "BEG*00*SA*08292233294*", "BEG*00*SA**", segment("AK3*BEG*2**8", "AK4*3*324*1")},
		{"mandatory at the end", "AMT*1*13045.94", "AMT*1", segment("AK3*AMT*32**8", "AK4*2*782*1")},
		{"too long", "08292233294", "08292233294082922332940", segment("AK3*BEG*2**8", "AK4*3*324*5*08292233294082922332940")},
		{"too short", "BEG*00*", "BEG*0*", segment("AK3*BEG*2**8", "AK4*1*353*4*0")},
		{"code too long", "*120*EA*", "*120*EACH*", segment("AK3*PO1*13**8", "AK4*3*355*5*EACH")},
		{"no such day", "*20101127*610", "*20101332*610", segment("AK3*BEG*2**8", "AK4*5*373*8*20101332")},
		{"29 February of a common year", "*20101214", "*20110229", segment("AK3*DTM*6**8", "AK4*2*373*8*20110229")},
		{"no date at all", "*20101214", "*SOON", segment("AK3*DTM*6**8", "AK4*2*373*8*SOON")},
		{"no such time", "*20101214", "*20101214*2560", segment("AK3*DTM*6**8", "AK4*3*337*9*2560")},
		{"letter in a number", "*120*EA*", "*12O*EA*", segment("AK3*PO1*13**8", "AK4*2*330*6*12O")},
		{"comma in a number", "*9.25*", "*9,25*", segment("AK3*PO1*13**8", "AK4*4*212*6*9,25")},
		{"two points in a number", "13045.94", "13.045.94", segment("AK3*AMT*32**8", "AK4*2*782*6*13.045.94")},
		{"point in a whole number", "PO4*2*2*EA", "PO4*2.0*2*EA", segment("AK3*PO4*18**8", "AK4*1*356*6*2.0")},
		{"component separator in text", "XYZ RETAIL*9", "XYZ>RETAIL*9", segment("AK3*N1*10**8", "AK4*2*93*6*XYZ>RETAIL")},
		{"control character in text", "XYZ RETAIL*9", "XYZ\aRETAIL*9", segment("AK3*N1*10**8", "AK4*2*93*6*XYZ\aRETAIL")},
		{"pair P0304", "XYZ RETAIL*9*0003947268292", "XYZ RETAIL*9", segment("AK3*N1*10**8", "AK4*4*67*2")},
		{"pair P0304 the other way", "XYZ RETAIL*9*0003947268292", "XYZ RETAIL**0003947268292", segment("AK3*N1*10**8", "AK4*3*66*2")},
		{"one of R0203", "REF*DP*038", "REF*DP", segment("AK3*REF*3**8", "AK4*2*127*2")},
		{"one of R0405", "PID*F****BLUE WIDGET", "PID*F", segment("AK3*PID*26**8", "AK4*4*751*2")},
		{"condition C0605", "N4*SOLON*OH*44139", "N4*SOLON*OH*44139***X", segment("AK3*N4*12**8", "AK4*5*309*2")},
		{"condition C0302", "PO1*2*220*EA*", "PO1*2**EA*", segment("AK3*PO1*16**8", "AK4*2*330*2")},
		{"three in one segment, in order", "BEG*00*SA*08292233294**20101127", "BEG*0*SA*** 2010", segment("AK3*BEG*2**8", "AK4*1*353*4*0", "AK4*3*324*1", "AK4*5*373*8* 2010")},
		{"codes are not ours to list", "PO1*1*120*EA*9.25*TE*", "PO1*1*120*QQ*9.25*QQ*", good},
		{"elements beyond the table are passed over", "AMT*1*13045.94", "AMT*1*13045.94**1*2", good},
		{"blanks at the end are padding", "XYZ RETAIL*9", "XYZ RETAIL                                                                   *9", good},
		// segments
		{"unknown segment", "PKG*F*68", "ZZ9*1~PKG*F*68", segment("AK3*ZZ9*7**1")},
		{"segment of another set", "PKG*F*68", "B3**1~PKG*F*68", segment("AK3*B3*7**6")},
		{"too early, and missing before it", "BEG*00*SA*08292233294**20101127*610385385~REF*DP*038", "REF*DP*038~BEG*00*SA*08292233294**20101127*610385385", segment("AK3*BEG*2**3", "AK3*BEG*3**7")},
		{"out of order in a loop", "N3*31875 SOLON RD~N4*SOLON*OH*44139", "N4*SOLON*OH*44139~N3*31875 SOLON RD", segment("AK3*N3*12**7")},
		{"header segment among the addresses", "N4*SOLON*OH*44139", "N4*SOLON*OH*44139~ITD*14*3*2**45**46", segment("AK3*ITD*13**7")},
		{"mandatory segment", "BEG*00*SA*08292233294**20101127*610385385~", "", segment("AK3*BEG*2**3")},
		{"once too often", "REF*PS*R", "REF*PS*R" + strings.Repeat("~PER*BD*A", 4), segment("AK3*PER*8**5")},
		{"loop once too often", "N4*SOLON*OH*44139", "N4*SOLON*OH*44139" + strings.Repeat("~N1*VN*A", 200), segment("AK3*N1*212**4")},
		{"two segments", "REF*DP*038~REF*PS*R", "REF*DP~REF**R", segment("AK3*REF*3**8", "AK4*2*127*2", "AK3*REF*4**8", "AK4*1*128*1")},
		// sets and groups
		{"SE02", "SE*33*000000010", "SE*33*000000011", "AK2*850*000000010 AK5*R*3 AK9*R*1*1*0"},
		{"no SE", "~SE*33*000000010", "", "AK2*850*000000010 AK5*R*2 AK9*R*1*1*0"},
		{"ST02", "ST*850*000000010", "ST*850", "AK2*850* AK5*R*3*7 AK9*R*1*1*0"},
		{"ST01", "ST*850*", "ST*85O*", "AK2*85O*000000010 AK5*R*6 AK9*R*1*1*0"},
		{"GE01", "GE*1*1421", "GE*2*1421", "AK9*R*2*1*0*5"},
		{"GE01 is no number", "GE*1*1421", "GE*ONE*1421", "AK9*R*1*1*0*5"},
		{"GE02", "GE*1*1421", "GE*1*1422", "AK9*R*1*1*0*4"},
		{"no GE", "~GE*1*1421", "", "AK9*R*1*1*0*3"},
		{"zeros before GE02 are no matter", "GE*1*1421", "GE*1*000001421", good},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Join(order(t), "~")
			if c.old != "" && strings.Count(text, c.old) < 1 {
				t.Fatalf("the order has no %s", c.old)
			}
			text = recount(strings.Split(strings.Replace(text, c.old, c.new, 1), "~"))
			if got := answered(t, text); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	// SE01 alone is not put right.
	for _, wrong := range []string{"32", "34", "", "X"} {
		text := strings.Replace(strings.Join(order(t), "~"), "SE*33*", "SE*"+wrong+"*", 1)
		if got, want := answered(t, text+"~"), "AK2*850*000000010 AK5*R*4 AK9*R*1*1*0"; got != want {
			t.Errorf("SE01 %q: got %s, want %s", wrong, got, want)
		}
	}
	// All lines taken out: the loop is mandatory, and missing where the totals stand.
	rest := slices.DeleteFunc(order(t), func(s string) bool {
		return strings.HasPrefix(s, "PO1*") || strings.HasPrefix(s, "PID*") || strings.HasPrefix(s, "PO4*")
	})
	if got, want := answered(t, recount(rest)), segment("AK3*PO1*13**3"); got != want {
		t.Errorf("no lines: got %s, want %s", got, want)
	}
}

// Every element of the order in turn: missing, too long, too short, of a wrong type. The 997 names the place of each, and nothing else.
func TestEveryElementOfTheOrder(t *testing.T) {
	def, exact := x12.Lookup("004010", "850")
	if !exact {
		t.Fatal("no table")
	}
	tried := 0
	segments := order(t)
	for at := 3; segments[at][:3] != "SE*"; at++ { // after ISA, GS and ST
		elements := strings.Split(segments[at], "*")
		for n, field := range def.Segments[elements[0]].Fields {
			if n++; n >= len(elements) || elements[n] == "" {
				continue
			}
			element := def.Elements[field.Number]
			try := func(value, code string) {
				t.Helper()
				tried++
				broken := slices.Clone(elements)
				broken[n] = value
				text := slices.Clone(segments)
				text[at] = strings.Join(broken, "*")
				ak4 := fmt.Sprintf("AK4*%d*%s*%s", n, field.Number, code)
				if value != "" {
					ak4 += "*" + value[:min(len(value), 99)] // data element 724 has 99 characters
				}
				want := fmt.Sprintf("AK2*850*000000010 AK3*%s*%d**8 %s AK5*R*5 AK9*R*1*1*0", elements[0], at-1, ak4)
				if got := answered(t, recount(text)); got != want {
					t.Errorf("%s:\ngot  %s\nwant %s", text[at], got, want)
				}
			}
			if field.Mandatory {
				try("", "1")
			}
			try(strings.Repeat("9", element.Max+1), "5")
			if element.Min > 1 {
				try(strings.Repeat("9", element.Min-1), "4")
			}
			switch element.Type {
			case x12.DT:
				try(strings.Repeat("X", element.Min), "8")
			case x12.TM:
				try(strings.Repeat("X", element.Min), "9")
			case x12.AN, x12.ID:
				try("\x01"+strings.Repeat("9", element.Min-1), "6")
			default:
				try(strings.Repeat("X", element.Min), "6")
			}
		}
	}
	if tried < 300 {
		t.Errorf("only %d were tried", tried)
	}
}
