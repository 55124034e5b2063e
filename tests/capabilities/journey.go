package capabilities

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/type/money"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
)

// goods are what an order of a check's own is about.
type goods struct {
	customer, shipTo, mode, item, quantity, price string
	// carrier is the first of the routing guide.
	carrier string
	pieces  int
	watch   bool
}

var (
	// pumps cost the customer 3780.00 for goods and 179.20 for freight: page 08 of the day, whose order has the same line.
	pumps = goods{customer: "CUS-HHS", shipTo: "LOC-INDH", mode: "LTL", item: "NS-PUMP-10", quantity: "20", price: "189.00", carrier: "CXEE", pieces: 20}
	// panels go by truckload, and silence of their carrier is watched: page 16.
	panels = goods{
		customer: "CUS-PIN", shipTo: "LOC-NASP", mode: "TL", item: "NS-PANEL-20", quantity: "180", price: "96.00", carrier: "CXAA", pieces: 180, watch: true,
	}
)

// pumpsTotal is what the customer is invoiced for pumps.
const pumpsTotal = "3959.20 USD"

// pumpsCost is what the carrier bills for pumps that ship on 2026-03-18 or later: 310.00 by class 70 and weight less 55 %, and
// fuel by the index of 4.121, which gives 30.5 % of 139.50 = 42.55.
var pumpsCost = []charge{{"LHS", "310.00"}, {"DSC", "-170.50"}, {"FUE", "42.55"}}

const pumpsCostTotal = "182.05"

type charge struct{ code, amount string }

// journey is an order of a check's own, on its way.
type journey struct {
	w *World
	goods
	po       string
	order    *ordersv1.Order
	shipment *freightv1.Shipment
	load     *freightv1.Load
	tender   *freightv1.Tender
}

// opening is the next moment at which offices are open in Columbus and an order ships the next working day.
func (w *World) opening() (time.Time, error) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		return time.Time{}, err
	}
	now := w.Now().In(zone)
	at := time.Date(now.Year(), now.Month(), now.Day(), 9, 0, 0, 0, zone)
	for at.Before(now) || at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
		at = at.AddDate(0, 0, 1)
	}
	return at.UTC(), nil
}

// place sends in an order by REST when offices open, and follows it to the carrier's offer.
func (w *World) place(ctx context.Context, g goods) (*journey, error) {
	at, err := w.opening()
	if err != nil {
		return nil, err
	}
	if err := w.until(ctx, at); err != nil {
		return nil, err
	}
	j := w.journey(g)
	if err := j.post(ctx); err != nil {
		return nil, err
	}
	if err := w.settle(ctx); err != nil {
		return nil, err
	}
	return j, j.read(ctx)
}

// journey is an order that was not sent yet.
func (w *World) journey(g goods) *journey { return &journey{w: w, goods: g, po: w.number("CAP")} }

// body is the order as the customer writes it.
func (g goods) body(po string) ([]byte, error) {
	return json.Marshal(map[string]any{
		"customerOrderNumber": po, "shipFrom": "locations/LOC-CMH", "shipTo": "locations/" + g.shipTo, "mode": g.mode, "currencyCode": "USD",
		"etaWatch": g.watch, "lines": []any{map[string]any{
			"line": "10", "item": "items/" + g.item, "quantity": map[string]string{"value": g.quantity, "unit": "EA"}, "unitPrice": g.price,
		}},
	})
}

// post sends the order; sent again, it is answered again.
func (j *journey) post(ctx context.Context) error {
	body, err := j.body(j.po)
	if err != nil {
		return err
	}
	_, err = j.w.REST(ctx, "parties/"+j.customer, "POST", "/v1/orders", "order-"+j.po, body)
	return err
}

// read reads what has come of the order so far.
func (j *journey) read(ctx context.Context) error {
	var err error
	if j.order, err = j.w.order(ctx, j.po); err != nil {
		return err
	}
	shipments, err := j.w.freight().ListShipments(ctx, &freightv1.ListShipmentsRequest{Order: j.order.GetName()})
	if err != nil {
		return err
	}
	if n := len(shipments.GetShipments()); n != 1 {
		return fmt.Errorf("%d shipments for order %s, want one", n, j.po)
	}
	j.shipment = shipments.GetShipments()[0]
	if j.load, err = j.w.freight().GetLoad(ctx, &freightv1.GetLoadRequest{Name: j.shipment.GetLoad()}); err != nil || j.load.GetTender() == "" {
		return err
	}
	j.tender, err = j.w.freight().GetTender(ctx, &freightv1.GetTenderRequest{Name: j.load.GetTender()})
	return err
}

// call is a call of the carrier by REST.
func (j *journey) call(ctx context.Context, path, key string, body any) ([]byte, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	answer, err := j.w.REST(ctx, "parties/CAR-"+j.carrier, "POST", path, key+"-"+j.po, raw)
	if err != nil {
		return nil, err
	}
	return answer, j.w.settle(ctx)
}

// pro is the carrier's reference.
func (j *journey) pro() string { return "PRO" + strings.ReplaceAll(j.po, "-", "") }

func (j *journey) accept(ctx context.Context) error {
	if _, err := j.call(ctx, "/v1/"+j.tender.GetName()+":accept", "accept", map[string]any{"carrierReference": j.pro()}); err != nil {
		return err
	}
	return j.read(ctx)
}

// departure and delivery are when the goods leave and arrive, in time.
func (j *journey) departure() time.Time {
	return j.shipment.GetPickupFrom().GetTime().AsTime().Add(2 * time.Hour)
}
func (j *journey) delivery() time.Time {
	return j.shipment.GetDeliverBy().GetTime().AsTime().Add(-6 * time.Hour)
}

