// Package app holds edge's verbs: load, decide, save. It promises that each runs in one commit, that a repeat of the same
// request changes nothing, and that a secret leaves it once and stays nowhere. It leaves decoding and refusals to package
// api, and the partners' calls to package front.
package app

import (
	"io"

	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/typeid"
)

// App is edge's verbs over one store.
type App struct {
	store    *store.Store
	business clock.Business
	ids      typeid.Source
	random   io.Reader
}

// New makes the verbs. random gives secrets and must be safe for use from many goroutines, as crypto/rand's is.
func New(s *store.Store, business clock.Business, ids typeid.Source, random io.Reader) *App {
	return &App{store: s, business: business, ids: ids, random: random}
}
