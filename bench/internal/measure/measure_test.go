package measure

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"crossdock.dev/bench/internal/limits"
	"crossdock.dev/bench/internal/report"
	"crossdock.dev/bench/internal/suite"
	"crossdock.dev/tests/process"
)

// bin is the folder of the programs; TestMain sets it.
var bin string

const root = "../../.."

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == limits.Argument { // a bare server is this program run again
		if err := limits.Serve(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(process.Main(m, func(folder string) error {
		bin = folder
		return process.Build(root, bin, suite.Names(), "-ldflags=-s -w", "./cmd/crossdock")
	}))
}

// Every benchmark runs, on little, and comes to a figure in the agreed form; none of them is held to a figure.
func TestEveryBenchmark(t *testing.T) {
	checkout, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	var said, progress bytes.Buffer
	c := Config{
		Home: &suite.Home{Root: checkout, Bin: bin, Dir: t.TempDir()}, Window: 100 * time.Millisecond, Callers: 8, Conns: 4, Flows: 4, Sample: 40,
		LogOrders: 100, Loads: 4, Claims: 6, SmallStore: 20, LargeStore: 60, SizeOps: 20, Openings: 2, FileSizes: []Size{{"1gb", 1 << 18}, {"10gb", 1 << 20}},
		Quiet: 50 * time.Millisecond, Progress: &progress,
		Found: func(f report.Figure) error { return report.Line(&said, f) },
	}
	figures, err := Run(t.Context(), c, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	var out bytes.Buffer
	if err := report.JSON(&out, figures); err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	if err := json.Unmarshal(out.Bytes(), &rows); err != nil {
		t.Fatal(err)
	}
	found := map[string]map[string]any{}
	for _, row := range rows {
		name, _ := row["name"].(string)
		if found[name] != nil {
			t.Errorf("%s is found twice", name)
		}
		found[name] = row
		for _, key := range []string{"rate", "p50_ms", "p99_ms", "cpu_us", "limit", "ratio"} {
			if _, ok := row[key]; !ok {
				t.Errorf("%s lacks %s", name, key)
			}
		}
		if rate, _ := row["rate"].(float64); rate <= 0 {
			t.Errorf("%s: a rate of %v", name, row["rate"])
		}
	}
	for _, name := range append(Names(), "limit-stream", "open-fresh", "order-to-cash-half-load") {
		if found[name] == nil {
			t.Errorf("no figure of %s", name)
		}
	}
	for _, name := range []string{"create-order", "rest-create-order", "order-to-cash", "milestone-intake", "feed-read", "feed-apply", "cost-at-size", "verify-1gb"} {
		if found[name]["ratio"] == nil {
			t.Errorf("%s has no ratio", name)
		}
	}
	if lines := strings.Count(said.String(), "Benchmark"); lines != len(figures) {
		t.Errorf("%d lines for %d figures", lines, len(figures))
	}
}

// Profiles of each server with an admin listener go to a folder of the benchmark; one that is refused fails it.
func TestProfiles(t *testing.T) {
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		fmt.Fprint(w, q.URL.RequestURI())
	}))
	defer admin.Close()
	r := &runner{Config: Config{Profiles: t.TempDir(), Progress: io.Discard}}
	of := []server{{name: "orders", admin: strings.TrimPrefix(admin.URL, "http://")}, {name: "bench"}}
	if err := r.profile(t.Context(), "create-order", of, 3*time.Second).wait(); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"orders-cpu.pprof": "/debug/pprof/profile?seconds=3", "orders-heap.pprof": "/debug/pprof/allocs"} {
		got, err := os.ReadFile(filepath.Join(r.Profiles, "create-order", file))
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", file, got, err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(r.Profiles, "create-order", "bench-cpu.pprof")); err == nil {
		t.Error("a profile of a server without an admin listener")
	}
	admin.Config.Handler = http.NotFoundHandler()
	if err := r.profile(t.Context(), "create-order", of, time.Second).wait(); err == nil {
		t.Error("refused: no error")
	}
}

// A name that is no benchmark's is refused before anything starts, and every benchmark says what it is.
func TestNames(t *testing.T) {
	if _, err := Run(t.Context(), Config{}, []string{"create-orders"}); err == nil || !strings.Contains(err.Error(), "create-order,") {
		t.Errorf("%v, want an error that names the benchmarks", err)
	}
	for _, name := range []string{"create-order", "order-to-cash"} {
		if !slices.Contains(Names(), name) {
			t.Errorf("no benchmark %s", name)
		}
	}
	for _, b := range All() {
		if b.Doc == "" {
			t.Errorf("%s does not say what it is", b.Name)
		}
	}
}
