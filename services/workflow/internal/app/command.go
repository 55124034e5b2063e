package app

import (
	"context"
	"errors"
	"fmt"

	platform "crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
	"crossdock.dev/services/workflow/internal/process"
	"crossdock.dev/services/workflow/internal/store"
)

// Peers are the services that commands go to. A *RefusedError says that a service refused for good; any other error means
// that the command may be sent again with the same request id.
type Peers interface {
	// PlanShipment asks freight for a shipment; plan is the request as it was kept at the start.
	PlanShipment(ctx context.Context, requestID string, plan []byte) error
	// TenderLoad asks freight to look for a carrier.
	TenderLoad(ctx context.Context, requestID, load string) error
	// CancelShipment asks freight to call a shipment off; reason is the customer's.
	CancelShipment(ctx context.Context, requestID, shipment, reason string) error
	// AuthorizeBilling asks billing whether a shipment may be billed.
	AuthorizeBilling(ctx context.Context, requestID, shipment, orderRelease string) error
	// IssueInvoice asks billing for the invoice of an authorisation.
	IssueInvoice(ctx context.Context, requestID, authorization string) error
	// Offered asks freight whether a load was offered to a carrier; of one that freight does not know it is false.
	Offered(ctx context.Context, load string) (bool, error)
}

// RefusedError says that a service refused a command for good.
type RefusedError struct{ Detail string }

// Error returns the refusal in words.
func (e *RefusedError) Error() string { return e.Detail }

// Handlers carry out the commands, and what is due when a limit has passed. What a command leads to comes back as a fact; a refusal is
// told to the process.
func (a *App) Handlers(peers Peers) map[string]tasks.Handler {
	return map[string]tasks.Handler{
		kindStep: a.overran(peers), kindItem: a.overdue,
		string(process.PlanShipment): a.handler(process.PlanShipment, func(ctx context.Context, id, _ string, p process.Process) error {
			if p.Shipment != "" { // the answer was lost, its fact was not
				return nil
			}
			var plan []byte
			err := a.store.View(ctx, func(r platform.Reader) (err error) {
				plan, err = store.Plan(ctx, r, p.ID)
				return err
			})
			if err != nil {
				return err
			}
			return peers.PlanShipment(ctx, id, plan)
		}),
		string(process.TenderLoad): a.handler(process.TenderLoad, func(ctx context.Context, id, subject string, _ process.Process) error {
			return peers.TenderLoad(ctx, id, subject)
		}),
		string(process.CancelShipment): a.handler(process.CancelShipment, func(ctx context.Context, id, subject string, p process.Process) error {
			return peers.CancelShipment(ctx, id, subject, p.CancelReason)
		}),
		string(process.AuthorizeBilling): a.handler(process.AuthorizeBilling, func(ctx context.Context, id, subject string, p process.Process) error {
			return peers.AuthorizeBilling(ctx, id, subject, p.OrderRelease)
		}),
		string(process.IssueInvoice): a.handler(process.IssueInvoice, func(ctx context.Context, id, subject string, _ process.Process) error {
			return peers.IssueInvoice(ctx, id, subject)
		}),
	}
}

func (a *App) handler(step process.Step, send func(ctx context.Context, id, subject string, p process.Process) error) tasks.Handler {
	return func(ctx context.Context, t tasks.Task) (tasks.Done, error) {
		var p process.Process
		err := a.store.View(ctx, func(r platform.Reader) (err error) {
			p, err = store.Process(ctx, r, processID(t.Subject))
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", step, t.Subject, err)
		}
		subject := string(t.Payload)
		err = send(ctx, t.ID, subject, p)
		var refused *RefusedError
		if !errors.As(err, &refused) {
			return nil, err
		}
		return func(ctx context.Context, tx *platform.Tx) error {
			now, err := store.Process(ctx, tx, p.ID)
			if err != nil {
				return err
			}
			return a.happened(ctx, tx, now, process.Refused{Command: process.Command{Step: step, Subject: subject}, Detail: refused.Detail})
		}, nil
	}
}
