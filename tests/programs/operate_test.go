package programs

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// documentedMetric is a row of docs/metrics.md.
type documentedMetric struct {
	kind     string
	labels   []string
	services []string
}

// metricRow is "| `name` | kind, unit | labels | served by | ...".
var metricRow = regexp.MustCompile("(?m)^\\| `(crossdock_[a-z_]+)` \\| ([a-z]+), [^|]* \\| ([^|]*)\\| ([^|]*) \\|")

func documentedMetrics(t *testing.T) map[string]documentedMetric {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(sim.Root(t), "docs", "metrics.md"))
	must(t, err)
	out := map[string]documentedMetric{}
	for _, m := range metricRow.FindAllStringSubmatch(string(raw), -1) {
		d := documentedMetric{kind: m[2], services: strings.Split(m[4], ", ")}
		if m[4] == "all" {
			d.services = names
		}
		for _, label := range regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(m[3], -1) {
			d.labels = append(d.labels, label[1])
		}
		slices.Sort(d.labels)
		out[m[1]] = d
	}
	return out
}

// rare are the metrics that need more than one order to be seen.
var rare = []string{"crossdock_edi_acknowledgements_overdue"}

// What an operator sees of a suite on which an order was played from beginning to end: metrics that are all on their page, logs
// that say nothing of what was ordered, and a status without a problem; then a program is held down, and status says so.
func TestOperating(t *testing.T) {
	t.Parallel()
	s := newSuite(t)
	s.Launch(t)
	live := s.ready()
	fill(t, live)
	var n story.Names
	must(t, story.Play(t.Context(), live, story.HappyPath(live, document(t), &n), func(story.Act) {}))
	settled(t, live)
	t.Run("metrics", func(t *testing.T) { checkMetrics(t, s) })
	t.Run("logs", func(t *testing.T) { checkLogs(t, s) })
	t.Run("status", func(t *testing.T) { checkStatus(t, s) })
	must(t, s.Up.Stop())
}

func checkMetrics(t *testing.T, s *suite) {
	addresses, err := s.Addresses()
	must(t, err)
	documented := documentedMetrics(t)
	if len(documented) < 20 {
		t.Fatalf("docs/metrics.md names %d metrics: its rows are not read", len(documented))
	}
	for _, service := range names {
		got := scrape(t, addresses[service].Admin)
		for _, name := range slices.Sorted(maps.Keys(got)) {
			d, known := documented[name]
			switch {
			case !strings.HasPrefix(name, "crossdock_"):
				if !regexp.MustCompile("^(go|process|promhttp)_").MatchString(name) {
					t.Errorf("%s serves %s, which is of no known kind", service, name)
				}
				continue
			case !known:
				t.Errorf("%s serves %s, which docs/metrics.md does not name", service, name)
				continue
			case !slices.Contains(d.services, service):
				t.Errorf("%s serves %s, docs/metrics.md names only %v", service, name, d.services)
			}
			if kind := strings.ToLower(got[name].GetType().String()); kind != d.kind {
				t.Errorf("%s: %s is a %s, docs/metrics.md says %s", service, name, kind, d.kind)
			}
			if labels := labelsOf(got[name]); !slices.Equal(labels, d.labels) {
				t.Errorf("%s: %s has labels %v, docs/metrics.md says %v", service, name, labels, d.labels)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(documented)) {
			if slices.Contains(documented[name].services, service) && got[name] == nil && !slices.Contains(rare, name) {
				t.Errorf("%s does not serve %s, which docs/metrics.md promises", service, name)
			}
		}
		if v := value(got["crossdock_ready"]); v != 1 {
			t.Errorf("%s: crossdock_ready is %v, want 1", service, v)
		}
		if commits, position := value(got["crossdock_store_commits_total"]), value(got["crossdock_store_log_position"]); commits < 1 || commits > position {
			t.Errorf("%s: %v commits for %v entries", service, commits, position)
		}
		for _, m := range got["crossdock_feed_behind_entries"].GetMetric() {
			if v := m.GetGauge().GetValue(); v != 0 {
				t.Errorf("%s is %v entries behind %s, though all has been read", service, v, m.GetLabel()[0].GetValue())
			}
		}
	}
}

func scrape(t *testing.T, admin string) map[string]*dto.MetricFamily {
	t.Helper()
	resp, err := http.Get("http://" + admin + "/metrics")
	must(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("/metrics answers %s: %s", resp.Status, raw)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(raw)))
	must(t, err)
	return families
}

