package counterparts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"crossdock.dev/platform/platformtest/imports"
	"crossdock.dev/tests/counterparts"
	"crossdock.dev/tests/counterparts/segments"
)

// The partners are another company's programs: they share nothing with the suite but the contract.
func TestPartnersImportNothingOfTheSuite(t *testing.T) {
	imports.Check(t, "../..", []imports.Rule{{
		Packages: []string{"crossdock.dev/tests/counterparts/..."},
		Only:     []string{"std", "crossdock.dev/tests/counterparts/..."},
		Reason:   "a partner's mistake must not be the suite's own",
	}})
}

// expected is the part of expected.json that says with whom what is exchanged.
type expected struct {
	Scenarios []struct {
		ID     string
		Orders []struct {
			Order, Lane, Customer, Terms string
			ShipDate                     string `json:"ship_date"`
		}
		Tenders     []struct{ Carrier, Outcome string }
		FreightBill struct{ Amount, Currency string } `json:"freight_bill"`
	}
	Fillers []filler `json:"filler_orders"`
	Day     struct {
		Messages map[string]struct {
			Sets map[string]struct{ Received int }
		}
		Sent map[string]map[string]int
		Acks struct {
			Partners map[string]struct{ Received int }
		}
	}
}

type filler struct {
	Order, Lane, Carrier string
	ShipDate             string                  `json:"ship_date"`
	Delivered            string                  `json:"delivered_local_date"`
	Received             time.Time               `json:"received"`
	Bill                 struct{ Amount string } `json:"freight_bill"`
}

// cities by the end of a lane.
var cities = map[string][]string{
	"SOLON": {"COLUMBUS*OH", "SOLON*OH"}, "ATHGA": {"COLUMBUS*OH", "ATHENS*GA"}, "CHI": {"Columbus*OH", "Chicago*IL"},
	"INDH": {"Columbus*OH", "Indianapolis*IN"}, "INDP": {"Columbus*OH", "Indianapolis*IN"}, "PITH": {"Columbus*OH", "Pittsburgh*PA"},
	"PITL": {"Columbus*OH", "Pittsburgh*PA"}, "DETH": {"Columbus*OH", "Detroit*MI"}, "DETP": {"Columbus*OH", "Detroit*MI"},
	"NASP": {"Columbus*OH", "Nashville*TN"}, "EIN": {"Venlo*", "Eindhoven*"}, "HAM": {"Venlo*", "Hamburg*"},
}

// offer is a 204 that the suite puts out.
type offer struct {
	at      time.Time
	carrier string
	body    []string
}

// world stands in for the suite: folders, a door, and the tenders and invoices that it puts out.
type world struct {
	t      *testing.T
	dir    string
	offers []offer // that are still to come
	called string  // load of the order that is called off
	sent   int
	calls  map[string]string    // by key
	at     map[string]time.Time // of calls by key, and of files by name
	now    time.Time
	lose   bool // the first answer to every change is lost
}

var start, end = time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC), time.Date(2026, 3, 23, 11, 0, 0, 0, time.UTC)

func newWorld(t *testing.T, e expected, lose bool) *world {
	w := &world{t: t, dir: t.TempDir(), calls: map[string]string{}, at: map[string]time.Time{}, lose: lose}
	load := 0
	for _, s := range e.Scenarios {
		if len(s.Tenders) == 0 {
			continue
		}
		load++
		var orders, stops []string
		for _, o := range s.Orders {
			orders = append(orders, o.Order)
			through := cities[strings.TrimPrefix(o.Lane, "LANE-")]
			if stops == nil {
				stops = append(stops, through[0])
			}
			stops = append(stops, through[1])
		}
		ship, err := time.Parse(time.DateOnly, s.Orders[0].ShipDate)
		must(t, err)
		for _, tender := range s.Tenders {
			// On the day before, in the morning.
			at := ship.Add(-15 * time.Hour)
			if s.Orders[0].Order == "PC-1009" {
				at = time.Date(2026, 3, 5, 14, 0, 0, 0, time.UTC)
			}
			w.offers = append(w.offers, offer{at, tender.Carrier, offered(load, tender.Carrier, orders, stops, s.Orders[0].ShipDate, s.Orders[0].ShipDate)})
		}
	}
	for _, f := range e.Fillers {
		load++
		w.offers = append(w.offers, offer{f.Received, f.Carrier, offered(load, f.Carrier, []string{f.Order}, cities[strings.TrimPrefix(f.Lane, "LANE-")], f.ShipDate, f.Delivered)})
	}
	for _, o := range w.offers {
		if slices.Contains(o.body, "L11*PC-1005*PO") {
			w.called = strings.Split(o.body[0], "*")[4]
		}
	}
	slices.SortStableFunc(w.offers, func(a, b offer) int { return a.at.Compare(b.at) })
	for _, customer := range []string{"CUS-XYZ", "CUS-SNX"} {
		w.offers = append(w.offers, offer{time.Date(2026, 3, 20, 15, 0, 0, 0, time.UTC), customer, []string{"BIG*20260320*NLS26-000001"}})
	}
	return w
}