// report says at one time that something happened at another.
func (j *journey) report(ctx context.Context, milestone string, stop int, occurred, told time.Time) error {
	if err := j.w.until(ctx, told); err != nil {
		return err
	}
	_, err := j.call(ctx, "/v1/"+j.load.GetName()+"/claims", fmt.Sprintf("%s-%d", milestone, occurred.Unix()),
		map[string]any{"milestone": milestone, "stop": stop, "occurTime": occurred.Format(time.RFC3339), "reasonCode": "NS"})
	return err
}

// depart and deliver are told when they happen.
func (j *journey) depart(ctx context.Context) error {
	return j.report(ctx, "DEPARTED_PICKUP", 1, j.departure(), j.departure())
}
func (j *journey) deliver(ctx context.Context) error {
	return j.report(ctx, "DELIVERED", 2, j.delivery(), j.delivery())
}

// prove hands in the signed receipt half an hour after the delivery: everything was taken clean.
func (j *journey) prove(ctx context.Context) error { return j.proveBut(ctx) }

// proveBut hands it in with what was not taken clean.
func (j *journey) proveBut(ctx context.Context, exceptions ...any) error {
	if err := j.w.until(ctx, j.delivery().Add(30*time.Minute)); err != nil {
		return err
	}
	return j.proveNow(ctx, exceptions...)
}

// proveNow hands the receipt in at once.
func (j *journey) proveNow(ctx context.Context, exceptions ...any) error {
	if exceptions == nil {
		exceptions = []any{}
	}
	_, err := j.call(ctx, "/v1/proofsOfDelivery", "proof", map[string]any{
		"load": j.load.GetNumber(), "order": j.po, "type": "SIGNED_RECEIPT", "signedAt": j.delivery().Add(15 * time.Minute).Format(time.RFC3339),
		"receivedBy": "J. Example", "pieces": j.pieces, "exceptions": exceptions,
	})
	if err != nil {
		return err
	}
	return j.read(ctx)
}

// travel goes from the offer to the proof of delivery.
func (j *journey) travel(ctx context.Context) error {
	return inOrder(ctx, j.accept, j.depart, j.deliver, j.prove)
}

// bill sends the carrier's bill the next morning, and returns what became of it.
func (j *journey) bill(ctx context.Context, charges []charge, total string) (*billingv1.FreightBill, error) {
	var lines []any
	for _, c := range charges {
		a, err := dollars(c.amount)
		if err != nil {
			return nil, err
		}
		lines = append(lines, map[string]any{"code": c.code, "amount": a})
	}
	sum, err := dollars(total)
	if err != nil {
		return nil, err
	}
	now := j.w.Now()
	if _, err := j.call(ctx, "/v1/freightBills", "bill", map[string]any{
		"invoiceNumber": "B" + strings.ReplaceAll(j.po, "-", ""), "loadNumber": j.load.GetNumber(), "carrierReference": j.pro(), "charges": lines, "total": sum,
		"billDate": map[string]int{"year": now.Year(), "month": int(now.Month()), "day": now.Day()},
	}); err != nil {
		return nil, err
	}
	bills, err := j.w.billing().ListFreightBills(ctx, &billingv1.ListFreightBillsRequest{LoadNumber: j.load.GetNumber()})
	if err != nil {
		return nil, err
	}
	if n := len(bills.GetFreightBills()); n != 1 {
		return nil, fmt.Errorf("%d bills for load %s, want one", n, j.load.GetNumber())
	}
	return bills.GetFreightBills()[0], nil
}

// dollars is an amount of USD in the words of the door.
func dollars(decimal string) (map[string]any, error) {
	r, ok := new(big.Rat).SetString(decimal)
	if !ok {
		return nil, fmt.Errorf("%q is no amount", decimal)
	}
	nanos := new(big.Int).Quo(new(big.Int).Mul(r.Num(), big.NewInt(1_000_000_000)), r.Denom())
	units, rest := new(big.Int).QuoRem(nanos, big.NewInt(1_000_000_000), new(big.Int))
	return map[string]any{"currencyCode": "USD", "units": units.String(), "nanos": rest.Int64()}, nil
}

// invoices are those of the order.
func (j *journey) invoices(ctx context.Context) ([]*billingv1.Invoice, error) {
	found, err := j.w.billing().ListInvoices(ctx, &billingv1.ListInvoicesRequest{Order: j.order.GetName()})
	return found.GetInvoices(), err
}

// invoice is the one invoice of the order; its total must be what was worked out by hand.
func (j *journey) invoice(ctx context.Context, total string) (*billingv1.Invoice, error) {
	found, err := j.invoices(ctx)
	if err != nil {
		return nil, err
	}
	if n := len(found); n != 1 {
		return nil, fmt.Errorf("%d invoices of order %s, want one", n, j.po)
	}
	return found[0], same("invoice "+found[0].GetNumber(), amount(found[0].GetTotal()), total)
}

// processes are those that run for the order.
func (j *journey) processes(ctx context.Context) ([]*workflowv1.Process, error) {
	found, err := j.w.workflow().ListProcesses(ctx, &workflowv1.ListProcessesRequest{Order: j.order.GetName()})
	return found.GetProcesses(), err
}

// sum adds amounts of one currency.
func sum(amounts ...*money.Money) (string, error) {
	total, currency := new(big.Rat), ""
	for _, a := range amounts {
		if currency != "" && a.GetCurrencyCode() != currency {
			return "", fmt.Errorf("%s and %s are not added up", currency, a.GetCurrencyCode())
		}
		currency = a.GetCurrencyCode()
		total.Add(total, new(big.Rat).SetFrac64(a.GetUnits()*1_000_000_000+int64(a.GetNanos()), 1_000_000_000))
	}
	return total.FloatString(2) + " " + currency, nil
}
