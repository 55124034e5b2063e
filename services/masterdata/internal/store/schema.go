// Package store keeps master data: one record per resource, and one per business key that only one resource may have.
//
// It promises that a resource, its keys and the fact of its change are written together (Save), that a field written by a
// later program survives, and that no key leads to two resources. What a resource must mean is left to package catalog, who
// may change it to package app.
package store

import (
	"context"
	"fmt"
	"path/filepath"

	storagev1 "crossdock.dev/gen/crossdock/masterdata/storage/v1"
	"crossdock.dev/platform/store"
	"crossdock.dev/services/masterdata/internal/resource"
)

// Service is the name of the service and of its log.
const Service = "masterdata"

// The buckets. There is no derived one: a scan of resources by name is in order already.
var (
	// resources: key the resource name as it is ("parties/CUS-XYZ"), record storage.v1.ResourceRecord.
	resources = store.NewTable(&store.Bucket{Name: "resources", Kind: store.Record,
		Doc: "resource name -> ResourceRecord: every resource of every kind"}, func() *storagev1.ResourceRecord { return &storagev1.ResourceRecord{} })
	// keys: key store.Key(sort, part, ...), record storage.v1.KeyRecord.
	keys = store.NewTable(&store.Bucket{Name: "keys", Kind: store.Record,
		Doc: "sort and parts -> KeyRecord: to whom an external id, a contract version, a table version or a code belongs"}, func() *storagev1.KeyRecord { return &storagev1.KeyRecord{} })
)

// Path is the file of the store in a data folder.
func Path(dir string) string { return filepath.Join(dir, Service+".db") }

// Schema is what is kept.
func Schema(kinds []resource.Kind) store.Schema {
	return store.Schema{
		Service: Service,
		Version: 1,
		Buckets: []*store.Bucket{resources.Bucket(), keys.Bucket()},
		Invariants: []store.Invariant{
			{Name: "I8 references and rules of master data", Check: func(ctx context.Context, r store.Reader) ([]string, error) { return checkRules(ctx, r, kinds) }},
			{Name: "business keys of master data", Check: func(ctx context.Context, r store.Reader) ([]string, error) { return checkKeys(ctx, r, kinds) }},
		},
	}
}

// checkRules asks every resource for its own rules again.
func checkRules(ctx context.Context, r store.Reader, kinds []resource.Kind) ([]string, error) {
	var breaches []string
	err := each(ctx, r, kinds, func(k resource.Kind, row Row) error {
		bad, err := k.Check(ctx, row.Resource, reader{r, kinds})
		for _, f := range bad {
			breaches = append(breaches, fmt.Sprintf("%s: %s: %s", row.Name, f.Path, f.Description))
		}
		return err
	})
	return breaches, err
}

// checkKeys compares the keys that resources have with those on file, both ways.
func checkKeys(ctx context.Context, r store.Reader, kinds []resource.Kind) ([]string, error) {
	var breaches []string
	want := map[string]string{}
	err := each(ctx, r, kinds, func(k resource.Kind, row Row) error {
		for _, key := range keysOf(k, row.Resource) {
			want[string(encode(key.Parts))] = row.Name
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	rg := store.Range{Limit: batch}
	for {
		rows, err := keys.Scan(ctx, r, rg)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if owner := want[string(row.Key)]; owner != row.Value.GetOwner() {
				breaches = append(breaches, fmt.Sprintf("key %q belongs to %q, want %q", row.Key, row.Value.GetOwner(), owner))
			}
			delete(want, string(row.Key))
		}
		if len(rows) < batch {
			break
		}
		rg.From = after(rows[len(rows)-1].Key)
	}
	for key, owner := range want {
		breaches = append(breaches, fmt.Sprintf("key %q of %s is not on file", key, owner))
	}
	return breaches, nil
}
