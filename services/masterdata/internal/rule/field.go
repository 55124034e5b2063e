// Package rule says what master data must mean to be accepted.
//
// Its functions are pure and work on small values. Each returns every bad field that it finds, with a path in proto names
// below the resource, so that a caller learns all of them at once. Shape (required, length, pattern) is checked before, at
// the field's contract; whether a named resource exists is asked of the store, by package catalog.
package rule

import (
	"fmt"
	"strings"
)

// Reason says why a field is bad. It is stable; programs decide by it.
type Reason string

// The reasons. Each has a value of the same name in the contract's errors.proto, where it is described.
const (
	UnknownReference Reason = "UNKNOWN_REFERENCE"
	KeyTaken         Reason = "KEY_TAKEN"
	Malformed        Reason = "MALFORMED"
	Missing          Reason = "MISSING"
	NotAllowed       Reason = "NOT_ALLOWED"
	OutOfRange       Reason = "OUT_OF_RANGE"
	NotAscending     Reason = "NOT_ASCENDING"
	Duplicate        Reason = "DUPLICATE"
	CountMismatch    Reason = "COUNT_MISMATCH"
	Fixed            Reason = "FIXED"
)

// Field is one bad field.
type Field struct {
	// Path leads to the field below the resource, such as "rows[2].rates".
	Path   string
	Reason Reason
	// Description says in words what is wrong.
	Description string
}

// Fields are all bad fields of a resource. As an error it is a refusal for them; empty, it is no error.
type Fields []Field

// Error lists the fields.
func (f Fields) Error() string {
	parts := make([]string, len(f))
	for i, x := range f {
		parts[i] = fmt.Sprintf("%s: %s (%s)", x.Path, x.Description, x.Reason)
	}
	return strings.Join(parts, "; ")
}

// Err is nil when there is no bad field.
func (f Fields) Err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// Under returns the fields with their paths below parent.
func (f Fields) Under(parent string) Fields {
	out := make(Fields, len(f))
	for i, x := range f {
		x.Path = parent + "." + x.Path
		out[i] = x
	}
	return out
}

// Add notes one more bad field.
func (f *Fields) Add(path string, reason Reason, format string, args ...any) {
	*f = append(*f, Field{path, reason, fmt.Sprintf(format, args...)})
}
