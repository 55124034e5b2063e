package releases

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	edi "crossdock.dev/integrations/edi/core"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/store"
	billing "crossdock.dev/services/billing/core"
	edge "crossdock.dev/services/edge/core"
	freight "crossdock.dev/services/freight/core"
	masterdata "crossdock.dev/services/masterdata/core"
	orders "crossdock.dev/services/orders/core"
	tower "crossdock.dev/services/tower/core"
	workflow "crossdock.dev/services/workflow/core"
	"crossdock.dev/tests/story"
)

// schemas are what today's services keep.
var schemas = []store.Schema{
	masterdata.Schema(), orders.Schema(), freight.Schema(), billing.Schema(), workflow.Schema(), edge.Schema(), tower.Schema(), edi.Schema(),
}

// In the middle of an order every stored message gets a field that no program of today or of the last release knows, as a later
// program would leave it. The order is played on; the field is still there wherever the record is, changed or not.
func TestUnknownFieldsSurvive(t *testing.T) {
	for _, by := range []string{"today", "released"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			folder, forward := today, []string(nil)
			if by == "released" {
				old := lastRelease(t)
				folder, forward = old.bin, onlyForward(t, old.version)
			}
			s := newSuite(t)
			live := s.start()
			fill(t, live)
			var n story.Names
			const half = 3 // the load is accepted, and picked up
			must(t, story.Play(t.Context(), live, story.HappyPath(live, document(t), &n)[:half], func(story.Act) {}))
			settle(t, live)
			must(t, s.Up.Stop())

			marked := map[string][]place{}
			for _, schema := range schemas {
				if marked[schema.Service] = s.mark(schema); len(marked[schema.Service]) == 0 {
					t.Errorf("%s keeps nothing that could be marked", schema.Service)
				}
				if !slices.Contains(forward, schema.Service) {
					s.deploy(schema.Service, folder)
				}
			}
			s.Launch(t)
			must(t, s.Ready(t.Context()))
			r, err := story.ReadRun(s.RunFile())
			must(t, err)
			live = connect(t, r)
			must(t, story.Play(t.Context(), live, story.HappyPath(live, document(t), &n)[half:], func(story.Act) {}))
			settle(t, live)
			must(t, s.Up.Stop())
			for _, name := range names {
				s.deploy(name, today)
			}
			s.cli("verify", "--offline")
			for _, schema := range schemas {
				kept, changed := s.marks(schema, marked[schema.Service])
				t.Logf("%s: %d records marked, %d still there, of these %d changed since", schema.Service, len(marked[schema.Service]), kept, changed)
			}
		})
	}
}

// later is a field that only a program of the future knows.
var later = protowire.AppendString(protowire.AppendTag(nil, 19_500, protowire.BytesType), "kept")

// place is where a marked record stands, and what it was then.
type place struct {
	bucket     *store.Bucket
	key, value []byte
}

// mark appends the field to every message of a store that no program has open. A list of messages by itself is none, nor are
// numbers and the pieces of larger messages, which say "bytes".
func (s *suite) mark(schema store.Schema) (marked []place) {
	s.t.Helper()
	s.open(schema, func(st *store.Store) {
		_, err := st.Change(s.t.Context(), store.Cause{Principal: "test", Method: "mark"}, func(tx *store.Tx) ([]byte, error) {
			for _, b := range append(slices.Clone(schema.Buckets), store.Consumers, store.Tasks) {
				if b.Kind == store.Derived || strings.Contains(b.Doc, "bytes") {
					continue
				}
				var rows []place
				err := store.Each(s.t.Context(), tx, b, nil, func(kv store.KV) error {
					rows = append(rows, place{b, kv.Key, slices.Concat(kv.Value, later)})
					return nil
				})
				if err != nil {
					return nil, err
				}
				for _, row := range rows {
					if err := tx.Put(s.t.Context(), b, row.key, row.value); err != nil {
						return nil, err
					}
				}
				marked = append(marked, rows...)
			}
			return nil, nil
		})
		must(s.t, err)
	})
	return marked
}

// marks checks that the marked records which are still there have the field; it counts them, and those that were changed since.
func (s *suite) marks(schema store.Schema, marked []place) (kept, changed int) {
	s.t.Helper()
	s.open(schema, func(st *store.Store) {
		must(s.t, st.View(s.t.Context(), func(r store.Reader) error {
			for _, p := range marked {
				got, err := r.Get(s.t.Context(), p.bucket, p.key)
				switch {
				case errors.Is(err, store.ErrNotFound):
					continue
				case err != nil:
					return err
				case !bytes.Contains(got, later):
					s.t.Errorf("%s: bucket %s key %q has lost a field that its program does not know", schema.Service, p.bucket.Name, p.key)
				case !bytes.Equal(got, p.value):
					changed++
				}
				kept++
			}
			return nil
		}))
	})
	return kept, changed
}

// open opens the store of a service that does not run.
func (s *suite) open(schema store.Schema, fn func(*store.Store)) {
	s.t.Helper()
	st, err := store.Open(context.Background(), store.Options{
		Path: filepath.Join(s.Dir, "data", schema.Service, schema.Service+".db"), Schema: schema, Clock: clock.System(),
	})
	must(s.t, err)
	fn(st)
	must(s.t, st.Close())
}
