package core_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/platform/clock"
)

// TestChromium tries the page in a real browser: every screen by axe-core, by keyboard, and while things happen. It needs Chromium, Node
// and the packages that `make web` installs, and is skipped where they are missing, unless REQUIRE_CHROMIUM is set.
func TestChromium(t *testing.T) {
	missing := func(format string, args ...any) {
		t.Helper()
		if os.Getenv("REQUIRE_CHROMIUM") != "" {
			t.Fatalf(format, args...)
		}
		t.Skipf(format, args...)
	}
	browser := ""
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			browser = found
			break
		}
	}
	node, err := exec.LookPath("node")
	if browser == "" || err != nil {
		missing("the page was not tried in a browser: chromium %q, node %q", browser, node)
	}
	web, err := filepath.Abs("../../../.cache/tower-web")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(web, "node_modules", "playwright-core")); err != nil {
		missing("the page was not tried in a browser: playwright-core is not installed, `make web` does that")
	}
	// The test stands beside its packages.
	script, err := os.ReadFile("../web/test/page.mjs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(web, "test"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(web, "test", "page.mjs"), script, 0o644); err != nil {
		t.Fatal(err)
	}

	w := newWorld(t)
	w.machine = clock.SystemMachine()
	w.restart()
	w.story()
	w.tell("orders", morning, &ordersv1.OrderCreated{Order: &ordersv1.Order{Name: "orders/ord_2", CustomerOrderNumber: "<img src=x onerror=alert(1)>", Customer: "parties/CUS-XYZ"}}, "orders/ord_2")
	opened := &workflowv1.WorkItem{Name: "workItems/wki_1", Reason: "TENDERS_EXHAUSTED", Owner: "operations", Subject: load, Detail: "Every carrier declined or let the time pass."}
	w.tell("workflow", departed, &workflowv1.WorkItemOpened{WorkItem: opened}, opened.Name, orderName, load)
	another := &workflowv1.WorkItem{Name: "workItems/wki_2", Reason: "MESSAGE_REJECTED", Owner: "integration", Subject: "interchanges/edi_1", Detail: "ST at 1: twice in this group"}
	w.tell("workflow", departed, &workflowv1.WorkItemOpened{WorkItem: another}, another.Name)
	third := &workflowv1.WorkItem{Name: "workItems/wki_3", Reason: "DELIVERY_EXCEPTION", Owner: "operations", Subject: shipment}

	// What the browser asks to happen is done by the test itself.
	asked, done := make(chan string), make(chan struct{})
	mux := http.NewServeMux()
	mux.Handle("/", w.core.Pages())
	mux.HandleFunc("POST /test/{what}", func(_ http.ResponseWriter, r *http.Request) {
		asked <- r.PathValue("what")
		<-done
	})
	full, empty := httptest.NewServer(mux), httptest.NewServer(newWorld(t).core.Pages())
	t.Cleanup(full.Close)
	t.Cleanup(empty.Close)
	t.Cleanup(empty.CloseClientConnections)
	t.Cleanup(full.CloseClientConnections)

	cmd := exec.CommandContext(t.Context(), node, filepath.Join(web, "test", "page.mjs"), full.URL, empty.URL)
	cmd.Env = append(os.Environ(), "CHROMIUM="+browser)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	ended := make(chan error, 1)
	go func() { ended <- cmd.Run() }()
	for {
		select {
		case what := <-asked:
			if what == "open" {
				w.tell("workflow", delivered, &workflowv1.WorkItemOpened{WorkItem: third}, third.Name, orderName, shipment)
			} else {
				w.tell("workflow", delivered, &workflowv1.WorkItemClosed{WorkItem: third}, third.Name, orderName, shipment)
			}
			done <- struct{}{}
		case err := <-ended:
			t.Logf("%s\n%s", browser, out.String())
			if err != nil {
				t.Errorf("the page failed in the browser: %v", err)
			}
			return
		}
	}
}
