package app

import (
	"cmp"
	"context"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"crossdock.dev/integrations/edi/internal/store"
	platform "crossdock.dev/platform/store"
)

var (
	messagesDesc = prometheus.NewDesc("crossdock_edi_messages", "Messages by partner, transaction set and disposition: applied, duplicate, parked, rejected, in_progress or acknowledgement for what came in, sent for what went out.",
		[]string{"party", "set", "disposition"}, nil)
	overdueDesc = prometheus.NewDesc("crossdock_edi_acknowledgements_overdue", "Interchanges of ours that a partner should have acknowledged by now.", []string{"party"}, nil)
)

// knownSets are the transaction sets that have a series of their own: what a file names is its sender's choice.
var knownSets = []string{"204", "210", "214", "810", "850", "990", "997"}

// countRows is how many rows of the counts are read in one look.
const countRows = 500

var _ prometheus.Collector = (*App)(nil)

// Describe names the metrics of messages.
func (a *App) Describe(ch chan<- *prometheus.Desc) {
	ch <- messagesDesc
	ch <- overdueDesc
}

// Collect gives the counts that invariant I3 watches over, summed over days.
func (a *App) Collect(ch chan<- prometheus.Metric) {
	type series struct{ party, set, disposition string }
	messages, overdue := map[series]uint64{}, map[string]uint64{}
	ctx := context.Background()
	for after, more := []byte(nil), true; more; {
		err := a.Store.View(ctx, func(r platform.Reader) error {
			rows, last, err := store.Counts(ctx, r, after, countRows)
			for _, c := range rows {
				party, set := cmp.Or(c.GetParty(), "unknown"), c.GetSet()
				if !slices.Contains(knownSets, set) {
					set = "other"
				}
				for disposition, n := range map[string]uint64{
					"applied": c.GetApplied(), "duplicate": c.GetDuplicate(), "parked": c.GetParked(), "rejected": c.GetRejected(),
					"in_progress": c.GetInProgress(), "acknowledgement": c.GetAcknowledgements(), "sent": c.GetSent(),
				} {
					messages[series{party, set, disposition}] += n
				}
				overdue[party] += c.GetOverdue()
			}
			after, more = last, len(rows) == countRows
			return err
		})
		if err != nil {
			return // the store is closed: there is nothing to count any more
		}
	}
	for s, n := range messages {
		if n > 0 {
			ch <- prometheus.MustNewConstMetric(messagesDesc, prometheus.GaugeValue, float64(n), s.party, s.set, s.disposition)
		}
	}
	for party, n := range overdue {
		ch <- prometheus.MustNewConstMetric(overdueDesc, prometheus.GaugeValue, float64(n), party)
	}
}
