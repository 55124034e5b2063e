// Package process decides who acts next on the way from order to cash, by when, and what needs a person.
//
// A process is a value; Next is a pure function from a process and an event to the process after it, the commands that it
// wants sent and the work items that it opens or closes. The same events in any order that causes allow end in the same
// state, and an event that was seen before changes nothing.
//
// A process keeps names and what it waits for, no business data: quantities, prices and rules belong to the services that
// it commands. Sending commands, keeping processes and reading feeds are left to app, store and inbound.
package process
