package peers

import (
	"testing"

	"google.golang.org/protobuf/proto"

	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	"crossdock.dev/integrations/edi/internal/app"
	"crossdock.dev/integrations/edi/mapping"
)

func TestRequest(t *testing.T) {
	line := func(currency string) mapping.Line {
		return mapping.Line{ID: "1", Quantity: "2", Unit: "EA", Price: "0.5", Currency: currency, Pack: "1.5"}
	}
	for _, c := range []struct {
		name     string
		po       mapping.PurchaseOrder
		currency string // of the order
		total    string // currency of the total
		problem  mapping.Reason
	}{
		{name: "no currency said", po: mapping.PurchaseOrder{Total: "1", Lines: []mapping.Line{line("")}}, total: "USD"},
		{name: "in the header", po: mapping.PurchaseOrder{Currency: "CAD", Total: "1", Lines: []mapping.Line{line("")}}, currency: "CAD", total: "CAD"},
		{name: "in the lines", po: mapping.PurchaseOrder{Total: "1", Lines: []mapping.Line{line("EUR"), line("EUR")}}, currency: "EUR", total: "EUR"},
		{name: "in the header, another in a line", po: mapping.PurchaseOrder{Currency: "CAD", Lines: []mapping.Line{line("EUR"), line("")}}, currency: "EUR", problem: currenciesDiffer},
		{name: "in some lines", po: mapping.PurchaseOrder{Lines: []mapping.Line{line(""), line("EUR")}}, problem: currenciesDiffer},
		{name: "total finer than a cent", po: mapping.PurchaseOrder{Total: "1.005", Lines: []mapping.Line{line("")}}, problem: totalInvalid},
	} {
		raw, problems := New(nil).Request(c.po, app.Origin{Customer: "parties/CUS-XYZ", Currency: "USD"})
		var reason mapping.Reason
		if len(problems) > 0 {
			reason = problems[0].Reason
		}
		req := &ordersv1.CreateOrderRequest{}
		if err := proto.Unmarshal(raw, req); err != nil {
			t.Fatal(err)
		}
		o := req.GetOrder()
		if reason != c.problem || o.GetCurrencyCode() != c.currency || o.GetStatedTotal().GetCurrencyCode() != c.total || o.GetLines()[0].GetPack() != 0 {
			t.Errorf("%s: got problems %v and %v", c.name, problems, o)
		}
	}
}

func TestRequestedDay(t *testing.T) {
	for _, c := range []struct {
		dates []mapping.Date
		want  int32 // day of the month
	}{
		{nil, 0},
		{[]mapping.Date{{Qualifier: "038", Date: "2026-03-01"}}, 0},
		{[]mapping.Date{{Qualifier: "010", Date: "2026-03-02"}}, 2},
		{[]mapping.Date{{Qualifier: "010", Date: "2026-03-02"}, {Qualifier: "002", Date: "2026-03-03"}}, 3},
	} {
		if got := requested(c.dates).GetDay(); got != c.want {
			t.Errorf("%v: got day %d, want %d", c.dates, got, c.want)
		}
	}
}
