// Package mapping turns X12 sets into neutral values, and neutral values into sets and
// interchanges of ours.
//
// There is one file per set and direction. The functions are pure: what they
// need beyond the set (unit table, addresses, control numbers, time) is given
// to them. They promise to lose nothing in silence: what a set says and its
// value does not is a [Problem] with its place in the set and its byte range in
// the input.
//
// They leave to others: who the parties are, whether an item exists, whether
// the document was seen before, and what to do about a problem.
package mapping
