package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crossdock.dev/cmd/crossdock/internal/cli"
	"crossdock.dev/cmd/crossdock/internal/suite"
	"crossdock.dev/platform/clock"
)

// logsOf writes log files and returns their layout. Two services' lines belong to one trace.
func logsOf(t *testing.T) suite.Layout {
	t.Helper()
	l := suite.Layout{Dir: t.TempDir()}
	if err := l.Prepare(); err != nil {
		t.Fatal(err)
	}
	for service, lines := range map[string]string{
		"orders": `{"time":"2026-11-23T10:00:00.5Z","level":"INFO","msg":"call","service":"orders","method":"/o/Create","code":"OK","trace_id":"4bf9"}
{"time":"2026-11-23T10:00:03Z","level":"DEBUG","msg":"call","service":"orders","method":"/o/Get"}
panic: what a program prints when it ends
`,
		"freight": `{"time":"2026-11-23T10:00:01Z","level":"WARN","msg":"call","service":"freight","error":"no such lane","trace_id":"4bf9"}
{"time":"2026-11-23T10:00:00Z","level":"INFO","msg":"started","service":"freight","vers`,
	} {
		if err := os.WriteFile(l.Log(service), []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func TestLogs(t *testing.T) {
	l := logsOf(t)
	for _, c := range []struct {
		args []string
		want []string // a part of each line
	}{
		{nil, []string{`10:00:00.500  INFO   orders      call  method=/o/Create code=OK trace_id=4bf9`, `10:00:01.000  WARN   freight     call  error="no such lane" trace_id=4bf9`, `10:00:03.000  DEBUG  orders      call  method=/o/Get`, `orders      panic: what`}},
		{[]string{"--level", "WARN"}, []string{"freight", "panic"}},
		{[]string{"--trace", "4bf9"}, []string{"orders", "freight"}},
		{[]string{"--service", "freight"}, []string{"freight"}},
		{[]string{"--last", "1"}, []string{"panic"}},
		{[]string{"--service", "freight", "-o", "json"}, []string{`{"time":"2026-11-23T10:00:01Z","level":"WARN","msg":"call","service":"freight","error":"no such lane","trace_id":"4bf9"}`}},
	} {
		code, out, errOut := run(t, nil, append([]string{"logs", "--data", l.Dir}, c.args...)...)
		got := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if code != 0 || len(got) != len(c.want) {
			t.Errorf("%v: exit %d, %s, lines\n%s\nwant %d lines", c.args, code, errOut, out, len(c.want))
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(got[i], want) {
				t.Errorf("%v: line %q, want %q in it", c.args, got[i], want)
			}
		}
	}
	if code, _, _ := run(t, nil, "logs", "--data", t.TempDir()); code != 3 {
		t.Errorf("no logs: exit %d, want 3", code)
	}
}

// With -f a line is shown once it has come to its end.
func TestLogsFollow(t *testing.T) {
	l := logsOf(t)
	ctx, cancel := context.WithCancel(t.Context())
	out, ended := make(lines, 100), make(chan int, 1)
	go func() {
		ended <- cli.Main(ctx, cli.Options{Args: []string{"logs", "-f", "--service", "freight", "--data", l.Dir}, Out: out, Err: make(lines, 100), Machine: clock.SystemMachine(), Rand: zeros{}})
	}()
	if got := <-out; !strings.Contains(got, "no such lane") {
		t.Errorf("first line %q", got)
	}
	f, err := os.OpenFile(l.Log("freight"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString("ion\":\"v1\"}\n")
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := <-out; !strings.Contains(got, "started") || !strings.Contains(got, "version=v1") {
		t.Errorf("second line %q, want the one that has come to its end", got)
	}
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("exit %d, want 0", code)
	}
}

type checked struct{ Check, Result, Detail, Try string }

func doctor(t *testing.T, args ...string) (code int, byName map[string]checked) {
	t.Helper()
	code, out, errOut := run(t, nil, append([]string{"doctor", "--offline", "-o", "json"}, args...)...)
	var all []checked
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatalf("%v in %q; %s", err, out, errOut)
	}
	byName = map[string]checked{}
	for _, c := range all {
		if c.Result == "ok" != (c.Try == "") {
			t.Errorf("%+v: what is not ok says what to do, what is ok does not", c)
		}
		byName[c.Check] = c
	}
	return code, byName
}

func TestDoctor(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	code, got := doctor(t, "--data", dir)
	for _, name := range []string{"go", "commands", "programs", "data folder", "disk", "file locks", "disk sync", "loopback", "ports", "clock", "time zones", "consul"} {
		if got[name].Result == "" {
			t.Errorf("no check %q", name)
		}
	}
	if got["data folder"].Result != "warn" || !strings.Contains(got["data folder"].Try, "chmod 700") || got["loopback"].Result != "ok" || got["file locks"].Result != "ok" {
		t.Errorf("exit %d, %+v; want a warning about the folder's mode, and loopback and locks ok", code, got)
	}
	if !strings.Contains(got["disk sync"].Detail, "median") {
		t.Errorf("disk sync %+v, want a measured time", got["disk sync"])
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		if strings.HasPrefix(e.Name(), ".doctor") {
			t.Errorf("%s is left behind", e.Name())
		}
	}
}

// What the suite cannot do without is a failure, and the exit status says so.
func TestDoctorFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	code, got := doctor(t, "--data", file)
	if code != 1 || got["go"].Result != "fail" || got["commands"].Result != "fail" || got["data folder"].Result != "fail" {
		t.Errorf("exit %d, %+v; want 1, and go, commands and the folder failed", code, got)
	}
}

// A clock that is behind the program's own file is wrong.
func TestDoctorClock(t *testing.T) {
	var out bytes.Buffer
	code := cli.Main(t.Context(), cli.Options{Args: []string{"doctor", "--offline", "--data", t.TempDir()}, Out: &out, Err: &bytes.Buffer{},
		Machine: clock.NewManual(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)), Rand: zeros{}})
	if code != 1 || !strings.Contains(out.String(), "fail  clock         shows 2020-01-01 00:00:00Z") {
		t.Errorf("exit %d\n%s\nwant 1 and the clock", code, out.String())
	}
}

func TestCall(t *testing.T) {
	s := newServices(t)
	if code, out, errOut := s.run("call", "orders.GetOrder", `{"name":"orders/`+orderID+`"}`); code != 0 || !strings.Contains(out, `"customerOrderNumber": "08292233294"`) {
		t.Errorf("exit %d, %s, %s; want the order", code, out, errOut)
	}
	code, _, errOut := s.run("call", "workflow.CloseWorkItem", `{"name":"workItems/wi_01kjp3v9zre6f8t1q5m2c7x4an","note":"mended"}`, "--request-id", "r7")
	if code != 0 || s.workflow.closed.GetRequestId() != "r7" || !strings.Contains(errOut, "request id: r7") {
		t.Errorf("exit %d, %v, %s; want a change with request id r7", code, s.workflow.closed, errOut)
	}
	if code, out, _ := s.run("call", "freight.GetLog"); code != 0 || !strings.Contains(out, `"name": "logs/orders"`) {
		t.Errorf("exit %d, %s; want the log that freight's server shows", code, out)
	}
	for _, c := range []struct {
		args []string
		exit int
	}{
		{[]string{"orders.GetOrder", `{"name":"orders/ord_unknown"}`}, 3}, {[]string{"orders.GetOrder", `{"nmae":"x"}`}, 2}, {[]string{"orders.Nothing"}, 2}, {[]string{"GetOrder"}, 2},
		{[]string{"orders.TailEntries"}, 2}, {[]string{"billing.GetOrder"}, 2},
	} {
		if code, _, errOut := s.run(append([]string{"call"}, c.args...)...); code != c.exit || errOut == "" {
			t.Errorf("%v: exit %d, %q; want %d with a reason", c.args, code, errOut, c.exit)
		}
	}
	if code, out, _ := s.run("call", "-o", "name"); code != 0 || !strings.Contains(out, "billing.ApproveFreightBill\n") || !strings.Contains(out, "edi.RetryTransactionSet\n") ||
		!strings.Contains(out, "masterdata.UpdateItem\n") || !strings.Contains(out, "tower.RetryTask\n") || strings.Contains(out, "TailEntries") {
		t.Errorf("exit %d, methods\n%s", code, out)
	}
}