func offered(load int, scac string, orders, stops []string, ship, deliver string) []string {
	day := func(s string) string { return strings.ReplaceAll(s, "-", "") }
	out := []string{"B2**" + scac + "**NL2603" + fmt.Sprintf("%04d", load) + "*L*PP", "B2A*00*LT"}
	for _, po := range orders {
		out = append(out, "L11*"+po+"*PO")
	}
	for i, city := range stops {
		out = append(out, "S5*"+strconv.Itoa(i+1)+"*CL*3156*L*314*CT")
		if i == 0 {
			out = append(out, "G62*37*"+day(ship)+"*I*0800*LT", "G62*38*"+day(ship)+"*K*1600*LT")
		} else {
			out = append(out, "G62*53*"+day(deliver)+"*G*0800*LT", "G62*54*"+day(deliver)+"*L*1700*LT")
		}
		out = append(out, "N4*"+city+"*12345*US")
	}
	return append(out, "L3*3156*G*********314")
}

// put puts a file out for a party.
func (w *world) put(carrier, set, functional string, body []string) {
	w.sent++
	party := carrier
	if !strings.HasPrefix(party, "CUS-") {
		party = "CAR-" + carrier
	}
	segments := append([]string{
		fmt.Sprintf("ISA*00*          *00*          *ZZ*NORTHLINE      *02*%-15s*260302*1112*U*00401*%09d*0*P*>", carrier, w.sent),
		fmt.Sprintf("GS*%s*NORTHLINE*%s*%s*%s*%d*X*004010", functional, carrier, w.now.Format("20060102"), w.now.Format("1504"), w.sent),
		"ST*" + set + "*0001",
	}, body...)
	segments = append(segments, fmt.Sprintf("SE*%d*0001", len(body)+2), fmt.Sprintf("GE*1*%d", w.sent), fmt.Sprintf("IEA*1*%09d", w.sent))
	dir := filepath.Join(w.dir, "outbox", party)
	must(w.t, os.MkdirAll(dir, 0o700))
	must(w.t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%09d-%s.edi", w.sent, set)), []byte(strings.Join(segments, "~")+"~"), 0o600))
}

type door struct {
	w     *world
	party string
}

var errLost = errors.New("the answer was lost")

func (d door) Call(_ context.Context, method, path, key string, body []byte) ([]byte, error) {
	w := d.w
	if method == "GET" {
		return []byte(`{"orders": [{"name": "orders/ord_5"}]}`), nil
	}
	if key == "" {
		w.t.Errorf("%s: %s %s without a key", d.party, method, path)
	}
	text := d.party + " " + method + " " + path + " " + string(body)
	before, again := w.calls[key]
	if again && before != text {
		w.t.Errorf("key %s: got %s, before %s", key, text, before)
	}
	if again && !w.lose {
		w.t.Errorf("key %s came again", key)
	}
	if !again {
		w.calls[key], w.at[key] = text, w.now
		if strings.HasSuffix(path, ":cancel") {
			w.put("CXAA", "204", "SM", []string{"B2**CXAA**" + w.called + "**PP", "B2A*01*LT"})
		}
		if w.lose {
			return nil, errLost
		}
	}
	return []byte(`{}`), nil
}

func (w *world) partners() []counterparts.Partner {
	all, err := counterparts.All(counterparts.Config{
		Inbox: filepath.Join(w.dir, "inbox"), Outbox: filepath.Join(w.dir, "outbox"), Own: filepath.Join(w.dir, "own"),
		Door: func(party string) counterparts.Door { return door{w, party} },
	})
	must(w.t, err)
	return all
}

// ending ends after a number of looks at it.
type ending struct {
	context.Context
	left *int
}

func (e ending) Err() error {
	if *e.left--; *e.left < 0 {
		return context.Canceled
	}
	return nil
}

// play gives the partners their turns until the end of the day. With often, they end after every deed and are made again.
func (w *world) play(often bool) {
	all := w.partners()
	for w.now = start; w.now.Before(end); {
		for len(w.offers) > 0 {
			next := 0
			for next < len(w.offers) && !w.offers[next].at.After(w.now) {
				next++
			}
			if next == 0 {
				break
			}
			for _, o := range w.offers[:next] {
				if strings.HasPrefix(o.carrier, "CUS-") {
					w.put(o.carrier, "810", "IN", o.body)
				} else {
					w.put(o.carrier, "204", "SM", o.body)
				}
			}
			w.offers = append([]offer(nil), w.offers[next:]...)
		}
		next := end
		for acted := true; acted; {
			acted = false
			for i := range all {
				ctx := w.t.Context()
				if often {
					ctx = ending{ctx, new(int(1))}
				}
				did, at, err := all[i].Step(ctx, w.now)
				if err != nil && !errors.Is(err, errLost) && !(often && errors.Is(err, context.Canceled)) {
					w.t.Fatal(err)
				}
				if acted = acted || did || err != nil; often && err != nil {
					all = w.partners()
				}
				if !at.IsZero() && at.Before(next) {
					next = at
				}
			}
		}
		if len(w.offers) > 0 && w.offers[0].at.Before(next) {
			next = w.offers[0].at
		}
		for name := range w.files() {
			if w.at[name].IsZero() {
				w.at[name] = w.now
			}
		}
		w.now = next
	}
}

// files are those that the partners brought.
func (w *world) files() map[string]string {
	found, err := filepath.Glob(filepath.Join(w.dir, "inbox", "*"))
	must(w.t, err)
	out := map[string]string{}
	for _, f := range found {
		content, err := os.ReadFile(f)
		must(w.t, err)
		out[filepath.Base(f)] = string(content)
	}
	return out
}

// owners are the partners by what stands in ISA05 and ISA06 of their files.
var owners = map[string]string{
	"12/4405197800": "CUS-XYZ", "ZZ/ABCDEFGHIJKLMNO": "CUS-XYZ", "ZZ/SENDERISA": "CUS-SNX", "01/049351117": "CUS-XFL",
	"02/CXAA": "CXAA", "02/CXBB": "CXBB", "02/CXCC": "CXCC", "02/CXDD": "CXDD", "02/CXEE": "CXEE",
}

// sets are what the partners brought as files, in the order of the files' names, by partner and set.
func (w *world) sets() map[string]map[string][]segments.Set {
	out := map[string]map[string][]segments.Set{}
	files := w.files()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.Contains(name, "issue135") {
			continue // its ISA16 and its terminator are beyond a small partner's reader; the suite's must read it
		}
		all, err := segments.Read([]byte(files[name]))
		if err != nil {
			w.t.Errorf("%s: %v", name, err)
		}
		for _, in := range all {
			owner := owners[in.Sender]
			if out[owner] == nil {
				out[owner] = map[string][]segments.Set{}
			}
			if len(in.Sets) != 1 {
				w.t.Errorf("%s: got %d sets, want one", name, len(in.Sets))
			}
			for _, set := range in.Sets {
				out[owner][set.ID] = append(out[owner][set.ID], set)
			}
		}
	}
	return out
}

