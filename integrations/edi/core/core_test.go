package core

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/platformtest"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/telemetry"
	"crossdock.dev/platform/typeid"
)

const corpus = "../x12/testdata/corpus/850/"

// The 850s of the corpus.
const (
	realOrder = "aaronhuggins-node-x12__850.edi"
	fatOrder  = "aaronhuggins-node-x12__850_fat.edi" // two interchanges, each the real order's
	okOrder   = "olmelabs-ediengine__850.OK.edi"
	errOrder  = "olmelabs-ediengine__850.SyntaxNotes.ERR.edi"
	snxOrder  = "apimeister-x12-types__004010_850.edi"
	xflOrder  = "indice-co-edi-net__x12.850.issue135.edi"
)

// world is the adapter between a masterdata log that the test writes and an orders service that notes what it is asked.
type world struct {
	t     *testing.T
	ctx   context.Context
	clock *clock.Manual
	// machine measures back-off; nil is the system's.
	machine *clock.Manual
	dir     string
	master  *store.Store
	// freight and billing are the logs of those services; carriers are their methods.
	freight, billing *store.Store
	carriers         *carriers
	orders           *orders
	ids              typeid.Source
	core             *Core
	// restarts makes every step be followed by a restart.
	restarts bool
}

func newWorld(t *testing.T) *world {
	w := newEmptyWorld(t)
	w.units()
	w.settle()
	return w
}

// units tells the units of the corpus.
func (w *world) units() {
	for code, canonical := range map[string]string{"EA": "EA", "CA": "CS", "SF": "FTK"} { // Rec 20
		w.codeMap(code, "", canonical, nil)
	}
}

// newEmptyWorld is a world whose masterdata has told nothing yet.
func newEmptyWorld(t *testing.T) *world {
	w := &world{
		t: t, ctx: t.Context(), clock: clock.NewManual(at("11:05")), dir: t.TempDir(), ids: typeid.Sequence(1),
		orders: &orders{created: map[string]string{}}, carriers: &carriers{answered: map[string]proto.Message{}},
	}
	for name, log := range map[string]**store.Store{"masterdata": &w.master, "freight": &w.freight, "billing": &w.billing} {
		s, err := store.Open(w.ctx, store.Options{Path: t.TempDir() + "/" + name + ".db", Schema: store.Schema{Service: name, Version: 1}, Clock: w.clock})
		w.must(err)
		t.Cleanup(func() { w.must(s.Close()) })
		*log = s
	}
	w.open()
	t.Cleanup(func() { w.must(w.core.Close()) })
	return w
}

func at(clock string) time.Time {
	t, err := time.Parse(time.RFC3339, "2026-03-02T"+clock+":00Z")
	if err != nil {
		panic(err)
	}
	return t
}

func (w *world) codeMap(code, party, canonical string, from *date.Date) {
	w.t.Helper()
	m := &masterdatav1.CodeMap{Name: "codeMaps/x12-355-" + party + code + canonical, List: "x12/355", Party: party, Code: code, Canonical: canonical, ValidFrom: from}
	w.tell(w.master, m.GetName(), &masterdatav1.CodeMapApproved{CodeMap: m})
}

// tell writes a fact into the log of another service.
func (w *world) tell(log *store.Store, subject string, payload proto.Message, related ...string) {
	w.t.Helper()
	_, err := log.Change(w.ctx, store.Cause{Actor: "user/test"}, func(tx *store.Tx) ([]byte, error) {
		return nil, tx.Emit(store.Fact{Type: string(payload.ProtoReflect().Descriptor().Name()), Subject: subject, Related: related, Payload: payload})
	})
	w.must(err)
}

func (w *world) open() {
	w.t.Helper()
	machine := clock.SystemMachine()
	if w.machine != nil {
		machine = w.machine
	}
	var err error
	w.core, err = Open(w.ctx, Deps{
		DataDir: w.dir, ProfilesFile: "../partners/day.yaml", Business: w.clock, Machine: machine, IDs: w.ids, Rand: zeros{},
		Log: telemetry.Discard(), Feeds: map[string]eventlog.Source{
			"masterdata": eventlog.Local(w.master), "freight": eventlog.Local(w.freight), "billing": eventlog.Local(w.billing),
		},
		Peers: map[string]grpc.ClientConnInterface{"orders": w.orders, "freight": w.carriers, "billing": w.carriers},
	})
	w.must(err)
	w.core.Followers().Stepping = true
}

// zeros is randomness that never changes: trace ids need no more here.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func (w *world) reopen() {
	w.t.Helper()
	w.must(w.core.Close())
	w.open()
}

// settle steps until nothing moves.
func (w *world) settle() {
	w.t.Helper()
	if !w.restarts {
		var steppers []step.Stepper
		for _, s := range w.core.Steppers() {
			steppers = append(steppers, s.Stepper)
		}
		w.must(platformtest.Drive(w.ctx, w.clock.Now, 100, steppers...))
		return
	}
	for moved := true; moved; {
		moved = false
		for i := range w.core.Steppers() {
			progress, err := w.core.Steppers()[i].Stepper.Step(w.ctx, w.clock.Now())
			w.must(err)
			if progress {
				moved = true
				w.reopen()
			}
		}
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// file reads a message of the corpus.
func (w *world) file(name string) []byte {
	w.t.Helper()
	data, err := os.ReadFile(corpus + name)
	w.must(err)
	return data
}

// bring puts a file into the inbox as a partner's transport does.
func (w *world) bring(name string, data []byte) {
	w.t.Helper()
	inbox := filepath.Join(w.dir, "inbox")
	w.must(os.WriteFile(filepath.Join(inbox, name+".part"), data, 0o600))
	w.must(os.Rename(filepath.Join(inbox, name+".part"), filepath.Join(inbox, name)))
}

// receive brings a file at a time of day and waits until all is done.
func (w *world) receive(clock, name string, data []byte) {
	w.t.Helper()
	w.clock.Set(at(clock))
	w.bring(name, data)
	w.settle()
}

func (w *world) list() []*ediv1.Interchange {
	w.t.Helper()
	var out []*ediv1.Interchange
	resp, err := w.core.api.ListInterchanges(w.ctx, &ediv1.ListInterchangesRequest{PageSize: 500})
	w.must(err)
	for _, x := range resp.GetInterchanges() {
		x, err := w.core.api.GetInterchange(w.ctx, &ediv1.GetInterchangeRequest{Name: x.GetName()})
		w.must(err)
		out = append(out, x)
	}
	slices.Reverse(out) // oldest first
	return out
}

// arrivals says of each interchange that came what became of it and of its sets.
func (w *world) arrivals() []string {
	w.t.Helper()
	var out []string
	for _, x := range w.list() {
		if x.GetDirection() != ediv1.Interchange_INBOUND {
			continue
		}
		line := strings.TrimSpace(fmt.Sprintf("%s %s", x.GetDisposition(), x.GetReasonCode()))
		for _, s := range x.GetTransactionSets() {
			line += fmt.Sprintf(" | %s %s %s %s", s.GetSet(), s.GetDisposition(), s.GetReasonCode(), s.GetResult())
		}
		out = append(out, strings.Join(strings.Fields(line), " "))
	}
	return out
}

// sent returns what stands in the outbox of a partner, in the order of names.
func (w *world) sent(party string) []string {
	w.t.Helper()
	entries, err := os.ReadDir(filepath.Join(w.dir, "outbox", party))
	if !os.IsNotExist(err) {
		w.must(err)
	}
	var out []string
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(w.dir, "outbox", party, e.Name()))
		w.must(err)
		out = append(out, string(data))
	}
	return out
}

