package customer_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"crossdock.dev/tests/counterparts/customer"
)

// door keeps the calls that come to it, and may lose an answer.
type door struct {
	calls []string
	fail  error
}

func (d *door) Call(_ context.Context, method, path, key string, body []byte) ([]byte, error) {
	d.calls = append(d.calls, strings.TrimSpace(method+" "+path+" "+key+" "+string(body)))
	return []byte(`{"orders":[{"name":"orders/ord_1","customerOrderNumber":"PC-1005"}]}`), d.fail
}

func data(t *testing.T) fs.FS {
	t.Helper()
	files, err := customer.Data()
	must(t, err)
	return files
}

// The customers play the seed's orders, all of them.
func TestOrdersAreTheSeeds(t *testing.T) {
	seed, err := os.ReadFile(filepath.Join("..", "..", "day", "seed", "rest_orders.json"))
	must(t, err)
	own, err := fs.ReadFile(data(t), "rest_orders.json")
	must(t, err)
	if !bytes.Equal(seed, own) {
		t.Error("rest_orders.json is not the seed's; copy it")
	}
	orders, err := customer.Orders(data(t))
	must(t, err)
	if len(orders) != 42 {
		t.Errorf("got %d orders, want the page's 42", len(orders))
	}
}

// Each call is made at its time, with what the order says, and with the same key until it is answered.
func TestCalling(t *testing.T) {
	dir := t.TempDir()
	d := &door{}
	open := func() *customer.Calling {
		c, err := customer.NewCalling(data(t), "CUS-PIN", filepath.Join(dir, "in"), filepath.Join(dir, "own"), d)
		must(t, err)
		return c
	}
	at := func(text string) time.Time {
		when, err := time.Parse(time.RFC3339, text)
		must(t, err)
		return when
	}
	did, next, err := open().Step(t.Context(), at("2026-03-05T13:59:59Z"))
	must(t, err)
	if got := calls(d, "FL-02", "FL-04"); !did || !next.Equal(at("2026-03-05T14:00:00Z")) || len(got) != 0 {
		t.Errorf("got %t, %s and %v, want the two of the day before and more at 14:00", did, next, got)
	}
	d.calls, d.fail = nil, errors.New("nobody answers")
	if _, _, err := open().Step(t.Context(), at("2026-03-05T14:00:00Z")); !errors.Is(err, d.fail) {
		t.Errorf("got %v, want that nobody answers", err)
	}
	d.fail = nil
	if _, _, err := open().Step(t.Context(), at("2026-03-05T14:00:00Z")); err != nil {
		t.Error(err)
	}
	const (
		cancelled = `POST /v1/orders CUS-PIN-order-PC-1005 {"currencyCode":"USD","customerOrderNumber":"PC-1005","lines":[{"item":"items/NS-PANEL-20","line":"10",` +
			`"quantity":{"unit":"EA","value":"150"},"unitPrice":"96.00"}],"mode":"TL","shipFrom":"locations/LOC-CMH","shipTo":"locations/LOC-DETP"}`
		weekend = `POST /v1/orders CUS-PIN-order-PC-1009 {"currencyCode":"USD","customerOrderNumber":"PC-1009","deliveryAppointmentLocal":"2026-03-08T08:00",` +
			`"lines":[{"item":"items/NS-PANEL-20","line":"10","quantity":{"unit":"EA","value":"200"},"unitPrice":"96.00"}],"mode":"TL",` +
			`"pickupAppointmentLocal":"2026-03-07T18:00","shipFrom":"locations/LOC-CMH","shipTo":"locations/LOC-NASP"}`
	)
	if diff := cmp.Diff([]string{cancelled, cancelled, weekend}, d.calls); diff != "" {
		t.Errorf("calls at 14:00 (-want +got):\n%s", diff)
	}
	d.calls = nil
	if _, next, err := open().Step(t.Context(), at("2026-03-05T15:00:00Z")); err != nil || !next.Equal(at("2026-03-05T21:00:00Z")) {
		t.Errorf("got next %s, %v, want the cancellation at 21:00", next, err)
	}
	d.calls = nil
	_, _, err = open().Step(t.Context(), at("2026-03-05T21:00:00Z"))
	must(t, err)
	want := []string{
		"GET /v1/orders?customerOrderNumber=PC-1005",
		`POST /v1/orders/ord_1:cancel CUS-PIN-cancel-PC-1005 {"reason":"the site is closed until April"}`,
	}
	if diff := cmp.Diff(want, d.calls); diff != "" {
		t.Errorf("calls at 21:00 (-want +got):\n%s", diff)
	}
	d.calls = nil
	_, next, err = open().Step(t.Context(), at("2026-03-23T00:00:00Z"))
	must(t, err)
	text := strings.Join(d.calls, "\n")
	if !next.IsZero() || strings.Count(text, `"consolidate":true`) != 1 || strings.Count(text, `"etaWatch":true`) != 1 {
		t.Errorf("got next %s and %s, want one order that may share a truck and one that is watched", next, text)
	}
}