func labelsOf(f *dto.MetricFamily) []string {
	var out []string
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			if !slices.Contains(out, l.GetName()) {
				out = append(out, l.GetName())
			}
		}
	}
	slices.Sort(out)
	return out
}

// value is that of a family's only series.
func value(f *dto.MetricFamily) float64 {
	if len(f.GetMetric()) != 1 {
		return -1
	}
	m := f.GetMetric()[0]
	return m.GetGauge().GetValue() + m.GetCounter().GetValue()
}

// spoken are parts of the order, of who gets it and of what it costs, as they stand in the documents that were handed in, and in
// what the suite made of them.
var spoken = []string{"31875 SOLON", "XYZ RETAIL", "44139", "SMALL WIDGET", "065322-117", "610385385", "13045.94", "13,045.94"}

// logKeys are the keys that lines of a played order may have: those of package telemetry, and what a start says.
var logKeys = []string{
	"time", "level", "msg", "service", "method", "code", "reason", "principal", "request_id", "idempotency_key", "trace_id", "duration_ms",
	"task", "kind", "subject", "type", "log", "sequence", "loop", "peer", "error", "again_in_ms",
	"http_method", "http_path", "http_status", "api_key", "version", "grpc_addr", "http_addr", "admin_addr",
}

// checkLogs looks that each line is JSON with its service and keys that all services share, that a call is found again by its
// trace in the service that it led to, and that nothing of what was ordered stands there.
func checkLogs(t *testing.T, s *suite) {
	type line map[string]any
	byTrace := map[string]map[string]bool{} // services
	for text := range strings.Lines(s.cli(0, "logs", "--last", "0", "-o", "json")) {
		for _, mark := range spoken {
			if strings.Contains(text, mark) {
				t.Errorf("%q stands in a log: %s", mark, text)
			}
		}
		l := line{}
		must(t, json.Unmarshal([]byte(text), &l))
		for _, key := range []string{"time", "level", "msg", "service"} {
			if l[key] == nil {
				t.Errorf("no %s in %s", key, text)
			}
		}
		for key := range l {
			if !slices.Contains(logKeys, key) {
				t.Errorf("key %q is no other service's: %s", key, text)
			}
		}
		if trace, _ := l["trace_id"].(string); trace != "" {
			if byTrace[trace] == nil {
				byTrace[trace] = map[string]bool{}
			}
			byTrace[trace][l["service"].(string)] = true
		}
	}
	if !slices.ContainsFunc(slices.Collect(maps.Values(byTrace)), func(services map[string]bool) bool { return services["edge"] && services["freight"] }) {
		t.Errorf("no trace leads from edge to freight: %v", byTrace)
	}
}

func checkStatus(t *testing.T, s *suite) {
	type status struct {
		Well     bool
		Problems []struct{ Problem, Service string }
		Services []struct {
			Service    string
			StoreBytes int64                  `json:"store_bytes"`
			LastFact   *struct{ Type string } `json:"last_fact"`
			Consumers  []struct {
				Log           string
				BehindSeconds *float64 `json:"behind_seconds"`
			}
		}
	}
	ask := func(want int) (got status) {
		t.Helper()
		must(t, json.Unmarshal([]byte(s.cli(want, "status", "-o", "json")), &got))
		return got
	}
	got := ask(0)
	if !got.Well || len(got.Services) != len(names) {
		t.Errorf("status %+v; want eight services and all well", got)
	}
	for _, x := range got.Services {
		if x.StoreBytes == 0 {
			t.Errorf("%s: no store size", x.Service)
		}
		if x.LastFact == nil && slices.Contains([]string{"masterdata", "orders", "freight", "billing", "workflow", "edi"}, x.Service) {
			t.Errorf("%s: no last fact", x.Service)
		}
		for _, c := range x.Consumers {
			if c.BehindSeconds == nil {
				t.Errorf("%s does not say for how long it is behind %s", x.Service, c.Log)
			}
		}
	}
	must(t, s.Hold("freight"))
	must(t, s.Up.AwaitText(t.Context(), "freight: held down, exit status 0"))
	got = ask(1)
	if len(got.Problems) != 1 || got.Problems[0].Problem != "HELD" || got.Problems[0].Service != "freight" {
		t.Errorf("problems %+v, want freight HELD alone", got.Problems)
	}
	must(t, s.Release("freight"))
}
