// Package limits is what the machine can do without the suite, measured in the same run and on the same file system: the least that a
// durable change, a call, and both together cost. A figure of the suite is told as a share of these.
//
//	append            4 KiB appended to a file and synced (fdatasync), one after the other
//	writer-loop       a bare bbolt file whose only writer takes one change, drains what waits, commits once and answers then
//	echo              a bare grpc-go server that answers a CreateOrder request with its order, over mTLS, in a process of its own
//	echo-writer-loop  that server, which puts the change through a writer loop before it answers
//	stream            a bare grpc-go server that sends the batches of a feed from memory
//
// None of them validates, authorises, logs, measures or decides anything.
package limits

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
)

// Row is what one change puts into one bucket: the sizes of key and value in bytes.
type Row struct {
	Bucket     string
	Key, Value int
}

// WriterLoop is a bbolt file with one writer.
type WriterLoop struct {
	db     *bbolt.DB
	rows   []Row
	values [][]byte
	queue  chan chan error
	ended  chan struct{}
	last   uint64
}

// most is how many changes share a commit at most, as in the suite's store.
const most = 1024

// fill packs pages as the suite's store does: keys come in order.
const fill = 0.95

// OpenWriterLoop creates the file at path. Each change puts the rows, under keys that ascend.
func OpenWriterLoop(path string, rows []Row) (*WriterLoop, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType, InitialMmapSize: 1 << 30})
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, r := range rows {
			if _, err := tx.CreateBucketIfNotExists([]byte(r.Bucket)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	l := &WriterLoop{db: db, rows: rows, queue: make(chan chan error, most), ended: make(chan struct{})}
	for _, r := range rows {
		if r.Key < keySize {
			return nil, fmt.Errorf("a key of bucket %s has %d bytes, want at least %d", r.Bucket, r.Key, keySize)
		}
		l.values = append(l.values, make([]byte, r.Value))
	}
	go l.loop()
	return l, nil
}

// keySize is what a key that ascends takes: the number of the change, and of the row within it.
const keySize = 8

// Change makes one change and returns when it is durable.
func (l *WriterLoop) Change() error {
	done := make(chan error, 1)
	l.queue <- done
	return <-done
}

// Close ends the writer and closes the file. No change is made any more.
func (l *WriterLoop) Close() error {
	close(l.queue)
	<-l.ended
	return l.db.Close()
}

func (l *WriterLoop) loop() {
	defer close(l.ended)
	for done := range l.queue {
		batch := []chan error{done}
	drain:
		for len(batch) < most {
			select {
			case done, ok := <-l.queue:
				if !ok {
					break drain
				}
				batch = append(batch, done)
			default:
				break drain
			}
		}
		err := l.db.Update(func(tx *bbolt.Tx) error { return l.put(tx, len(batch)) })
		for _, done := range batch {
			done <- err
		}
	}
}

func (l *WriterLoop) put(tx *bbolt.Tx, changes int) error {
	buckets := make([]*bbolt.Bucket, len(l.rows))
	for i, r := range l.rows {
		buckets[i] = tx.Bucket([]byte(r.Bucket))
		buckets[i].FillPercent = fill
	}
	for range changes {
		l.last++
		for i, r := range l.rows {
			key := make([]byte, r.Key)
			binary.BigEndian.PutUint64(key, l.last<<8|uint64(i))
			if err := buckets[i].Put(key, l.values[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
