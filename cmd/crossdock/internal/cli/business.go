package cli

import (
	"context"
	"strings"

	"google.golang.org/grpc"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"

	"crossdock.dev/cmd/crossdock/internal/show"
)

// ref is an argument that names a resource.
type ref struct {
	Ref string `arg:"" help:"Resource name, id, or the number that people use." name:"name"`
}

func orders() resource[*ordersv1.Order, *ordersv1.ListOrdersRequest] {
	return resource[*ordersv1.Order, *ordersv1.ListOrdersRequest]{
		service: "orders", collection: "orders",
		list: func(ctx context.Context, cc grpc.ClientConnInterface, f *ordersv1.ListOrdersRequest, size int32, token string) ([]*ordersv1.Order, string, error) {
			f.PageSize, f.PageToken = size, token
			resp, err := ordersv1.NewOrderServiceClient(cc).ListOrders(ctx, f)
			return resp.GetOrders(), resp.GetNextPageToken(), err
		},
		get: func(ctx context.Context, cc grpc.ClientConnInterface, name string) (*ordersv1.Order, error) {
			return ordersv1.NewOrderServiceClient(cc).GetOrder(ctx, &ordersv1.GetOrderRequest{Name: name})
		},
		byNumber: func(n string) *ordersv1.ListOrdersRequest { return &ordersv1.ListOrdersRequest{CustomerOrderNumber: n} },
		columns: []column[*ordersv1.Order]{
			{head: "ORDER", text: func(m *ordersv1.Order) string { return show.ID(m.GetName()) }},
			{head: "PO", text: func(m *ordersv1.Order) string { return show.Text(m.GetCustomerOrderNumber()) }},
			{head: "CUSTOMER", text: func(m *ordersv1.Order) string { return show.ID(m.GetCustomer()) }},
			{head: "COMMERCIAL", text: func(m *ordersv1.Order) string { return show.Enum(m.GetCommercial()) }},
			{head: "RELEASE", text: func(m *ordersv1.Order) string { return show.Enum(m.GetRelease()) }},
			{head: "FULFILMENT", text: func(m *ordersv1.Order) string { return show.Enum(m.GetFulfilment()) }},
			{head: "BILLING", text: func(m *ordersv1.Order) string { return show.Enum(m.GetBilling()) }},
			{head: "HOLDS", text: func(m *ordersv1.Order) string { return holds(m.GetHolds()) }},
			{head: "DELIVER BY", text: func(m *ordersv1.Order) string { return show.EventTime(m.GetPromise().GetDeliverBy()) }},
		},
	}
}

func holds(list []*ordersv1.Hold) string {
	var kinds []string
	for _, h := range list {
		kinds = append(kinds, show.Enum(h.GetKind()))
	}
	return show.Text(strings.Join(kinds, ", "))
}

type ordersCmd struct {
	List ordersListCmd `cmd:"" help:"List orders, newest first."`
	Get  ordersGetCmd  `cmd:"" help:"Show an order by name, id or the customer's order number."`
}

type ordersListCmd struct {
	Paging
	Customer string `help:"Only of this customer, such as parties/CUS-XYZ."`
}

func (c *ordersListCmd) Run(ctx context.Context, env *Env) error {
	return orders().runList(ctx, env, &ordersv1.ListOrdersRequest{Customer: party(c.Customer)}, c.Limit)
}

// party takes "CUS-XYZ" for "parties/CUS-XYZ".
func party(s string) string {
	if s == "" || strings.Contains(s, "/") {
		return s
	}
	return "parties/" + s
}

type ordersGetCmd struct{ ref }

func (c *ordersGetCmd) Run(ctx context.Context, env *Env) error {
	return orders().runGet(ctx, env, c.Ref)
}

