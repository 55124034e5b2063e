package discovery_test

import (
	"slices"
	"strings"
	"testing"

	"crossdock.dev/platform/discovery"
)

func TestParseStatic(t *testing.T) {
	got, err := discovery.ParseStatic("static:///127.0.0.1:7101,[::1]:7101")
	if want := []string{"127.0.0.1:7101", "[::1]:7101"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for target, bad := range map[string][]string{
		"":                           {`""`},
		"127.0.0.1:7101":             {"127.0.0.1:7101"},
		"consul:///orders":           {"consul:///orders"},
		"static:///":                 {`bad address ""`},
		"static:///a:1,b,:2,c:":      {`bad address "b"`, `bad address ":2"`, `bad address "c:"`},
		"static:///127.0.0.1:7101,,": {`bad address ""`},
	} {
		_, err := discovery.ParseStatic(target)
		if err == nil {
			t.Errorf("%s was taken", target)
			continue
		}
		for _, want := range bad {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in %v", target, want, err)
			}
		}
	}
}
