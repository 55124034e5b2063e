package conf_test

import (
	"testing"

	"crossdock.dev/platform/conf"
)

func TestBytes(t *testing.T) {
	for text, want := range map[string]conf.Bytes{"0": 0, "1000": 1000, "256MiB": 268435456, "64 KiB": 65536, "2GiB": 2147483648} {
		var c struct{ Limit conf.Bytes }
		if err := conf.Decode("x.yaml", []byte("limit: "+text), &c); err != nil || c.Limit != want {
			t.Errorf("%s: got %d, %v; want %d", text, c.Limit, err, want)
		}
	}
	for _, text := range []string{"-1", "256MB", "1.5GiB", "MiB", "many", "9999999999GiB"} {
		var c struct{ Limit conf.Bytes }
		if err := conf.Decode("x.yaml", []byte("limit: "+text), &c); err == nil {
			t.Errorf("%s: got %d, want an error", text, c.Limit)
		}
	}
	for b, want := range map[conf.Bytes]string{0: "0", 1500: "1500", 1536: "1536", 2048: "2KiB", 268435456: "256MiB", 3221225472: "3GiB"} {
		if b.String() != want {
			t.Errorf("%d: got %s, want %s", b, b, want)
		}
	}
}
