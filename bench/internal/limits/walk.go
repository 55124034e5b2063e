package limits

import (
	"crypto/sha256"
	"errors"
	"hash/crc32"
	"time"

	"go.etcd.io/bbolt"
)

// Walk reads every record of a store's file once, with a CRC-32C of each and a SHA-256 of those of the log: what a check of the file
// cannot do without. It returns the entries of the log and how long it took.
func Walk(path string) (entries uint64, took time.Duration, err error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			n, err := walk(b, string(name) == "log")
			entries += n
			return err
		})
	})
	return entries, time.Since(begun), errors.Join(err, db.Close())
}

func walk(b *bbolt.Bucket, log bool) (entries uint64, err error) {
	table := crc32.MakeTable(crc32.Castagnoli)
	var sum uint32
	err = b.ForEach(func(k, v []byte) error {
		if v == nil {
			_, err := walk(b.Bucket(k), false)
			return err
		}
		sum = crc32.Update(sum, table, v)
		if log {
			entries++
			_ = sha256.Sum256(v)
		}
		return nil
	})
	return entries, err
}