func shipments() resource[*freightv1.Shipment, *freightv1.ListShipmentsRequest] {
	return resource[*freightv1.Shipment, *freightv1.ListShipmentsRequest]{
		service: "freight", collection: "shipments",
		list: func(ctx context.Context, cc grpc.ClientConnInterface, f *freightv1.ListShipmentsRequest, size int32, token string) ([]*freightv1.Shipment, string, error) {
			f.PageSize, f.PageToken = size, token
			resp, err := freightv1.NewFreightServiceClient(cc).ListShipments(ctx, f)
			return resp.GetShipments(), resp.GetNextPageToken(), err
		},
		get: func(ctx context.Context, cc grpc.ClientConnInterface, name string) (*freightv1.Shipment, error) {
			return freightv1.NewFreightServiceClient(cc).GetShipment(ctx, &freightv1.GetShipmentRequest{Name: name})
		},
		columns: []column[*freightv1.Shipment]{
			{head: "SHIPMENT", text: func(m *freightv1.Shipment) string { return show.ID(m.GetName()) }},
			{head: "PO", text: func(m *freightv1.Shipment) string { return show.Text(m.GetCustomerOrderNumber()) }},
			{head: "CUSTOMER", text: func(m *freightv1.Shipment) string { return show.ID(m.GetCustomer()) }},
			{head: "LOAD", text: func(m *freightv1.Shipment) string { return show.ID(m.GetLoad()) }},
			{head: "STATE", text: func(m *freightv1.Shipment) string { return show.Enum(m.GetState()) }},
			{head: "WEIGHT", right: true, text: func(m *freightv1.Shipment) string { return show.Quantity(m.GetGrossWeight()) }},
			{head: "DELIVER BY", text: func(m *freightv1.Shipment) string { return show.EventTime(m.GetDeliverBy()) }},
			{head: "DELIVERED", text: func(m *freightv1.Shipment) string { return show.EventTime(m.GetDelivered()) }},
		},
	}
}

type shipmentsCmd struct {
	List shipmentsListCmd `cmd:"" help:"List shipments, newest first."`
	Get  shipmentsGetCmd  `cmd:"" help:"Show a shipment by name or id."`
}

type shipmentsListCmd struct {
	Paging
	Order string `help:"Only of this order: name, id or the customer's order number."`
}

func (c *shipmentsListCmd) Run(ctx context.Context, env *Env) error {
	order, err := orders().resolve(ctx, env, c.Order)
	if err != nil {
		return err
	}
	return shipments().runList(ctx, env, &freightv1.ListShipmentsRequest{Order: order}, c.Limit)
}

type shipmentsGetCmd struct{ ref }

func (c *shipmentsGetCmd) Run(ctx context.Context, env *Env) error {
	return shipments().runGet(ctx, env, c.Ref)
}

func loads() resource[*freightv1.Load, *freightv1.ListLoadsRequest] {
	return resource[*freightv1.Load, *freightv1.ListLoadsRequest]{
		service: "freight", collection: "loads",
		list: func(ctx context.Context, cc grpc.ClientConnInterface, f *freightv1.ListLoadsRequest, size int32, token string) ([]*freightv1.Load, string, error) {
			f.PageSize, f.PageToken = size, token
			resp, err := freightv1.NewFreightServiceClient(cc).ListLoads(ctx, f)
			return resp.GetLoads(), resp.GetNextPageToken(), err
		},
		get: func(ctx context.Context, cc grpc.ClientConnInterface, name string) (*freightv1.Load, error) {
			return freightv1.NewFreightServiceClient(cc).GetLoad(ctx, &freightv1.GetLoadRequest{Name: name})
		},
		byNumber: func(n string) *freightv1.ListLoadsRequest { return &freightv1.ListLoadsRequest{Number: n} },
		columns: []column[*freightv1.Load]{
			{head: "LOAD", text: func(m *freightv1.Load) string { return show.ID(m.GetName()) }},
			{head: "NUMBER", text: func(m *freightv1.Load) string { return show.Text(m.GetNumber()) }},
			{head: "MODE", text: func(m *freightv1.Load) string { return show.Text(m.GetMode()) }},
			{head: "STATE", text: func(m *freightv1.Load) string { return show.Enum(m.GetState()) }},
			{head: "CARRIER", text: func(m *freightv1.Load) string { return show.ID(m.GetCarrier()) }},
			{head: "PRO", text: func(m *freightv1.Load) string { return show.Text(m.GetCarrierReference()) }},
			{head: "WEIGHT", right: true, text: func(m *freightv1.Load) string { return show.Quantity(m.GetGrossWeight()) }},
			{head: "SHIP DATE", text: func(m *freightv1.Load) string { return show.Date(m.GetShipDate()) }},
			{head: "COST", right: true, text: func(m *freightv1.Load) string { return show.Money(m.GetCharges().GetTotal()) }},
		},
	}
}

