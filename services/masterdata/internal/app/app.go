// Package app holds the verbs of masterdata, one file each: load, decide, save.
//
// One engine serves all kinds of resource. It promises that an update that changes nothing tells nothing, that what is
// approved never changes, and that a refusal names every bad field at once. It leaves names of methods and messages to
// package api and the rules of each kind to package catalog.
package app

import (
	"crossdock.dev/platform/clock"
	"crossdock.dev/services/masterdata/internal/resource"
	"crossdock.dev/services/masterdata/internal/store"
)

// App makes the changes.
type App struct {
	store *store.Store
	clock clock.Business
}

// New works on a store with business time.
func New(s *store.Store, c clock.Business) *App { return &App{s, c} }

func output(k resource.Kind) []string {
	if k.Approval == nil {
		return nil
	}
	return k.Approval.Output
}
