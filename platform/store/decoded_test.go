package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

// A record is decoded once for as long as its bytes are the same, whoever asks, and a change under way sees what it has written itself.
func TestDecoded(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, testOptions(filepath.Join(t.TempDir(), "test.db")))
	times := 0
	decode := func(data []byte) (string, error) {
		if times++; string(data) == "bad" {
			return "", errors.New("is bad")
		}
		return "<" + string(data) + ">", nil
	}
	want := func(r Reader, value string, decodings int) {
		t.Helper()
		got, err := Decoded(ctx, r, things, []byte("k"), decode)
		if err != nil || got != value || times != decodings {
			t.Errorf("Decoded = %q, %v after %d decodings; want %q after %d", got, err, times, value, decodings)
		}
	}
	view := func(value string, decodings int) {
		t.Helper()
		if err := s.View(ctx, func(r Reader) error { want(r, value, decodings); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	put := func(value string, refuse error, look func(tx *Tx)) {
		t.Helper()
		_, err := s.Change(ctx, Cause{Principal: "user/dev"}, func(tx *Tx) ([]byte, error) {
			if err := tx.Put(ctx, things, []byte("k"), []byte(value)); err != nil {
				return nil, err
			}
			look(tx)
			return nil, refuse
		})
		if !errors.Is(err, refuse) {
			t.Fatal(err)
		}
	}
	if err := s.View(ctx, func(r Reader) error {
		if _, err := Decoded(ctx, r, things, []byte("k"), decode); !errors.Is(err, ErrNotFound) {
			t.Errorf("Decoded of nothing: %v, want ErrNotFound", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	put("one", nil, func(tx *Tx) { want(tx, "<one>", 1) })
	view("<one>", 1)
	view("<one>", 1)
	put("two", errors.New("refused"), func(tx *Tx) { want(tx, "<two>", 2) })
	view("<one>", 3) // what was refused is not shown to anybody else
	put("bad", nil, func(tx *Tx) {
		if _, err := Decoded(ctx, tx, things, []byte("k"), decode); err == nil {
			t.Error("Decoded of what cannot be decoded: no error")
		}
	})
	put("three", nil, func(*Tx) {})
	view("<three>", 5)
}
