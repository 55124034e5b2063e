package story

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
)

// Tell prints what came of the story, as the services themselves tell it, and where to look.
func Tell(ctx context.Context, out io.Writer, w *Live, run Run, n Names) error {
	order, err := ordersv1.NewOrderServiceClient(w.Conn("orders")).GetOrder(ctx, &ordersv1.GetOrderRequest{Name: n.Order})
	if err != nil {
		return err
	}
	load, err := freightv1.NewFreightServiceClient(w.Conn("freight")).GetLoad(ctx, &freightv1.GetLoadRequest{Name: n.Load})
	if err != nil {
		return err
	}
	billing := billingv1.NewBillingServiceClient(w.Conn("billing"))
	invoice, err := billing.GetInvoice(ctx, &billingv1.GetInvoiceRequest{Name: n.Invoice})
	if err != nil {
		return err
	}
	bills, err := billing.ListFreightBills(ctx, &billingv1.ListFreightBillsRequest{LoadNumber: n.LoadNumber})
	if err != nil {
		return err
	}
	balance, err := billing.GetTrialBalance(ctx, &billingv1.GetTrialBalanceRequest{})
	if err != nil {
		return err
	}
	secret, err := w.Secret(ctx, "parties/CUS-XYZ")
	if err != nil {
		return err
	}
	currency := invoice.GetTotal().GetCurrencyCode()
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(t, "\norder\t%s\t%s\n", order.GetCustomerOrderNumber(), strings.Join([]string{
		order.GetCommercial().String(), order.GetRelease().String(), order.GetFulfilment().String(), order.GetBilling().String(),
	}, " · "))
	fmt.Fprintf(t, "load\t%s\t%s with %s, PRO %s, cost %s %s\n", load.GetNumber(), load.GetState(), strings.TrimPrefix(load.GetCarrier(), "parties/"),
		load.GetCarrierReference(), Decimal(load.GetCharges().GetTotal()), currency)
	for _, c := range load.GetCharges().GetCharges() {
		fmt.Fprintf(t, "\t\t  %s %s  %s\n", c.GetCode(), Decimal(c.GetAmount()), c.GetDescription())
	}
	fmt.Fprintf(t, "invoice\t%s\t%s over %s %s: goods %s, freight %s, tax %s\n", invoice.GetNumber(), invoice.GetState(), Decimal(invoice.GetTotal()), currency,
		Decimal(invoice.GetGoodsTotal()), Decimal(invoice.GetFreightTotal()), Decimal(invoice.GetTaxTotal()))
	for _, b := range bills.GetFreightBills() {
		fmt.Fprintf(t, "freight bill\t%s\t%s over %s %s\n", b.GetInvoiceNumber(), b.GetState(), Decimal(b.GetTotal()), b.GetTotal().GetCurrencyCode())
	}
	fmt.Fprintf(t, "ledger\t\t")
	for _, b := range balance.GetBalances() {
		fmt.Fprintf(t, "%s %s  ", b.GetAccount(), Decimal(b.GetAmount()))
	}
	fmt.Fprintf(t, "\n")
	if err := t.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, `
Look at it
  control tower   %[1]s/%[2]s
  explain         bin/crossdock explain %[3]s
  verify          bin/crossdock verify
REST, as the customer
  curl -s -H 'Authorization: Bearer %[4]s' %[5]s/v1/%[6]s
gRPC, as a person of the enterprise (with grpcurl, or bin/crossdock orders get %[3]s)
  grpcurl -cacert %[7]s/ca.crt -cert %[7]s/user-dev.crt -key %[7]s/user-dev.key -authority orders \
    -d '{"name":"%[8]s"}' %[9]s crossdock.orders.v1.OrderService/GetOrder
`, run.TowerURL, strings.Replace(n.Order, "orders/", "cases/", 1), order.GetCustomerOrderNumber(), secret, run.EdgeURL, n.Invoice, run.PKIDir,
		n.Order, run.Services["orders"].GRPC)
	return err
}
