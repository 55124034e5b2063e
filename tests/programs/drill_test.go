package programs

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	"crossdock.dev/platform/backup"
	"crossdock.dev/tests/conductor"
	"crossdock.dev/tests/story"
)

// TestRestoreDrill is the drill: partners order without a pause, all services are backed up meanwhile, the store of one is destroyed
// and made again out of its backup by the command line alone, as a person would, and orders go through again. It prints the
// recovery point and time that were reached. `make drill` runs it alone.
func TestRestoreDrill(t *testing.T) {
	ctx := t.Context()
	s := newSuite(t)
	s.Launch(t)
	live := s.ready()
	fill(t, live)
	run, err := story.ReadRun(s.RunFile())
	must(t, err)
	conducted, err := conductor.Conduct(run, live)
	must(t, err)

	var ordered atomic.Int64
	reached := make(chan int64, 1000)
	loadCtx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for n := 1; loadCtx.Err() == nil; n++ {
			if err := placeOrder(loadCtx, live, fmt.Sprintf("DRILL-%04d", n)); err != nil {
				if loadCtx.Err() == nil && !strings.Contains(err.Error(), "503") {
					t.Errorf("order %d: %v", n, err)
				}
				continue
			}
			select {
			case reached <- ordered.Add(1):
			default:
			}
		}
	}()
	await := func(n int64) {
		for {
			select {
			case got := <-reached:
				if got >= n {
					return
				}
			case <-ended:
				t.Fatal("the load ended")
			}
		}
	}
	await(10)

	// The copies are made while orders come in.
	to := filepath.Join(t.TempDir(), "backups")
	begun, before := time.Now(), ordered.Load()
	var made []struct {
		Service, Dir string
		Sequence     uint64
	}
	must(t, json.Unmarshal([]byte(s.cli(0, "backup", "--all", "--to", to, "-o", "json")), &made))
	took, meanwhile := time.Since(begun), ordered.Load()-before
	copied := map[string]uint64{}
	for _, m := range made {
		copied[m.Service] = m.Sequence
		b, err := backup.Open(m.Dir)
		must(t, err)
		must(t, backup.Check(ctx, m.Dir, b, nil))
	}
	if len(made) != len(names) {
		t.Errorf("%d backups, want %d", len(made), len(names))
	}
	t.Logf("backup of %d services took %.1f s; %d orders came in meanwhile", len(made), took.Seconds(), meanwhile)
	await(ordered.Load() + 10)
	stop()
	<-ended

	// The disk of orders is lost.
	log := eventlogv1.NewEventLogServiceClient(live.Conn("orders"))
	end, err := log.GetLog(ctx, &eventlogv1.GetLogRequest{})
	must(t, err)
	must(t, conducted.Stop(ctx, "orders", nil))
	path := filepath.Join(s.Dir, "data", "orders", "orders.db")
	must(t, os.Remove(path))
	lost := time.Now()
	said := s.cli(0, "restore", "--service", "orders", "--from", filepath.Join(to, "orders"))
	if _, err := os.Stat(path); err != nil || !strings.Contains(said, "epoch 2 goes on from here") {
		t.Errorf("restore: %v, said %s", err, said)
	}
	must(t, conducted.Start(ctx, "orders"))
	must(t, live.CaughtUp(ctx, "masterdata"))
	back := time.Since(lost)

	// A person decides what the restore has left.
	var left []struct{ Service, What, Name string }
	for {
		left = nil
		must(t, json.Unmarshal([]byte(s.cli(0, "reconcile", "list", "-o", "json")), &left))
		feeds := 0
		for _, w := range left {
			if w.What == "feed" {
				feeds++
				if orphans := s.cli(0, "reconcile", "orphans", "--service", w.Service, "--feed", w.Name, "-o", "json"); strings.TrimSpace(orphans) == "[]" {
					t.Errorf("%s waits at a fork of %s, and lists no orphan", w.Service, w.Name)
				}
				s.cli(0, "reconcile", "feed", w.Name, "--service", w.Service, "--note", "drill")
			}
		}
		if feeds == 0 && epochOf(ctx, t, live, "workflow", "orders") == 2 {
			break
		}
	}
	s.cli(0, "reconcile", "lift", "--service", "orders", "--note", "drill")
	must(t, placeOrder(ctx, live, "AFTER-THE-DRILL"))
	_, err = live.Await(ctx, "orders", func(m proto.Message) bool {
		r, ok := m.(*ordersv1.OrderReleased)
		return ok && r.GetRelease().GetCustomerOrderNumber() == "AFTER-THE-DRILL"
	})
	must(t, err)
	working := time.Since(lost)

	for _, name := range names {
		report, err := eventlogv1.NewEventLogServiceClient(live.Conn(name)).VerifyStore(ctx, &eventlogv1.VerifyStoreRequest{})
		must(t, err)
		for _, b := range report.GetBreaches() {
			t.Errorf("%s: %s", name, b)
		}
	}
	t.Logf("recovery point: orders lost %d entries after its copy, of %d", end.GetLast().GetSequence()-copied["orders"], end.GetLast().GetSequence())
	t.Logf("recovery time: answering after %.1f s, an order went through after %.1f s", back.Seconds(), working.Seconds())
	must(t, s.Up.Stop())
}

// epochOf is that of the position up to which a service has read a log.
func epochOf(ctx context.Context, t *testing.T, live *story.Live, reader, log string) uint64 {
	t.Helper()
	list, err := eventlogv1.NewEventLogServiceClient(live.Conn(reader)).ListConsumers(ctx, &eventlogv1.ListConsumersRequest{})
	must(t, err)
	for _, c := range list.GetConsumers() {
		if c.GetLog() == log {
			return c.GetCursor().GetEpoch()
		}
	}
	return 0
}

func placeOrder(ctx context.Context, live *story.Live, po string) error {
	body, err := json.Marshal(map[string]any{
		"customerOrderNumber": po, "shipFrom": "locations/LOC-CMH", "shipTo": "locations/LOC-INDH", "mode": "LTL", "currencyCode": "USD",
		"lines": []any{map[string]any{"line": "10", "item": "items/NS-PUMP-10", "quantity": map[string]string{"value": "20", "unit": "EA"}, "unitPrice": "189.00"}},
	})
	if err == nil {
		_, err = live.REST(ctx, "parties/CUS-HHS", http.MethodPost, "/v1/orders", "order-"+po, body)
	}
	return err
}