// counts are the rows of the counts as "party set received=applied+duplicate+parked+rejected+in progress sent acknowledgements".
func (w *world) counts() []string {
	w.t.Helper()
	resp, err := w.core.api.ListMessageCounts(w.ctx, &ediv1.ListMessageCountsRequest{})
	w.must(err)
	var out []string
	for _, c := range resp.GetMessageCounts() {
		out = append(out, fmt.Sprintf("%s %s %s %d=%d+%d+%d+%d+%d %d %d", c.GetParty(), c.GetDay(), c.GetSet(), c.GetReceived(), c.GetApplied(),
			c.GetDuplicate(), c.GetParked(), c.GetRejected(), c.GetInProgress(), c.GetSent(), c.GetAcknowledgements()))
	}
	return out
}

// facts are those of the adapter's own log, oldest first.
func (w *world) facts() []eventlog.Fact {
	w.t.Helper()
	var out []eventlog.Fact
	reader, err := store.Open(w.ctx, store.Options{Path: w.t.TempDir() + "/tower.db", Schema: store.Schema{Service: "tower", Version: 1}, Clock: w.clock})
	w.must(err)
	c := eventlog.NewConsumer(eventlog.ConsumerConfig{
		Log: "edi", Source: eventlog.Local(w.core.Store()), Store: reader, Keys: func(f eventlog.Fact) []string { return []string{f.Subject} },
		Apply: func(_ context.Context, _ *store.Tx, f eventlog.Fact) error { out = append(out, f); return nil },
	})
	w.must(platformtest.Drive(w.ctx, w.clock.Now, 1000, c))
	w.must(reader.Close())
	return out
}

func (w *world) verify() {
	w.t.Helper()
	report, err := w.core.Store().Verify(w.ctx)
	w.must(err)
	if len(report.Breaches) > 0 {
		w.t.Errorf("verify: %v", report.Breaches)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// orders answers CreateOrder as the service does: once for each request id, and a number of a customer is taken for ever.
type orders struct {
	mu      sync.Mutex
	calls   []*ordersv1.CreateOrderRequest
	created map[string]string // request id, or customer and number, to order
	refuse  error
}

func (o *orders) Invoke(_ context.Context, _ string, args, reply any, _ ...grpc.CallOption) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	req := args.(*ordersv1.CreateOrderRequest)
	o.calls = append(o.calls, proto.Clone(req).(*ordersv1.CreateOrderRequest))
	if o.refuse != nil {
		return o.refuse
	}
	number := req.GetOrder().GetCustomer() + " " + req.GetOrder().GetCustomerOrderNumber()
	name := o.created[req.GetRequestId()]
	if name == "" {
		if taken := o.created[number]; taken != "" {
			return (&rpcerr.Error{Code: codes.AlreadyExists, Reason: "ORDER_NUMBER_TAKEN", Metadata: map[string]string{"order": taken}}).GRPCStatus().Err()
		}
		name = fmt.Sprintf("orders/ord_%d", len(o.created)/2+1)
		o.created[req.GetRequestId()], o.created[number] = name, name
	}
	reply.(*ordersv1.Order).Name = name
	return nil
}

func (o *orders) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "no streams here")
}

// The acknowledgement of the real order, worked out by hand for the played day.
const realAck = `ISA*00*          *00*          *01*999999999      *12*4405197800     *260302*1105*U*00401*000000001*0*P*>~
GS*FA*999999999*4405197800*20260302*1105*1*X*004010VICS~
ST*997*0001~
AK1*PO*1421~
AK2*850*000000010~
AK5*A~
AK9*A*1*1*1~
SE*6*0001~
GE*1*1~
IEA*1*000000001~
`

