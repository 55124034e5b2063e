package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"crossdock.dev/platform/telemetry"

	"crossdock.dev/cmd/crossdock/internal/show"
	"crossdock.dev/cmd/crossdock/internal/suite"
)

type logsCmd struct {
	Service []string   `help:"Only of this service; may be repeated. Default is all." enum:"masterdata,orders,freight,billing,workflow,edge,tower,edi"`
	Level   slog.Level `help:"Only from this level on: DEBUG, INFO, WARN or ERROR." default:"DEBUG"`
	Trace   string     `help:"Only lines of this trace, or of this request id." placeholder:"ID"`
	Last    int        `help:"How many lines to begin with; 0 is all." default:"200" placeholder:"N"`
	Follow  bool       `short:"f" help:"Go on with new lines."`
}

// Help is printed by logs --help.
func (c *logsCmd) Help() string {
	return `Reads the log files in the data folder, also of a suite that is stopped. Times are those of the machine, in UTC. A call has the same trace_id in every service
that it leads to; -o json prints the lines as the services wrote them.`
}

// logPoll is how often files are looked at with --follow.
const logPoll = 200 * time.Millisecond

// logLine is a line of a service's log.
type logLine struct {
	at      time.Time // machine time; that of the line before when the line does not say
	service string
	fields  map[string]any // nil for a line that is not JSON, such as the trace of a panic
	raw     string
}

// logFile is a log that is read to its end and then again.
type logFile struct {
	service, path string
	offset        int64
	rest          []byte // of a line that has not come to its end
	at            time.Time
}

func (c *logsCmd) Run(ctx context.Context, env *Env) error {
	services := c.Service
	if len(services) == 0 {
		services = suite.Names()
	}
	l := env.layout()
	if run, err := env.run(); err == nil {
		l.Dir = run.DataDir
	}
	var files []*logFile
	for _, name := range services {
		files = append(files, &logFile{service: name, path: l.Log(name)})
	}
	lines, err := c.read(files)
	if err != nil {
		return err
	}
	if len(lines) == 0 && !c.Follow && !slices.ContainsFunc(files, func(f *logFile) bool { return f.offset > 0 }) {
		return &failure{status: exitNotFound, what: "no logs under " + l.Dir, reason: "NOT_FOUND", try: "crossdock up"}
	}
	if c.Last > 0 && len(lines) > c.Last {
		lines = lines[len(lines)-c.Last:]
	}
	for {
		for _, line := range lines {
			if err := line.print(env); err != nil {
				return err
			}
		}
		if !c.Follow {
			return nil
		}
		select {
		case <-env.Machine.After(logPoll):
		case <-ctx.Done():
			return nil
		}
		if lines, err = c.read(files); err != nil {
			return err
		}
	}
}

// read returns the new lines of all files that were asked for, by time.
func (c *logsCmd) read(files []*logFile) ([]logLine, error) {
	var out []logLine
	for _, f := range files {
		lines, err := f.read()
		if err != nil {
			return nil, err
		}
		for _, line := range lines {
			if c.wants(line) {
				out = append(out, line)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b logLine) int { return a.at.Compare(b.at) })
	return out, nil
}

func (c *logsCmd) wants(line logLine) bool {
	var level slog.Level
	if err := level.UnmarshalText([]byte(line.text("level"))); err != nil {
		level = slog.LevelError // what a program prints besides its log is worth a look
	}
	if level < c.Level {
		return false
	}
	return c.Trace == "" || line.text(telemetry.KeyTraceID) == c.Trace || line.text(telemetry.KeyRequestID) == c.Trace
}

// read returns the whole lines that were written since the last time.
func (f *logFile) read() ([]logLine, error) {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the service has not run yet
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() < f.offset {
		f.offset, f.rest = 0, nil // the file was begun anew
	}
	raw, err := io.ReadAll(io.NewSectionReader(file, f.offset, 1<<40))
	if err != nil {
		return nil, err
	}
	f.offset += int64(len(raw))
	raw = append(f.rest, raw...)
	end := bytes.LastIndexByte(raw, '\n') + 1
	f.rest = bytes.Clone(raw[end:])
	var out []logLine
	for text := range strings.Lines(string(raw[:end])) {
		line := logLine{service: f.service, raw: strings.TrimRight(text, "\n")}
		if json.Unmarshal([]byte(text), &line.fields) != nil {
			line.fields = nil
		}
		if at, err := time.Parse(time.RFC3339Nano, line.text("time")); err == nil {
			f.at = at
		}
		line.at = f.at
		out = append(out, line)
	}
	return out, nil
}

func (l logLine) text(key string) string {
	text, _ := l.fields[key].(string)
	return text
}

// firstFields are shown before the others, in this order.
var firstFields = []string{telemetry.KeyMethod, telemetry.KeyCode, telemetry.KeyReason, telemetry.KeyPrincipal, telemetry.KeyError}

func (l logLine) print(env *Env) error {
	switch {
	case env.Output == "json" && l.fields != nil:
		_, err := fmt.Fprintln(env.Out, l.raw)
		return err
	case env.Output == "json":
		return json.NewEncoder(env.Out).Encode(map[string]string{"service": l.service, "msg": l.raw})
	case l.fields == nil:
		_, err := fmt.Fprintf(env.Out, "%-12s  %-5s  %-10s  %s\n", "", "", l.service, plain(l.raw))
		return err
	}
	var parts []string
	keys := slices.SortedFunc(maps.Keys(l.fields), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
	for _, key := range keys {
		value := fmt.Sprint(l.fields[key])
		if slices.Contains([]string{"time", "level", "msg", telemetry.KeyService}, key) || value == "" {
			continue
		}
		if strings.ContainsAny(value, " \"") || plain(value) != value {
			value = fmt.Sprintf("%q", value)
		}
		parts = append(parts, key+"="+value)
	}
	level := fmt.Sprintf("%-5s", l.text("level"))
	if l.text("level") == "WARN" || l.text("level") == "ERROR" {
		level = env.Style.Bad(level)
	}
	_, err := fmt.Fprintf(env.Out, "%s  %s  %-10s  %s  %s\n", l.at.UTC().Format("15:04:05.000"), level, l.service, show.Text(plain(l.text("msg"))), env.Style.Dim(strings.Join(parts, " ")))
	return err
}

// plain is text without what a terminal would act on, since partners write parts of it: such a rune is shown as Go writes it.
func plain(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && r != '\t' }) {
		return text
	}
	quoted := strconv.QuoteToGraphic(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

func rank(key string) int {
	if i := slices.Index(firstFields, key); i >= 0 {
		return i
	}
	return len(firstFields)
}
