package seed

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
)

// FuzzSeed: a file of the seed with any bytes, beside the others of the day, is read or refused; a refusal names files of the seed and
// a row or column of CSV, and what was read asks for nothing twice. The same bytes read the same.
func FuzzSeed(f *testing.F) {
	day, names := fstest.MapFS{}, []string{}
	files, err := filepath.Glob("../day/seed/*")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seed: %v", err)
	}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		name := filepath.Base(path)
		day[name] = &fstest.MapFile{Data: raw}
		names = append(names, name)
		f.Add(byte(len(names)-1), raw)
		header, _, _ := bytes.Cut(raw, []byte("\n"))
		f.Add(byte(len(names)-1), append(header, "\n\"a\n"...)) // a row that is no CSV
	}
	f.Fuzz(func(t *testing.T, which byte, raw []byte) {
		name := names[int(which)%len(names)]
		dir := maps.Clone(day)
		dir[name] = &fstest.MapFile{Data: raw}
		for _, read := range []func() (*plan, error){
			func() (*plan, error) { return read(dir) },
			func() (*plan, error) { p, _, err := readLate(dir, name); return p, err },
		} {
			p, err := read()
			again, err2 := read()
			if (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() || p.summary != again.summary {
				t.Fatalf("%s read twice: %+v, %v and %+v, %v", name, p.summary, err, again.summary, err2)
			}
			if err != nil {
				wantPlaces(t, dir, err)
				continue
			}
			asked := map[string]bool{}
			for _, s := range p.steps {
				if asked[s.name] {
					t.Fatalf("%s: %s is asked for twice, with one request id", name, s.name)
				}
				asked[s.name] = true
			}
		}
	})
}

// wantPlaces fails unless each part of an error names a file that there is.
func wantPlaces(t *testing.T, dir fstest.MapFS, err error) {
	all, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%T: %v, want a list of places", err, err)
	}
	for _, err := range all.Unwrap() {
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Problem == "" || e.Row == "0" || dir[e.File] == nil {
			t.Fatalf("%T %v: want a place in a file of the seed", err, err)
		}
	}
}
