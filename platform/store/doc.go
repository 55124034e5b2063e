// Package store keeps the state of a service and the log of its changes in one bbolt file, and commits both together.
//
// A change is a closure over a Tx. What it puts, deletes and tells (facts) becomes one log entry; the store builds the
// entry itself, so a domain never sees it. From that follow the promises:
//
//   - A change is all there or not at all, state and facts alike, after any crash.
//   - Many changes share one commit, and a refused one, even one that panics, costs its neighbours nothing.
//   - The same cause (principal, method, request id) takes effect once; a repeat gets the same answer.
//   - Every entry names the hash of the one before, and holds every write: Verify replays the log and compares
//     what it gives with what is stored.
//   - A restored store goes on in a new epoch, whose first entry names the last one of its copy, and gives no number and sends nothing twice
//     before a person has decided.
//   - Every stored value carries a CRC32C that covers its bucket and key too. A wrong one is never served.
//
// The log is kept for ever, its oldest entries in files where somebody wants that (Archive), and it holds records, answers and the
// payloads of facts and tasks as they are. What identifies a person belongs in a personal bucket alone, of which the log has a salted
// hash; an answer or fact names the record.
//
// Closures may run more than once and must have no side effects: no RPC, no sleep, no channel inside.
//
// Left to others: what the records mean (the service), who may change what (package auth), serving the log (package
// eventlog). This is the only package that knows bbolt.
package store
