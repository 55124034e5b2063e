package outcome

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// Case is a scenario as people are told of it.
type Case struct {
	ID       string
	Happened string
	Money    string
	// Look is a number that leads to it; empty when no order came of it.
	Look string
}

// tell puts a scenario into words.
func (s scenarioFigures) tell() Case {
	c := Case{ID: s.ID}
	var happened, money []string
	for _, o := range s.Orders {
		if c.Look == "" {
			c.Look = o.Order
		}
		states := strings.Join([]string{o.State["commercial"], o.State["release"], o.State["fulfilment"], o.State["billing"]}, " ")
		if states == "CLOSED SECURED DELIVERED BILLED" {
			states = "delivered and billed"
		}
		happened = append(happened, states)
		if o.Invoice != nil {
			money = append(money, "invoice "+o.Invoice.Total+" "+s.Currency)
		}
	}
	for _, t := range s.Tenders {
		happened = append(happened, t.Carrier+" "+strings.ToLower(t.Outcome))
	}
	for _, party := range keys(s.Messages) {
		if len(s.Orders) > 0 {
			break
		}
		for _, set := range keys(s.Messages[party]) {
			m := s.Messages[party][set]
			happened = append(happened, fmt.Sprintf("%s from %s: %d duplicate, %d parked, %d rejected", set, party, m.Duplicate, m.Parked, m.Rejected))
		}
	}
	if b := s.FreightBill; b != nil {
		happened = append(happened, "bill "+strings.ToLower(b.State))
		money = append(money, "freight "+b.Amount+" "+b.Currency)
	}
	for _, i := range s.WorkItems {
		happened = append(happened, i.Reason+" "+strings.ToLower(i.State))
	}
	c.Happened, c.Money = strings.Join(happened, " · "), strings.Join(money, " · ")
	return c
}

// Tell prints the cases as a table.
func (o Outcome) Tell(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "CASE\tWHAT HAPPENED\tMONEY\tWHERE TO LOOK")
	for _, c := range o.Cases {
		look := "bin/crossdock explain " + c.Look
		if c.Look == "" {
			look = "bin/crossdock work-items list"
		}
		row(t, strings.ReplaceAll(c.ID, "-", " "), c.Happened, c.Money, look)
	}
	s := o.Summary
	totals := func(sums map[string]Sum) string {
		var parts []string
		for _, currency := range keys(sums) {
			parts = append(parts, fmt.Sprintf("%d over %s %s", sums[currency].Count, sums[currency].Amount, currency))
		}
		return strings.Join(parts, ", ")
	}
	row(t, "the day", fmt.Sprintf("%d orders · %d tenders accepted · %d work items open", s.Orders.Total, s.Tenders["ACCEPTED"], total(s.WorkItemsOpen)),
		"invoices "+totals(s.Invoices["ISSUED"])+" · freight "+totals(s.FreightBills["APPROVED"]), "bin/crossdock ledger balance")
	return t.Flush()
}

// widest is how wide a cell may be before it goes on in the next line.
const widest = 72

// row prints a row; long cells go on in lines of their own.
func row(t io.Writer, id, happened, money, look string) {
	left, right := wrap(happened), wrap(money)
	for i := range max(len(left), len(right)) {
		cell := func(lines []string) string {
			if i < len(lines) {
				return lines[i]
			}
			return ""
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", id, cell(left), cell(right), look)
		id, look = "", ""
	}
}

// wrap breaks a text where its parts meet.
func wrap(text string) []string {
	lines := []string{""}
	for i, part := range strings.Split(text, " · ") {
		last := &lines[len(lines)-1]
		switch {
		case i == 0:
			*last = part
		case utf8.RuneCountInString(*last)+len(part) > widest:
			lines = append(lines, part)
		default:
			*last += " · " + part
		}
	}
	return lines
}

func total(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}
