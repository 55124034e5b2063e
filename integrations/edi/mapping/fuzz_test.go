package mapping_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
)

// mappedSet is what a mapper makes of a set.
type mappedSet struct {
	value    any
	lines    int
	problems []mapping.Problem
}

// mappers are those of the sets that come in, with a code map that knows half of the codes.
var mappers = map[string]func(set x12.Set, sep x12.Separators) mappedSet{
	"850": func(set x12.Set, sep x12.Separators) mappedSet {
		po, problems := mapping.In850(set, sep, units)
		return mappedSet{po, len(po.Lines), problems}
	},
	"990": func(set x12.Set, sep x12.Separators) mappedSet {
		r, problems := mapping.In990(set, sep, halfKnown)
		return mappedSet{r, 1, problems}
	},
	"214": func(set x12.Set, sep x12.Separators) mappedSet {
		s, problems := mapping.In214(set, sep, halfKnown)
		return mappedSet{s, len(s.Events), problems}
	},
	"210": func(set x12.Set, sep x12.Separators) mappedSet {
		r := mapping.NewBillReader(sep)
		for i, s := range set.Segments {
			r.Add(s, i+1)
		}
		b, problems := r.Bill()
		problems = append(problems, b.Name(halfKnown)...)
		return mappedSet{b, len(b.Charges), problems}
	},
}

func halfKnown(_, code string) (string, bool) { return "WORD", len(code)%2 == 0 }

// FuzzMap: a set of any bytes is mapped, the same way each time, to no more than its segments hold; each problem has a reason and
// words, and names a place within the bytes.
func FuzzMap(f *testing.F) {
	for id := range mappers {
		files, err := filepath.Glob("../x12/testdata/corpus/" + id + "/*")
		if err != nil || len(files) == 0 {
			f.Fatalf("no %s in the corpus, %v", id, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(id, data)
		}
	}
	f.Fuzz(func(t *testing.T, id string, data []byte) {
		read := mappers[id]
		if read == nil {
			return
		}
		file, _ := x12.Parse(data) // an error leaves what was read before it
		for _, x := range file.Interchanges {
			for _, g := range x.Groups {
				for _, set := range g.Sets {
					got := read(set, x.Format.Separators)
					if again := read(set, x.Format.Separators); !reflect.DeepEqual(got, again) {
						t.Fatalf("mapped twice:\n%+v\n%+v", got, again)
					}
					if got.lines > len(set.Segments) {
						t.Fatalf("%d segments give %d lines", len(set.Segments), got.lines)
					}
					for _, p := range got.problems {
						from, to := p.Source.Offset, p.Source.Offset+int64(p.Source.Length)
						if p.Reason == "" || p.Text == "" || p.Severity == 0 || from < 0 || to < from || to > int64(len(data)) || p.Source.Position > len(set.Segments) {
							t.Fatalf("problem %+v of a set of %d segments in %d bytes", p, len(set.Segments), len(data))
						}
					}
				}
			}
		}
	})
}
