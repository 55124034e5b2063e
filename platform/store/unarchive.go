package store

import (
	"context"
	"errors"
	"fmt"
	"os"

	"go.etcd.io/bbolt"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
)

// ErrNotArchived: the store holds its whole log.
var ErrNotArchived = errors.New("no entry is archived")

// Unarchive puts the entries of the newest archive file back into a stopped service's store, so that readers may begin earlier; the file
// stays where it is. dirs are folders in which it is looked for first. Nobody is shown an entry before all are back and the file's sum
// was right; a crash before that leaves the store as it was.
func Unarchive(ctx context.Context, path string, schema Schema, dirs ...string) (*eventlogv1.Archive, error) {
	return unarchive(ctx, path, schema, dirs, func(string) {})
}

func unarchive(ctx context.Context, path string, schema Schema, dirs []string, step func(string)) (out *eventlogv1.Archive, err error) {
	cat, err := newCatalogue(schema)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err // opening would make a new one
	}
	err = guard(path, func() (err error) {
		db, err := openFile(Options{}, path)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, db.Close()) }()
		var recs []*storagev1.ArchiveRecord
		err = db.View(func(btx *bbolt.Tx) (err error) {
			if _, err = checkMeta(btx, cat); err == nil {
				recs, err = readArchives(btx, cat.Service)
			}
			return err
		})
		if err != nil {
			return err
		}
		if len(recs) == 0 {
			return ErrNotArchived
		}
		rec := recs[len(recs)-1]
		if err := putBack(ctx, db, archivePath(rec, path, dirs), rec.Archive, step); err != nil {
			return err
		}
		step("forget")
		out = rec.Archive
		return db.Update(func(btx *bbolt.Tx) error { return btx.Bucket([]byte(metaBucket)).Delete([]byte(archiveKey(rec))) })
	})
	if err != nil {
		return nil, fmt.Errorf("unarchive %s: %w", path, err)
	}
	return out, nil
}

// putBack writes the entries of a file into the log, some in each commit.
func putBack(ctx context.Context, db *bbolt.DB, path string, a *eventlogv1.Archive, step func(string)) error {
	const maxBytes = 16 << 20
	var rows []KV
	size := 0
	flush := func() error {
		step("put")
		err := db.Update(func(btx *bbolt.Tx) error {
			log := btx.Bucket([]byte(logBucket))
			log.FillPercent = appendFill
			for _, row := range rows {
				if err := log.Put(row.Key, row.Value); err != nil {
					return err
				}
			}
			return nil
		})
		rows, size = rows[:0], 0
		return errors.Join(err, ctx.Err())
	}
	err := readArchive(path, a, func(key, value []byte) (bool, error) {
		if _, err := unseal(logBucket, key, value); err != nil {
			return false, err
		}
		rows, size = append(rows, KV{key, value}), size+len(value)
		if len(rows) < perDrop && size < maxBytes {
			return true, nil
		}
		return true, flush()
	})
	if err != nil {
		return err
	}
	return flush()
}
