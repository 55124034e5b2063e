package auth_test

import (
	"crypto/tls"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	governancev1 "crossdock.dev/gen/crossdock/governance/v1"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/internal/widgettest"
	"crossdock.dev/platform/origin"
)

func TestParseID(t *testing.T) {
	for text, want := range map[string]auth.ID{
		"spiffe://crossdock/service/orders":     auth.ServiceID("orders"),
		"spiffe://crossdock/user/dev":           auth.UserID("dev"),
		"spiffe://elsewhere/service/orders":     {},
		"spiffe://crossdock/service/":           {},
		"spiffe://crossdock/service":            {},
		"spiffe://crossdock/service/a/b":        {},
		"spiffe://crossdock/partner/x":          {},
		"spiffe://crossdock/service/..":         {},
		"spiffe://crossdock/service/a%2Fb":      {},
		"spiffe://crossdock/service/orders?x=1": {},
		"spiffe://crossdock:80/service/orders":  {},
		"https://crossdock/service/orders":      {},
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := auth.ParseID(u)
		if got != want || (err == nil) != (want != auth.ID{}) {
			t.Errorf("ParseID(%s) = %v, %v; want %v", text, got, err, want)
		}
		if err == nil && got.String() != text {
			t.Errorf("String of %s = %s", text, got)
		}
	}
}

