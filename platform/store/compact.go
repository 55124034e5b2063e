package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

const compactForm = ".compact-*"

// Compact writes the store of a stopped service anew without its free pages and puts it in place in one step; before and after are bytes. A
// crash leaves the old file, whole. It takes as much space as the records do, until it has ended.
func Compact(ctx context.Context, path string, schema Schema) (before, after int64, err error) {
	cat, err := newCatalogue(schema)
	if err != nil {
		return 0, 0, err
	}
	if _, err := os.Stat(path); err != nil {
		return 0, 0, err // opening would make a new one
	}
	dir := filepath.Dir(path)
	err = guard(path, func() (err error) {
		src, err := openFile(Options{}, path)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, src.Close()) }() // no program opens the old file until the new one stands in its place
		var last tip
		err = src.View(func(btx *bbolt.Tx) error {
			if _, err := checkMeta(btx, cat); err != nil {
				return err
			}
			last, err = readTip(btx)
			before = btx.Size()
			return err
		})
		if err != nil {
			return err
		}
		left, err := filepath.Glob(filepath.Join(dir, compactForm)) // of a run that was interrupted
		for _, l := range left {
			err = errors.Join(err, os.Remove(l))
		}
		if err != nil {
			return err
		}
		tmp, err := os.CreateTemp(dir, compactForm)
		if err != nil {
			return err
		}
		tmp.Close()
		defer os.Remove(tmp.Name()) // does nothing once it is in place
		if after, err = compactInto(ctx, tmp.Name(), src, cat, last); err != nil {
			return err
		}
		if err := os.Rename(tmp.Name(), path); err != nil {
			return err
		}
		return syncDir(dir)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("compact %s: %w", path, err)
	}
	return before, after, nil
}

func compactInto(ctx context.Context, path string, src *bbolt.DB, cat *catalogue, last tip) (size int64, err error) {
	dst, err := openFile(Options{NoSync: true}, path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	const perCommit = 16 << 20 // bytes
	if err := bbolt.Compact(dst, src, perCommit); err != nil {
		return 0, err
	}
	err = dst.View(func(btx *bbolt.Tx) error {
		got, err := readTip(btx)
		if err != nil {
			return err
		}
		if got.sequence != last.sequence || string(got.hash) != string(last.hash) {
			return &CorruptError{Bucket: logBucket, Key: Key(last.sequence)}
		}
		_, err = checkMeta(btx, cat)
		size = btx.Size()
		return err
	})
	return size, errors.Join(err, ctx.Err(), dst.Sync())
}
