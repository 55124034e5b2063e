package conf_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"crossdock.dev/platform/conf"
)

type config struct {
	Addr  string        `yaml:"addr"`
	Wait  time.Duration `yaml:"wait"`
	Limit int           `yaml:"limit"`
}

func (c *config) Check(p *conf.Problems) {
	p.Require("addr", c.Addr)
	if c.Limit < 0 {
		p.Add("limit", "is %d, want 0 or more", c.Limit)
	}
}

func TestDefaultsStayWhereTheFileIsSilent(t *testing.T) {
	c := config{Addr: "a:1", Wait: time.Second, Limit: 5}
	for _, file := range []string{"", "# nothing\n", "wait: 2s\n"} {
		if err := conf.Decode("f", []byte(file), &c); err != nil {
			t.Errorf("%q: %v", file, err)
		}
	}
	if diff := cmp.Diff(config{Addr: "a:1", Wait: 2 * time.Second, Limit: 5}, c); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestProblemsAreNamedTogether(t *testing.T) {
	for _, test := range []struct {
		name, file string
		want       []string
	}{
		{"unknown keys, a wrong type and a bad value", "adr: x\nwiat: 1s\nlimit: -3\nwait: soon\n", []string{"field adr", "field wiat", "line 4", "addr: is required", "limit: is -3"}},
		{"a key twice", "addr: a\naddr: b\n", []string{"addr"}},
		{"no YAML", "addr: [\n", []string{"line"}},
		{"two documents", "addr: a\n---\naddr: b\n", []string{"second document"}},
		{"a list", "- a\n", []string{"line 1"}},
	} {
		err := conf.Decode("orders.yaml", []byte(test.file), &config{})
		var e *conf.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), "orders.yaml") {
			t.Errorf("%s: got %v, want a *conf.Error that names the file", test.name, err)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in:\n%v", test.name, want, err)
			}
		}
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := conf.Load(path, &config{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("addr: a:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var c config
	if err := conf.Load(path, &c); err != nil || c.Addr != "a:1" {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestFlags(t *testing.T) {
	var out bytes.Buffer
	got, err := conf.ParseFlags("orders", []string{"-config", "x.yaml", "-check", "verify", "orders.db"}, &out)
	if err != nil {
		t.Fatal(err)
	}
	want := conf.Flags{Config: "x.yaml", Check: true, Args: []string{"verify", "orders.db"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got, err = conf.ParseFlags("orders", nil, &out)
	if err != nil || got.Config != "orders.yaml" || out.Len() != 0 {
		t.Errorf("got %+v, %v, wrote %q", got, err, out.String())
	}
	if _, err := conf.ParseFlags("orders", []string{"-help"}, &out); !errors.Is(err, flag.ErrHelp) || !strings.Contains(out.String(), "-config") {
		t.Errorf("got %v, wrote %q", err, out.String())
	}
	if _, err := conf.ParseFlags("orders", []string{"-nothing"}, &out); err == nil {
		t.Error("an unknown flag was taken")
	}
}
