// Package app holds freight's verbs, one file each: load, decide, save, in one commit. It promises that a verb told twice acts
// once, that facts go out with the state they tell of, and that what a caller may not see looks like what does not exist. Who
// calls, and how an answer looks, is left to package api; what is allowed to the domain packages.
package app

import (
	"errors"
	"time"

	platform "crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"

	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/refusal"
	"crossdock.dev/services/freight/internal/store"
)

// Clock is business time.
type Clock interface{ Now() time.Time }

// IDs makes new ids, "tnd_...".
type IDs interface{ New(prefix string) string }

// Sees tells whether the caller may see what concerns a party.
type Sees func(parties ...string) bool

// Cause is why a change happens.
type Cause = platform.Cause

// Position is a place in freight's log.
type Position = platform.Position

// App is freight's verbs over its store.
type App struct {
	store *store.Store
	clock Clock
	ids   IDs
}

// New makes the verbs.
func New(s *store.Store, clock Clock, ids IDs) *App { return &App{store: s, clock: clock, ids: ids} }

// The kinds of freight's tasks.
const (
	KindExpiry  = "timer.tender_expiry" // expires an offer
	KindOffer   = "timer.load_offer"    // offers a load that no other shipment may join any more
	KindSilence = "timer.feed_silence"  // looks at a shipment whose carrier may have fallen silent
)

// Handlers carry out freight's tasks.
func (a *App) Handlers() map[string]tasks.Handler {
	return map[string]tasks.Handler{KindExpiry: a.expire, KindOffer: a.offerShared, KindSilence: a.listen}
}

// visibleLoad hides a load from partners other than the carrier that took it.
func visibleLoad(l load.Load, sees Sees) error {
	if !sees(l.Carrier) {
		return refusal.ErrNotFound
	}
	return nil
}

// absent tells whether an error says that master data lacks something or says what cannot be.
func absent(err error) bool {
	return errors.Is(err, refusal.ErrNotFound) || errors.Is(err, refusal.ErrUnusable)
}
