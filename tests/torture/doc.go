// Package torture runs the programs as they are shipped and breaks things while partners are at work: it kills programs at random and at
// named instants, disturbs the ways between them, fails their disks, fills them, slows them and cuts their power, and damages what they have
// written.
//
// Each attack begins with an empty suite that is filled with the day's master data, and keeps a number of whole flows in flight: an order
// comes in, by REST or as an 850, a load is tendered, a carrier accepts, reports, proves the delivery and bills. The load keeps a ledger
// of every request that was answered. When the attack is over, what was promised is looked up: every request of the ledger, sent again,
// has the answer that it had; every flow has ended; of every resource, document and message there is exactly one for each flow; nothing
// is parked, stopped or in doubt; and `crossdock verify` is clean.
//
// The attacks run with -torture alone (`make torture`; LONG=1 for the long form) and print what they did, what it took and what it may
// take. -seed draws everything that is random anew.
package torture