// TestRealOrder: one file, one order with the values that an independent parser found in it, one 997.
func TestRealOrder(t *testing.T) {
	w := newWorld(t)
	w.receive("11:05", "850.edi", w.file(realOrder))

	equal(t, "997", w.sent("CUS-XYZ"), []string{realAck})
	if len(w.orders.calls) != 1 {
		t.Fatalf("%d orders, want 1", len(w.orders.calls))
	}
	x := w.list()[0]
	got := w.orders.calls[0]
	want := &ordersv1.Order{
		Customer: "parties/CUS-XYZ", CustomerOrderNumber: "08292233294",
		ShipToExternal: &typev1.ExternalId{System: "x12", Kind: "n1_st", Qualifier: "9", Value: "0003947268292"},
		OrderDate:      &date.Date{Year: 2010, Month: 11, Day: 27}, RequestedDeliveryDate: &date.Date{Year: 2010, Month: 12, Day: 14},
		PaymentTerms: "2 % if paid within 45 days, net 46",
		StatedTotal:  &money.Money{CurrencyCode: "USD", Units: 13045, Nanos: 940_000_000},
		Source:       x.GetName() + "/sets/1",
		Lines:        expectedLines(t),
	}
	equal(t, "order", got.GetOrder(), want)
	if want := strings.TrimPrefix(x.GetName(), "interchanges/") + "/1"; got.GetRequestId() != want {
		t.Errorf("request id %q, want the interchange record and the set's place %q", got.GetRequestId(), want)
	}

	const sha = "71034c6e7543e4897afa4e9fe22bd2eb62a49ceb582b4bec99cda966bbe93117" // of the file, by the corpus' list
	if x.GetDocumentSha256() != sha || x.GetSize() != int64(len(w.file(realOrder))) || x.GetFileName() != "850.edi" || x.GetUsage() != "P" ||
		x.GetSender() != "12/4405197800" || x.GetReceiver() != "01/999999999" || x.GetControlNumber() != "000003438" || x.GetParty() != "parties/CUS-XYZ" {
		t.Errorf("interchange: got %v", x)
	}
	doc, err := w.core.api.GetDocument(w.ctx, &ediv1.GetDocumentRequest{Name: "documents/" + sha})
	w.must(err)
	if !bytes.Equal(doc.GetContent(), w.file(realOrder)) {
		t.Error("the document is not the file")
	}
	set := x.GetTransactionSets()[0]
	if text := string(doc.GetContent()[set.GetOffset():][:set.GetLength()]); !strings.HasPrefix(text, "ST*850*") || !strings.HasSuffix(text, "SE*33*000000010~") {
		t.Errorf("the set's bytes are %q", text)
	}
	ack := w.list()[1]
	if ack.GetAcknowledgement() != x.GetName() || x.GetAcknowledgement() != ack.GetName() || ack.GetDirection() != ediv1.Interchange_OUTBOUND {
		t.Errorf("acknowledgement: got %v", ack)
	}
	ackDoc, err := w.core.api.GetDocument(w.ctx, &ediv1.GetDocumentRequest{Name: "documents/" + ack.GetDocumentSha256()})
	w.must(err)
	part := ack.GetTransactionSets()[0]
	if text := string(ackDoc.GetContent()[part.GetOffset():][:part.GetLength()]); string(ackDoc.GetContent()) != realAck ||
		!strings.HasPrefix(text, "ST*997*") || !strings.HasSuffix(text, "SE*6*0001~") {
		t.Errorf("the 997's document is %q, its set %q", ackDoc.GetContent(), text)
	}
	equal(t, "counts", w.counts(), []string{
		"parties/CUS-XYZ 2026-03-02 850 1=1+0+0+0+0 0 0", "parties/CUS-XYZ 2026-03-02 997 0=0+0+0+0+0 1 0",
	})
	var told []string
	for _, f := range w.facts() {
		told = append(told, f.Type+" "+f.Subject+" "+strings.Join(f.Related, " "))
		if f.Head.GetActor() != "partner/CUS-XYZ" {
			t.Errorf("%s: actor %q, want the partner", f.Type, f.Head.GetActor())
		}
	}
	slices.Sort(told)
	equal(t, "facts", told, []string{
		"MessageApplied " + x.GetName() + "/sets/1 " + x.GetName() + " interchange:" + x.GetName() + " parties/CUS-XYZ po:08292233294 orders/ord_1",
		"MessageReceived " + x.GetName() + " interchange:" + x.GetName() + " parties/CUS-XYZ po:08292233294",
		"MessageSent " + ack.GetName() + " interchange:" + ack.GetName() + " parties/CUS-XYZ interchange:" + x.GetName() + " po:08292233294",
	})
	if done, err := os.ReadDir(filepath.Join(w.dir, "inbox", ".done")); err != nil || len(done) != 1 || done[0].Name() != "850.edi" {
		t.Errorf("done: %v, %v", done, err)
	}
	w.verify()
}

