// Package outcome reads what came of the working day, by the suite's public methods and logs alone, sums it up, and holds it
// against tests/day/expected.json, which was worked out by hand before any program.
//
// It promises that every figure of the summary is read from the suite and none from what is expected; that every difference is
// named with its case, what, got and want; and that a repeated request or a restart is not counted. That the suite has come to
// rest is its caller's part.
package outcome

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/platform/eventlog"
)

// Services are those that keep a store.
var Services = []string{"masterdata", "orders", "freight", "billing", "workflow", "edi", "edge", "tower"}

// Reading is all that the suite tells.
type Reading struct {
	Orders       []*ordersv1.Order
	Loads        []*freightv1.Load
	Shipments    []*freightv1.Shipment
	Tenders      []*freightv1.Tender
	Invoices     []*billingv1.Invoice
	FreightBills []*billingv1.FreightBill
	Entries      []*billingv1.JournalEntry // in the order of posting
	Balances     []*billingv1.Balance
	WorkItems    []*workflowv1.WorkItem
	Interchanges []*ediv1.Interchange // newest first
	Accruals     []*billingv1.Accrual
	Lanes        []*masterdatav1.Lane
	Counts       []*ediv1.MessageCount
	Commands     []Command
	// Checked are the invariants that were looked at, Breaches what was found, each beginning with its invariant.
	Checked  []string
	Breaches []string
}

// Command is a request of a partner by REST that had an effect.
type Command struct {
	Party   string // "CUS-HHS", "CXBB"
	Set     string // REST, or POD for a proof of delivery
	Related []string
}

// Read reads a suite that is at rest.
func Read(ctx context.Context, conn func(service string) grpc.ClientConnInterface) (Reading, error) {
	r := Reading{}
	masterdata := masterdatav1.NewMasterDataServiceClient(conn("masterdata"))
	orders := ordersv1.NewOrderServiceClient(conn("orders"))
	freight := freightv1.NewFreightServiceClient(conn("freight"))
	billing := billingv1.NewBillingServiceClient(conn("billing"))
	workflow := workflowv1.NewWorkflowServiceClient(conn("workflow"))
	edi := ediv1.NewEdiServiceClient(conn("edi"))
	const size = 500
	steps := []func() error{
		pages(&r.Orders, func(token string) ([]*ordersv1.Order, string, error) {
			p, err := orders.ListOrders(ctx, &ordersv1.ListOrdersRequest{PageSize: size, PageToken: token})
			return p.GetOrders(), p.GetNextPageToken(), err
		}),
		pages(&r.Loads, func(token string) ([]*freightv1.Load, string, error) {
			p, err := freight.ListLoads(ctx, &freightv1.ListLoadsRequest{PageSize: size, PageToken: token})
			return p.GetLoads(), p.GetNextPageToken(), err
		}),
		pages(&r.Shipments, func(token string) ([]*freightv1.Shipment, string, error) {
			p, err := freight.ListShipments(ctx, &freightv1.ListShipmentsRequest{PageSize: size, PageToken: token})
			return p.GetShipments(), p.GetNextPageToken(), err
		}),
		pages(&r.Tenders, func(token string) ([]*freightv1.Tender, string, error) {
			p, err := freight.ListTenders(ctx, &freightv1.ListTendersRequest{PageSize: size, PageToken: token})
			return p.GetTenders(), p.GetNextPageToken(), err
		}),
		pages(&r.Invoices, func(token string) ([]*billingv1.Invoice, string, error) {
			p, err := billing.ListInvoices(ctx, &billingv1.ListInvoicesRequest{PageSize: size, PageToken: token})
			return p.GetInvoices(), p.GetNextPageToken(), err
		}),
		pages(&r.FreightBills, func(token string) ([]*billingv1.FreightBill, string, error) {
			p, err := billing.ListFreightBills(ctx, &billingv1.ListFreightBillsRequest{PageSize: size, PageToken: token})
			return p.GetFreightBills(), p.GetNextPageToken(), err
		}),
		pages(&r.Entries, func(token string) ([]*billingv1.JournalEntry, string, error) {
			p, err := billing.ListJournalEntries(ctx, &billingv1.ListJournalEntriesRequest{PageSize: size, PageToken: token})
			return p.GetJournalEntries(), p.GetNextPageToken(), err
		}),
		pages(&r.WorkItems, func(token string) ([]*workflowv1.WorkItem, string, error) {
			p, err := workflow.ListWorkItems(ctx, &workflowv1.ListWorkItemsRequest{PageSize: size, PageToken: token})
			return p.GetWorkItems(), p.GetNextPageToken(), err
		}),
		pages(&r.Interchanges, func(token string) ([]*ediv1.Interchange, string, error) {
			p, err := edi.ListInterchanges(ctx, &ediv1.ListInterchangesRequest{PageSize: size, PageToken: token})
			return p.GetInterchanges(), p.GetNextPageToken(), err
		}),
		pages(&r.Counts, func(token string) ([]*ediv1.MessageCount, string, error) {
			p, err := edi.ListMessageCounts(ctx, &ediv1.ListMessageCountsRequest{PageSize: size, PageToken: token})
			return p.GetMessageCounts(), p.GetNextPageToken(), err
		}),
		pages(&r.Accruals, func(token string) ([]*billingv1.Accrual, string, error) {
			p, err := billing.ListAccruals(ctx, &billingv1.ListAccrualsRequest{PageSize: size, PageToken: token})
			return p.GetAccruals(), p.GetNextPageToken(), err
		}),
		pages(&r.Lanes, func(token string) ([]*masterdatav1.Lane, string, error) {
			p, err := masterdata.ListLanes(ctx, &masterdatav1.ListLanesRequest{PageSize: size, PageToken: token})
			return p.GetLanes(), p.GetNextPageToken(), err
		}),
		func() error {
			p, err := billing.GetTrialBalance(ctx, &billingv1.GetTrialBalanceRequest{})
			r.Balances = p.GetBalances()
			return err
		},
		func() error { return r.commands(ctx, conn) },
		func() error { return r.invariants(ctx, conn) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return r, err
		}
	}
	return r, nil
}

