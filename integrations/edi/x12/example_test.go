package x12_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"crossdock.dev/integrations/edi/x12"
)

const tenderReply = "ISA*00*          *00*          *02*CXBB           *ZZ*NORTHLINE      *260302*1420*U*00401*000000001*0*P*>~" +
	"GS*GF*CXBB*NORTHLINE*20260302*1420*1*X*004010~ST*990*0001~B1*CXBB*NL26030001*20260231*A~SE*4*0001~GE*1*1~IEA*1*000000001~"

func ExampleParse() {
	f, err := x12.Parse([]byte(tenderReply))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, found := range f.Findings {
		fmt.Printf("byte %d: %v\n", found.Offset, found)
	}
	ack, _ := x12.Acknowledge(f, 0, 0, x12.AckOptions{})
	for _, s := range ack.Set.Segments {
		fmt.Println(s.Text(f.Interchanges[0].Format.Separators))
	}
	// Output:
	// byte 183: error: B1 at 2, element 3: not a date (element code 8)
	// byte 197: error: SE at 3, element 1: SE01 says "4", there are 3 segments from ST to SE (set code 4)
	// ST*997*0001
	// AK1*GF*1
	// AK2*990*0001
	// AK3*B1*2**8
	// AK4*3*373*8*20260231
	// AK5*R*4*5
	// AK9*R*1*1*0
	// SE*8*0001
}

func ExampleReader() {
	r := x12.NewReader(strings.NewReader(tenderReply), x12.Limits{})
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		if e.Kind == x12.SetSegment {
			fmt.Println(e.Position, e.Segment.ID, e.Segment.Get(4))
		}
	}
	// Output: 2 B1 A
}

func ExampleWrite() {
	x := x12.Interchange{
		Format: x12.Format{Separators: x12.Separators{Element: "*", Component: ">", Segment: "~"}, AfterSegment: "\n", Trailer: "\n"},
		Header: x12.Seg("ISA", "00", "", "00", "", "ZZ", "NORTHLINE", "02", "CXBB", "260302", "1421", "U", "00401", "000000001", "0", "P", ">"),
		Groups: []x12.Group{{
			Header:  x12.Seg("GS", "GF", "NORTHLINE", "CXBB", "20260302", "1421", "1", "X", "004010"),
			Sets:    []x12.Set{x12.NewSet("990", "0001", x12.Seg("B1", "CXBB", "NL26030001", "20260302", "A"))},
			Trailer: x12.Seg("GE", "1", "1"),
		}},
		Trailer: x12.Seg("IEA", "1", "000000001"),
	}
	if _, err := x12.Write(os.Stdout, x, x12.Options{Outbound: true}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ISA*00*          *00*          *ZZ*NORTHLINE      *02*CXBB           *260302*1421*U*00401*000000001*0*P*>~
	// GS*GF*NORTHLINE*CXBB*20260302*1421*1*X*004010~
	// ST*990*0001~
	// B1*CXBB*NL26030001*20260302*A~
	// SE*3*0001~
	// GE*1*1~
	// IEA*1*000000001~
}