func TestCanSee(t *testing.T) {
	for _, test := range []struct {
		name    string
		p       origin.Principal
		parties []string
		want    bool
	}{
		{"a service sees all", origin.Principal{Kind: origin.Service, Name: "workflow"}, nil, true},
		{"a person sees all", origin.Principal{Kind: origin.User, Name: "dev"}, []string{"parties/CUS-ABC"}, true},
		{"a partner sees its own", origin.Principal{Kind: origin.Partner, Name: "k", Party: "parties/CUS-XYZ"}, []string{"parties/CAR-1", "parties/CUS-XYZ"}, true},
		{"not another's", origin.Principal{Kind: origin.Partner, Name: "k", Party: "parties/CUS-XYZ"}, []string{"parties/CUS-XYZ2"}, false},
		{"not what names nobody", origin.Principal{Kind: origin.Partner, Name: "k", Party: "parties/CUS-XYZ"}, nil, false},
		{"a partner without party matches no empty party", origin.Principal{Kind: origin.Partner, Name: "k"}, []string{""}, false},
		{"nobody sees nothing", origin.Principal{}, []string{"", "parties/CUS-XYZ"}, false},
	} {
		if got := auth.CanSee(test.p, test.parties...); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

func TestAuthorize(t *testing.T) {
	internal := auth.Method{Policy: widgettest.Policy("w.read", governancev1.MethodPolicy_INTERNAL, governancev1.MethodPolicy_READ, "workflow", "tower")}
	shared := auth.Method{Policy: widgettest.Policy("w.read", governancev1.MethodPolicy_PARTNER, governancev1.MethodPolicy_READ, "*")}
	closed := auth.Method{Policy: widgettest.Policy("w.read", governancev1.MethodPolicy_INTERNAL, governancev1.MethodPolicy_READ)}
	exempt := auth.Method{Exempt: true}
	service := func(name string) origin.Principal { return origin.Principal{Kind: origin.Service, Name: name} }
	partner := func(scopes ...string) origin.Principal {
		return origin.Principal{Kind: origin.Partner, Name: "k", Party: "parties/P", Scopes: scopes}
	}
	user := func(roles, scopes []string) origin.Principal {
		return origin.Principal{Kind: origin.User, Name: "u", Roles: roles, Scopes: scopes}
	}
	operator := []string{auth.RoleOperator}
	for _, test := range []struct {
		name        string
		p           origin.Principal
		m           auth.Method
		development bool
		want        bool
	}{
		{"a named caller", service("workflow"), internal, false, true},
		{"a service not named", service("billing"), internal, false, false},
		{"a service not named, in development", service("billing"), internal, true, false},
		{"any service", service("billing"), shared, false, true},
		{"no caller is named", service("workflow"), closed, false, false},
		{"a service named * is not every service", service("*"), internal, false, false},
		{"partner with the scope", partner("w.read"), shared, false, true},
		{"partner with another scope", partner("w.write", "w"), shared, false, false},
		{"partner without scopes", partner(), shared, false, false},
		{"partner with the scope of an internal method", partner("w.read"), internal, false, false},
		{"partner on an exempt method", partner("w.read"), exempt, false, false},
		{"person with the scope", user(nil, []string{"w.read"}), closed, false, true},
		{"person without", user(nil, []string{"w.write"}), closed, false, false},
		{"operator, in development", user(operator, nil), closed, true, true},
		{"operator, elsewhere", user(operator, nil), closed, false, false},
		{"service on an exempt method", service("tower"), exempt, false, true},
		{"nobody", origin.Principal{Scopes: []string{"w.read"}}, shared, true, false},
	} {
		refusal := auth.Authorize(test.p, test.m, auth.Users{Development: test.development})
		if got := refusal == nil; got != test.want {
			t.Errorf("%s: allowed %v (%v), want %v", test.name, got, refusal, test.want)
		}
	}
}

func TestUsersHoldWhatTheyAreGranted(t *testing.T) {
	grants := map[string]auth.Grant{"clerk": {Scopes: []string{"invoices.approve"}}}
	for _, test := range []struct {
		name, user  string
		development bool
		want        origin.Principal
	}{
		{"listed", "clerk", true, origin.Principal{Kind: origin.User, Name: "clerk", Scopes: []string{"invoices.approve"}}},
		{"not listed, in development", "dev", true, origin.Principal{Kind: origin.User, Name: "dev", Roles: []string{"operator"}}},
		{"not listed", "dev", false, origin.Principal{Kind: origin.User, Name: "dev"}},
	} {
		got := auth.Users{Grants: grants, Development: test.development}.Principal(auth.UserID(test.user))
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: principal differs (-want +got):\n%s", test.name, diff)
		}
	}
	if got := (auth.Users{Grants: grants, Development: true}).Principal(auth.ServiceID("clerk")); got.Scopes != nil || got.Roles != nil {
		t.Errorf("a service got a person's grants: %+v", got)
	}
}

// Every part of a policy must be there, or the server does not start.
func TestIncompletePoliciesAreNamed(t *testing.T) {
	c, err := widgettest.New()
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	c.Register(widgettest.Handlers{})(srv)
	if err := c.Policies().Check(srv.GetServiceInfo()); err != nil {
		t.Errorf("complete policies: %v", err)
	}
	c.RegisterBare(srv)
	err = c.Policies().Check(srv.GetServiceInfo())
	if err == nil || !strings.Contains(err.Error(), widgettest.Bare+" has no policy") {
		t.Errorf("got %v, want it to name %s", err, widgettest.Bare)
	}
	if _, ok := c.Policies().Lookup(widgettest.Bare); ok {
		t.Error("a method without a policy was found")
	}
	if _, ok := auth.NewPolicies(nil).Lookup(widgettest.Create); ok {
		t.Error("an unknown method was found")
	}
	full := widgettest.Policy("s", governancev1.MethodPolicy_PARTNER, governancev1.MethodPolicy_READ)
	for field, clear := range map[string]func(*governancev1.MethodPolicy){
		"owner":       func(p *governancev1.MethodPolicy) { p.Owner = "" },
		"tier":        func(p *governancev1.MethodPolicy) { p.Tier = 0 },
		"scope":       func(p *governancev1.MethodPolicy) { p.Scope = "" },
		"visibility":  func(p *governancev1.MethodPolicy) { p.Visibility = 0 },
		"criticality": func(p *governancev1.MethodPolicy) { p.Criticality = 0 },
		"idempotency": func(p *governancev1.MethodPolicy) { p.Idempotency = 0 },
		"rate_class":  func(p *governancev1.MethodPolicy) { p.RateClass = 0 },
		"lifecycle":   func(p *governancev1.MethodPolicy) { p.Lifecycle = 0 },
		"slo":         func(p *governancev1.MethodPolicy) { p.Slo = nil },
	} {
		p := proto.Clone(full).(*governancev1.MethodPolicy)
		clear(p)
		if diff := cmp.Diff([]string{field}, auth.Incomplete(p)); diff != "" {
			t.Errorf("without %s (-want +got):\n%s", field, diff)
		}
	}
}

func TestDevPKIKeepsWhatIsThere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	if _, err := auth.DevPKI(dir, "orders"); err != nil {
		t.Fatal(err)
	}
	before := contents(t, dir)
	if _, err := auth.DevPKI(dir, "orders", "billing"); err != nil {
		t.Fatal(err)
	}
	after := contents(t, dir)
	for name, b := range before {
		if after[name] != b {
			t.Errorf("%s was written again", name)
		}
	}
	if _, ok := after["service-billing.crt"]; !ok {
		t.Errorf("no certificate for billing in %d files", len(after))
	}
	if _, err := auth.DevPKI(dir, "../x"); err == nil {
		t.Error("a name with a path was taken")
	}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != fs.FileMode(0o600) {
			t.Errorf("%s has mode %v, want 0600", e.Name(), got)
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(b)
	}
	return out
}