// pages reads a list to its end.
func pages[T any](into *[]T, page func(token string) ([]T, string, error)) func() error {
	return func() error {
		for token := ""; ; {
			items, next, err := page(token)
			if err != nil {
				return err
			}
			*into = append(*into, items...)
			if token = next; token == "" {
				return nil
			}
		}
	}
}

// partnerMethods are the commands that partners give by REST, and what they count as.
var partnerMethods = map[string]struct{ service, set string }{
	"/crossdock.orders.v1.OrderService/CreateOrder":              {"orders", "REST"},
	"/crossdock.orders.v1.OrderService/CancelOrder":              {"orders", "REST"},
	"/crossdock.freight.v1.FreightService/CreateProofOfDelivery": {"freight", "POD"},
}

// commands finds the partners' commands among the causes of what the services committed. A request that was made again, after an
// answer was lost, has left no second entry.
func (r *Reading) commands(ctx context.Context, conn func(string) grpc.ClientConnInterface) error {
	seen := map[[3]string]bool{}
	for _, service := range []string{"orders", "freight"} {
		log := eventlog.Remote(service, conn(service))
		for after := (eventlog.Position{}); ; {
			entries, _, err := log.Read(ctx, after, 256)
			if err != nil {
				return fmt.Errorf("log of %s: %w", service, err)
			}
			if len(entries) == 0 {
				break
			}
			for _, e := range entries {
				var head eventlogv1.Head
				if err := proto.Unmarshal(e.Head, &head); err != nil {
					return fmt.Errorf("log of %s: %w", service, err)
				}
				p := head.GetPosition()
				after = eventlog.Position{Log: p.GetLog(), Epoch: p.GetEpoch(), Sequence: p.GetSequence()}
				cause := head.GetCause()
				method, ok := partnerMethods[cause.GetMethod()]
				party, partner := strings.CutPrefix(cause.GetPrincipal(), "partner/")
				id := [3]string{cause.GetPrincipal(), cause.GetMethod(), cause.GetRequestId()}
				if !ok || !partner || method.service != service || seen[id] {
					continue
				}
				seen[id] = true
				c := Command{Party: short("parties/" + party), Set: method.set}
				for _, f := range head.GetFacts() {
					c.Related = append(append(c.Related, f.GetSubject()), f.GetRelated()...)
				}
				r.Commands = append(r.Commands, c)
			}
		}
	}
	return nil
}

// invariants has every store and the control tower checked.
func (r *Reading) invariants(ctx context.Context, conn func(string) grpc.ClientConnInterface) error {
	for _, service := range Services {
		report, err := eventlogv1.NewEventLogServiceClient(conn(service)).VerifyStore(ctx, &eventlogv1.VerifyStoreRequest{})
		if err != nil {
			return fmt.Errorf("verify %s: %w", service, err)
		}
		r.Checked = append(r.Checked, report.GetChecks()...)
		for _, b := range report.GetBreaches() {
			if !invariant.MatchString(b) {
				b = "I1 " + b // what is wrong with the log or its records
			}
			r.Breaches = append(r.Breaches, b+" ("+service+")")
		}
	}
	report, err := towerv1.NewTowerServiceClient(conn("tower")).CheckInvariants(ctx, &towerv1.CheckInvariantsRequest{})
	if err != nil {
		return err
	}
	r.Checked = append(r.Checked, report.GetChecked()...)
	for _, b := range report.GetBreaches() {
		r.Breaches = append(r.Breaches, b.GetInvariant()+" "+b.GetDetail())
	}
	return nil
}

// short is a party's name as the day's pages write it: a customer's code, a carrier's SCAC.
func short(party string) string {
	return strings.TrimPrefix(strings.TrimPrefix(party, "parties/"), "CAR-")
}
