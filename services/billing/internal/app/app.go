// Package app is billing's verbs, one file each: load, decide, save, in one commit. It promises that a verb takes effect whole or
// not at all, and that repeating one gives the same answer. What is right is decided by the domain packages; who may ask is
// the API's business.
package app

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/typeid"

	"crossdock.dev/services/billing/internal/predicate"
	"crossdock.dev/services/billing/internal/store"
)

// App is billing's verbs over its store.
type App struct {
	store *store.Store
	clock clock.Business
	ids   typeid.Source
}

// New returns the verbs over a store, with the clock of documents and the source of new ids.
func New(s *store.Store, c clock.Business, ids typeid.Source) *App {
	return &App{store: s, clock: c, ids: ids}
}

func (a *App) now() time.Time { return a.clock.Now().UTC() }

// UnmetError says that a shipment may not be billed yet, with every condition that does not hold.
type UnmetError struct {
	Shipment string
	Unmet    []predicate.Conjunct
}

// Error names the unmet conditions.
func (e *UnmetError) Error() string {
	var names []string
	for _, c := range e.Unmet {
		names = append(names, c.Condition)
	}
	return fmt.Sprintf("%s may not be billed: %s", e.Shipment, strings.Join(names, ", "))
}

// MissingError says that master data which a document needs has not arrived.
type MissingError struct{ What string }

// Error names what is missing.
func (e *MissingError) Error() string { return "master data has not arrived: " + e.What }

// needed turns a missing master data resource into a MissingError.
func needed(what string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return &MissingError{what}
	}
	return err
}
