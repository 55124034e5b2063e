package torture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/tests/outcome"
	"crossdock.dev/tests/process"
	"crossdock.dev/tests/story"
)

// check lets the flows end and looks up everything that was promised, what `crossdock verify` asks the running programs with it; then it
// stops the suite and verifies the stores once more.
func (l *load) check() {
	l.Helper()
	begun := time.Now()
	l.stop()
	if l.Failed() {
		l.tellMoving()
		l.FailNow()
	}
	ended := time.Since(begun)
	must(l, l.rest())
	rested := time.Since(begun)
	l.checkLedger()
	repeated := time.Since(begun)
	must(l, l.rest())
	l.checkLogs()
	l.checkResources()
	l.checkDocuments()
	verified := time.Since(begun)
	l.stopWatching()
	must(l, l.suite.Up.Stop())
	if *long { // what the running programs said of themselves again, from outside
		l.cli("verify", "--offline")
	}
	l.say("%d flows, %d answers in the ledger; callers heard %s; flows ended after %.1f s, at rest %.1f s, repeated %.1f s, verified %.1f s, offline %.1f s",
		l.count(), len(l.ledger), l.tell(), ended.Seconds(), rested.Seconds(), repeated.Seconds(), verified.Seconds(), time.Since(begun).Seconds())
}

// tellMoving says what the suite is at when flows do not end.
func (l *load) tellMoving() {
	code, out, errOut, err := process.Run(l.suite.Command(l.ctx, "status"))
	l.Logf("crossdock status: %d %v\n%s%s", code, err, out, errOut)
}

// cli runs a command of the command line, which must succeed.
func (l *load) cli(args ...string) {
	l.Helper()
	code, out, errOut, err := process.Run(l.suite.Command(l.ctx, args...))
	must(l, err)
	if code != 0 {
		l.Errorf("crossdock %s: exit status %d\n%s%s", strings.Join(args, " "), code, out, errOut)
	}
}

// checkLedger sends every request again that was answered: its answer must be the same.
func (l *load) checkLedger() {
	l.Helper()
	todo := make(chan request)
	var askers sync.WaitGroup
	for range 16 {
		askers.Go(func() {
			for r := range todo {
				answer, err := l.ask(l.ctx, r.party, r.method, r.path, r.key, r.body)
				if err != nil {
					l.Errorf("%s %s was answered, and is now: %v", r.path, r.key, err)
				} else if !sameJSON(answer, r.answer) {
					l.Errorf("%s %s was answered\n%s\nand is now answered\n%s", r.path, r.key, r.answer, answer)
				}
			}
		})
	}
	for _, r := range l.ledger {
		todo <- r
	}
	close(todo)
	askers.Wait()
}

// sameJSON compares two JSON texts; protojson varies white space on purpose.
func sameJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	m, err := json.Marshal(x)
	n, err2 := json.Marshal(y)
	return err == nil && err2 == nil && bytes.Equal(m, n)
}

// checkLogs wants that nothing which a reader has read of a log is gone or another, and that each flow told each fact once.
func (l *load) checkLogs() {
	l.Helper()
	b := l.board
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, err := range b.errs {
		l.Errorf("a reader of a log: %v", err)
	}
	for service, hashes := range b.hashes {
		log := eventlog.Remote(service, l.live.Conn(service))
		entries, at := [][]byte{}, eventlog.Position{}
		for {
			page, _, err := log.Read(l.ctx, at, 500)
			must(l, err)
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				entries = append(entries, e.Hash)
			}
			at = eventlog.Position{Log: service, Epoch: 1, Sequence: uint64(len(entries))}
		}
		for i, hash := range hashes {
			if i >= len(entries) || !bytes.Equal(hash, entries[i]) {
				l.Errorf("entry %d of the log of %s was read, and is gone or another", i+1, service)
				break
			}
		}
	}
	for key, n := range b.times {
		if n != 1 {
			l.Errorf("%s was told %d times", key, n)
		}
	}
}

