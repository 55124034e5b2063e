package segments_test

import (
	"errors"
	"strings"
	"testing"

	"crossdock.dev/tests/counterparts/segments"
)

func TestRead(t *testing.T) {
	isa := "ISA*00*          *00*          *ZZ*NORTHLINE      *02*CXBB           *260302*1112*U*00401*000000007*0*P*>"
	body := []string{isa, "GS*SM*NORTHLINE*CXBB*20260302*1112*7*X*004010", "ST*204*0001", "B2**CXBB**NL26030001*L*PP", "SE*3*0001", "GE*1*7", "IEA*1*000000007"}
	for name, end := range map[string]string{"tilde": "~", "bar": "|", "line feed": "\n", "tilde and line feed": "~\n"} {
		t.Run(name, func(t *testing.T) {
			one := strings.Join(body, end) + end
			got, err := segments.Read([]byte(one + one))
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 2 || len(got[1].Sets) != 1 {
				t.Fatalf("got %d interchanges, want 2 with one set each: %v", len(got), got)
			}
			in, set := got[1], got[1].Sets[0]
			if in.Sender != "ZZ/NORTHLINE" || in.Receiver != "02/CXBB" || in.Control != "000000007" || in.Usage != "P" || in.Version != "004010" {
				t.Errorf("got %+v", in)
			}
			if set.ID != "204" || set.Group != "7" || set.GroupID != "SM" || set.First("B2").At(4) != "NL26030001" || set.First("B2").At(99) != "" {
				t.Errorf("got %+v", set)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	isa := "ISA*00*          *00*          *ZZ*NORTHLINE      *02*CXBB           *260302*1112*U*00401*000000007*0*P*>~"
	for _, bad := range []string{"", "hello", "ISA*00", isa, isa + "GS*SM*A*B*20260302*1112*7*X*004010~ST*204*0001~SE*9*0001~GE*1*7~IEA*1*000000007~"} {
		if got, err := segments.Read([]byte(bad)); !errors.Is(err, segments.ErrNotX12) {
			t.Errorf("%.20q: got %v, %v, want ErrNotX12", bad, got, err)
		}
	}
}
