package core

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
)

// interrupted is a world in which the program ended while the 204 of a load was being sent to a carrier: when its file was prepared, when
// it was sent, or when the carrier had fetched it, too. A second 204 to that carrier follows it.
func interrupted(t *testing.T, sent, fetched bool) (w *world, task tasks.Task) {
	w = newCarrierWorld(t)
	w.machine = clock.NewManual(at("11:05"))
	w.reopen()
	folder := filepath.Join(w.dir, "outbox", "CAR-CXBB")
	w.must(os.WriteFile(folder, nil, 0o600)) // the outbox is away, so that the task stays
	w.offer("NL26030001", "CXBB")
	w.must(os.Remove(folder))
	list, err := w.core.runner.List(w.ctx, 0, 100)
	w.must(err)
	list = slices.DeleteFunc(list, func(t tasks.Task) bool { return t.Kind != "send" })
	if len(list) != 1 || list[0].State != tasks.Pending {
		t.Fatalf("tasks %+v, want one that sends, pending", list)
	}
	task = list[0]
	// What the runner does, until the program ends.
	w.must(w.core.app.Prepare()["send"](w.ctx, task))
	_, err = w.core.store.Change(w.ctx, store.Cause{}, func(tx *store.Tx) ([]byte, error) {
		rec := &storagev1.TaskRecord{}
		err := store.GetProto(w.ctx, tx, store.Tasks, []byte(task.ID), rec)
		rec.Attempts++
		return nil, errors.Join(err, store.PutTask(w.ctx, tx, task.ID, rec))
	})
	w.must(err)
	if sent {
		_, err = w.core.app.Handlers()["send"](w.ctx, task)
		w.must(err)
	}
	if fetched {
		w.must(os.RemoveAll(folder))
	}
	w.reopen()
	w.offer("NL26030002", "CXBB")
	w.patience()
	return w, task
}

// loads are the loads of the 204s that a carrier finds, in the order of their names.
func (w *world) loads(party string) (out []string) {
	w.t.Helper()
	for _, f := range w.sent(party) {
		for segment := range strings.SplitSeq(f, "~") {
			if e := strings.Split(strings.TrimSpace(segment), "*"); e[0] == "B2" {
				out = append(out, e[4]) // shipment identification number
			}
		}
	}
	return out
}

// The program ends while a file is being sent. The file tells whether it was, so the partner gets it once; when the partner has fetched
// it, nothing tells, and a person decides.
func TestEndWhileSending(t *testing.T) {
	for _, c := range []struct {
		name          string
		sent, fetched bool
		want          []string // loads of the files that are there in the end
		stopped       int
	}{
		{"prepared", false, false, []string{"NL26030001", "NL26030002"}, 0},
		{"sent", true, false, []string{"NL26030001", "NL26030002"}, 0},
		{"sent and fetched", true, true, nil, 1},
		{"lost", false, true, nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, task := interrupted(t, c.sent, c.fetched)
			equal(t, "loads", w.loads("CAR-CXBB"), c.want)
			stopped := w.told("TaskStopped")
			if len(stopped) != c.stopped {
				t.Errorf("told of %q, want %d tasks that stopped", stopped, c.stopped)
			}
			for _, f := range w.facts() {
				if m, ok := f.Payload.(*eventlogv1.TaskStopped); ok {
					if f.Subject != "tasks/"+task.ID || m.GetTask().GetState() != eventlogv1.Task_IN_DOUBT || !slices.Contains(f.Related, "orders/ord_1") {
						t.Errorf("told %v of %s, which leads to %q; want the task in doubt, with its order", m, f.Subject, f.Related)
					}
				}
			}
			w.verify()
		})
	}
}

// A person says what became of a file that the partner may have fetched. Only then those behind it go.
func TestPersonDecidesAboutAFile(t *testing.T) {
	const both, first, second = "NL26030001 NL26030002", "NL26030001", "NL26030002"
	for _, c := range []struct {
		name        string
		retry       bool
		wentThrough bool
		want, state string // files that the partner finds after it, and what became of the first message
		told        string
	}{
		{"did not arrive", true, false, both, "APPLIED", "MessageSent"},
		{"arrived", false, true, second, "APPLIED", "MessageSent"},
		{"not wanted any more", false, false, second, "DUPLICATE", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, task := interrupted(t, true, true)
			server := eventlog.NewServer(w.core.store, w.core.followers.Consumers(), w.core.runner)
			ctx := origin.With(w.ctx, origin.Origin{Principal: origin.Principal{Kind: origin.User, Name: "ada"}, Method: "/decide"})
			for range 2 { // the answer may get lost
				var err error
				if c.retry {
					_, err = server.RetryTask(ctx, &eventlogv1.RetryTaskRequest{Name: "tasks/" + task.ID, RequestId: "r"})
				} else {
					_, err = server.DropTask(ctx, &eventlogv1.DropTaskRequest{Name: "tasks/" + task.ID, Note: "asked them", RequestId: "r", WentThrough: c.wentThrough})
				}
				w.must(err)
				w.patience()
			}
			if got := strings.Join(w.loads("CAR-CXBB"), " "); got != c.want {
				t.Errorf("files for loads %q, want %q", got, c.want)
			}
			x := w.list()[0]
			if got := x.GetTransactionSets()[0].GetDisposition().String(); got != c.state {
				t.Errorf("the message is %s, want %s", got, c.state)
			}
			if got := w.told("TaskReleased"); !slices.Equal(got, []string{"TaskReleased tasks/" + task.ID}) {
				t.Errorf("told %q, want once that the task is released", got)
			}
			told := slices.Contains(w.told("MessageSent"), fmt.Sprintf("MessageSent %s/sets/1", x.GetName())) || slices.Contains(w.told("MessageSent"), "MessageSent "+x.GetName())
			if told != (c.told != "") {
				t.Errorf("told that it was sent: %t; all: %q", told, w.told("MessageSent"))
			}
			if x.GetTransactionSets()[0].GetDisposition() == ediv1.Interchange_TransactionSet_DUPLICATE {
				list, err := w.core.runner.List(w.ctx, 0, 100)
				w.must(err)
				for _, other := range list {
					if other.Kind == "ack" && other.Subject == x.GetName() {
						t.Errorf("%s waits for an acknowledgement of what was not sent", other.ID)
					}
				}
			}
			w.verify()
		})
	}
}

// What was prepared for a task that never came to be is removed when the program starts; what a task waits for stays.
func TestTidyOutbox(t *testing.T) {
	w := newCarrierWorld(t)
	folder := filepath.Join(w.dir, "outbox", "CAR-CXBB")
	w.must(os.MkdirAll(folder, 0o750))
	for _, name := range []string{".edi_00000000000000000000000000", ".tmp-1", "000000009.edi"} {
		w.must(os.WriteFile(filepath.Join(folder, name), []byte("x"), 0o600))
	}
	w.reopen()
	entries, err := os.ReadDir(folder)
	w.must(err)
	if len(entries) != 1 || entries[0].Name() != "000000009.edi" {
		t.Errorf("folder holds %v, want the partner's file alone", entries)
	}
}