type loadsCmd struct {
	List loadsListCmd `cmd:"" help:"List loads, newest first."`
	Get  loadsGetCmd  `cmd:"" help:"Show a load by name, id or load number."`
}

type loadsListCmd struct{ Paging }

func (c *loadsListCmd) Run(ctx context.Context, env *Env) error {
	return loads().runList(ctx, env, &freightv1.ListLoadsRequest{}, c.Limit)
}

type loadsGetCmd struct{ ref }

func (c *loadsGetCmd) Run(ctx context.Context, env *Env) error {
	return loads().runGet(ctx, env, c.Ref)
}

func tenders() resource[*freightv1.Tender, *freightv1.ListTendersRequest] {
	return resource[*freightv1.Tender, *freightv1.ListTendersRequest]{
		service: "freight", collection: "tenders",
		list: func(ctx context.Context, cc grpc.ClientConnInterface, f *freightv1.ListTendersRequest, size int32, token string) ([]*freightv1.Tender, string, error) {
			f.PageSize, f.PageToken = size, token
			resp, err := freightv1.NewFreightServiceClient(cc).ListTenders(ctx, f)
			return resp.GetTenders(), resp.GetNextPageToken(), err
		},
		get: func(ctx context.Context, cc grpc.ClientConnInterface, name string) (*freightv1.Tender, error) {
			return freightv1.NewFreightServiceClient(cc).GetTender(ctx, &freightv1.GetTenderRequest{Name: name})
		},
		columns: []column[*freightv1.Tender]{
			{head: "TENDER", text: func(m *freightv1.Tender) string { return show.ID(m.GetName()) }},
			{head: "LOAD", text: func(m *freightv1.Tender) string { return show.Text(m.GetLoadNumber()) }},
			{head: "CARRIER", text: func(m *freightv1.Tender) string { return show.ID(m.GetCarrier()) }},
			{head: "RANK", right: true, text: func(m *freightv1.Tender) string { return number(m.GetRank()) }},
			{head: "STATE", text: func(m *freightv1.Tender) string { return show.Enum(m.GetState()) }},
			{head: "SENT", text: func(m *freightv1.Tender) string { return show.Time(m.GetSendTime()) }},
			{head: "RESPOND BY", text: func(m *freightv1.Tender) string { return show.EventTime(m.GetRespondBy()) }},
			{head: "COST", right: true, text: func(m *freightv1.Tender) string { return show.Money(m.GetCharges().GetTotal()) }},
		},
	}
}

type tendersCmd struct {
	List tendersListCmd `cmd:"" help:"List tenders, newest first."`
	Get  tendersGetCmd  `cmd:"" help:"Show a tender by name or id."`
}

type tendersListCmd struct {
	Paging
	Load  string `help:"Only of this load: name, id or load number."`
	State string `help:"Only in this state: sent, accepted, declined, expired, withdrawn." enum:",sent,accepted,declined,expired,withdrawn" default:""`
}

func (c *tendersListCmd) Run(ctx context.Context, env *Env) error {
	load, err := loads().resolve(ctx, env, c.Load)
	if err != nil {
		return err
	}
	f := &freightv1.ListTendersRequest{Load: load, State: freightv1.Tender_State(freightv1.Tender_State_value[strings.ToUpper(c.State)])}
	return tenders().runList(ctx, env, f, c.Limit)
}

type tendersGetCmd struct{ ref }

func (c *tendersGetCmd) Run(ctx context.Context, env *Env) error {
	return tenders().runGet(ctx, env, c.Ref)
}

