package outcome_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"crossdock.dev/tests/conductor"
	"crossdock.dev/tests/outcome"
	"crossdock.dev/tests/sim"
)

// play plays the whole day in a simulation, with the data in a folder, and returns what came of it and the suite at rest.
func play(t *testing.T, day fs.FS) (outcome.Outcome, outcome.Reading, *sim.Suite) {
	t.Helper()
	s := sim.New(t)
	own := t.TempDir()
	players, err := conductor.Cast(conductor.Stage{Day: day, Own: own, Inbox: s.Inbox(), Outbox: s.OutboxDir(), Conn: s.Conn, REST: s.Call})
	must(t, err)
	c := conductor.Config{Suite: s, Players: players, Outages: []conductor.Outage{conductor.FreightStops}, Own: own, End: conductor.End}
	must(t, conductor.Play(t.Context(), c))
	reading, err := outcome.Read(t.Context(), s.Conn)
	must(t, err)
	expected, err := outcome.ReadExpected(theDay(t))
	must(t, err)
	o, err := expected.Judge(reading, c.Stopped(), time.Minute, s.Now().Sub(conductor.Start))
	must(t, err)
	return o, reading, s
}

// theDay is the folder of the day's data.
func theDay(t *testing.T) fs.FS { return os.DirFS(filepath.Join(sim.Root(t), "tests", "day")) }

// Every figure of the day is what was worked out by hand, the summary is the example's, and the control tower explains it.
func TestTheDay(t *testing.T) {
	o, reading, s := play(t, theDay(t))
	for _, d := range o.Differences {
		t.Error(d)
	}
	form, err := outcome.ReadForm(theDay(t))
	must(t, err)
	var got bytes.Buffer
	must(t, o.Summary.Write(&got, form))
	want, err := fs.ReadFile(theDay(t), "summary.example.json")
	must(t, err)
	wall := regexp.MustCompile(`"wall_seconds": [0-9.]+`)
	if diff := cmp.Diff(string(bytes.TrimSpace(wall.ReplaceAll(want, nil))), string(bytes.TrimSpace(wall.ReplaceAll(got.Bytes(), nil)))); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	t.Run("explained", func(t *testing.T) { explain(t, s, reading) })
}

// A price that was changed in the seed is found, with the case and the amount: nobody but expected.json knows the figures.
func TestChangedPricesAreFound(t *testing.T) {
	changed := fstest.MapFS{}
	must(t, fs.WalkDir(theDay(t), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(theDay(t), path)
		changed[path] = &fstest.MapFile{Data: content}
		return err
	}))
	change := func(path, from, to string) {
		content := changed[path].Data
		if bytes.Count(content, []byte(from)) != 1 {
			t.Fatalf("%s does not have %q once", path, from)
		}
		changed[path].Data = bytes.Replace(content, []byte(from), []byte(to), 1)
	}
	change("seed/carrier_tariffs.json", `"LANE-CHI":"1010.00"`, `"LANE-CHI":"1015.00"`)
	change("seed/customer_contracts.json", `"per_cwt":"14.50"`, `"per_cwt":"14.60"`)
	o, _, _ := play(t, changed)
	for _, want := range []outcome.Difference{
		{Case: "02-declined-next-carrier", What: "loads[CXCC].cost", Got: `"1015.00"`, Want: `"1010.00"`},
		// 31.56 x 14.60 = 460.78; 12 % of it 55.29; 13045.94 + 460.78 + 55.29 = 13562.01.
		{Case: "01-happy-path-po-08292233294", What: "orders[08292233294].invoice.total", Got: `"13562.01"`, Want: `"13558.47"`},
	} {
		if !slices.Contains(o.Differences, want) {
			t.Errorf("did not find %v, but %v", want, o.Differences)
		}
	}
	for name, want := range map[string]string{"happy_path": "failed", "declined_next_carrier": "failed", "eu_domestic_vat": "ok"} {
		if got := o.Summary.Scenarios[name]; got != want {
			t.Errorf("scenario %s: %s, want %s", name, got, want)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