// calls are those without some orders.
func calls(d *door, without ...string) (out []string) {
	for _, c := range d.calls {
		if !slices.ContainsFunc(without, func(po string) bool { return strings.Contains(c, po) }) {
			out = append(out, c)
		}
	}
	return out
}

// The files come at the times of the page, in its order, as they are.
func TestFiling(t *testing.T) {
	dir := t.TempDir()
	var got []string
	for _, name := range []string{"CUS-XYZ", "CUS-SNX", "CUS-XFL"} {
		for now := time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC); !now.IsZero(); {
			before, err := os.ReadDir(dir)
			must(t, err)
			c, err := customer.NewFiling(data(t), name, filepath.Join(t.TempDir(), "none"), dir, filepath.Join(dir, ".own", name))
			must(t, err)
			_, next, err := c.Step(t.Context(), now)
			must(t, err)
			after, err := os.ReadDir(dir)
			must(t, err)
			for _, e := range after {
				if e.Type().IsRegular() && !slices.ContainsFunc(before, func(b os.DirEntry) bool { return b.Name() == e.Name() }) {
					got = append(got, now.Format("15:04 ")+e.Name())
				}
			}
			now = next
		}
	}
	want := []string{
		"11:05 20260302110500-CUS-XYZ-aaronhuggins-node-x12__850.edi",
		"11:10 20260302111000-CUS-XYZ-aaronhuggins-node-x12__850_fat.edi",
		"11:15 20260302111500-CUS-XYZ-olmelabs-ediengine__850.OK.edi",
		"11:20 20260302112000-CUS-XYZ-olmelabs-ediengine__850.SyntaxNotes.ERR.edi",
		"11:25 20260302112500-CUS-XYZ-renumbered__850.SyntaxNotes.ERR.edi",
		"11:30 20260302113000-CUS-SNX-apimeister-x12-types__004010_850.edi",
		"11:35 20260302113500-CUS-XFL-indice-co-edi-net__x12.850.issue135.edi",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// Of the file with errors only the control numbers are changed.
func TestRenumbered(t *testing.T) {
	read := func(name string) []string {
		raw, err := fs.ReadFile(data(t), "CUS-XYZ/"+name)
		must(t, err)
		return strings.Split(string(raw), "\n")
	}
	found, again := read("olmelabs-ediengine__850.SyntaxNotes.ERR.edi"), read("renumbered__850.SyntaxNotes.ERR.edi")
	number := strings.NewReplacer("000003438", "000003439", "*1421", "*1422")
	for i := range found {
		if envelope := slices.Contains([]string{"ISA", "GS*", "GE*", "IEA"}, found[i][:min(3, len(found[i]))]); envelope {
			found[i] = number.Replace(found[i])
		}
	}
	if diff := cmp.Diff(found, again); diff != "" {
		t.Errorf("(-found, with new numbers +renumbered):\n%s", diff)
	}
}

func TestBadScripts(t *testing.T) {
	good, err := fs.Sub(data(t), "CUS-SNX")
	must(t, err)
	files := fstest.MapFS{"rest_orders.json": &fstest.MapFile{Data: []byte("[]")}}
	for _, name := range []string{"partner.txt", "envelope.txt", "997.txt"} {
		raw, err := fs.ReadFile(good, name)
		must(t, err)
		files["C/"+name] = &fstest.MapFile{Data: raw}
	}
	for text, want := range map[string]string{
		"at 2026-03-02T11:30:00Z bring nothing.edi":                                            "script.txt:1: ",
		"at 2026-03-02T11:30:00Z eat cake":                                                     "script.txt:1: nobody knows how to eat",
		"at pickup 11:30 bring a.edi":                                                          "script.txt:1: ",
		"at 2026-03-02T11:30:00Z bring partner.txt\nat 2026-03-02T11:00:00Z bring partner.txt": "script.txt:2: ",
	} {
		files["C/script.txt"] = &fstest.MapFile{Data: []byte(text)}
		dir := t.TempDir()
		if _, err := customer.NewFiling(files, "C", dir, dir, dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	files["C/script.txt"] = &fstest.MapFile{Data: []byte("at 2026-03-02T11:30:00Z bring partner.txt")}
	dir := t.TempDir()
	if _, err := customer.NewCalling(files, "C", dir, dir, nil); err == nil || !strings.Contains(err.Error(), "script.txt:1: nobody knows how to bring") {
		t.Errorf("got %v, want that a customer that calls brings no files", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