func invoices() resource[*billingv1.Invoice, *billingv1.ListInvoicesRequest] {
	return resource[*billingv1.Invoice, *billingv1.ListInvoicesRequest]{
		service: "billing", collection: "invoices",
		list: func(ctx context.Context, cc grpc.ClientConnInterface, f *billingv1.ListInvoicesRequest, size int32, token string) ([]*billingv1.Invoice, string, error) {
			f.PageSize, f.PageToken = size, token
			resp, err := billingv1.NewBillingServiceClient(cc).ListInvoices(ctx, f)
			return resp.GetInvoices(), resp.GetNextPageToken(), err
		},
		get: func(ctx context.Context, cc grpc.ClientConnInterface, name string) (*billingv1.Invoice, error) {
			return billingv1.NewBillingServiceClient(cc).GetInvoice(ctx, &billingv1.GetInvoiceRequest{Name: name})
		},
		byNumber: func(n string) *billingv1.ListInvoicesRequest { return &billingv1.ListInvoicesRequest{Number: n} },
		columns: []column[*billingv1.Invoice]{
			{head: "INVOICE", text: func(m *billingv1.Invoice) string { return show.ID(m.GetName()) }},
			{head: "NUMBER", text: func(m *billingv1.Invoice) string { return show.Text(m.GetNumber()) }},
			{head: "PO", text: func(m *billingv1.Invoice) string { return show.Text(m.GetCustomerOrderNumber()) }},
			{head: "CUSTOMER", text: func(m *billingv1.Invoice) string { return show.ID(m.GetCustomer()) }},
			{head: "STATE", text: func(m *billingv1.Invoice) string { return show.Enum(m.GetState()) }},
			{head: "GOODS", right: true, text: func(m *billingv1.Invoice) string { return show.Money(m.GetGoodsTotal()) }},
			{head: "FREIGHT", right: true, text: func(m *billingv1.Invoice) string { return show.Money(m.GetFreightTotal()) }},
			{head: "TAX", right: true, text: func(m *billingv1.Invoice) string { return show.Money(m.GetTaxTotal()) }},
			{head: "TOTAL", right: true, text: func(m *billingv1.Invoice) string { return show.Money(m.GetTotal()) }},
			{head: "DUE", text: func(m *billingv1.Invoice) string { return show.Date(m.GetDueDate()) }},
		},
	}
}

type invoicesCmd struct {
	List invoicesListCmd `cmd:"" help:"List invoices, newest first."`
	Get  invoicesGetCmd  `cmd:"" help:"Show an invoice by name, id or invoice number."`
}

type invoicesListCmd struct {
	Paging
	Order string `help:"Only of this order: name, id or the customer's order number."`
}

func (c *invoicesListCmd) Run(ctx context.Context, env *Env) error {
	order, err := orders().resolve(ctx, env, c.Order)
	if err != nil {
		return err
	}
	return invoices().runList(ctx, env, &billingv1.ListInvoicesRequest{Order: order}, c.Limit)
}

type invoicesGetCmd struct{ ref }

func (c *invoicesGetCmd) Run(ctx context.Context, env *Env) error {
	return invoices().runGet(ctx, env, c.Ref)
}

func freightBills() resource[*billingv1.FreightBill, *billingv1.ListFreightBillsRequest] {
	return resource[*billingv1.FreightBill, *billingv1.ListFreightBillsRequest]{
		service: "billing", collection: "freightBills",
		list: func(ctx context.Context, cc grpc.ClientConnInterface, f *billingv1.ListFreightBillsRequest, size int32, token string) ([]*billingv1.FreightBill, string, error) {
			f.PageSize, f.PageToken = size, token
			resp, err := billingv1.NewBillingServiceClient(cc).ListFreightBills(ctx, f)
			return resp.GetFreightBills(), resp.GetNextPageToken(), err
		},
		get: func(ctx context.Context, cc grpc.ClientConnInterface, name string) (*billingv1.FreightBill, error) {
			return billingv1.NewBillingServiceClient(cc).GetFreightBill(ctx, &billingv1.GetFreightBillRequest{Name: name})
		},
		byNumber: func(n string) *billingv1.ListFreightBillsRequest {
			return &billingv1.ListFreightBillsRequest{LoadNumber: n}
		},
		columns: []column[*billingv1.FreightBill]{
			{head: "BILL", text: func(m *billingv1.FreightBill) string { return show.ID(m.GetName()) }},
			{head: "CARRIER'S NO.", text: func(m *billingv1.FreightBill) string { return show.Text(m.GetInvoiceNumber()) }},
			{head: "LOAD", text: func(m *billingv1.FreightBill) string { return show.Text(m.GetLoadNumber()) }},
			{head: "CARRIER", text: func(m *billingv1.FreightBill) string { return show.ID(m.GetCarrier()) }},
			{head: "STATE", text: func(m *billingv1.FreightBill) string { return show.Enum(m.GetState()) }},
			{head: "TOTAL", right: true, text: func(m *billingv1.FreightBill) string { return show.Money(m.GetTotal()) }},
		},
	}
}