func readExpected(t *testing.T) (e expected) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "day", "expected.json"))
	must(t, err)
	must(t, json.Unmarshal(raw, &e))
	return e
}

// The partners bring what the day's page counts, and bill what it says; nothing comes before its time.
func TestTheDay(t *testing.T) {
	e := readExpected(t)
	w := newWorld(t, e, false)
	w.play(false)
	sets := w.sets()

	got := map[string]map[string]int{}
	count := func(partner, set string, n int) {
		if got[partner] == nil {
			got[partner] = map[string]int{}
		}
		got[partner][set] += n
	}
	for partner, of := range sets {
		for set, all := range of {
			if set != "997" {
				count(partner, set, len(all))
			}
		}
	}
	count("CUS-XFL", "850", 2)
	for _, call := range w.calls {
		party := strings.TrimPrefix(strings.Fields(call)[0], "parties/")
		if carrier, ok := strings.CutPrefix(party, "CAR-"); ok {
			count(carrier, "POD", 1)
		} else {
			count(party, "REST", 1)
		}
	}
	want := map[string]map[string]int{}
	for partner, of := range e.Day.Messages {
		want[partner] = map[string]int{}
		for set, n := range of.Sets {
			want[partner][set] = n.Received
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	for partner, of := range e.Day.Acks.Partners {
		if n := len(sets[partner]["997"]); n != of.Received {
			t.Errorf("%s acknowledges %d groups, want %d", partner, n, of.Received)
		}
	}

	// Names of files, and keys of proofs, begin with the instant.
	for name, at := range w.at {
		if due, err := time.Parse("20060102150405", name[:min(14, len(name))]); err == nil && at.Before(due) {
			t.Errorf("%s came at %s", name, at)
		}
	}

	// While freight is stopped, a carrier reports by file, which can wait; nobody calls, which could not.
	stopped := time.Date(2026, 3, 10, 16, 0, 0, 0, time.UTC)
	reports := 0
	for name, at := range w.at {
		switch {
		case at.Before(stopped) || !at.Before(stopped.Add(time.Hour)):
		case w.calls[name] != "":
			t.Errorf("%s: a call at %s", name, at)
		case strings.Contains(w.files()[name], "ST*214*"):
			reports++
		}
	}
	if reports == 0 {
		t.Error("no carrier reports anything while freight is stopped")
	}

	bills := map[string][]string{} // amounts by load
	delivered := map[string]string{}
	for _, of := range sets {
		for _, set := range of["210"] {
			bills[set.First("B3").At(3)] = append(bills[set.First("B3").At(3)], set.First("B3").At(7))
		}
		for _, set := range of["214"] {
			if set.First("AT7").At(1) == "D1" {
				delivered[set.First("B10").At(2)] = set.First("AT7").At(5)
			}
		}
	}
	load := 0
	bill := func(what, amount string, n int) string {
		load++
		name := fmt.Sprintf("NL2603%04d", load)
		var want []string
		for range n {
			want = append(want, strings.Replace(amount, ".", "", 1))
		}
		if !slices.Equal(bills[name], want) {
			t.Errorf("%s: got bills over %v, want %v", what, bills[name], want)
		}
		return name
	}
	for _, s := range e.Scenarios {
		if len(s.Tenders) == 0 {
			continue
		}
		n := map[bool]int{true: 1}[s.FreightBill.Amount != ""]
		if s.ID == "08-duplicate-214-and-210" {
			n = 3
		}
		bill(s.ID, s.FreightBill.Amount, n)
	}
	for _, f := range e.Fillers {
		name := bill(f.Order, f.Bill.Amount, 1)
		if day := strings.ReplaceAll(f.Delivered, "-", ""); delivered[name] != day {
			t.Errorf("%s: got delivered on %s, want %s", f.Order, delivered[name], day)
		}
	}
}

// Ended after every deed and made again, and with every first answer lost, the partners bring the same, once.
func TestTheDayAgainAndAgain(t *testing.T) {
	e := readExpected(t)
	plain := newWorld(t, e, false)
	plain.play(false)
	for name, c := range map[string]struct{ often, lose bool }{"made again": {often: true}, "answers lost": {lose: true}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, e, c.lose)
			w.play(c.often)
			if diff := cmp.Diff(plain.files(), w.files()); diff != "" {
				t.Errorf("files (-without +with):\n%s", diff)
			}
			if diff := cmp.Diff(plain.calls, w.calls); diff != "" {
				t.Errorf("calls (-without +with):\n%s", diff)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
