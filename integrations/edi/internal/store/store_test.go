package store

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	storagev1 "crossdock.dev/gen/crossdock/edi/storage/v1"
	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/store"
)

var now = time.Date(2026, 3, 2, 11, 5, 0, 0, time.UTC)

func open(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Path: t.TempDir() + "/edi.db", Schema: Schema(), Clock: clock.Fixed(now)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func change(t *testing.T, s *store.Store, fn func(ctx context.Context, tx *store.Tx) error) error {
	t.Helper()
	_, err := s.Change(t.Context(), store.Cause{Actor: "user/test"}, func(tx *store.Tx) ([]byte, error) { return nil, fn(t.Context(), tx) })
	return err
}

// arrival is the n-th interchange of a delivery, with one answer.
func arrival(n int, issued uint64, seen string) Intake {
	id := string(rune('a' + n))
	head := message.Interchange{
		ID: "edi_" + id, Direction: message.Inbound, Party: "parties/P", Sender: "ZZ/P", Receiver: "ZZ/US", Control: "000000007",
		Disposition: message.Accepted, CreateTime: now, Sets: 1,
	}
	out := message.Interchange{
		ID: "edi_" + id + "_answer", Direction: message.Outbound, Party: "parties/P", Sender: "ZZ/US", Receiver: "ZZ/P", Control: ControlNumber(issued),
		Disposition: message.Accepted, CreateTime: now, Sets: 1,
	}
	return Intake{
		Delivery: Delivery{ID: "dlv_1", Interchanges: n, FileName: "f"}, Interchange: head, Seen: message.Seen{ID: seen}, Issued: issued,
		Sets:    []message.Set{{Index: 1, ID: "850", Disposition: message.InProgress}},
		Answers: []Answer{{Interchange: out, Set: message.Set{Index: 1, ID: "997", Group: ControlNumber(issued), Disposition: message.InProgress}}},
	}
}

// What was made up from an old look is not written.
func TestTakeInNoticesThatTheStoreMovedOn(t *testing.T) {
	s := open(t)
	write := func(in Intake) error {
		return change(t, s, func(ctx context.Context, tx *store.Tx) error { return TakeIn(ctx, tx, in) })
	}
	for _, c := range []struct {
		name string
		in   Intake
		want error
	}{
		{"a later one of the delivery first", arrival(2, 0, ""), ErrMoved},
		{"the first", arrival(1, 0, ""), nil},
		{"the first again", arrival(1, 1, "edi_b"), ErrMoved},
		{"the second, not knowing of the first", arrival(2, 1, ""), ErrMoved},
		{"the second, its number drawn", arrival(2, 0, "edi_b"), ErrMoved},
		{"the second", arrival(2, 1, "edi_b"), nil},
	} {
		if err := write(c.in); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	if got := breaches(t, s); got != "" {
		t.Errorf("breaches: %s", got)
	}
}

func breaches(t *testing.T, s *store.Store) string {
	t.Helper()
	report, err := s.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(report.Breaches, "\n")
}

func TestInvariantsNameTheRecords(t *testing.T) {
	for _, c := range []struct {
		name string
		harm func(ctx context.Context, tx *store.Tx) error
		want string
	}{
		{"a count too many", func(ctx context.Context, tx *store.Tx) error {
			return countTable.Put(ctx, tx, store.Key("parties/P", "2026-03-02", "850"), &storagev1.MessageCount{
				Party: "parties/P", Day: "2026-03-02", Set: "850", Received: 2, InProgress: 1, Applied: 1,
			})
		}, `counts of "parties/P" 2026-03-02 850`},
		{"a count that does not add up", func(ctx context.Context, tx *store.Tx) error {
			return countTable.Put(ctx, tx, store.Key("parties/P", "2026-03-02", "850"), &storagev1.MessageCount{
				Party: "parties/P", Day: "2026-03-02", Set: "850", Received: 1,
			})
		}, "received 1, the others add up to 0"},
		{"counts that are gone", func(ctx context.Context, tx *store.Tx) error {
			return countTable.Delete(ctx, tx, store.Key("parties/P", "2026-03-02", "850"))
		}, "are missing"},
		{"a number without its interchange", func(ctx context.Context, tx *store.Tx) error {
			return controlTable.Put(ctx, tx, store.Key("ZZ/US", "ZZ/P"), &storagev1.ControlNumbers{Issued: 2})
		}, "control number 2"},
		{"a number twice", func(ctx context.Context, tx *store.Tx) error {
			in := arrival(1, 0, "").Answers[0]
			in.Interchange.ID = "edi_z"
			return insert(ctx, tx, tally{}, in.Interchange, in.Set)
		}, "control number 1"},
	} {
		s := open(t)
		err := change(t, s, func(ctx context.Context, tx *store.Tx) error { return TakeIn(ctx, tx, arrival(1, 0, "")) })
		if err == nil {
			err = change(t, s, c.harm)
		}
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := breaches(t, s); !strings.Contains(got, c.want) {
			t.Errorf("%s: breaches %q, want %q", c.name, got, c.want)
		}
	}
}

func TestControlNumbersBeginAgain(t *testing.T) {
	for issued, want := range map[uint64]string{0: "000000001", 41: "000000042", 999_999_998: "999999999", 999_999_999: "000000001"} {
		if got := ControlNumber(issued); got != want {
			t.Errorf("after %d: got %s, want %s", issued, got, want)
		}
	}
}