type freightBillsCmd struct {
	List freightBillsListCmd `cmd:"" help:"List carriers' bills, newest first."`
	Get  freightBillsGetCmd  `cmd:"" help:"Show a carrier's bill by name, id or load number."`
}

type freightBillsListCmd struct {
	Paging
	LoadNumber string `help:"Only for this load number."`
}

func (c *freightBillsListCmd) Run(ctx context.Context, env *Env) error {
	return freightBills().runList(ctx, env, &billingv1.ListFreightBillsRequest{LoadNumber: c.LoadNumber}, c.Limit)
}

type freightBillsGetCmd struct{ ref }

func (c *freightBillsGetCmd) Run(ctx context.Context, env *Env) error {
	return freightBills().runGet(ctx, env, c.Ref)
}

type ledgerCmd struct {
	List    ledgerListCmd    `cmd:"" help:"List journal entries, newest first."`
	Balance ledgerBalanceCmd `cmd:"" help:"Show the trial balance: debit positive, credit negative, zero in total."`
}

type ledgerListCmd struct {
	Paging
	Related string `help:"Only what relates to this, such as load:NL26030001 or orders/ord_..."`
}

// ledgerLine is one line of an entry, for the table.
type ledgerLine struct {
	entry *billingv1.JournalEntry
	line  *billingv1.JournalEntry_Line
}

func (c *ledgerListCmd) Run(ctx context.Context, env *Env) error {
	cc, err := env.Connect("billing")
	if err != nil {
		return err
	}
	entries, err := pages(c.Limit, func(size int32, token string) ([]*billingv1.JournalEntry, string, error) {
		resp, err := billingv1.NewBillingServiceClient(cc).ListJournalEntries(ctx,
			&billingv1.ListJournalEntriesRequest{PageSize: size, PageToken: token, Related: c.Related})
		return resp.GetJournalEntries(), resp.GetNextPageToken(), err
	})
	if err != nil {
		return err
	}
	if env.Output != "table" {
		return printList(env, nil, entries)
	}
	var lines []ledgerLine
	for _, e := range entries {
		for _, l := range e.GetLines() {
			lines = append(lines, ledgerLine{e, l})
		}
	}
	return printTable(env, []column[ledgerLine]{
		{head: "POSTED", text: func(l ledgerLine) string { return show.Time(l.entry.GetPostTime()) }},
		{head: "ENTRY", text: func(l ledgerLine) string { return show.ID(l.entry.GetName()) }},
		{head: "MOMENT", text: func(l ledgerLine) string { return show.Text(l.entry.GetMoment()) }},
		{head: "ACCOUNT", text: func(l ledgerLine) string { return show.Text(l.line.GetAccount()) }},
		{head: "NAME", text: func(l ledgerLine) string { return show.Text(l.line.GetAccountName()) }},
		{head: "DEBIT", right: true, text: func(l ledgerLine) string { return show.Money(l.line.GetDebit()) }},
		{head: "CREDIT", right: true, text: func(l ledgerLine) string { return show.Money(l.line.GetCredit()) }},
	}, lines)
}

type ledgerBalanceCmd struct {
	LegalEntity string `help:"Only of this legal entity, such as legalEntities/LE-US."`
}

func (c *ledgerBalanceCmd) Run(ctx context.Context, env *Env) error {
	cc, err := env.Connect("billing")
	if err != nil {
		return err
	}
	resp, err := billingv1.NewBillingServiceClient(cc).GetTrialBalance(ctx, &billingv1.GetTrialBalanceRequest{LegalEntity: c.LegalEntity})
	if err != nil {
		return err
	}
	if env.Output == "json" {
		return show.ListJSON(env.Out, resp.GetBalances())
	}
	return printTable(env, []column[*billingv1.Balance]{
		{head: "ACCOUNT", text: func(b *billingv1.Balance) string { return b.GetAccount() }},
		{head: "NAME", text: func(b *billingv1.Balance) string { return show.Text(b.GetAccountName()) }},
		{head: "AMOUNT", right: true, text: func(b *billingv1.Balance) string { return show.Money(b.GetAmount()) }},
	}, resp.GetBalances())
}
