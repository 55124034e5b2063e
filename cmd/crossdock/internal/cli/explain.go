package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	towerv1 "crossdock.dev/gen/crossdock/tower/v1"

	"crossdock.dev/cmd/crossdock/internal/show"
)

type explainCmd struct {
	Reference string `arg:"" help:"Any name or number: order, PO, load, PRO, tender, shipment, invoice, interchange, process."`
}

func (c *explainCmd) Run(ctx context.Context, env *Env) error {
	cc, err := env.Connect("tower")
	if err != nil {
		return err
	}
	resp, err := towerv1.NewTowerServiceClient(cc).Explain(ctx, &towerv1.ExplainRequest{Reference: c.Reference})
	if err != nil {
		return err
	}
	switch env.Output {
	case "json":
		return show.MessageJSON(env.Out, resp)
	case "name":
		for _, t := range resp.GetThreads() {
			if _, err := fmt.Fprintln(env.Out, t.GetCase().GetName()); err != nil {
				return err
			}
		}
		return nil
	}
	for i, t := range resp.GetThreads() {
		if i > 0 {
			fmt.Fprintln(env.Out)
		}
		if err := printThread(env.Out, env.Style, t); err != nil {
			return err
		}
	}
	return nil
}

// printThread prints a case as a tree: its head, where it stands, and its steps, oldest first.
func printThread(w io.Writer, style show.Style, t *towerv1.Thread) error {
	var b strings.Builder
	c := t.GetCase()
	fmt.Fprintf(&b, "%s\n", style.Bold(fmt.Sprintf("PO %s of %s", show.Text(c.GetCustomerOrderNumber()), show.ID(c.GetCustomer()))))
	line := func(label, value string) {
		if value != show.None && value != "" {
			fmt.Fprintf(&b, "  %-11s %s\n", label, value)
		}
	}
	line("stands at", show.Enum(c.GetStage()))
	waits := c.GetWaitsFor()
	if waits != "" && c.GetWaitsUntil() != nil {
		waits += ", until " + show.Time(c.GetWaitsUntil())
	}
	line("waits for", waits)
	if n := c.GetOpenWorkItems(); n > 0 {
		line("people", style.Bad(fmt.Sprintf("open work items: %d, see crossdock work-items list", n)))
	}
	line("order", c.GetOrder())
	line("carrier", show.ID(c.GetCarrier()))
	line("goods", show.Money(c.GetOrderTotal()))
	line("freight", show.Money(c.GetFreightCost()))
	if c.GetInvoiceNumber() != "" {
		line("invoice", c.GetInvoiceNumber()+"  "+show.Money(c.GetInvoicedTotal()))
	}
	line("leads here", strings.Join(numbers(c.GetReferences()), " · "))
	b.WriteString("\n")
	for i, s := range t.GetSteps() {
		branch, trunk := "├─", "│ "
		if i == len(t.GetSteps())-1 {
			branch, trunk = "└─", "  "
		}
		summary := s.GetSummary()
		if summary == "" {
			summary = s.GetSubject()
		}
		fmt.Fprintf(&b, "%s %s  %s  %s\n", branch, show.Time(s.GetOccurTime()), style.Bold(s.GetService()+" "+s.GetType()), summary)
		fmt.Fprintf(&b, "%s   %s\n", trunk, style.Dim(whence(s)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// numbers are the references that people use. Resource names, ids and the log's own spellings ("po:0829...") lead to the case
// too, and stand in the JSON.
func numbers(refs []*towerv1.Case_Reference) []string {
	var out []string
	for _, r := range refs {
		text := strings.ReplaceAll(r.GetKind(), "_", " ") + " " + r.GetValue()
		if strings.ContainsAny(r.GetValue(), "/:") || typeID.MatchString(r.GetValue()) || r.GetKind() == "journal_entry" || slices.Contains(out, text) {
			continue
		}
		out = append(out, text)
	}
	return out
}

// whence says when the suite heard of a step and committed it, where, who began it and why.
func whence(s *towerv1.Step) string {
	day := func(t *timestamppb.Timestamp) string {
		text := show.Time(t)
		if d := show.Time(s.GetOccurTime()); t != nil && s.GetOccurTime() != nil && text[:len(time.DateOnly)] == d[:len(time.DateOnly)] {
			return text[len(time.DateOnly)+1:]
		}
		return text
	}
	parts := []string{
		"heard " + day(s.GetReceiveTime()),
		fmt.Sprintf("committed %s as %s/%d/%d", day(s.GetApplyTime()), s.GetPosition().GetLog(), s.GetPosition().GetEpoch(), s.GetPosition().GetSequence()),
		"by " + show.Text(s.GetActor()),
	}
	if s.GetCause() != "" {
		parts = append(parts, "because of "+s.GetCause())
	}
	return strings.Join(parts, " · ")
}