// expectedLines are the lines of the real order as the corpus' expectation has them. Pack is PO401 and the description PID05 of
// the file; PR is a process number and names no item.
func expectedLines(t *testing.T) []*ordersv1.OrderLine {
	t.Helper()
	raw, err := os.ReadFile("../x12/testdata/expected/850/" + realOrder + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Facts struct {
			Interchanges []struct {
				Groups []struct {
					Transactions []struct {
						Lines []struct {
							ID, Qty, UOM, Price string
							IDs                 [][]string
						}
					}
				}
			}
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	var out []*ordersv1.OrderLine
	pack := []int32{4, 2, 6, 4, 4, 6}
	words := []string{"SMALL WIDGET", "MEDIUM WIDGET", "LARGE WIDGET", "NANO WIDGET", "BLUE WIDGET", "ORANGE WIDGET"}
	for i, l := range file.Facts.Interchanges[0].Groups[0].Transactions[0].Lines {
		line := &ordersv1.OrderLine{
			Line: l.ID, Description: words[i], Pack: pack[i], UnitPrice: l.Price, Quantity: &typev1.Quantity{Value: l.Qty, Unit: l.UOM},
		}
		for _, id := range l.IDs {
			if id[0] != "PR" {
				line.ExternalIds = append(line.ExternalIds, &typev1.ExternalId{System: "x12", Kind: "item", Qualifier: id[0], Value: id[1]})
			}
		}
		out = append(out, line)
	}
	if len(out) != 6 {
		t.Fatalf("%d lines, want 6", len(out))
	}
	return out
}

// The 997s of the day, worked out by hand.
const (
	okAck = `ISA*00*          *00*          *ZZ*123456789012345*ZZ*ABCDEFGHIJKLMNO*260302*1115*U*00401*000000001*0*P*>
GS*FA*999999999*4405197800*20260302*1115*1*X*004010
ST*997*0001
AK1*PO*1421
AK2*850*000000010
AK5*A
AK9*A*1*1*1
SE*6*0001
GE*1*1
IEA*1*000000001
`
	errAck = `ISA*00*          *00*          *ZZ*123456789012345*ZZ*ABCDEFGHIJKLMNO*260302*1125*U*00401*000000002*0*P*>
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
`
	xflAck = `ISA*00*          *00*          *ZZ*BARSAN         *01*049351117      *260302*1135*U*00401*000000001*0*T*>
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
`
)

// renumbered is the file with errors under control numbers of its own.
func renumbered(data []byte) []byte {
	for old, new := range map[string]string{"*000003438": "*000003439", "*1421": "*1422"} {
		data = bytes.ReplaceAll(data, []byte(old), []byte(new))
	}
	return data
}

// day brings the 850s of the corpus in the order of the played day.
func (w *world) day() {
	w.t.Helper()
	w.receive("11:05", "1.edi", w.file(realOrder))
	w.receive("11:10", "2.edi", w.file(fatOrder))
	w.receive("11:15", "3.edi", w.file(okOrder))
	w.receive("11:20", "4.edi", w.file(errOrder))
	w.receive("11:25", "5.edi", renumbered(w.file(errOrder)))
	w.receive("11:30", "6.edi", w.file(snxOrder))
	w.receive("11:35", "7.edi", w.file(xflOrder))
}

// checkDay compares with what the day's pages say.
func (w *world) checkDay() {
	w.t.Helper()
	equal(w.t, "dispositions", w.arrivals(), []string{
		"ACCEPTED | 850 APPLIED orders/ord_1",
		"REPLAYED | 850 DUPLICATE orders/ord_1",
		"REPLAYED | 850 DUPLICATE orders/ord_1",
		"ACCEPTED | 850 DUPLICATE orders/ord_1",
		"QUARANTINED CONTROL_NUMBER_REUSED | 850 PARKED CONTROL_NUMBER_REUSED",
		"ACCEPTED | 850 REJECTED MESSAGE_REJECTED",
		"ACCEPTED | 850 APPLIED orders/ord_2",
		"ACCEPTED | 850 PARKED REPLACE_WITHOUT_ORIGINAL | 850 REJECTED MESSAGE_REJECTED",
	})
	again := func(n int) string { // the same answer under the next control number
		s := strings.NewReplacer("*1105*U*", "*1110*U*", "*1105*1*X*", fmt.Sprintf("*1110*%d*X*", n), "000000001", fmt.Sprintf("%09d", n), "GE*1*1~", fmt.Sprintf("GE*1*%d~", n))
		return s.Replace(realAck)
	}
	equal(w.t, "997s to CUS-XYZ", w.sent("CUS-XYZ"), []string{realAck, okAck, again(2), errAck, again(3)}) // by control number
	equal(w.t, "997s to CUS-XFL", w.sent("CUS-XFL"), []string{xflAck})
	if got := w.sent("CUS-SNX"); len(got) != 1 || !strings.Contains(got[0], "GS*FA*007326879*SENDERGS*") || !strings.Contains(got[0], "\nAK9*A*1*1*1~\n") {
		w.t.Errorf("997s to CUS-SNX: got %q", got)
	}
	equal(w.t, "counts", w.counts(), []string{
		"parties/CUS-SNX 2026-03-02 850 1=1+0+0+0+0 0 0", "parties/CUS-SNX 2026-03-02 997 0=0+0+0+0+0 1 0",
		"parties/CUS-XFL 2026-03-02 850 2=0+0+1+1+0 0 0", "parties/CUS-XFL 2026-03-02 997 0=0+0+0+0+0 1 0",
		"parties/CUS-XYZ 2026-03-02 850 6=1+3+1+1+0 0 0", "parties/CUS-XYZ 2026-03-02 997 0=0+0+0+0+0 5 0",
	})
	var numbers []string
	for _, c := range w.orders.calls {
		numbers = append(numbers, c.GetOrder().GetCustomer()+" "+c.GetOrder().GetCustomerOrderNumber())
	}
	equal(w.t, "orders", numbers, []string{"parties/CUS-XYZ 08292233294", "parties/CUS-SNX A99999-01"})
	w.verify()
}

func TestDay(t *testing.T) {
	w := newWorld(t)
	w.day()
	w.checkDay()

	// What a person reads of the order that replaces nothing names all that it lacks.
	var parked *ediv1.Interchange_TransactionSet
	var work []string
	for _, f := range w.facts() {
		switch m := f.Payload.(type) {
		case *ediv1.MessageParked:
			code := m.GetInterchange().GetReasonCode()
			if parked = m.GetTransactionSet(); parked != nil {
				code = parked.GetReasonCode()
			}
			work = append(work, code)
		case *ediv1.MessageRejected:
			work = append(work, m.GetTransactionSet().GetReasonCode()+" "+strings.Join(f.Related[len(f.Related)-1:], ""))
		}
	}
	slices.Sort(work)
	equal(t, "work items", work, []string{
		"CONTROL_NUMBER_REUSED", "MESSAGE_REJECTED po:08292233294", "MESSAGE_REJECTED po:740151", "REPLACE_WITHOUT_ORIGINAL",
	})
	for _, want := range []string{"no N1 with entity code ST", "no price in 10 places"} {
		if !strings.Contains(parked.GetReason(), want) {
			t.Errorf("reason %q does not say %q", parked.GetReason(), want)
		}
	}
	snx := w.orders.calls[1].GetOrder()
	if l := snx.GetLines()[6]; len(snx.GetLines()) != 7 || l.GetLine() != "7" || l.GetQuantity().GetUnit() != "CS" || snx.GetPaymentTerms() != "1 % if paid within 15 days, net 16" ||
		snx.GetStatedTotal() != nil || snx.GetShipToExternal().GetValue() != "1223334445" {
		t.Errorf("order of CUS-SNX: got %v", snx)
	}
}

// The day comes out the same with a restart after every step.
func TestDayOverRestarts(t *testing.T) {
	w := newWorld(t)
	w.restarts = true
	w.day()
	w.checkDay()
}

// In another order: the file with errors uses up the number, so that the good one waits.
func TestErrorsComeFirst(t *testing.T) {
	w := newWorld(t)
	w.receive("11:05", "a.edi", w.file(errOrder))
	w.receive("11:06", "b.edi", w.file(okOrder))
	w.receive("11:07", "c.edi", w.file(fatOrder))
	equal(t, "dispositions", w.arrivals(), []string{
		"ACCEPTED | 850 REJECTED MESSAGE_REJECTED",
		"QUARANTINED CONTROL_NUMBER_REUSED | 850 PARKED CONTROL_NUMBER_REUSED",
		"ACCEPTED | 850 APPLIED orders/ord_1",
		"REPLAYED | 850 DUPLICATE",
	})
	if got := w.sent("CUS-XYZ"); len(got) != 3 || !strings.Contains(strings.Join(got, ""), "AK1*PO*1421\n") {
		t.Errorf("997s: got %q", got)
	}
	w.verify()
}

// Two files that stand there together, and four hands that submit the same bytes while the inbox is taken in.
func TestSameFileAtOnce(t *testing.T) {
	w := newWorld(t)
	w.bring("b.edi", w.file(realOrder))
	w.bring("a.edi", w.file(realOrder))
	var hands sync.WaitGroup
	for i := range 4 {
		hands.Go(func() {
			server := asUser(w.ctx)
			resp, err := w.core.api.SubmitInterchange(server, &ediv1.SubmitInterchangeRequest{
				FileName: "850.edi", Content: w.file(realOrder), RequestId: fmt.Sprint("r", i/2),
			})
			if err != nil || len(resp.GetInterchanges()) != 1 {
				t.Errorf("submit: %v, %v", resp, err)
			}
		})
	}
	for range 3 {
		if _, err := w.core.app.Step(w.ctx, w.clock.Now()); err != nil {
			t.Errorf("step: %v", err)
		}
	}
	hands.Wait()
	w.settle()
	var accepted, replayed int
	for _, line := range w.arrivals() {
		switch line {
		case "ACCEPTED | 850 APPLIED orders/ord_1":
			accepted++
		case "REPLAYED | 850 DUPLICATE orders/ord_1", "REPLAYED | 850 DUPLICATE":
			replayed++
		default:
			t.Errorf("disposition %q", line)
		}
	}
	// Two files and two requests, each of which was made twice.
	if accepted != 1 || replayed != 3 || len(w.orders.calls) != 1 || len(w.sent("CUS-XYZ")) != 4 {
		t.Errorf("accepted %d, replayed %d, orders %d, 997s %d; want 1, 3, 1, 4", accepted, replayed, len(w.orders.calls), len(w.sent("CUS-XYZ")))
	}
	w.verify()
}

// breaking is a source of ids that cuts the power when it has given some.
type breaking struct {
	typeid.Source
	left int
	cut  context.CancelFunc
}

func (b *breaking) New(prefix string) string {
	if b.left--; b.left == 0 {
		b.cut()
	}
	return b.Source.New(prefix)
}

// The power is cut at every place of taking a file in; after a restart all is as if nothing had happened. The delivery has its
// id, the document is on the disk, one interchange of two is recorded.
func TestCutInTheMiddleOfAFile(t *testing.T) {
	for left := 1; left <= 5; left++ {
		w := newWorld(t)
		ctx, cut := context.WithCancel(w.ctx)
		ids := w.ids
		w.ids = &breaking{ids, left, cut}
		w.reopen()
		w.clock.Set(at("11:10"))
		w.bring("850.edi", w.file(fatOrder))
		if _, err := w.core.app.Step(ctx, w.clock.Now()); err == nil {
			t.Errorf("%d: the cut was not noticed", left)
		}
		w.ids = ids
		w.reopen()
		w.settle()
		equal(t, fmt.Sprintf("dispositions, cut at %d", left), w.arrivals(), []string{
			"ACCEPTED | 850 APPLIED orders/ord_1", "REPLAYED | 850 DUPLICATE",
		})
		if len(w.orders.calls) != 1 || len(w.sent("CUS-XYZ")) != 2 {
			t.Errorf("%d: orders %d, 997s %d; want 1 and 2", left, len(w.orders.calls), len(w.sent("CUS-XYZ")))
		}
		w.verify()
		cut()
	}
}

// noting is a source of ids that remembers the deliveries'.
type noting struct {
	typeid.Source
	deliveries []string
}

func (n *noting) New(prefix string) string {
	id := n.Source.New(prefix)
	if prefix == "dlv" {
		n.deliveries = append(n.deliveries, id)
	}
	return id
}

// All is recorded, and the power is cut before the file is moved away: it is not taken in again.
func TestRecordedButNotMoved(t *testing.T) {
	w := newWorld(t)
	ids := &noting{Source: w.ids}
	w.ids = ids
	w.reopen()
	w.receive("11:05", "850.edi", w.file(realOrder))
	inbox := filepath.Join(w.dir, "inbox")
	w.must(os.Rename(filepath.Join(inbox, ".done", "850.edi"), filepath.Join(inbox, ".work", ids.deliveries[0]+"-850.edi")))
	w.reopen()
	w.settle()
	equal(t, "dispositions", w.arrivals(), []string{"ACCEPTED | 850 APPLIED orders/ord_1"})
	if _, err := os.Stat(filepath.Join(inbox, ".done", "850.edi")); err != nil {
		t.Error(err)
	}
	w.verify()
}

// The outbox cannot be written for a while, and once the outcome of writing is lost: the partner gets one file.
func TestOutboxInTheWay(t *testing.T) {
	w := newWorld(t)
	folder := filepath.Join(w.dir, "outbox", "CUS-XYZ")
	w.must(os.WriteFile(folder, nil, 0o600))
	w.receive("11:05", "850.edi", w.file(realOrder))
	out := w.list()[1]
	if d := out.GetTransactionSets()[0].GetDisposition(); d != ediv1.Interchange_TransactionSet_IN_PROGRESS {
		t.Errorf("997 is %s while the outbox cannot be written", d)
	}
	w.must(os.Remove(folder))
	w.must(os.Mkdir(folder, 0o700))
	w.must(os.WriteFile(filepath.Join(folder, out.GetFileName()), []byte(realAck), 0o400))
	w.reopen()
	w.settle()
	equal(t, "997", w.sent("CUS-XYZ"), []string{realAck})
	if d := w.list()[1].GetTransactionSets()[0].GetDisposition(); d != ediv1.Interchange_TransactionSet_APPLIED {
		t.Errorf("997 is %s in the end", d)
	}
	w.verify()
}

// A set that is larger than any order is not read into memory.
func TestLargeFile(t *testing.T) {
	w := newWorld(t)
	var b bytes.Buffer
	b.WriteString("ISA*00*          *00*          *12*4405197800     *01*999999999      *260302*1105*U*00401*000000001*0*P*>~\n" +
		"GS*PO*4405197800*999999999*20260302*1105*1*X*004010~\nST*850*0001~BEG*00*SA*LARGE**20260302~")
	const lines = 99_999
	for i := range lines {
		fmt.Fprintf(&b, "PO1*%d*1*EA*1.00**VN*A~PID*F****%s~", i+1, strings.Repeat("X", 40))
	}
	fmt.Fprintf(&b, "SE*%d*0001~GE*1*1~IEA*1*000000001~", 2*lines+3)
	w.receive("11:05", "large.edi", b.Bytes())
	equal(t, "dispositions", w.arrivals(), []string{"ACCEPTED | 850 PARKED MAPPING_FAILED"})
	_, err := w.core.api.GetDocument(w.ctx, &ediv1.GetDocumentRequest{Name: "documents/" + w.list()[0].GetDocumentSha256()})
	if rpcerr.From(err).Reason != ediv1.Reason_DOCUMENT_TOO_LARGE.String() || rpcerr.From(err).Metadata["size"] != fmt.Sprint(b.Len()) {
		t.Errorf("document of %d bytes: %v", b.Len(), err)
	}
	w.verify()
}

// An order of a thousand lines has a request that is larger than a record.
func TestLongOrder(t *testing.T) {
	w := newWorld(t)
	var b bytes.Buffer
	b.WriteString("ISA*00*          *00*          *12*4405197800     *01*999999999      *260302*1105*U*00401*000000001*0*P*>~\n" +
		"GS*PO*4405197800*999999999*20260302*1105*1*X*004010~\nST*850*0001~BEG*00*SA*LONG**20260302~N1*ST**9*0003947268292~")
	const lines = 1000
	for i := range lines {
		fmt.Fprintf(&b, "PO1*%d*1*EA*1.00**VN*A%d~PID*F****%s~", i+1, i, strings.Repeat("W", 76)+"\xe9")
	}
	fmt.Fprintf(&b, "SE*%d*0001~GE*1*1~IEA*1*000000001~", 2*lines+4)
	w.restarts = true
	w.receive("11:05", "long.edi", b.Bytes())
	equal(t, "dispositions", w.arrivals(), []string{"ACCEPTED | 850 APPLIED orders/ord_1"})
	got := w.orders.calls[0].GetOrder().GetLines()
	if len(got) != lines || got[999].GetExternalIds()[0].GetValue() != "A999" {
		t.Fatalf("%d lines", len(got))
	}
	if want := strings.Repeat("W", 76) + "é"; got[0].GetDescription() != want {
		t.Errorf("description %q, want %q: bytes that are no UTF-8 are ISO 8859-1", got[0].GetDescription(), want)
	}
	w.verify()
}

// The document is on the disk and the file claimed, and then the power is cut: nothing is recorded yet.
func TestDocumentWithoutRecord(t *testing.T) {
	w := newWorld(t)
	claimed := filepath.Join(w.dir, "inbox", ".work", w.ids.New("dlv")+"-850.edi")
	w.must(os.WriteFile(claimed, w.file(realOrder), 0o600))
	w.must(os.WriteFile(filepath.Join(w.dir, "documents", "71034c6e7543e4897afa4e9fe22bd2eb62a49ceb582b4bec99cda966bbe93117"), w.file(realOrder), 0o600))
	w.must(os.WriteFile(filepath.Join(w.dir, "documents", ".tmp-123"), []byte("ISA"), 0o600))
	w.reopen()
	w.settle()
	equal(t, "dispositions", w.arrivals(), []string{"ACCEPTED | 850 APPLIED orders/ord_1"})
	equal(t, "997", w.sent("CUS-XYZ"), []string{realAck})
	if entries, err := os.ReadDir(filepath.Join(w.dir, "documents")); err != nil || len(entries) != 2 {
		t.Errorf("documents: %v, %v; want the 850 and the 997", entries, err)
	}
	w.verify()
}

// change replaces text in the real order.
func (w *world) change(pairs ...string) []byte {
	return []byte(strings.NewReplacer(pairs...).Replace(string(w.file(realOrder))))
}

func TestEnvelopes(t *testing.T) {
	for _, c := range []struct {
		name   string
		change []string
		want   string
		acks   int
	}{
		{"unknown partner", []string{"*12*4405197800 ", "*12*4405197801 "}, "QUARANTINED UNKNOWN_PARTNER | 850 PARKED UNKNOWN_PARTNER", 0},
		{"known partner, another address of ours", []string{"*999999999      *", "*999999998      *"}, "QUARANTINED UNKNOWN_PARTNER | 850 PARKED UNKNOWN_PARTNER", 0},
		{"test usage", []string{"*0*P*>", "*0*T*>"}, "QUARANTINED USAGE_MISMATCH | 850 PARKED USAGE_MISMATCH", 0},
		{"version not agreed", []string{"*X*004010VICS", "*X*003010"}, "ACCEPTED | 850 REJECTED MESSAGE_REJECTED", 1},
		{"set not agreed", []string{"ST*850", "ST*204"}, "ACCEPTED | 204 REJECTED MESSAGE_REJECTED", 1},
		{"trailer of another interchange", []string{"IEA*1*000003438", "IEA*1*000003439"}, "UNREADABLE MESSAGE_REJECTED | 850 REJECTED MESSAGE_REJECTED", 0},
		{"groups miscounted in the trailer", []string{"IEA*1*", "IEA*2*"}, "UNREADABLE MESSAGE_REJECTED | 850 REJECTED MESSAGE_REJECTED", 0},
		{"no trailer", []string{"IEA*1*000003438~", ""}, "UNREADABLE MESSAGE_REJECTED | 850 REJECTED MESSAGE_REJECTED", 0},
		{"no group", []string{"GS*PO*4405197800*999999999*20101127*1719*1421*X*004010VICS~\n", "", "GE*1*1421~\n", "", "IEA*1*", "IEA*0*"}, "UNREADABLE MESSAGE_REJECTED | 850 REJECTED MESSAGE_REJECTED", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.receive("11:05", "850.edi", w.change(c.change...))
			equal(t, "dispositions", w.arrivals(), []string{c.want})
			acks := w.sent("CUS-XYZ")
			if len(acks) != c.acks || len(w.orders.calls) != 0 {
				t.Errorf("997s %q, orders %d", acks, len(w.orders.calls))
			}
			switch c.name {
			case "version not agreed":
				if !strings.Contains(acks[0], "AK9*R*1*1*0*2~") {
					t.Errorf("997: got %s", acks[0])
				}
			case "set not agreed":
				if !strings.Contains(acks[0], "AK2*204*000000010~\nAK5*R*1~\nAK9*R*1*1*0~") {
					t.Errorf("997: got %s", acks[0])
				}
			}
			w.verify()

			// What has not been judged by its content has not used up its number: the right one may follow.
			if c.acks == 0 {
				w.receive("11:06", "850.edi", w.file(realOrder))
				equal(t, "the right one after it", w.arrivals()[1:], []string{"ACCEPTED | 850 APPLIED orders/ord_1"})
			}
		})
	}
}

// second is the real order in another envelope.
func (w *world) second(pairs ...string) []byte {
	return w.change(append(pairs, "000003438", "000003440", "*1421", "*1430", "000000010", "000000011")...)
}

func TestSameNumberAgain(t *testing.T) {
	for _, c := range []struct {
		name   string
		change []string
		want   string
	}{
		{"same content", nil, "ACCEPTED | 850 DUPLICATE orders/ord_1"},
		{"other content", []string{"PO1*1*120*", "PO1*1*121*"}, "ACCEPTED | 850 PARKED DUPLICATE_PO_DIFFERS orders/ord_1"},
		{"change", []string{"BEG*00", "BEG*04"}, "ACCEPTED | 850 PARKED CHANGE_NOT_APPLIED orders/ord_1"},
		{"replacement", []string{"BEG*00", "BEG*05"}, "ACCEPTED | 850 PARKED CHANGE_NOT_APPLIED orders/ord_1"},
		{"cancellation of another", []string{"BEG*00", "BEG*01", "08292233294", "08292233295"}, "ACCEPTED | 850 PARKED CHANGE_WITHOUT_ORIGINAL"},
		{"unknown unit", []string{"*120*EA*", "*120*QQ*", "08292233294", "08292233295"}, "ACCEPTED | 850 PARKED MAPPING_FAILED"},
		{"another number", []string{"08292233294", "08292233295"}, "ACCEPTED | 850 APPLIED orders/ord_2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.receive("11:05", "a.edi", w.file(realOrder))
			w.receive("11:06", "b.edi", w.second(c.change...))
			equal(t, "dispositions", w.arrivals(), []string{"ACCEPTED | 850 APPLIED orders/ord_1", c.want})
			if got := w.sent("CUS-XYZ"); len(got) != 2 || !strings.Contains(got[1], "AK9*A*1*1*1~") {
				t.Errorf("997s: got %q, want two: what is for a person was accepted by syntax", got)
			}
			w.verify()
		})
	}
}

