// Package story plays real partner traffic against the suite and tells what came of it.
//
// The conductor sets business time, puts the customer's file where customers put files, lets the carrier act, and waits for
// the facts that must follow: signals of the feeds, never a pause. The carrier knows nothing but REST and the numbers on its
// own paper: what it bills comes from its own page, not from our tender.
//
// How the suite is reached is a World: running programs on loopback, or all services in one goroutine.
package story
