package order

import (
	"errors"
	"fmt"
	"strings"
)

// The errors without details.
var (
	// ErrNotFound: there is no such order or release.
	ErrNotFound = errors.New("order not found")
	// ErrStale: the order has changed since the caller saw it.
	ErrStale = errors.New("order has changed")
	// ErrNothingUnreleased: nothing is left to release.
	ErrNothingUnreleased = errors.New("nothing is unreleased")
	// ErrCallingOff: the customer wants the order cancelled, so nothing more is released.
	ErrCallingOff = errors.New("the order is being cancelled")
	// ErrOtherCustomer: a partner ordered for somebody else.
	ErrOtherCustomer = errors.New("a partner orders for itself alone")
)

// TransitionError refuses a verb that the commercial state does not know.
type TransitionError struct {
	From Commercial
	Verb Verb
}

// Error names state and verb.
func (e *TransitionError) Error() string { return fmt.Sprintf("%s order: cannot %s", e.From, e.Verb) }

// HeldError refuses what holds are in the way of.
type HeldError struct{ Holds []Hold }

// Error names the kinds.
func (e *HeldError) Error() string {
	kinds := make([]string, len(e.Holds))
	for i, h := range e.Holds {
		kinds[i] = string(h.Kind)
	}
	return "holds in the way: " + strings.Join(kinds, ", ")
}

// MissingError refuses what cannot go on before master data holds more.
type MissingError struct{ Missing []Missing }

// Error names all that is missing.
func (e *MissingError) Error() string { return "master data lacks: " + reasons(e.Missing) }

// ShippedError refuses to cancel what has left in part; Lines are those lines' numbers.
type ShippedError struct{ Lines []string }

// Error names the lines.
func (e *ShippedError) Error() string { return "lines that have left: " + strings.Join(e.Lines, ", ") }

// DuplicateError refuses a second order with a customer's number; Existing is the first one's name.
type DuplicateError struct{ Existing string }

// Error names the first order.
func (e *DuplicateError) Error() string { return "the number is taken by " + e.Existing }

// FieldError is one bad field of a request. Path leads to it in proto names.
type FieldError struct {
	Path, Description string
	// Reason is stable; "" is a plain bad value.
	Reason string
}

// MoreThanUnreleased is the reason of a line of which more was to be released than is left.
const MoreThanUnreleased = "MORE_THAN_UNRELEASED"

// FieldErrors refuses a request for its fields: all bad ones at once.
type FieldErrors struct{ Fields []FieldError }

// Add notes a bad field.
func (e *FieldErrors) Add(path, format string, args ...any) {
	e.Fields = append(e.Fields, FieldError{Path: path, Description: fmt.Sprintf(format, args...)})
}

// Err is nil when no field is bad.
func (e *FieldErrors) Err() error {
	if len(e.Fields) == 0 {
		return nil
	}
	return e
}

// Error lists the fields.
func (e *FieldErrors) Error() string {
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = f.Path + ": " + f.Description
	}
	return strings.Join(parts, "; ")
}
