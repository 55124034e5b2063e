// Package resource is what the twelve kinds of master data have in common, so that one engine serves them all.
//
// A Kind is one row of a table (package catalog): its collection, its message, what must hold, and the fact that tells of a
// change. The functions here read and change the fields that every kind has, name and etag, through the message's own
// description; nothing here knows a single kind.
package resource

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"crossdock.dev/services/masterdata/internal/rule"
)

// The refusals that do not name a field of the resource.
var (
	// ErrNotFound: there is no resource of this name, and the caller did not ask to create one.
	ErrNotFound = errors.New("not found")
	// ErrStale: the caller has seen another revision.
	ErrStale = errors.New("etag is stale")
	// ErrApproved: the resource is approved and never changes again.
	ErrApproved = errors.New("approved already")
)

// Kind is one kind of master data.
type Kind struct {
	// Field is the kind's name in requests and records, such as "legal_entity"; paths of bad fields begin with it.
	Field string
	// Collection is the first part of its names, such as "legalEntities".
	Collection string
	// New makes an empty resource.
	New func() proto.Message
	// Check returns every field that breaks a rule; look finds what the resource refers to.
	Check func(ctx context.Context, m proto.Message, look Lookup) (rule.Fields, error)
	// Keys are the business keys that belong to the resource alone; nil when the kind has none.
	Keys func(m proto.Message) []Key
	// Keep returns the fields that may not change from old to now, because others rely on them; nil when all may.
	Keep func(old, now proto.Message) rule.Fields
	// Fact tells of the resource as it now stands.
	Fact func(m proto.Message) Fact
	// Approval is nil for a kind that is in use as soon as it is written.
	Approval *Approval
}

// Key is a business key.
type Key struct {
	// Path is the field that holds it, for the refusal.
	Path string
	// Parts are what must not be there twice, the sort of key first.
	Parts []string
}

// Fact is what is told of a change.
type Fact struct {
	Type    string
	Payload proto.Message
	// Related are the names of what the resource refers to.
	Related []string
}

// Approval is the one step in the life of a kind that somebody puts into use: nothing is told before it, nothing changes
// after it.
type Approval struct {
	// Output are the fields that callers do not set.
	Output []string
	// Begin puts a new resource into its first state.
	Begin func(m proto.Message)
	// Approved tells whether it is in use.
	Approved func(m proto.Message) bool
	// Approve puts it into use.
	Approve func(m proto.Message, now time.Time)
}

// Lookup finds what a resource refers to.
type Lookup interface {
	// Resource returns a resource by name, or ErrNotFound.
	Resource(ctx context.Context, name string) (proto.Message, error)
	// HasKey tells whether any business key begins with these parts.
	HasKey(ctx context.Context, parts ...string) (bool, error)
}

// The fields that every kind has.
const (
	nameField = "name"
	etagField = "etag"
)

// Name is the resource name.
func Name(m proto.Message) string { return text(m, nameField) }

// ETag is the revision.
func ETag(m proto.Message) string { return text(m, etagField) }

// SetETag sets the revision.
func SetETag(m proto.Message, etag string) { setText(m, etagField, etag) }

// NextETag is the revision after etag; the first is "1".
func NextETag(etag string) string {
	n, err := strconv.ParseUint(etag, 10, 64)
	if err != nil {
		n = 0
	}
	return strconv.FormatUint(n+1, 10)
}

func text(m proto.Message, field protoreflect.Name) string {
	r := m.ProtoReflect()
	return r.Get(r.Descriptor().Fields().ByName(field)).String()
}

func setText(m proto.Message, field protoreflect.Name, s string) {
	r := m.ProtoReflect()
	r.Set(r.Descriptor().Fields().ByName(field), protoreflect.ValueOfString(s))
}

// CheckMask returns a bad field for each path that is no field of the resource itself; "*" alone stands for all.
func CheckMask(m proto.Message, mask []string) rule.Fields {
	var f rule.Fields
	for _, path := range mask {
		if path != "*" && m.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(path)) == nil {
			f.Add("update_mask", rule.Malformed, "%q is no field of it", path)
		} else if path == "*" && len(mask) > 1 {
			f.Add("update_mask", rule.Malformed, "\"*\" stands alone")
		}
	}
	return f
}

// Merge returns old with the fields of mask taken from in, all of them when the mask is empty or "*". What callers do not
// set stays as it was: the name, the etag and output fields. So do fields that this program does not know.
func Merge(old, in proto.Message, mask, output []string) proto.Message {
	out := proto.Clone(old)
	o, n := out.ProtoReflect(), in.ProtoReflect()
	fields := o.Descriptor().Fields()
	all := len(mask) == 0 || slices.Equal(mask, []string{"*"})
	fixed := append([]string{nameField, etagField}, output...)
	for i := range fields.Len() {
		fd := fields.Get(i)
		if name := string(fd.Name()); slices.Contains(fixed, name) || !all && !slices.Contains(mask, name) {
			continue
		}
		if n.Has(fd) {
			o.Set(fd, n.Get(fd))
		} else {
			o.Clear(fd) // of a oneof, this leaves a sibling that was set alone
		}
	}
	return out
}

// Clear takes the fields that callers do not set out of a resource that is new.
func Clear(m proto.Message, output []string) {
	for _, name := range append([]string{etagField}, output...) {
		r := m.ProtoReflect()
		r.Clear(r.Descriptor().Fields().ByName(protoreflect.Name(name)))
	}
}
