package store

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	storagev1 "crossdock.dev/gen/crossdock/tower/storage/v1"
	"crossdock.dev/platform/store"
)

// Found is what a reference leads to.
type Found struct {
	// Reference is what was found: as asked, in its own spelling, or the whole of what was begun.
	Reference string
	Cases     []*storagev1.Case // newest first
	// Near are references that look like one that leads nowhere.
	Near []string
	// Told is true when facts were told about a reference that leads to no case.
	Told bool
}

// Bounds of a search by beginnings.
const (
	shortest  = 4    // characters of a beginning
	maxBegun  = 100  // references that begin alike and are looked at for the one case that is meant
	maxNear   = 5    // references that look alike
	maxLooked = 2000 // references that are looked at for them
)

// Find finds the cases that a reference leads to: exactly, or else in another spelling of its letters, or else as the beginning of
// references of one case alone, or else by what is told of it.
func Find(ctx context.Context, r store.Reader, reference string) (Found, error) {
	f := Found{Reference: reference}
	var err error
	if f.Cases, err = CasesByReference(ctx, r, reference); err != nil || len(f.Cases) > 0 {
		return f.newestFirst(), err
	}
	var same, begun []string
	lower := strings.ToLower(reference)
	begins := []byte(lower)
	rows, err := r.Scan(ctx, folded, prefixed(begins, maxBegun))
	if err != nil {
		return f, err
	}
	for _, row := range rows {
		text, value, _ := bytes.Cut(row.Key, []byte{0})
		if string(text) == lower {
			same = append(same, string(value))
		}
		begun = append(begun, string(value))
	}
	if utf8.RuneCountInString(reference) < shortest {
		begun = nil
	}
	for _, values := range [][]string{same, begun} {
		if len(values) == maxBegun {
			continue // there may be more, of other cases
		}
		cases, err := casesOf(ctx, r, values)
		if err != nil {
			return f, err
		}
		if len(cases) == 1 || len(same) > 0 && len(cases) > 0 {
			f.Reference, f.Cases = shortestOf(values), cases
			return f.newestFirst(), nil
		}
	}
	records, err := StepsOf(ctx, r, spellings(reference))
	if err != nil {
		return f, err
	}
	f.Told = len(records) > 0
	var about []string
	for _, rec := range records {
		about = append(about, unique(rec.GetReferences())...)
	}
	if f.Cases, err = casesOf(ctx, r, about); err != nil || f.Told {
		return f.newestFirst(), err
	}
	f.Near, err = near(ctx, r, lower, begun)
	return f, err
}

func (f Found) newestFirst() Found {
	slices.SortFunc(f.Cases, func(a, b *storagev1.Case) int { return strings.Compare(b.GetCase().GetName(), a.GetCase().GetName()) })
	return f
}

// spellings are the ways in which facts may name a reference.
func spellings(reference string) []string {
	out := []string{reference}
	for _, prefix := range []string{
		"po:", "load:", "pro:", "invoice:", "bill:", "interchange:", "interchange:interchanges/", "interchanges/", "workItems/", "processes/",
		"shipments/", "loads/", "tenders/", "freightBills/", "control:", "file:",
	} {
		out = append(out, prefix+reference)
	}
	return out
}

// unique are references without those that others have as well.
func unique(references []string) []string {
	return slices.DeleteFunc(slices.Clone(references), func(ref string) bool { return strings.HasPrefix(ref, "control:") })
}

func casesOf(ctx context.Context, r store.Reader, references []string) ([]*storagev1.Case, error) {
	var out []*storagev1.Case
	seen := map[string]bool{}
	for _, reference := range references {
		found, err := CasesByReference(ctx, r, reference)
		if err != nil {
			return nil, err
		}
		for _, c := range found {
			if name := c.GetCase().GetName(); !seen[name] {
				seen[name] = true
				out = append(out, c)
			}
		}
	}
	return out, nil
}

func shortestOf(values []string) string {
	return slices.MinFunc(values, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
}

// near are references that begin alike: those that go on after the whole text, or else those that at most two changes of a character
// make of it.
func near(ctx context.Context, r store.Reader, lower string, begun []string) ([]string, error) {
	if len(begun) > 0 {
		return begun[:min(len(begun), maxNear)], nil
	}
	if len(lower) < shortest {
		return nil, nil
	}
	type alike struct {
		value    string
		distance int
	}
	var found []alike
	begins := lower[:shortest-1]
	rg := prefixed([]byte(begins), maxLooked)
	rows, err := r.Scan(ctx, folded, rg)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		text, value, _ := bytes.Cut(row.Key, []byte{0})
		if d := distance(lower, string(text)); d <= 2 {
			found = append(found, alike{string(value), d})
		}
	}
	slices.SortStableFunc(found, func(a, b alike) int { return a.distance - b.distance })
	var out []string
	for _, a := range found[:min(len(found), maxNear)] {
		out = append(out, a.value)
	}
	return out, nil
}

// distance is how many characters have to be put in, left out or replaced to make one text of another; 3 stands for more.
func distance(a, b string) int {
	const most = 3
	if len(a)-len(b) >= most || len(b)-len(a) >= most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return min(row[len(b)], most)
}

func prefixed(prefix []byte, limit int) store.Range {
	rg := store.Prefix(prefix)
	rg.Limit = limit
	return rg
}

// foldedKey is the key that a reference is found by whatever the case of its letters.
func foldedKey(reference string) []byte {
	return append(append([]byte(strings.ToLower(reference)), 0), reference...)
}