// checkResources wants one of everything for each flow, and nothing that waits.
func (l *load) checkResources() {
	l.Helper()
	got, err := outcome.Read(l.ctx, l.live.Conn)
	must(l, err)
	l.timers.check(l, &got)
	want := len(l.begun)
	for what, n := range map[string]int{
		"orders": len(got.Orders), "shipments": len(got.Shipments), "loads": len(got.Loads), "tenders": len(got.Tenders), "invoices": len(got.Invoices),
		"freight bills": len(got.FreightBills),
	} {
		if n != want {
			l.Errorf("%d %s, want %d", n, what, want)
		}
	}
	orders := map[string]goods{} // by name
	for _, o := range got.Orders {
		g, ok := l.begun[o.GetCustomerOrderNumber()]
		if _, twice := orders[o.GetName()]; !ok || twice {
			l.Errorf("order %s %s is nobody's, or twice there", o.GetName(), o.GetCustomerOrderNumber())
		}
		orders[o.GetName()] = g
		if state := fmt.Sprint(o.GetCommercial(), o.GetRelease(), o.GetFulfilment(), o.GetBilling()); state != "CLOSED SECURED DELIVERED BILLED" {
			l.Errorf("order %s is %s", o.GetCustomerOrderNumber(), state)
		}
	}
	numbers := map[string]bool{}
	for _, i := range got.Invoices {
		if total := story.Decimal(i.GetTotal()); total != orders[i.GetOrder()].invoice {
			l.Errorf("invoice %s of %s: %s, want %s", i.GetNumber(), i.GetOrder(), total, orders[i.GetOrder()].invoice)
		}
		if numbers[i.GetNumber()] || orders[i.GetOrder()].customer == "" {
			l.Errorf("invoice %s: a number or an order twice", i.GetNumber())
		}
		numbers[i.GetNumber()] = true
		orders[i.GetOrder()] = goods{} // has its invoice
	}
	for _, b := range got.FreightBills {
		if b.GetState() != billingv1.FreightBill_APPROVED {
			l.Errorf("freight bill %s is %s", b.GetInvoiceNumber(), b.GetState())
		}
	}
	for _, x := range got.Loads {
		if x.GetState() != freightv1.Load_COMPLETED {
			l.Errorf("load %s is %s", x.GetNumber(), x.GetState())
		}
	}
	for _, i := range got.WorkItems {
		l.Errorf("work item %v", i)
	}
	for _, b := range got.Breaches {
		l.Error(b)
	}
	if l.Failed() {
		l.tellMoving()
	}
}

// checkDocuments wants one 204 for each load, one 810 and one 997 for each order that came as an 850, and one message about each
// invoice of the customer that registered for them.
func (l *load) checkDocuments() {
	l.Helper()
	files, err := l.sent()
	must(l, err)
	sets := map[string]int{}
	about := map[string]int{} // the load of a 204, the order of an 810, the group of a 997
	for _, name := range slices.Sorted(maps.Keys(files)) {
		party, _, _ := strings.Cut(name, "/")
		text := string(files[name])
		for set, mark := range map[string]string{"204": "\nB2*", "810": "\nBIG*", "997": "\nAK1*"} {
			if !strings.Contains(text, "ST*"+set+"*") {
				continue
			}
			sets[party+" "+set]++
			_, rest, _ := strings.Cut(strings.ReplaceAll(text, "~", "~\n"), mark)
			line, _, _ := strings.Cut(rest, "~")
			about[party+" "+set+" "+line]++
		}
	}
	edi := 0
	for _, g := range l.begun {
		if g.edi {
			edi++
		}
	}
	rest := len(l.begun) - edi
	want := map[string]int{"CAR-CXEE 204": rest, "CAR-CXBB 204": edi, "CUS-XYZ 810": edi, "CUS-XYZ 997": edi}
	l.timers.expectOffers(want)
	for _, what := range slices.Sorted(maps.Keys(want)) {
		if sets[what] != want[what] {
			l.Errorf("%d files %s, want %d", sets[what], what, want[what])
		}
	}
	for what, n := range about {
		if n > 1 && !strings.Contains(what, " 997 ") { // the 850s all have the same group number
			l.Errorf("%d files about %s", n, what)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.hooks) != rest {
		l.Errorf("%d webhook messages, want %d", len(l.hooks), rest)
	}
	again := 0
	for _, n := range l.hooks {
		again += n - 1
	}
	if again > 0 {
		l.say("%d webhook messages came again under the same id", again)
	}
}
