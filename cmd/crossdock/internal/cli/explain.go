package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"

	"crossdock.dev/cmd/crossdock/internal/show"
)

type explainCmd struct {
	Reference string `arg:"" help:"Any name or number, or its beginning: order, PO, load, PRO, tender, shipment, invoice, bill, interchange, proof, claim, process, work item."`
	Amount    string `placeholder:"FIGURE" help:"Show what a figure is made of: goods, freight (what the carrier is owed), invoice, bill, variance, or a part of one such as invoice.freight, bill.LHS or FUE. '*' shows all."`
}

// Help says more than one line.
func (c *explainCmd) Help() string {
	return "A case is shown with what it waits for, the messages with partners, its figures and every fact with three times: when it happened, when the suite heard of it, when it was committed."
}

func (c *explainCmd) Run(ctx context.Context, env *Env) error {
	cc, err := env.Connect("tower")
	if err != nil {
		return err
	}
	resp, err := towerv1.NewTowerServiceClient(cc).Explain(ctx, &towerv1.ExplainRequest{Reference: c.Reference, Amount: c.Amount})
	if err != nil {
		return nowhere(err, c.Reference)
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
	p := &explained{style: env.Style}
	if c.Amount != "" {
		if cc, err := env.Connect("edi"); err == nil {
			p.document = func(name string) []byte {
				doc, err := ediv1.NewEdiServiceClient(cc).GetDocument(ctx, &ediv1.GetDocumentRequest{Name: name})
				if err != nil {
					return nil // its place is told all the same
				}
				return doc.GetContent()
			}
		}
		if err := p.amounts(resp.GetThreads(), c.Amount); err != nil {
			return err
		}
	} else {
		p.threads(resp, c.Reference)
	}
	_, err = io.WriteString(env.Out, p.String())
	return err
}

// nowhere says what looks like a reference that leads nowhere. Other errors go on as they are.
func nowhere(err error, reference string) error {
	e := refusal(err)
	if e == nil || e.Code != codes.NotFound {
		return err
	}
	f := &failure{status: exitNotFound, what: "nothing is known as " + reference, reason: e.Reason, try: "crossdock orders list"}
	if near := e.Metadata["near"]; near != "" {
		first, _, _ := strings.Cut(near, ", ")
		f.what += "; there is " + near
		f.try = "crossdock explain " + first
	}
	return f
}

// explained is what is printed.
type explained struct {
	strings.Builder
	style     show.Style
	document  func(name string) []byte // nil where nobody can be asked
	documents map[string][]byte        // that were asked for
}

// bytes are what stands at a place, when its document can be had and it is a segment: a set is too long for a line.
func (p *explained) bytes(o *towerv1.Origin) string {
	if o.GetSegment() == "" || o.GetDocument() == "" || p.document == nil {
		return ""
	}
	if _, asked := p.documents[o.GetDocument()]; !asked {
		if p.documents == nil {
			p.documents = map[string][]byte{}
		}
		p.documents[o.GetDocument()] = p.document(o.GetDocument())
	}
	content, end := p.documents[o.GetDocument()], o.GetOffset()+o.GetLength()
	if o.GetOffset() < 0 || o.GetLength() < 0 || end > int64(len(content)) {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, string(content[o.GetOffset():end]))
}

func (p *explained) printf(format string, args ...any) { fmt.Fprintf(p, format, args...) }

// threads prints one case whole; of several their heads, since one of them is meant.
func (p *explained) threads(resp *towerv1.ExplainResponse, asked string) {
	threads := resp.GetThreads()
	if resp.GetReference() != "" && resp.GetReference() != asked {
		p.printf("%s is taken for %s\n\n", asked, resp.GetReference())
	}
	if len(threads) > 1 {
		what := resp.GetReference()
		for _, r := range threads[0].GetCase().GetReferences() {
			if r.GetValue() == what {
				what = strings.ReplaceAll(r.GetKind(), "_", " ") + " " + what
				break
			}
		}
		p.printf("%s leads to %d cases\n\n", what, len(threads))
	}
	for i, t := range threads {
		if i > 0 {
			p.printf("\n")
		}
		p.head(t, len(threads) == 1)
		if len(threads) == 1 {
			p.thread(t)
		}
	}
	if len(threads) > 1 {
		p.printf("\none of them whole: crossdock explain %s\n", show.ID(threads[0].GetCase().GetOrder()))
	}
	if len(resp.GetUnasked()) > 0 {
		p.printf("\n%s\n", p.style.Bad("did not say what waits there: "+strings.Join(resp.GetUnasked(), ", ")))
	}
}

// head prints where a case stands. Of a whole one, what it waits for follows.
func (p *explained) head(t *towerv1.Thread, whole bool) {
	c := t.GetCase()
	if c == nil {
		p.printf("%s\n", p.style.Bold("no order came of it"))
		return
	}
	p.printf("%s\n", p.style.Bold(fmt.Sprintf("PO %s of %s", show.Text(c.GetCustomerOrderNumber()), show.ID(c.GetCustomer()))))
	line := func(label, value string) {
		if value != show.None && value != "" {
			p.printf("  %-11s %s\n", label, value)
		}
	}
	line("stands at", show.Enum(c.GetStage()))
	if !whole || len(t.GetWaits()) == 0 {
		waits := c.GetWaitsFor()
		if waits != "" && c.GetWaitsUntil() != nil {
			waits += ", until " + show.Time(c.GetWaitsUntil())
		}
		line("waits for", waits)
	}
	if n := c.GetOpenWorkItems(); n > 0 {
		line("people", p.style.Bad(fmt.Sprintf("open work items: %d, see crossdock work-items list", n)))
	}
	line("order", c.GetOrder())
	line("carrier", show.ID(c.GetCarrier()))
	line("goods", show.Money(c.GetOrderTotal()))
	line("freight", show.Money(c.GetFreightCost()))
	if c.GetInvoiceNumber() != "" {
		line("invoice", c.GetInvoiceNumber()+"  "+show.Money(c.GetInvoicedTotal()))
	}
	line("leads here", strings.Join(numbers(c.GetReferences()), " · "))
}

// manyFigures is how many figures are listed with those of each line.
const manyFigures = 40

// thread prints what a case waits for, its messages, its figures and its steps, oldest first.
func (p *explained) thread(t *towerv1.Thread) {
	if n := len(t.GetWaits()); n > 0 {
		p.printf("\n%s\n", p.style.Bold("waits for"))
		for i, w := range t.GetWaits() {
			p.printf("%s %s\n", branch(i, n), p.wait(w))
		}
	}
	if n := len(t.GetMessages()); n > 0 {
		p.printf("\n%s\n", p.style.Bold("messages"))
		for i, m := range t.GetMessages() {
			p.printf("%s %s\n", branch(i, n), messageLine(m))
			p.printf("%s  %s\n", trunk(i, n), p.style.Dim(fmt.Sprintf("%s as %s", show.ID(m.GetName()), m.GetFileName())))
		}
	}
	if n := len(t.GetAmounts()); n > 0 {
		p.printf("\n%s\n", p.style.Bold("figures, each explained by --amount"))
		for _, a := range t.GetAmounts() {
			if n > manyFigures && strings.Contains(a.GetKey(), "goods.") {
				continue // lines of a long order
			}
			p.printf("  %-20s %15s  %s\n", a.GetKey(), show.Money(a.GetValue()), a.GetLabel())
		}
	}
	p.printf("\n")
	steps := t.GetSteps()
	for i, s := range steps {
		summary := s.GetSummary()
		if summary == "" {
			summary = s.GetSubject()
		}
		p.printf("%s %s  %s  %s\n", branch(i, len(steps)), show.Time(s.GetOccurTime()), p.style.Bold(s.GetService()+" "+s.GetType()), summary)
		p.printf("%s   %s\n", trunk(i, len(steps)), p.style.Dim(whence(s)))
	}
}

func (p *explained) wait(w *towerv1.Wait) string {
	text := w.GetText()
	if w.GetOwner() != "" {
		text += ", with " + show.ID(w.GetOwner())
	}
	if w.GetUntil() != nil {
		text += ", until " + show.Time(w.GetUntil())
	}
	if w.GetSince() != nil {
		text += ", since " + show.Time(w.GetSince())
	}
	if w.GetOverdue() {
		text = p.style.Bad(text + ", overdue")
	}
	if w.GetSubject() != "" {
		text += "  " + p.style.Dim(w.GetSubject())
	}
	return text
}

func messageLine(m *towerv1.PartnerMessage) string {
	way := "to"
	if m.GetInbound() {
		way = "from"
	}
	text := fmt.Sprintf("%s  %s %s %s: %s", show.Time(m.GetTime()), strings.Join(m.GetSets(), ", "), way, show.ID(m.GetParty()), strings.Join(m.GetOutcomes(), ", "))
	if m.GetAcknowledgementCode() != "" {
		text += fmt.Sprintf(", acknowledged %s %s", m.GetAcknowledgementCode(), show.Time(m.GetAcknowledgeTime()))
	}
	return text
}

// amounts prints what figures are made of.
func (p *explained) amounts(threads []*towerv1.Thread, want string) error {
	var known []string
	found := false
	for _, t := range threads {
		first := true
		for _, a := range t.GetAmounts() {
			if !slices.Contains(known, a.GetKey()) {
				known = append(known, a.GetKey())
			}
			if a.GetReason() == nil {
				continue
			}
			if first {
				if found {
					p.printf("\n")
				}
				p.printf("%s\n", p.style.Bold(fmt.Sprintf("PO %s of %s", show.Text(t.GetCase().GetCustomerOrderNumber()), show.ID(t.GetCase().GetCustomer()))))
			}
			found, first = true, false
			p.printf("\n%s  %s\n", p.style.Bold(a.GetLabel()+": "+show.Money(a.GetValue())), p.style.Dim("("+a.GetKey()+" of "+a.GetSubject()+")"))
			p.reason(a.GetReason(), "", true)
		}
	}
	if found {
		return nil
	}
	if len(known) == 0 {
		return &failure{status: exitNotFound, what: "nothing has a figure yet", reason: "NOT_FOUND"}
	}
	return &failure{status: exitNotFound, what: "there is no figure " + want + "; there are " + strings.Join(known, ", "), reason: "NOT_FOUND", try: "--amount " + known[0]}
}

// reason prints a node with where it came from, and what it was made of.
func (p *explained) reason(r *towerv1.Reason, indent string, last bool) {
	stem, below := "├─ ", "│  "
	if last {
		stem, below = "└─ ", "   "
	}
	line := r.GetLabel()
	if r.GetValue() != "" {
		line += ": " + r.GetValue()
	}
	if r.GetRule() != "" {
		line += "  (" + r.GetRule() + ")"
	}
	p.printf("%s%s%s\n", indent, stem, line)
	inner := "   "
	if len(r.GetChildren()) > 0 {
		inner = "│  "
	}
	for _, s := range r.GetSources() {
		p.printf("%s%s%s%s\n", indent, below, inner, p.style.Dim("from "+source(s)))
		if text := p.bytes(s.GetOrigin()); text != "" {
			p.printf("%s%s%s  %s\n", indent, below, inner, text)
		}
	}
	for i, c := range r.GetChildren() {
		p.reason(c, indent+below, i == len(r.GetChildren())-1)
	}
}

// source says where a part of a figure came from.
func source(s *towerv1.Source) string {
	var parts []string
	if text := s.GetText(); text != "" {
		parts = append(parts, text)
	} else if s.GetResource() != "" {
		parts = append(parts, s.GetResource())
	}
	if o := s.GetOrigin(); o != nil {
		parts = append(parts, place(o))
	}
	if c := s.GetCall(); c != nil {
		parts = append(parts, fmt.Sprintf("called %s by %s, request %s", method(c), c.GetPrincipal(), c.GetRequestId()))
	}
	if f := s.GetFact(); f != nil {
		parts = append(parts, fmt.Sprintf("told %s as %s/%d/%d", show.Time(s.GetTime()), f.GetLog(), f.GetEpoch(), f.GetSequence()))
	} else if s.GetTime() != nil {
		parts = append(parts, show.Time(s.GetTime()))
	}
	return strings.Join(parts, " · ")
}

// place says where in a document something stands: bytes from the first, counted from 0, to the last.
func place(o *towerv1.Origin) string {
	what := "set " + o.GetSetId()
	if o.GetSegment() != "" {
		what = o.GetSegment() + " of " + o.GetSetId()
	}
	text := fmt.Sprintf("%s at bytes %d to %d of %s", what, o.GetOffset(), o.GetOffset()+max(o.GetLength(), 1)-1, o.GetSet())
	if o.GetFileName() != "" {
		text += ", file " + o.GetFileName()
	}
	return text
}

func method(c *towerv1.Call) string {
	return c.GetMethod()[strings.LastIndexByte(c.GetMethod(), '/')+1:]
}

// branch and trunk are what stands before an item of a tree with n items, and before what follows under it.
func branch(i, n int) string {
	if i == n-1 {
		return "└─"
	}
	return "├─"
}

func trunk(i, n int) string {
	if i == n-1 {
		return "  "
	}
	return "│ "
}

// numbers are the references that people use. Resource names, ids and the log's own spellings ("po:0829...") lead to the case
// too, and stand in the JSON.
func numbers(refs []*towerv1.Case_Reference) []string {
	var out []string
	for _, r := range refs {
		text := strings.ReplaceAll(r.GetKind(), "_", " ") + " " + r.GetValue()
		if strings.ContainsAny(r.GetValue(), "/:") || typeID.MatchString(r.GetValue()) || slices.Contains(unspoken, r.GetKind()) || slices.Contains(out, text) {
			continue
		}
		out = append(out, text)
	}
	return out
}

// unspoken are the kinds of references that are too many to be listed: the messages are, with these numbers.
var unspoken = []string{"journal_entry", "control_number", "file"}

// whence says when the suite heard of a step and committed it, where, who began it, why, and which bytes brought it.
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
	if s.GetOrigin() != nil {
		parts = append(parts, place(s.GetOrigin()))
	}
	return strings.Join(parts, " · ")
}