// Both sides of a connection prove who they are.
func TestHandshake(t *testing.T) {
	ours, err := auth.DevPKI(t.TempDir(), "orders", "workflow")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := auth.DevPKI(t.TempDir(), "orders", "workflow")
	if err != nil {
		t.Fatal(err)
	}
	mixed := func(id, authority auth.Files) auth.Files { id.CA = authority.CA; return id }
	for _, test := range []struct {
		name           string
		server, client auth.Files
		want           string
		ok             bool
	}{
		{"a service calls the one it wants", ours.Service("orders"), ours.Service("workflow"), "orders", true},
		{"a person calls", ours.Service("orders"), ours.User("dev"), "orders", true},
		{"another service answers", ours.Service("workflow"), ours.Service("orders"), "orders", false},
		{"a person answers", ours.User("dev"), ours.Service("workflow"), "dev", false},
		{"the server's authority is unknown", mixed(theirs.Service("orders"), ours.Service("orders")), ours.Service("workflow"), "orders", false},
		{"the caller's authority is unknown", ours.Service("orders"), mixed(theirs.Service("workflow"), ours.Service("orders")), "orders", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			sc, err := auth.ServerTLS(test.server)
			if err != nil {
				t.Fatal(err)
			}
			cc, err := auth.ClientTLS(test.client, test.want)
			if err != nil {
				t.Fatal(err)
			}
			if got := handshake(sc, cc); (got == nil) != test.ok {
				t.Errorf("got %v, want success %v", got, test.ok)
			}
		})
	}
	t.Run("no certificate", func(t *testing.T) {
		sc, err := auth.ServerTLS(ours.Service("orders"))
		if err != nil {
			t.Fatal(err)
		}
		if err := handshake(sc, &tls.Config{InsecureSkipVerify: true}); err == nil {
			t.Error("a caller without certificate was let in")
		}
	})
	t.Run("TLS 1.2", func(t *testing.T) {
		sc, err := auth.ServerTLS(ours.Service("orders"))
		if err != nil {
			t.Fatal(err)
		}
		cc, err := auth.ClientTLS(ours.Service("workflow"), "orders")
		if err != nil {
			t.Fatal(err)
		}
		cc.MinVersion, cc.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
		if err := handshake(sc, cc); err == nil {
			t.Error("TLS 1.2 was taken")
		}
	})
}

// handshake connects both sides over memory and sends a byte each way; the error of either is returned.
func handshake(server, client *tls.Config) error {
	lis := bufconn.Listen(64 << 10) // buffered, because both sides may be writing when one refuses
	defer lis.Close()
	done := make(chan error, 1)
	go func() {
		a, err := lis.Accept()
		if err != nil {
			done <- err
			return
		}
		defer a.Close()
		s := tls.Server(a, server)
		buf := make([]byte, 1)
		_, err = s.Read(buf) // does the handshake
		if err == nil {
			_, err = s.Write(buf)
		}
		done <- err
	}()
	b, err := lis.Dial()
	if err != nil {
		return err
	}
	defer b.Close()
	c := tls.Client(b, client)
	_, err = c.Write([]byte{1})
	if err == nil {
		_, err = c.Read(make([]byte, 1))
	}
	if err != nil {
		b.Close()
	}
	if serverErr := <-done; err == nil {
		err = serverErr
	}
	return err
}
