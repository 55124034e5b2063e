package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	storagev1 "crossdock.dev/gen/crossdock/masterdata/storage/v1"
	"crossdock.dev/platform/store"
	"crossdock.dev/services/masterdata/internal/resource"
	"crossdock.dev/services/masterdata/internal/rule"
)

// batch is how many records are read at a time.
const batch = 500

// Store is master data in the service's file.
type Store struct {
	db    *store.Store
	kinds []resource.Kind
}

// New works on an open file with the schema of the same kinds.
func New(db *store.Store, kinds []resource.Kind) *Store { return &Store{db, kinds} }

// Row is a resource with its name.
type Row struct {
	Name     string
	Resource proto.Message
}

// Get returns a resource by name, or resource.ErrNotFound.
func (s *Store) Get(ctx context.Context, name string) (m proto.Message, err error) {
	err = s.db.View(ctx, func(r store.Reader) error {
		m, err = reader{r, s.kinds}.Resource(ctx, name)
		return err
	})
	return m, err
}

// List returns at most limit resources of a kind by name, those after the name last; more says that others follow.
func (s *Store) List(ctx context.Context, k resource.Kind, last string, limit int) (rows []Row, more bool, err error) {
	err = s.db.View(ctx, func(r store.Reader) error {
		rows, err = scan(ctx, r, k, last, limit+1)
		return err
	})
	if len(rows) > limit {
		return rows[:limit], true, err
	}
	return rows, false, err
}

// Change makes a change whose answer is a resource of kind k. A repeated cause gets the first answer.
func (s *Store) Change(ctx context.Context, c store.Cause, k resource.Kind, fn func(tx *Tx) (proto.Message, error)) (proto.Message, store.Position, error) {
	return store.Change(ctx, s.db, c, store.ProtoCodec(k.New), func(tx *store.Tx) (proto.Message, error) {
		return fn(&Tx{reader{tx, s.kinds}, tx})
	})
}

// reader finds resources in a transaction.
type reader struct {
	r     store.Reader
	kinds []resource.Kind
}

var _ resource.Lookup = reader{}

// Resource returns a resource by name, or resource.ErrNotFound.
func (r reader) Resource(ctx context.Context, name string) (proto.Message, error) {
	k, ok := kindOf(r.kinds, name)
	if !ok {
		return nil, resource.ErrNotFound
	}
	rec, err := resources.Get(ctx, r.r, []byte(name))
	if errors.Is(err, store.ErrNotFound) {
		return nil, resource.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return unwrap(k, rec)
}

// HasKey tells whether any business key begins with these parts.
func (r reader) HasKey(ctx context.Context, parts ...string) (bool, error) {
	rg := store.Prefix(encode(parts))
	rg.Limit = 1
	rows, err := keys.Scan(ctx, r.r, rg)
	return len(rows) > 0, err
}

// Tx is a change under way.
type Tx struct {
	reader
	tx *store.Tx
}

// Save writes a resource with its keys and tells the fact, if there is one. Keys that belong to others are refused as
// rule.Fields, all at once. old is the resource as it was, nil when it is new.
func (t *Tx) Save(ctx context.Context, k resource.Kind, old, now proto.Message, fact *resource.Fact) error {
	name := resource.Name(now)
	if err := t.saveKeys(ctx, k, old, now); err != nil {
		return err
	}
	rec := &storagev1.ResourceRecord{}
	rec.ProtoReflect().Set(field(rec, k), protoreflect.ValueOfMessage(now.ProtoReflect()))
	if err := resources.Put(ctx, t.tx, []byte(name), rec); err != nil {
		return fmt.Errorf("save %s: %w", name, err)
	}
	if fact == nil {
		return nil
	}
	return t.tx.Emit(store.Fact{Type: fact.Type, Subject: name, Related: fact.Related, Payload: fact.Payload})
}

func (t *Tx) saveKeys(ctx context.Context, k resource.Kind, old, now proto.Message) error {
	name := resource.Name(now)
	var bad rule.Fields
	mine := map[string]bool{}
	for _, key := range keysOf(k, now) {
		at := encode(key.Parts)
		if mine[string(at)] {
			bad.Add(key.Path, rule.Duplicate, "%q is there already", key.Parts)
			continue
		}
		mine[string(at)] = true
		rec, err := keys.Get(ctx, t.tx, at)
		switch {
		case errors.Is(err, store.ErrNotFound):
			if err := keys.Put(ctx, t.tx, at, &storagev1.KeyRecord{Owner: name}); err != nil {
				return err
			}
		case err != nil:
			return err
		case rec.GetOwner() != name:
			bad.Add(key.Path, rule.KeyTaken, "%q belongs to %s", key.Parts, rec.GetOwner())
		}
	}
	if old != nil {
		for _, key := range keysOf(k, old) {
			if at := encode(key.Parts); !mine[string(at)] {
				if err := keys.Delete(ctx, t.tx, at); err != nil {
					return err
				}
			}
		}
	}
	return bad.Err()
}

func keysOf(k resource.Kind, m proto.Message) []resource.Key {
	if k.Keys == nil {
		return nil
	}
	return k.Keys(m)
}

func kindOf(kinds []resource.Kind, name string) (resource.Kind, bool) {
	collection, _, _ := strings.Cut(name, "/")
	for _, k := range kinds {
		if k.Collection == collection {
			return k, true
		}
	}
	return resource.Kind{}, false
}

func field(rec *storagev1.ResourceRecord, k resource.Kind) protoreflect.FieldDescriptor {
	return rec.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(k.Field))
}

func unwrap(k resource.Kind, rec *storagev1.ResourceRecord) (proto.Message, error) {
	fd := field(rec, k)
	if !rec.ProtoReflect().Has(fd) {
		return nil, fmt.Errorf("record holds no %s", k.Field)
	}
	return rec.ProtoReflect().Get(fd).Message().Interface(), nil
}

func scan(ctx context.Context, r store.Reader, k resource.Kind, last string, limit int) ([]Row, error) {
	rg := store.Prefix([]byte(k.Collection + "/"))
	if last != "" {
		rg.From = after([]byte(last))
	}
	rg.Limit = limit
	recs, err := resources.Scan(ctx, r, rg)
	if err != nil {
		return nil, err
	}
	rows := make([]Row, len(recs))
	for i, rec := range recs {
		m, err := unwrap(k, rec.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", rec.Key, err)
		}
		rows[i] = Row{string(rec.Key), m}
	}
	return rows, nil
}

// each calls fn for every resource of every kind.
func each(ctx context.Context, r store.Reader, kinds []resource.Kind, fn func(resource.Kind, Row) error) error {
	for _, k := range kinds {
		for last := ""; ; {
			rows, err := scan(ctx, r, k, last, batch)
			if err != nil {
				return err
			}
			for _, row := range rows {
				if err := fn(k, row); err != nil {
					return err
				}
				last = row.Name
			}
			if len(rows) < batch {
				break
			}
		}
	}
	return nil
}

func encode(parts []string) []byte {
	all := make([]any, len(parts))
	for i, p := range parts {
		all[i] = p
	}
	return store.Key(all...)
}

// after is the first key that can follow k.
func after(k []byte) []byte { return append(append([]byte(nil), k...), 0) }
