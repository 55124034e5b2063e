package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/platform/clock"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/services/masterdata/internal/catalog"
	"crossdock.dev/services/masterdata/internal/resource"
	"crossdock.dev/services/masterdata/internal/rule"
	"crossdock.dev/services/masterdata/internal/store"
)

// open opens a store in dir, and closes it with the test if reopen has not.
func open(t *testing.T, dir string) (*platform.Store, *store.Store) {
	t.Helper()
	db, err := platform.Open(t.Context(), platform.Options{Path: store.Path(dir), Schema: store.Schema(catalog.Kinds()),
		Clock: clock.Fixed(time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db, store.New(db, catalog.Kinds())
}

func save(t *testing.T, s *store.Store, k resource.Kind, old, now proto.Message) error {
	t.Helper()
	_, _, err := s.Change(t.Context(), platform.Cause{Principal: "test"}, k, func(tx *store.Tx) (proto.Message, error) {
		return now, tx.Save(t.Context(), k, old, now, nil)
	})
	return err
}

func party(name string, values ...string) *masterdatav1.Party {
	p := &masterdatav1.Party{Name: name, DisplayName: "A party", Roles: []masterdatav1.Party_Role{masterdatav1.Party_CUSTOMER}, LegalEntity: "legalEntities/LE-US", CurrencyCode: "USD", Etag: "1"}
	for _, v := range values {
		p.ExternalIds = append(p.ExternalIds, &typev1.ExternalId{System: "rest", Kind: "api_client", Value: v})
	}
	return p
}

// TestConformance runs over a store that stays open, and over one that is opened again before each step.
func TestConformance(t *testing.T) {
	for _, mode := range []string{"open", "reopened"} {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			db, s := open(t, dir)
			next := func() {
				if mode == "reopened" {
					if err := db.Close(); err != nil {
						t.Fatal(err)
					}
					db, s = open(t, dir)
				}
			}
			if _, err := s.Get(t.Context(), "parties/CUS-A"); !errors.Is(err, resource.ErrNotFound) {
				t.Errorf("empty store: %v, want ErrNotFound", err)
			}
			if _, err := s.Get(t.Context(), "planets/MARS"); !errors.Is(err, resource.ErrNotFound) {
				t.Errorf("unknown collection: %v, want ErrNotFound", err)
			}
			a, b := party("parties/CUS-A", "one", "two"), party("parties/CUS-B", "three")
			for _, p := range []*masterdatav1.Party{b, a} {
				if err := save(t, s, catalog.Party, nil, p); err != nil {
					t.Fatal(err)
				}
				next()
			}
			if got, err := s.Get(t.Context(), "parties/CUS-A"); err != nil || !proto.Equal(got, a) {
				t.Errorf("got %v, %v, want %v", got, err, a)
			}
			rows, more, err := s.List(t.Context(), catalog.Party, "", 1)
			if err != nil || !more || len(rows) != 1 || rows[0].Name != "parties/CUS-A" {
				t.Errorf("first page = %v, more %v, %v, want parties/CUS-A and more", rows, more, err)
			}
			rows, more, err = s.List(t.Context(), catalog.Party, "parties/CUS-A", 1)
			if err != nil || more || len(rows) != 1 || rows[0].Name != "parties/CUS-B" {
				t.Errorf("last page = %v, more %v, %v, want parties/CUS-B and no more", rows, more, err)
			}
			// B wants A's second name and has one of its own twice: both are named, nothing is kept.
			var bad rule.Fields
			err = save(t, s, catalog.Party, b, party("parties/CUS-B", "two", "four", "four"))
			if !errors.As(err, &bad) || len(bad) != 2 || bad[0].Reason != rule.KeyTaken || bad[1].Reason != rule.Duplicate {
				t.Errorf("keys of others: %v, want KEY_TAKEN and DUPLICATE", err)
			}
			next()
			smaller := party("parties/CUS-A", "one")
			if err := save(t, s, catalog.Party, a, smaller); err != nil {
				t.Fatal(err)
			}
			next()
			if err := save(t, s, catalog.Party, b, party("parties/CUS-B", "two", "four")); err != nil {
				t.Errorf("a name let go of: %v", err)
			}
		})
	}
}

// TestInvariants writes past the rules and wants verify to name the records.
func TestInvariants(t *testing.T) {
	db, s := open(t, t.TempDir())
	if err := save(t, s, catalog.Party, nil, party("parties/CUS-A", "one", "two")); err != nil {
		t.Fatal(err)
	}
	// The row of a key disappears; the legal entity was never there.
	_, err := db.Change(t.Context(), platform.Cause{Principal: "test"}, func(tx *platform.Tx) ([]byte, error) {
		for _, b := range store.Schema(catalog.Kinds()).Buckets {
			if b.Name == "keys" {
				return nil, tx.Delete(context.Background(), b, platform.Key("external_id", "rest", "api_client", "", "one"))
			}
		}
		return nil, errors.New("no bucket keys")
	})
	if err != nil {
		t.Fatal(err)
	}
	report, err := db.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Breaches) != 2 {
		t.Errorf("breaches = %q, want 2", report.Breaches)
	}
	for _, want := range []string{"parties/CUS-A: legal_entity: legalEntities/LE-US is not there", "of parties/CUS-A is not on file"} {
		if !slices.ContainsFunc(report.Breaches, func(b string) bool { return strings.Contains(b, want) }) {
			t.Errorf("breaches %q do not say %q", report.Breaches, want)
		}
	}
}

// TestInvariantsOfMany has more keys than are read at a time.
func TestInvariantsOfMany(t *testing.T) {
	db, s := open(t, t.TempDir())
	entity := &masterdatav1.LegalEntity{Name: "legalEntities/LE-US", CurrencyCode: "USD", Etag: "1"}
	if err := save(t, s, catalog.LegalEntity, nil, entity); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		p := party(fmt.Sprintf("parties/CUS-%02d", i))
		for j := range 60 {
			p.ExternalIds = append(p.ExternalIds, &typev1.ExternalId{System: "rest", Value: fmt.Sprint(i, "/", j)})
		}
		if err := save(t, s, catalog.Party, nil, p); err != nil {
			t.Fatal(err)
		}
	}
	if report, err := db.Verify(t.Context()); err != nil || len(report.Breaches) > 0 {
		t.Errorf("verify = %q, %v, want no breach", report.Breaches, err)
	}
}
