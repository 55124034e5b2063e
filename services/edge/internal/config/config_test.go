package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"crossdock.dev/platform/conf"
)

func TestExampleHasTheDefaults(t *testing.T) {
	c, err := Load("../../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d := Default()
	if diff := cmp.Diff([]any{d.Routes, d.Quota, d.GatewayTimeout, d.MaxBodyBytes, d.MaxInFlight},
		[]any{c.Routes, c.Quota, c.GatewayTimeout, c.MaxBodyBytes, c.MaxInFlight}); diff != "" {
		t.Errorf("the example differs from the defaults (-default +example):\n%s", diff)
	}
}

func TestProblemsAreNamedAtOnce(t *testing.T) {
	c := Default()
	err := conf.Decode("edge.yaml", []byte(`
grpc_addr: 127.0.0.1:7106
http_addr: 127.0.0.1:8080
http_tls: mutual
admin_addr: 127.0.0.1:7306
tls: {cert_file: c, key_file: k, ca_file: a}
data_dir: data
peers: {orders: "static:///127.0.0.1:7102"}
gateways: {orders: "http://10.0.0.1:7202", freight: "https://freight:7203/x", tower: "consul:///tower-gateway"}
quota: {per_second: 0, burst: 1, partners: 1}
`), &c)
	var e *conf.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want *conf.Error", err)
	}
	for _, key := range []string{"http_tls", "token_key_file", "token_keys_file", "peers.freight", "peers.billing", "routes", "gateways.orders", "gateways.freight", "gateways.tower", "quota.per_second"} {
		if !strings.Contains(err.Error(), key+":") {
			t.Errorf("%s is not named in:\n%v", key, err)
		}
	}
}

// A file of before there were webhooks is good, and edge is the door alone.
func TestWithoutWebhooks(t *testing.T) {
	c := Default()
	err := conf.Decode("edge.yaml", []byte(`
grpc_addr: 127.0.0.1:7106
http_addr: 127.0.0.1:8080
admin_addr: 127.0.0.1:7306
tls: {cert_file: c, key_file: k, ca_file: a}
token_key_file: t
data_dir: data
gateways: {orders: "https://127.0.0.1:7202", freight: "https://127.0.0.1:7203", billing: "https://127.0.0.1:7204"}
`), &c)
	if err != nil || c.Webhooks() {
		t.Errorf("%v, webhooks %v; want it good, without", err, c.Webhooks())
	}
}
