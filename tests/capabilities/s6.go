package capabilities

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	"crossdock.dev/tests/conductor"
)

// s6 is the modernization of middleware.
var s6 = []Capability{
	{ID: "S6.1", What: "an adapter for each class of the mixed landscape", Missing: "there is EDI; no flat files, SFTP or broker"},
	{ID: "S6.2", What: "every file is a message with id, checksum and state; the same content again is known", Check: managedFile, Kind: Acts},
	{ID: "S6.3", What: "the old and the new side by side, with the differences", Missing: "there is no shadow mode"},
	{ID: "S6.4", What: "three slices first: freight status, invoice reconciliation, order exceptions", Check: threeSlices},
	{ID: "S6.5", What: "telemetry by slice", Missing: "metrics are by method; there are no dashboards"},
	{ID: "S6.6", What: "the distributor's demo: a hundred bills, margin by order", Missing: "the day has 42 bills, and no margin is shown"},
	{ID: "S6.7", What: "margin by order, lane and customer, tied to the ledger", Missing: "there is no report of margins"},
}

// s7 is cloud ERP.
var s7 = []Capability{
	{ID: "S7.1", What: "OAuth2 and capabilities of each ERP adapter", Missing: "there is no ERP adapter"},
	{ID: "S7.2", What: "pinned connectors that keep under an ERP's limits", Missing: "there is no ERP adapter"},
	{ID: "S7.3", What: "Oracle, Dynamics 365, S/4HANA, NetSuite and flat files", Missing: "there is no ERP adapter"},
	{ID: "S7.4", What: "no custom objects in the ERP", Missing: "there is no ERP adapter"},
	{ID: "S7.5", What: "orchestration, partner mediation and events live outside of the ERP", Missing: "they do live in services of their own; without an ERP it cannot be shown"},
	{ID: "S7.6", What: "carrier networks and portals as adapters", Missing: "there are no such adapters"},
}

// threeSlices judges the pages of the day that belong to each slice; every figure of a page counts.
func threeSlices(_ context.Context, w *World) (e Evidence, err error) {
	o, err := w.Expected.Judge(w.Day, true, time.Minute, conductor.End.Sub(conductor.Start))
	if err != nil {
		return e, err
	}
	for _, slice := range []struct {
		name  string
		pages []string
	}{
		{"freight status", []string{"08", "09", "10", "16"}},
		{"invoice reconciliation", []string{"13", "14", "15"}},
		{"order exceptions", []string{"04", "05", "07", "12"}},
	} {
		for _, number := range slice.pages {
			page, err := w.page(number)
			if err != nil {
				return e, err
			}
			for _, d := range o.Differences {
				if d.Case == page.ID {
					return e, fmt.Errorf("%s: %s", slice.name, d)
				}
			}
			scripts, err := filepath.Glob(filepath.Join(w.Root, "tests", "counterparts", "carrier", "data", "*", "scripts", page.Orders[0]+".txt"))
			if err != nil {
				return e, err
			}
			if len(scripts) == 0 {
				return e, fmt.Errorf("no script of %s", page.Orders[0])
			}
			e.say("%s: %s, order %s, %d scripts of carriers: every figure as worked out by hand", slice.name, page.ID, strings.Join(page.Orders, " and "), len(scripts))
		}
	}
	return e, nil
}

// managedFile brings a file with a set that is understood and one about a load that does not exist, then the same bytes under another name.
func managedFile(ctx context.Context, w *World) (e Evidence, err error) {
	j, err := w.place(ctx, pumps)
	if err != nil {
		return e, err
	}
	if err := first(j.accept(ctx), w.until(ctx, j.departure())); err != nil {
		return e, err
	}
	good, err1 := w.x12("CXEE", "214", j.statusSegments("AF", 1, j.departure())...)
	other := *j
	other.load = &freightv1.Load{Number: "NL00000000"} // nobody was offered that one
	bad, err2 := w.x12("CXEE", "214", other.statusSegments("AF", 1, j.departure())...)
	if err := first(err1, err2); err != nil {
		return e, err
	}
	content := append(append([]byte{}, good...), bad...)
	file := w.number("two") + ".edi"
	if _, err := w.drop(ctx, file, content); err != nil {
		return e, err
	}
	hash := fmt.Sprintf("%x", sha256.Sum256(content))
	told := func(file string) (out []string, err error) {
		found, err := w.edi().ListInterchanges(ctx, &ediv1.ListInterchangesRequest{PageSize: 200})
		for _, i := range found.GetInterchanges() {
			if i.GetFileName() != file || i.GetDirection() != ediv1.Interchange_INBOUND {
				continue
			}
			if err := same("checksum of the document", i.GetDocumentSha256(), hash); err != nil {
				return nil, err
			}
			s := i.GetTransactionSets()[0]
			out = append(out, fmt.Sprintf("%s %s", i.GetDisposition(), s.GetDisposition()))
			e.say("%s, %d bytes from %d, sha256 %.12s: %s; its 214: %s %s", bare(i.GetName()), i.GetSize(), i.GetOffset(), i.GetDocumentSha256(), i.GetDisposition(), s.GetDisposition(), s.GetReason())
		}
		return out, err
	}
	states, err := told(file)
	if err := first(err, same("interchanges of the file", len(states), 2)); err != nil {
		return e, err
	}
	if all := strings.Join(states, ", "); !strings.Contains(all, "ACCEPTED APPLIED") || strings.Count(all, "APPLIED") != 1 {
		return e, fmt.Errorf("one set of the file is to be applied and one not: %s", all)
	}
	if err := w.until(ctx, w.Now().Add(time.Minute)); err != nil {
		return e, err
	}
	again := w.number("same") + ".edi"
	if _, err := w.drop(ctx, again, content); err != nil {
		return e, err
	}
	if states, err = told(again); err != nil {
		return e, err
	}
	for _, s := range states {
		if !strings.HasPrefix(s, "REPLAYED") {
			return e, fmt.Errorf("the same bytes again are %s", s)
		}
	}
	doc, err := w.edi().GetDocument(ctx, &ediv1.GetDocumentRequest{Name: "documents/" + hash})
	if err != nil {
		return e, err
	}
	e.say("the bytes are kept: documents/%.12s, %d of them", hash, len(doc.GetContent()))
	return e, first(same("interchanges of the same bytes", len(states), 2), same("bytes kept", string(doc.GetContent()), string(content)))
}
