package x12_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"crossdock.dev/integrations/edi/x12"
)

// FuzzParse checks three promises: reading never panics; writing what was read
// gives the bytes that were read; and reading those gives the same value.
func FuzzParse(f *testing.F) {
	for _, name := range corpusFiles(f) {
		data, err := os.ReadFile(filepath.Join(corpus, filepath.FromSlash(name)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(doc))
	f.Add([]byte(doc + "\ufeff" + doc))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, parse := range []func([]byte) (x12.File, error){
			x12.Parse,
			func(b []byte) (x12.File, error) { return x12.ParseBare(b, x12.Bare{Version: "004010"}) },
		} {
			first, _ := parse(data) // an error leaves what was read before it
			var written bytes.Buffer
			for _, x := range first.Interchanges {
				if _, err := x12.Write(&written, x, x12.Options{}); err != nil {
					t.Fatalf("write: %v", err)
				}
				for _, g := range x.Groups {
					_ = g.Version()
				}
			}
			if !bytes.HasPrefix(data, written.Bytes()) {
				t.Fatalf("wrote %q\nread  %q", written.Bytes(), data)
			}
			if written.Len() == 0 {
				continue
			}
			second, _ := parse(written.Bytes())
			if !reflect.DeepEqual(first.Interchanges, second.Interchanges) {
				t.Fatalf("read  %+v\nagain %+v", first.Interchanges, second.Interchanges)
			}
			for i, x := range first.Interchanges {
				for j := range x.Groups {
					_, _ = x12.Acknowledge(first, i, j, x12.AckOptions{})
				}
			}
		}
	})
}
