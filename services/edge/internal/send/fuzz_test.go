package send

import (
	"bytes"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"crossdock.dev/services/edge/internal/webhook"
)

// FuzzSend: an endpoint's address of any text is refused, or one that a request can be made of, by https and to no address of the own
// network; a message of any bytes is signed so that the library of the specification verifies it, and no other.
func FuzzSend(f *testing.F) {
	for _, s := range []string{
		"https://example.com/crossdock", "http://127.0.0.1:8080/", "https://[::ffff:10.0.0.1]/", "https://[fe80::1%25eth0]:443/", "https://2130706433/",
		"https://user:pass@example.com", "https://example.com#x", "HTTPS://EXAMPLE.com:99999/?q", "https:example.com", "https://[64:ff9b::7f00:1]/", "https://127.1/",
		"https://localhost./", "https://a.localhost", "//example.com", "https://exa%6dple.com", "https://\u2488\u2488.example/",
	} {
		f.Add(s, "whd_1", []byte(`{"a":1}`), []byte("s"))
	}
	own := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"), // RFC 1918
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("0.0.0.0/8"), // loopback, link-local, this network
		netip.MustParsePrefix("::/127"), netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("ff00::/8"),
	}
	at := time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)
	public := Config{Reach: webhook.Reach{}}
	f.Fuzz(func(t *testing.T, address, id string, body, key []byte) {
		if (webhook.Reach{}).CheckURL(address) == "" {
			req, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(body))
			if err != nil || req.URL.Scheme != "https" || req.URL.User != nil || req.URL.Hostname() == "" {
				t.Fatalf("%q is allowed: %v", address, err)
			}
			if ip, err := netip.ParseAddr(req.URL.Hostname()); err == nil && public.check(netip.AddrPortFrom(ip, 443).String()) != nil {
				t.Fatalf("%q is allowed, and refused when it is dialled", address)
			}
			if again, err := url.Parse(req.URL.String()); err != nil || again.Host != req.URL.Host {
				t.Fatalf("%q is %q, again %v, %v", address, req.URL, again, err)
			}
		}
		if ap, err := netip.ParseAddrPort(address); err == nil && public.check(address) == nil {
			for _, p := range own {
				if p.Contains(ap.Addr().Unmap()) {
					t.Fatalf("%q may be dialled", address)
				}
			}
		}
		if len(key) == 0 || strings.ContainsAny(id, "\r\n") {
			return
		}
		signature, err := sign(Message{ID: id, Body: body, Secrets: []webhook.Secret{webhook.SecretOf(key), webhook.SecretOf(append(bytes.Clone(key), 1))}}, at)
		if err != nil {
			t.Fatal(err)
		}
		header := http.Header{}
		header.Set(standardwebhooks.HeaderWebhookID, id)
		header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
		header.Set(standardwebhooks.HeaderWebhookSignature, signature)
		verify := func(key, body []byte) error {
			wh, err := standardwebhooks.NewWebhookRaw(key)
			if err != nil {
				t.Fatal(err)
			}
			return wh.VerifyIgnoringTimestamp(body, header)
		}
		if err := verify(key, body); id != "" && err != nil {
			t.Fatalf("%q with %q: %v", id, signature, err)
		}
		if verify(key, append(bytes.Clone(body), ' ')) == nil || verify(append(bytes.Clone(key), 2), body) == nil {
			t.Fatalf("%q with %q verifies for another body or key", id, signature)
		}
	})
}
