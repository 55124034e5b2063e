package front

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/serve"
	"crossdock.dev/services/edge/internal/apikey"
)

// one lets one secret in, signs with a word, and keeps what reached the service and what its token is for.
type one struct {
	secret string
	signed auth.Token
	got    *http.Request
	body   []byte
}

func (o *one) Open(_ context.Context, s apikey.Secret) (apikey.Key, bool, error) {
	return apikey.Key{ID: "key_1", Party: "parties/CUS-XYZ", Roles: []string{"customer"}}, s.Reveal() == o.secret, nil
}

func (o *one) Sign(t auth.Token) (string, error) {
	o.signed = t
	return "signed", nil
}

func (o *one) RoundTrip(r *http.Request) (*http.Response, error) {
	o.got = r
	if r.Body != nil {
		o.body, _ = io.ReadAll(r.Body)
	}
	return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// FuzzFront: a request of any bytes is answered, with an id, and by no error of ours; what reaches a service shows the key, has the path
// and method that its token is for, and no header but those that are passed on.
func FuzzFront(f *testing.F) {
	secret, err := apikey.NewSecret(bytes.NewReader(make([]byte, 64)))
	if err != nil {
		f.Fatal(err)
	}
	o := &one{secret: secret.Reveal()}
	const maxBody = 1 << 10
	h, err := New(Config{
		Doors: o, Signer: o, Routes: []Route{{"/v1/orders", "orders"}}, Backends: map[string]Backend{"orders": {&url.URL{Scheme: "http", Host: "orders"}, o}},
		OpenAPI: fstest.MapFS{"crossdock/orders/v1/orders.openapi.json": {Data: []byte("{}")}},
		Quota:   Quota{PerSecond: 1 << 30, Burst: 1 << 30, AtOnce: 1, Partners: 1}, MaxBody: maxBody, MaxInFlight: 1, Timeout: time.Minute,
		Now: func() time.Time { return time.Unix(0, 0) }, Rand: zeros{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		f.Fatal(err)
	}
	key := "Authorization: Bearer " + o.secret + "\r\n"
	for _, s := range []string{
		"GET /v1/orders?pageSize=5&filter=%00 HTTP/1.1\r\nHost: edge\r\n" + key + "X-Forwarded-For: 1.2.3.4\r\nGrpc-Metadata-Crossdock-Actor: user/dev\r\n\r\n",
		"POST /v1/orders HTTP/1.1\r\nHost: edge\r\n" + key + "Idempotency-Key: a\r\nContent-Length: 2\r\n\r\n{}",
		"POST /v1/orders:x HTTP/1.1\r\nHost: edge\r\n" + key + "Transfer-Encoding: chunked\r\nConnection: Authorization, If-Match\r\nIf-Match: \"1\"\r\n\r\n3\r\n{} \r\n0\r\n\r\n",
		"GET /v1/orders/..%2f../x HTTP/1.1\r\nHost: edge\r\n" + key + "\r\n", "GET http://other/v1/orders/./ HTTP/1.0\r\n" + key + "\r\n", "OPTIONS * HTTP/1.1\r\nHost: edge\r\n\r\n",
		"GET /openapi/orders.json HTTP/1.1\r\nHost: edge\r\nTraceparent: 00-00000000000000000000000000000001-0000000000000001-01\r\nX-Request-Id: a b\r\n\r\n",
		"CONNECT orders:80 HTTP/1.1\r\nHost: edge\r\n" + key + "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "GET /v1/ordersx HTTP/1.1\r\nHost: edge\r\n" + key + key + "\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return // answered by net/http
		}
		in := r.Clone(t.Context())
		o.signed, o.got, o.body = auth.Token{}, nil, nil
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code < 200 || w.Code > 499 || !rpc.PlainID(w.Header().Get(rpcerr.HeaderRequestID)) {
			t.Fatalf("%q: %d %v %s", raw, w.Code, w.Header(), w.Body)
		}
		if o.got == nil {
			return
		}
		shown := in.Header.Values("Authorization")
		if len(shown) != 1 || len(shown[0]) < 7 || !strings.EqualFold(shown[0][:7], "Bearer ") || shown[0][7:] != o.secret {
			t.Fatalf("%q reached a service", raw)
		}
		sent := httptest.NewRequest(http.MethodGet, "http://orders/", nil)
		if sent.URL, err = url.Parse(o.got.URL.String()); err != nil || serve.CheckPath(sent) != nil || !strings.HasPrefix(sent.URL.Path, "/v1/orders") || sent.URL.Path != in.URL.Path ||
			o.signed.Path != sent.URL.Path || o.signed.Method != o.got.Method || o.got.Method != in.Method || sent.URL.Host != "orders" || len(o.body) > maxBody {
			t.Fatalf("%q: %s %s with %d bytes, the token is for %s %s", raw, o.got.Method, o.got.URL, len(o.body), o.signed.Method, o.signed.Path)
		}
		for name := range o.got.Header {
			if !slices.Contains(passed, name) && name != "Authorization" {
				t.Fatalf("%q: header %s reached a service", raw, name)
			}
		}
		if got := o.got.Header.Values("Authorization"); len(got) != 1 || got[0] != "Bearer signed" {
			t.Fatalf("%q: Authorization %q", raw, got)
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
