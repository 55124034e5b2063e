package store

import (
	"errors"
	"fmt"
)

// The errors that callers tell apart.
var (
	// ErrNotFound: no record has this key.
	ErrNotFound = errors.New("not found")
	// ErrRequestIDReused: the caller used this request id before, with other arguments.
	ErrRequestIDReused = errors.New("request id was used before with other arguments")
	// ErrOutcomeUnknown: the commit failed in a way that may have left the change visible. The store takes no more
	// changes; the program ends, and the caller asks again with the same request id.
	ErrOutcomeUnknown = errors.New("outcome unknown")
	// ErrFull: no space is left on the disk. Nothing was changed; changes are taken again as soon as there is space.
	ErrFull = errors.New("store is full")
	// ErrClosed: the store takes no more changes. This one was not made.
	ErrClosed = errors.New("store is closed")
	// ErrOutOfRange: the position is of another log or epoch, or lies outside what the log holds.
	ErrOutOfRange = errors.New("position is out of range")
	// ErrInUse: another process has the file open.
	ErrInUse = errors.New("store is in use by another process")
	// ErrTooLarge: a record, key or entry is larger than the store takes.
	ErrTooLarge = errors.New("too large for the store")
)

// notFoundError is ErrNotFound with the names, put into words only when somebody wants them: most are looked for and not shown.
type notFoundError struct {
	bucket *Bucket
	key    []byte
}

func (e *notFoundError) Error() string {
	return fmt.Sprintf("bucket %s key %s: %v", e.bucket.Name, printable(e.key), ErrNotFound)
}

func (e *notFoundError) Unwrap() error { return ErrNotFound }

// CorruptError says that stored bytes are not those that were written.
type CorruptError struct {
	Bucket string
	Key    []byte
}

// Error names bucket and key.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("bucket %s key %s: stored bytes are damaged", e.Bucket, printable(e.Key))
}

// PanicError is what a closure that panicked is answered with.
type PanicError struct {
	Value any
}

// Error shows the value that the closure panicked with.
func (e *PanicError) Error() string { return fmt.Sprintf("change panicked: %v", e.Value) }

// printable shows a key so that a person can find it: text as it is, anything else in hex.
func printable(key []byte) string {
	for _, c := range key {
		if c < ' ' || c > '~' {
			return fmt.Sprintf("%x", key)
		}
	}
	return fmt.Sprintf("%q", key)
}