func TestOrdersRefusesOrIsAway(t *testing.T) {
	w := newWorld(t)
	w.orders.refuse = status.Error(codes.Unavailable, "down")
	w.receive("11:05", "a.edi", w.file(realOrder))
	equal(t, "while orders is away", w.arrivals(), []string{"ACCEPTED | 850 IN_PROGRESS"})
	equal(t, "counts while orders is away", w.counts()[:1], []string{"parties/CUS-XYZ 2026-03-02 850 1=0+0+0+0+1 0 0"})
	w.verify()

	// A unit is mapped anew meanwhile: the request that may have arrived is sent again as it was.
	w.codeMap("EA", "parties/CUS-XYZ", "H87", nil)
	w.settle()
	w.orders.refuse = (rpcerr.Invalid(rpcerr.Field{Path: "order.lines[0].quantity", Description: "more than there is"})).GRPCStatus().Err()
	w.reopen() // back-off is kept in memory: a restart asks at once
	w.settle()
	equal(t, "refused", w.arrivals(), []string{"ACCEPTED | 850 PARKED ORDER_REFUSED"})
	equal(t, "second request", w.orders.calls[1], w.orders.calls[0])
	if reason := w.list()[0].GetTransactionSets()[0].GetReason(); !strings.Contains(reason, "order.lines[0].quantity: more than there is") {
		t.Errorf("reason %q", reason)
	}

	// The number is free again: a corrected order comes through.
	w.orders.refuse = nil
	w.receive("11:06", "b.edi", w.second("PO1*1*120*", "PO1*1*100*", "AMT*1*13045.94", "AMT*1*12860.94"))
	equal(t, "corrected", w.arrivals()[1:], []string{"ACCEPTED | 850 APPLIED orders/ord_1"})
	if unit := w.orders.calls[2].GetOrder().GetLines()[0].GetQuantity().GetUnit(); unit != "H87" {
		t.Errorf("unit %q, want the partner's own before everybody's", unit)
	}

	// Somebody else has taken the order in.
	w.orders.created["parties/CUS-XYZ 4711"] = "orders/ord_rest"
	w.receive("11:07", "c.edi", w.change("000003438", "000003450", "08292233294", "4711"))
	equal(t, "taken by another way", w.arrivals()[2:], []string{"ACCEPTED | 850 DUPLICATE orders/ord_rest"})
	w.verify()
}

