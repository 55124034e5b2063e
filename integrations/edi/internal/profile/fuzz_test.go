package profile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
	"crossdock.dev/platform/conf"
)

// FuzzProfiles: a file of profiles with any bytes is refused with problems that are named, or read, the same way each time; what we
// send by a profile that was read is what its partner can read.
func FuzzProfiles(f *testing.F) {
	day, err := os.ReadFile("../../partners/day.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, part := range bytes.Split(day, []byte("  - party:")) {
		f.Add(append([]byte("profiles:\n  - party:"), part...))
	}
	f.Add([]byte("profiles: [{party: parties/CUS-XYZ, partner: &a {qualifier: ZZ, id: A, group: AA}, us: *a, usage: P, versions: [\"004010\"], outbound: [\"997\"], " +
		"currency: USD, control_version: \"00501\", version: \"005010\", element: \"\\t\", component: \":\", repetition: \"^\", segment: \"\\n\", acknowledge_within: 24h}]"))
	f.Add([]byte("a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(dir, "profiles.yaml")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		set, err := Load(path)
		again, err2 := Load(path)
		if (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() || !reflect.DeepEqual(set, again) {
			t.Fatalf("read twice: %v and %v", err, err2)
		}
		if err != nil {
			if e, ok := errors.AsType[*conf.Error](err); !ok || len(e.Problems) == 0 || e.Path != path {
				t.Fatalf("%T %v, want the problems of %s", err, err, path)
			}
			return
		}
		for _, p := range set.inOrder {
			ack := x12.Set{Segments: []x12.Segment{x12.Seg("ST", "997", "0001"), x12.Seg("AK1", "PO", "1"), x12.Seg("AK9", "A", "1", "1", "1"), x12.Seg("SE", "4", "0001")}}
			x, err := p.Envelope().Wrap("FA", []x12.Set{ack}, mapping.Numbers{Interchange: 1, Group: 1}, time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC))
			if err != nil {
				t.Fatal(err)
			}
			var sent bytes.Buffer
			if _, err := x12.Write(&sent, x, x12.Options{Outbound: true}); err != nil {
				t.Fatalf("%+v: %v", p, err)
			}
			read, err := x12.Parse(sent.Bytes())
			if err != nil || len(read.Interchanges) != 1 || len(read.Interchanges[0].Groups) != 1 || len(read.Interchanges[0].Groups[0].Sets) != 1 ||
				!reflect.DeepEqual(read.Interchanges[0].Format.Separators, x.Format.Separators) || read.Interchanges[0].Groups[0].Sets[0].Segments[1].Get(1) != "PO" {
				t.Fatalf("by %+v\nwe send %q\nwhich reads %+v, %v", p, sent.Bytes(), read, err)
			}
			for _, found := range read.Findings {
				if found.Severity == x12.Error {
					t.Fatalf("by %+v\nwe send %q\nof which is said %+v", p, sent.Bytes(), found)
				}
			}
		}
	})
}
