package store

import (
	"context"
	"fmt"

	storagev1 "crossdock.dev/gen/crossdock/freight/storage/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"

	"crossdock.dev/services/freight/internal/wire"
)

// checkWatched: only a shipment that is watched, booked and not handed over has trust in its estimate and a timer; and while trust
// can still fall the timer is there, so that silence is never overlooked.
func checkWatched(ctx context.Context, r store.Reader) (breaches []string, err error) {
	return breaches, forEach(ctx, r, shipments, func(rec *storagev1.ShipmentRecord) error {
		m, task := rec.GetShipment(), rec.GetWatchTask()
		s, err := wire.ToShipment(m)
		if err != nil {
			return err
		}
		trust := m.GetEtaConfidence()
		falls := trust != freightv1.Confidence_CONFIDENCE_UNSPECIFIED && trust != freightv1.Confidence_NONE
		switch {
		case !s.Watched() && (trust != freightv1.Confidence_CONFIDENCE_UNSPECIFIED || task != ""):
			breaches = append(breaches, fmt.Sprintf("%s is %s, watched %t, and has trust %s and timer %q", s.Name, s.State, s.EtaWatch, trust, task))
		case falls && task == "":
			breaches = append(breaches, fmt.Sprintf("%s has trust %s and no timer", s.Name, trust))
		case task != "":
			_, err := tasks.Get(ctx, r, task)
			if !missing(err) {
				return err
			}
			breaches = append(breaches, fmt.Sprintf("%s has timer %s, which does not exist", s.Name, task))
		}
		return nil
	})
}
