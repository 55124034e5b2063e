// Package chaos plays the real purchase order while things go wrong, and damages what it leaves behind.
//
// Everything that goes wrong is drawn from a seed: which loop runs next, which service dies, what call is lost, which feed is
// late, what a partner sends twice. The same seed makes the same run, down to the hashes of the logs. Whatever happens on
// the way, the order must end as tests/day/expected.json says, once, and every store must verify. How programs survive kill -9
// is for package programs; here all services live in one goroutine.
package chaos
