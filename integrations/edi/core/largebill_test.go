package core

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
)

// largeBill writes a 210 of about so many bytes into the inbox, piece by piece: 9,000 lines, which is within what the set may have,
// each for many consignees. charges says how many of them have a charge of one cent.
func (w *world) largeBill(name string, control, size, charges int) int64 {
	w.t.Helper()
	const lines = 9000
	path := filepath.Join(w.dir, "inbox", name)
	f, err := os.Create(path + ".part")
	w.must(err)
	out := bufio.NewWriter(f)
	segments := 0
	put := func(format string, args ...any) {
		fmt.Fprintf(out, format+"~", args...)
		segments++
	}
	fmt.Fprintf(out, "ISA*00*          *00*          *02*CXBB           *ZZ*NORTHLINE      *260305*1200*U*00401*%09d*0*P*>~GS*IM*CXBB*NORTHLINE*20260305*1200*%d*X*004010~", control, control)
	put("ST*210*0001")
	put("B3**CXBB-%d*NL26030001*PP*L*20260305*%d**20260304*035*CXBB", control, charges)
	put("C3*USD")
	consignee := fmt.Sprintf("N1*CN*%s~N3*%s~N4*COLUMBUS*OH*43215*US~N9*CN*%s", strings.Repeat("C", 60), strings.Repeat("S", 55), strings.Repeat("9", 30))
	for i := range lines {
		put("LX*%d", i+1)
		put("L5*%d*LINE-HAUL", i%999+1)
		if i < charges {
			put("L1*%d***1****LHS", i%999+1)
		}
		for range size / lines / (len(consignee) + 1) {
			put("%s", consignee)
			segments += 3
		}
	}
	put("L3*3156*G***%d", charges)
	fmt.Fprintf(out, "SE*%d*0001~GE*1*%d~IEA*1*%09d~", segments+1, control, control)
	w.must(out.Flush())
	info, err := f.Stat()
	w.must(err)
	w.must(f.Close())
	w.must(os.Rename(path+".part", path))
	return info.Size()
}

// highest is the most heap that was in use while f ran, looked at every few milliseconds.
func highest(f func()) uint64 {
	stop, result := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		var m runtime.MemStats
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-stop:
				result <- most
				return
			case <-tick.C:
			}
		}
	}()
	f()
	close(stop)
	return <-result
}

// A bill of 50 MB, as of an account with a month of parcels: it is taken in, answered, mapped and handed on in flat memory.
func TestLargeBill(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 60 MB")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	w := newCarrierWorld(t)
	w.offer("NL26030001", "CXBB")
	for i, c := range []struct {
		size, charges int
		want          string
	}{
		{50 << 20, 150, "ACCEPTED | 210 APPLIED freightBills/fbl_cxbb-1"},
		{10 << 20, 9000, "ACCEPTED | 210 PARKED MAPPING_FAILED"},
	} {
		if got := w.largeBill("bill.edi", i+1, c.size, c.charges); got < int64(c.size)*9/10 {
			t.Fatalf("the file has %d bytes", got)
		}
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		most := highest(w.settle)
		if grown := int64(most) - int64(before.HeapAlloc); grown > 8<<20 {
			t.Errorf("%d charges: the heap grew by %d bytes for a file of %d", c.charges, grown, c.size)
		}
		arrivals := w.arrivals()
		equal(t, "disposition", arrivals[len(arrivals)-1], c.want)
	}
	// What billing cannot take waits with its reason; the bill itself stays in its document.
	calls := w.carriers.asked()
	if len(calls) != 1 || len(calls[0].(*billingv1.SubmitFreightBillRequest).GetFreightBill().GetCharges()) != 150 {
		t.Fatalf("%d calls, want one with 150 charges", len(calls))
	}
	list := w.list()
	var reason string
	for _, x := range list {
		if s := x.GetTransactionSets()[0]; s.GetSet() == "210" {
			reason = s.GetReason()
		}
	}
	if want := "charges: 9000 charges that add up to 90.00, of 1 to 200 that a bill may have"; reason != want {
		t.Errorf("reason %q, want %q", reason, want)
	}
	if acks := filesWith(w.sent("CAR-CXBB"), "997"); len(acks) != 2 || !strings.Contains(acks[1], "AK9*A*1*1*1~") {
		t.Errorf("997s: got %q, want both accepted", acks)
	}
	w.verify()
}