func TestAcknowledgementOfOurs(t *testing.T) {
	const ack = `ISA*00*          *00*          *12*4405197800     *01*999999999      *260302*1200*U*00401*000003500*0*P*>~
GS*FA*4405197800*999999999*20260302*1200*77*X*004010VICS~
ST*997*0001~
AK1*FA*1~
AK9*A*1*1*1~
SE*4*0001~
GE*1*77~
IEA*1*000003500~
`
	w := newWorld(t)
	w.receive("11:05", "850.edi", w.file(realOrder))
	w.receive("12:00", "997.edi", []byte(ack))
	w.receive("12:01", "997.edi", []byte(ack))
	equal(t, "dispositions", w.arrivals(), []string{
		"ACCEPTED | 850 APPLIED orders/ord_1", "ACCEPTED | 997 ACKNOWLEDGEMENT", "REPLAYED | 997 ACKNOWLEDGEMENT",
	})
	if got := w.sent("CUS-XYZ"); len(got) != 1 {
		t.Errorf("%d interchanges sent, want 1: a 997 is never acknowledged", len(got))
	}
	if ours := w.list()[1]; ours.GetAcknowledgementCode() != "A" {
		t.Errorf("our group: got %v, want it acknowledged with A", ours)
	}
	equal(t, "counts", w.counts(), []string{
		"parties/CUS-XYZ 2026-03-02 850 1=1+0+0+0+0 0 0", "parties/CUS-XYZ 2026-03-02 997 0=0+0+0+0+0 1 2",
	})
	w.verify()
}

