// Package refusal holds the errors that freight's domain answers with: values that a caller can ask, with a stable reason.
// Which code a caller on the network gets for them is left to package api.
package refusal

import (
	"errors"
	"fmt"
	"strings"
)

// The sentinels. ErrNotFound also stands for what the caller may not see, ErrUnusable for master data that says what cannot be.
var (
	ErrNotFound = errors.New("not found")
	ErrStale    = errors.New("changed since it was read")
	ErrUnusable = errors.New("master data is unusable")
)

// Reason is the stable name of a refusal that is neither about a field nor about a state.
type Reason string

// The reasons.
const (
	MasterDataMissing Reason = "MASTER_DATA_MISSING"
	TenderExpired     Reason = "TENDER_EXPIRED"
	LoadNotOpen       Reason = "LOAD_NOT_OPEN"
	LoadNotBooked     Reason = "LOAD_NOT_BOOKED"
	FutureDated       Reason = "FUTURE_DATED"
	PiecesMismatch    Reason = "PIECES_MISMATCH"
	LoadShared        Reason = "LOAD_SHARED"
	LoadCancelled     Reason = "LOAD_CANCELLED"
)

// Reasons lists them all.
func Reasons() []Reason {
	return []Reason{MasterDataMissing, TenderExpired, LoadNotOpen, LoadNotBooked, FutureDated, PiecesMismatch, LoadShared, LoadCancelled}
}

// PreconditionError refuses what the facts of the moment do not allow.
type PreconditionError struct {
	Reason   Reason
	Metadata map[string]string // what a program needs beside the reason
}

// Error names the reason.
func (e *PreconditionError) Error() string { return fmt.Sprintf("%s %v", e.Reason, e.Metadata) }

// Precondition makes a PreconditionError of pairs of key and value.
func Precondition(reason Reason, pairs ...string) *PreconditionError {
	e := &PreconditionError{Reason: reason, Metadata: map[string]string{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		e.Metadata[pairs[i]] = pairs[i+1]
	}
	return e
}

// TransitionError refuses a verb that the state does not allow.
type TransitionError struct {
	Resource string // its name
	From     string // the state
	Verb     string
}

// Error says which verb in which state.
func (e *TransitionError) Error() string {
	return fmt.Sprintf("%s: cannot %s while %s", e.Resource, e.Verb, e.From)
}

// Field is one bad field, its path in proto names.
type Field struct{ Path, Description string }

// FieldErrors refuses a request for all its bad fields at once.
type FieldErrors struct{ Fields []Field }

// Error lists the fields.
func (e *FieldErrors) Error() string {
	var parts []string
	for _, f := range e.Fields {
		parts = append(parts, f.Path+": "+f.Description)
	}
	return strings.Join(parts, "; ")
}

// Add notes a bad field.
func (e *FieldErrors) Add(path, format string, args ...any) {
	e.Fields = append(e.Fields, Field{Path: path, Description: fmt.Sprintf(format, args...)})
}

// Err is the collected error, or nil when no field is bad.
func (e *FieldErrors) Err() error {
	if len(e.Fields) == 0 {
		return nil
	}
	return e
}
