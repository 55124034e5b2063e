package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Kind says where the truth about a bucket lies.
type Kind int

// The kinds of bucket.
const (
	// Record: in the log, byte for byte.
	Record Kind = iota + 1
	// Derived: computed from records by the schema's Rebuild; not in the log.
	Derived
	// Personal: what identifies people. The log holds a salted hash only, so that deleting the record erases the data.
	Personal
)

// Bucket is one named, ordered map of the store.
type Bucket struct {
	Name string
	Kind Kind
	// Doc says what key and record are.
	Doc string
	// Copies is the followed log whose facts the bucket holds a copy of; empty for what is the service's own. A change that
	// reads a copy builds on that log, as far as it has been read: the entry says so, and whoever acts on the change's facts
	// waits until it has read as far.
	Copies string
}

// Invariant is a rule about the records of one service that must always hold.
type Invariant struct {
	// Name stands in reports, such as "I4 quantities".
	Name string
	// Check returns one line for each breach, naming the records.
	Check func(ctx context.Context, r Reader) (breaches []string, err error)
}

// Schema is what a service keeps. The platform's own buckets are added by Open.
type Schema struct {
	// Service is the log's name.
	Service string
	// Version is stored in every record and in the file. It goes up when buckets are added or a derived bucket is computed
	// in another way; Open then creates and rebuilds. A file of a later version is refused.
	Version uint32
	Buckets []*Bucket
	// Rebuild fills every derived bucket from records; nil when there is none.
	Rebuild    func(ctx context.Context, r Reader, w *DerivedWriter) error
	Invariants []Invariant
	// Series returns the last number given of each number series, by the name under which NextNumber gives the next; nil when there
	// is none.
	Series func(ctx context.Context, r Reader) (map[string]uint64, error)
}

// The store's own buckets, which no schema may name.
const (
	metaBucket   = "meta"
	logBucket    = "log"
	causesBucket = "causes"
)

// catalogue is a checked schema with the platform's buckets added.
type catalogue struct {
	Schema
	declared Schema // as the service gave it
	byName   map[string]declaration
}

// declaration is a bucket with its name as bbolt wants it.
type declaration struct {
	*Bucket
	name []byte
}

func newCatalogue(s Schema) (*catalogue, error) {
	if s.Service == "" || s.Version == 0 {
		return nil, errors.New("schema: service and version must be set")
	}
	c := &catalogue{Schema: s, declared: s, byName: map[string]declaration{}}
	c.Buckets = slices.Concat(s.Buckets, platformBuckets)
	c.Invariants = slices.Concat(platformInvariants, s.Invariants)
	derived := false
	for i, b := range c.Buckets {
		switch {
		case b.Name == "" || b.Name == metaBucket || b.Name == logBucket || b.Name == causesBucket:
			return nil, fmt.Errorf("schema: bucket name %q is empty or reserved", b.Name)
		case b.Kind < Record || b.Kind > Personal:
			return nil, fmt.Errorf("schema: bucket %s has no kind", b.Name)
		case c.byName[b.Name].Bucket != nil:
			return nil, fmt.Errorf("schema: bucket %s is declared twice", b.Name)
		}
		c.byName[b.Name] = declaration{b, []byte(b.Name)}
		derived = derived || b.Kind == Derived && i < len(s.Buckets)
	}
	if derived && s.Rebuild == nil {
		return nil, errors.New("schema: derived buckets need a rebuild")
	}
	return c, nil
}

// check refuses a bucket that was not declared: its writes would be lost on replay. name is the bucket's, as bbolt wants it.
func (c *catalogue) check(b *Bucket) (name []byte, err error) {
	if b == nil {
		return nil, errors.New("store: nil bucket")
	}
	known := c.byName[b.Name]
	if known.Bucket == nil || known.Kind != b.Kind {
		return nil, fmt.Errorf("store: bucket %s is not declared in the schema of %s", b.Name, c.Service)
	}
	return known.name, nil
}

// rebuild fills all derived buckets, the platform's and the service's.
func (c *catalogue) rebuild(ctx context.Context, r Reader, w *DerivedWriter) error {
	if err := rebuildPlatform(ctx, r, w); err != nil {
		return err
	}
	if c.Rebuild == nil {
		return nil
	}
	return c.Rebuild(ctx, r, w)
}