// Whatever bytes come, they are kept, counted, and end nothing.
func TestMalformedBytes(t *testing.T) {
	w := newWorld(t)
	files, err := filepath.Glob("../x12/testdata/corpus/*/*")
	if err != nil || len(files) < 45 {
		t.Fatalf("got %d files, %v", len(files), err)
	}
	n := 0
	bring := func(data []byte) {
		n++
		w.bring(fmt.Sprintf("%05d.edi", n), data)
	}
	for _, data := range []string{"", " \n", "ISA", "hello", "ISA*00*", strings.Repeat("\x00", 300), strings.Repeat("ISA~", 300), "\xff\xfe\xfd"} {
		bring([]byte(data))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, path := range files {
		data, err := os.ReadFile(path)
		w.must(err)
		bring(data)
	}
	for range 60 {
		data := w.file([]string{realOrder, okOrder, snxOrder, xflOrder}[rng.IntN(4)])
		for range 1 + rng.IntN(5) {
			i := rng.IntN(len(data))
			switch rng.IntN(4) {
			case 0:
				data[i] = byte(rng.IntN(256))
			case 1:
				data = slices.Delete(data, i, min(len(data), i+rng.IntN(40)))
			case 2:
				data = slices.Insert(data, i, data[rng.IntN(len(data)):][:rng.IntN(3)]...)
			case 3:
				data = data[:i+1]
			}
		}
		bring(data)
	}
	w.settle2(2000)
	if got := len(w.list()); got < n {
		t.Errorf("%d interchanges on file of %d files", got, n)
	}
	if left, err := os.ReadDir(filepath.Join(w.dir, "inbox")); err != nil || len(left) != 2 {
		t.Errorf("left in the inbox: %v, %v", left, err)
	}
	w.verify()
}

// settle2 is settle with more rounds.
func (w *world) settle2(rounds int) {
	w.t.Helper()
	var steppers []step.Stepper
	for _, s := range w.core.Steppers() {
		steppers = append(steppers, s.Stepper)
	}
	w.must(platformtest.Drive(w.ctx, w.clock.Now, rounds, steppers...))
}

// Many sets, and more than an interchange may have.
func TestManySets(t *testing.T) {
	w := newWorld(t)
	for i, n := range []int{500, 501} {
		var b strings.Builder
		control := fmt.Sprintf("%09d", i+1)
		fmt.Fprintf(&b, "ISA*00*          *00*          *12*4405197800     *01*999999999      *260302*1105*U*00401*%s*0*P*>~\n", control)
		fmt.Fprintf(&b, "GS*PO*4405197800*999999999*20260302*1105*%d*X*004010~\n", i+1)
		for j := range n {
			fmt.Fprintf(&b, "ST*850*%04d~BEG*05*SA*PO%d-%d**20260302~PO1*1*1*EA*1**VN*A~SE*4*%04d~\n", j, i, j, j)
		}
		fmt.Fprintf(&b, "GE*%d*%d~\nIEA*1*%s~\n", n, i+1, control)
		w.bring(fmt.Sprint(i), []byte(b.String()))
	}
	w.settle2(2000)
	equal(t, "counts", w.counts()[:1], []string{"parties/CUS-XYZ 2026-03-02 850 1000=0+0+500+500+0 0 0"})
	list := w.list()
	if got := list[0].GetTransactionSets(); len(got) != 500 || got[499].GetReasonCode() != "REPLACE_WITHOUT_ORIGINAL" {
		t.Errorf("first: %d sets", len(got))
	}
	if last := list[len(list)-1]; last.GetDisposition() != ediv1.Interchange_UNREADABLE || !strings.Contains(last.GetReason(), "more than 500 sets") {
		t.Errorf("second: %s %s", last.GetDisposition(), last.GetReason())
	}
	w.verify()
}

// An order that comes before the first code map has been read waits for it; its 997 does not.
func TestMasterdataComesLater(t *testing.T) {
	w := newEmptyWorld(t)
	w.receive("11:05", "850.edi", w.file(realOrder))
	equal(t, "before", w.arrivals(), []string{"ACCEPTED | 850 IN_PROGRESS"})
	equal(t, "997", w.sent("CUS-XYZ"), []string{realAck})
	w.units()
	w.reopen() // back-off is kept in memory: a restart tries at once
	w.settle()
	equal(t, "after", w.arrivals(), []string{"ACCEPTED | 850 APPLIED orders/ord_1"})
	w.verify()
}

func TestUnitsByPartyAndDay(t *testing.T) {
	w := newWorld(t)
	w.codeMap("EA", "parties/CUS-SNX", "H87", nil)                                        // another party's
	w.codeMap("EA", "parties/CUS-XYZ", "PR", &date.Date{Year: 2026, Month: 3, Day: 3})    // not yet
	w.codeMap("EA", "parties/CUS-XYZ", "SET", &date.Date{Year: 2026, Month: 2, Day: 1})   // in force
	w.codeMap("EA", "parties/CUS-XYZ", "DZN", &date.Date{Year: 2025, Month: 12, Day: 31}) // before it
	w.settle()
	w.receive("11:05", "850.edi", w.file(realOrder))
	if unit := w.orders.calls[0].GetOrder().GetLines()[0].GetQuantity().GetUnit(); unit != "SET" {
		t.Errorf("unit %q, want SET", unit)
	}
}
