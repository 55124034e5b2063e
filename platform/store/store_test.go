package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"pgregory.net/rapid"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
	"crossdock.dev/platform/clock"
)

// TestConformance says what every way to open a store has in common: a fresh file, and one that is closed and opened again
// after each step.
func TestConformance(t *testing.T) {
	for _, reopen := range []bool{false, true} {
		t.Run(fmt.Sprintf("reopen=%v", reopen), func(t *testing.T) {
			ctx := context.Background()
			o := testOptions(filepath.Join(t.TempDir(), "test.db"))
			s := openTest(t, o)
			step := func() {
				if reopen {
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					s = openTest(t, o)
				}
			}
			get := func(b *Bucket, key string) string {
				var v []byte
				err := s.View(ctx, func(r Reader) (err error) {
					v, err = r.Get(ctx, b, []byte(key))
					return err
				})
				if errors.Is(err, ErrNotFound) {
					return "-"
				}
				if err != nil {
					t.Fatal(err)
				}
				return string(v)
			}
			out := mustChange(t, s, request("1"), func(tx *Tx) error {
				if err := tx.Put(ctx, people, []byte("ann"), []byte("555-0100")); err != nil {
					return err
				}
				if err := tx.Emit(Fact{Type: "ThingMade", Subject: "things/a", Related: []string{"po:1"}, Payload: wrapperspb.String("x")}); err != nil {
					return err
				}
				return putThing(ctx, tx, "a", "1")
			})
			if want := (Position{Log: "things", Epoch: 1, Sequence: 1}); out.Position != want {
				t.Errorf("first position = %v, want %v", out.Position, want)
			}
			step()
			if got := get(things, "a") + get(people, "ann") + get(things, "b"); got != "1555-0100-" {
				t.Errorf("read back %q, want %q", got, "1555-0100-")
			}
			again, err := s.Change(ctx, request("1"), func(tx *Tx) ([]byte, error) {
				t.Error("a repeated request ran its change again")
				return nil, nil
			})
			if err != nil || !again.Repeated || again.Position != out.Position {
				t.Errorf("repeat = %+v, %v, want position %v", again, err, out.Position)
			}
			step()
			reused := request("1")
			reused.Fingerprint = []byte("other")
			if _, err := s.Change(ctx, reused, func(tx *Tx) ([]byte, error) { return nil, nil }); !errors.Is(err, ErrRequestIDReused) {
				t.Errorf("other arguments with the same id: %v, want ErrRequestIDReused", err)
			}
			other := request("1")
			other.Principal = "user/other"
			if out, err := s.Change(ctx, other, func(tx *Tx) ([]byte, error) { return []byte("ok"), nil }); err != nil || out.Repeated || out.Position.Sequence != 2 {
				t.Errorf("another caller's id = %+v, %v, want an entry of its own although it wrote nothing", out, err)
			}
			step()
			refusal := errors.New("refused")
			_, err = s.Change(ctx, request("2"), func(tx *Tx) ([]byte, error) {
				return nil, errors.Join(putThing(ctx, tx, "b", "2"), tx.Emit(Fact{Type: "T", Subject: "s"}), refusal)
			})
			if !errors.Is(err, refusal) || get(things, "b") != "-" || s.Last().Sequence != 2 {
				t.Errorf("refused change: %v, b = %s, last %v", err, get(things, "b"), s.Last())
			}
			step()
			if out, err := s.Change(ctx, request("2"), func(tx *Tx) ([]byte, error) { return nil, putThing(ctx, tx, "b", "2") }); err != nil || out.Repeated {
				t.Errorf("a refused change was remembered: %+v, %v", out, err)
			}
			nothing, err := s.Change(ctx, Cause{Principal: "service/x"}, func(tx *Tx) ([]byte, error) { return []byte("n"), nil })
			if err != nil || nothing.Position.Sequence != 3 || string(nothing.Answer) != "n" {
				t.Errorf("a change that wrote nothing = %+v, %v, want no entry of its own", nothing, err)
			}
			step()
			mustChange(t, s, Cause{Principal: "service/x"}, func(tx *Tx) error {
				return errors.Join(deleteThing(ctx, tx, "a"), tx.Delete(ctx, people, []byte("ann")), tx.Delete(ctx, things, []byte("never was")))
			})
			step()
			if got := get(things, "a") + get(people, "ann") + get(things, "b"); got != "--2" {
				t.Errorf("after deleting read back %q, want %q", got, "--2")
			}
			entries, last, err := s.ReadLog(ctx, Position{}, 0)
			if err != nil || len(entries) != 4 || last != s.Last() || last.Sequence != 4 {
				t.Fatalf("ReadLog = %d entries, %v, %v, want 4", len(entries), last, err)
			}
			var head eventlogv1.Head
			if err := proto.Unmarshal(entries[0].Head, &head); err != nil {
				t.Fatal(err)
			}
			if len(head.Facts) != 1 || head.Facts[0].Type != "ThingMade" || head.Actor != "user/dev" || !head.ApplyTime.AsTime().Equal(start) {
				t.Errorf("first head = %v", &head)
			}
			tail, _, err := s.ReadLog(ctx, entries[2].Position, 1)
			if err != nil || len(tail) != 1 || !bytes.Equal(tail[0].Head, entries[3].Head) {
				t.Errorf("ReadLog after 3 = %v, %v", tail, err)
			}
			for _, p := range []Position{{Log: "things", Epoch: 2, Sequence: 1}, {Log: "other", Epoch: 1, Sequence: 1}, {Log: "things", Epoch: 1, Sequence: 5}} {
				if _, _, err := s.ReadLog(ctx, p, 0); !errors.Is(err, ErrOutOfRange) {
					t.Errorf("ReadLog after %v: %v, want ErrOutOfRange", p, err)
				}
			}
			wantClean(t, s)
		})
	}
}

// hold keeps the writer busy until the returned function is called, so that what is submitted meanwhile shares a commit.
func hold(s *Store) (release func()) {
	started, gate := make(chan struct{}), make(chan struct{})
	s.Submit(context.Background(), Cause{}, func(*Tx) ([]byte, error) {
		close(started)
		<-gate
		return nil, nil
	})
	<-started
	return func() { close(gate) }
}

func TestNeighboursShareACommit(t *testing.T) {
	ctx, s := context.Background(), newTest(t)
	commits := 0
	s.commit = func(btx *bbolt.Tx) error { commits++; return btx.Commit() }
	release := hold(s)
	const n = 90
	pending := make([]*Pending, n)
	for i := range n {
		pending[i] = s.Submit(ctx, request(fmt.Sprint(i)), func(tx *Tx) ([]byte, error) {
			if err := putThing(ctx, tx, fmt.Sprintf("k%02d", i), "v"); err != nil {
				return nil, err
			}
			switch i % 3 {
			case 1:
				return nil, errors.New("refused")
			case 2:
				panic("boom")
			}
			rows, err := tx.Scan(ctx, things, Range{Limit: maxScan})
			return []byte(fmt.Sprint(len(rows))), err
		})
	}
	release()
	for i, p := range pending {
		out, err := p.Wait(ctx)
		_, panicked := errors.AsType[*PanicError](err)
		switch {
		case i%3 == 0 && (err != nil || string(out.Answer) != fmt.Sprint(i/3+1)):
			t.Errorf("change %d saw %s things, %v, want %d: its own and the good ones before", i, out.Answer, err, i/3+1)
		case i%3 == 1 && (err == nil || err.Error() != "refused"):
			t.Errorf("change %d: %v, want its own refusal", i, err)
		case i%3 == 2 && !panicked:
			t.Errorf("change %d: %v, want a PanicError", i, err)
		}
	}
	if commits > 2 || s.Last().Sequence != n/3 {
		t.Errorf("%d commits and %d entries, want at most 2 and %d", commits, s.Last().Sequence, n/3)
	}
	wantClean(t, s)
}

func TestSameRequestAtOnce(t *testing.T) {
	ctx, s := context.Background(), newTest(t)
	runs, first := 0, 0
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			out, err := s.Change(ctx, request("same"), func(tx *Tx) ([]byte, error) {
				runs++
				return []byte("answer"), putThing(ctx, tx, "k", fmt.Sprint(runs))
			})
			mu.Lock()
			defer mu.Unlock()
			if err != nil || string(out.Answer) != "answer" || out.Position.Sequence != 1 {
				t.Errorf("outcome = %+v, %v", out, err)
			}
			if !out.Repeated {
				first++
			}
		})
	}
	wg.Wait()
	if runs != 1 || first != 1 {
		t.Errorf("ran %d times, %d were first; want 1 and 1", runs, first)
	}
}

func TestTry(t *testing.T) {
	ctx, s := context.Background(), newTest(t)
	mustChange(t, s, Cause{}, func(tx *Tx) error { return putThing(ctx, tx, "old", "1") })
	failed := errors.New("failed")
	mustChange(t, s, Cause{}, func(tx *Tx) error {
		if err := putThing(ctx, tx, "a", "1"); err != nil {
			return err
		}
		err := tx.Try(func(tx *Tx) error {
			return errors.Join(putThing(ctx, tx, "a", "2"), putThing(ctx, tx, "b", "2"), deleteThing(ctx, tx, "old"), tx.Emit(Fact{Type: "T", Subject: "s"}), failed)
		})
		if err != failed && !errors.Is(err, failed) {
			return fmt.Errorf("Try returned %w", err)
		}
		return tx.Try(func(tx *Tx) error { return putThing(ctx, tx, "c", "3") })
	})
	var got []string
	if err := s.View(ctx, func(r Reader) error {
		return Each(ctx, r, things, nil, func(kv KV) error { got = append(got, string(kv.Key)+string(kv.Value)); return nil })
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"a1", "c3", "old1"}; !slices.Equal(got, want) {
		t.Errorf("things = %v, want %v", got, want)
	}
	wantClean(t, s)
}

// TestReplay changes a store at random, compares it with a plain map, and has the log replayed.
func TestReplay(t *testing.T) {
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		ctx := context.Background()
		o := testOptions(filepath.Join(dir, fmt.Sprint(run)))
		business := clock.NewManual(start)
		o.Clock = business
		s := openTest(t, o)
		defer func() { s.Close() }()
		model := map[string]string{}
		names := rapid.SampledFrom([]string{"a", "b", "c", "d", "\x00", "a\x00b", "\xff"})
		for range rapid.IntRange(1, 15).Draw(rt, "changes") {
			switch rapid.IntRange(0, 9).Draw(rt, "between") {
			case 0:
				s.Close()
				s = openTest(t, o)
			case 1:
				business.Advance(time.Duration(rapid.IntRange(-48, 300).Draw(rt, "hours")) * time.Hour)
			}
			next := map[string]string{}
			for k, v := range model {
				next[k] = v
			}
			refuse := rapid.IntRange(0, 4).Draw(rt, "refuse") == 0
			c := Cause{Principal: "user/dev"}
			if rapid.Bool().Draw(rt, "with id") {
				c = request(fmt.Sprint(s.Last().Sequence))
			}
			writes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) [3]string {
				return [3]string{names.Draw(t, "key"), rapid.StringMatching("[a-z]{0,3}").Draw(t, "value"), fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "what"))}
			}), 0, 6).Draw(rt, "writes")
			problem := ""
			_, err := s.Change(ctx, c, func(tx *Tx) ([]byte, error) {
				for _, w := range writes {
					k, v := w[0], w[1]
					var err error
					switch w[2] {
					case "0":
						err = deleteThing(ctx, tx, k)
						delete(next, "t"+k)
					case "1":
						err = tx.Put(ctx, people, []byte(k), []byte(v))
						next["p"+k] = v
					case "2":
						err = tx.Delete(ctx, people, []byte(k))
						delete(next, "p"+k)
					default:
						err = putThing(ctx, tx, k, v)
						next["t"+k] = v
					}
					if err != nil {
						return nil, err
					}
				}
				problem = rowsDiffer(ctx, tx, next)
				if refuse {
					return nil, errors.New("refused")
				}
				return nil, tx.Emit(Fact{Type: "Changed", Subject: "things/x"})
			})
			if !refuse {
				model = next
			}
			if (err != nil) != refuse || problem != "" {
				rt.Fatalf("Change: %v, refuse %v, %s", err, refuse, problem)
			}
		}
		err := s.View(ctx, func(r Reader) error {
			if problem := rowsDiffer(ctx, r, model); problem != "" {
				return errors.New(problem)
			}
			return nil
		})
		if err != nil {
			rt.Fatal(err)
		}
		if r, err := s.Verify(ctx); err != nil || len(r.Breaches) > 0 {
			rt.Fatalf("Verify: %v %q", err, r.Breaches)
		}
	})
}

// rowsDiffer compares reads, whole and in ranges, forwards and backwards, with the model; "" when all are equal.
func rowsDiffer(ctx context.Context, r Reader, model map[string]string) string {
	for prefix, b := range map[string]*Bucket{"t": things, "p": people} {
		var want []string
		for k, v := range model {
			if strings.HasPrefix(k, prefix) {
				want = append(want, k[1:]+"="+v)
				if got, err := r.Get(ctx, b, []byte(k[1:])); err != nil || string(got) != v {
					return fmt.Sprintf("Get %s %q = %q, %v, want %q", b.Name, k[1:], got, err, v)
				}
			}
		}
		slices.SortFunc(want, func(a, b string) int {
			return strings.Compare(a[:strings.LastIndexByte(a, '=')], b[:strings.LastIndexByte(b, '=')])
		})
		for _, rg := range []Range{{}, {Reverse: true}, {From: []byte("a"), To: []byte("c")}, {From: []byte("a\x00"), To: []byte("d"), Reverse: true}, {Limit: 2}} {
			expect := slices.DeleteFunc(slices.Clone(want), func(s string) bool {
				k := s[:strings.LastIndexByte(s, '=')]
				return k < string(rg.From) || rg.To != nil && k >= string(rg.To)
			})
			if rg.Reverse {
				slices.Reverse(expect)
			}
			if rg.Limit > 0 {
				expect = expect[:min(rg.Limit, len(expect))]
			}
			rows, err := r.Scan(ctx, b, rg)
			if err != nil {
				return err.Error()
			}
			var got []string
			for _, kv := range rows {
				got = append(got, string(kv.Key)+"="+string(kv.Value))
			}
			if !slices.Equal(got, expect) {
				return fmt.Sprintf("Scan %s %+v = %q, want %q", b.Name, rg, got, expect)
			}
		}
	}
	return ""
}

func TestDiskFullIsSurvived(t *testing.T) {
	ctx, s := context.Background(), newTest(t)
	put := func(id string) error {
		_, err := s.Change(ctx, request(id), func(tx *Tx) ([]byte, error) { return nil, putThing(ctx, tx, id, "v") })
		return err
	}
	for _, full := range []error{
		&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC},
		fmt.Errorf("file resize error: %s", &fs.PathError{Op: "truncate", Path: "x", Err: syscall.EFBIG}),
	} {
		s.commit = func(*bbolt.Tx) error { return full }
		if err := put("a"); !errors.Is(err, ErrFull) {
			t.Fatalf("no space: %v, want ErrFull", err)
		}
		if err := s.Ready(); err != nil {
			t.Errorf("Ready = %v, want nil: reads go on and space may return", err)
		}
	}
	s.commit = (*bbolt.Tx).Commit
	if err := put("a"); err != nil {
		t.Fatalf("after space returned: %v", err)
	}
	if s.Last().Sequence != 1 {
		t.Errorf("last = %v, want sequence 1", s.Last())
	}
	wantClean(t, s)
}

func TestOtherCommitErrorsEndTheStore(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	for _, fatal := range []error{syscall.EIO, syscall.ENOSPC, &fs.PathError{Op: "sync", Err: syscall.ENOSPC}, full} {
		ctx, s := context.Background(), newTest(t)
		s.commit = func(btx *bbolt.Tx) error {
			if fatal == full { // survivable in itself, but what was written can be seen
				return errors.Join(btx.Commit(), fatal)
			}
			return fatal
		}
		release := hold(s)
		change := func(tx *Tx) ([]byte, error) { return nil, putThing(ctx, tx, "a", "v") }
		one, two := s.Submit(ctx, request("1"), change), s.Submit(ctx, request("2"), func(*Tx) ([]byte, error) { return nil, errors.New("saw a neighbour") })
		release()
		for _, p := range []*Pending{one, two} {
			if _, err := p.Wait(ctx); !errors.Is(err, ErrOutcomeUnknown) {
				t.Errorf("%v: %v, want ErrOutcomeUnknown", fatal, err)
			}
		}
		if s.Ready() == nil {
			t.Errorf("%v: store is still ready", fatal)
		}
		<-s.Failed()
		if _, err := s.Change(ctx, request("3"), change); !errors.Is(err, ErrClosed) {
			t.Errorf("after %v: %v, want ErrClosed", fatal, err)
		}
	}
}

// TestSizeCap fills a real file to its cap.
func TestSizeCap(t *testing.T) {
	ctx := context.Background()
	o := testOptions(filepath.Join(t.TempDir(), "test.db"))
	o.MaxSize = 1 << 20
	s := openTest(t, o)
	var err error
	made := 0
	for ; err == nil && made < 1000; made++ {
		_, err = s.Change(ctx, Cause{}, func(tx *Tx) ([]byte, error) {
			return nil, tx.Put(ctx, people, Key(uint64(made)), bytes.Repeat([]byte("x"), 8000))
		})
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("after %d changes: %v, want ErrFull", made, err)
	}
	if s.Last().Sequence != uint64(made-1) || s.Ready() != nil {
		t.Errorf("last %v, ready %v after %d changes", s.Last(), s.Ready(), made-1)
	}
	wantClean(t, s)
}

// TestKilledWhileCommitting cuts the pages that a commit writes at every place, in bbolt's order: data first, then meta.
func TestKilledWhileCommitting(t *testing.T) {
	ctx := context.Background()
	o := testOptions(filepath.Join(t.TempDir(), "test.db"))
	s := openTest(t, o)
	for i := range 20 {
		mustChange(t, s, request(fmt.Sprint(i)), func(tx *Tx) error { return putThing(ctx, tx, fmt.Sprint("k", i%7), fmt.Sprint(i)) })
	}
	before := readFile(t, o.Path)
	release := hold(s)
	var last *Pending
	for i := 20; i < 60; i++ {
		last = s.Submit(ctx, request(fmt.Sprint(i)), func(tx *Tx) ([]byte, error) {
			return nil, putThing(ctx, tx, fmt.Sprint("k", i%11), strings.Repeat(fmt.Sprint(i), 40))
		})
	}
	release()
	if _, err := last.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	after := readFile(t, o.Path)
	page := s.db.Info().PageSize
	s.Close()
	before = append(before, make([]byte, max(0, len(after)-len(before)))...)

	var data, meta []int // pages that differ
	for p := 0; p*page < len(after); p++ {
		if a, b := after[p*page:min(len(after), (p+1)*page)], before[p*page:]; !bytes.Equal(a, b[:len(a)]) {
			if p < 2 {
				meta = append(meta, p)
			} else {
				data = append(data, p)
			}
		}
	}
	if len(data) < 2 || len(meta) != 1 {
		t.Fatalf("commit changed data pages %v and meta pages %v, want several and one", data, meta)
	}
	check := func(name string, file []byte, want uint64) {
		t.Helper()
		o := testOptions(filepath.Join(t.TempDir(), "crashed.db"))
		writeFile(t, o.Path, file)
		if got := breaches(t, o.Path); got != "" && name != "meta torn" {
			t.Errorf("%s: verify found %s", name, got)
		}
		s := openTest(t, o)
		defer s.Close()
		if got := s.Last().Sequence; got != want {
			t.Errorf("%s: reopened at %d, want %d", name, got, want)
		}
		wantClean(t, s)
		mustChange(t, s, request("new"), func(tx *Tx) error { return putThing(ctx, tx, "new", "v") })
		wantClean(t, s)
	}
	file := bytes.Clone(before)
	check("nothing written", file, 20)
	for i, p := range data {
		half := p*page + page/2
		copy(file[p*page:half], after[p*page:half])
		if i%4 == 0 {
			check(fmt.Sprintf("half of page %d written", p), file, 20)
		}
		copy(file[half:(p+1)*page], after[half:])
	}
	check("all data written", file, 20)
	torn := bytes.Clone(file)
	copy(torn[meta[0]*page:meta[0]*page+48], after[meta[0]*page:])
	check("meta torn", torn, 20)
	check("all written", after, 60)
}

func TestClockStepsBack(t *testing.T) {
	ctx := context.Background()
	o := testOptions(filepath.Join(t.TempDir(), "test.db"))
	business := clock.NewManual(start)
	o.Clock = business
	s := openTest(t, o)
	for _, d := range []time.Duration{0, -time.Hour, 2 * time.Hour, -3 * time.Hour} {
		business.Advance(d)
		mustChange(t, s, Cause{}, func(tx *Tx) error { return putThing(ctx, tx, "k", fmt.Sprint(d)) })
	}
	var got []string
	entries, _, err := s.ReadLog(ctx, Position{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var h eventlogv1.Head
		if err := proto.Unmarshal(e.Head, &h); err != nil {
			t.Fatal(err)
		}
		got = append(got, h.ApplyTime.AsTime().Format("15:04"))
	}
	if want := []string{"11:00", "11:00", "12:00", "12:00"}; !slices.Equal(got, want) {
		t.Errorf("apply times = %v, want %v", got, want)
	}
	wantClean(t, s)
}

func TestCausesAreForgottenAfterSevenDays(t *testing.T) {
	ctx := context.Background()
	o := testOptions(filepath.Join(t.TempDir(), "test.db"))
	business := clock.NewManual(start)
	o.Clock = business
	s := openTest(t, o)
	repeated := func(id string) bool {
		out := mustChange(t, s, request(id), func(tx *Tx) error { return putThing(ctx, tx, id, "v") })
		return out.Repeated
	}
	repeated("first")
	business.Advance(7 * 24 * time.Hour)
	if repeated("a"); !repeated("first") {
		t.Error("a request of 7 days ago was forgotten")
	}
	business.Advance(24 * time.Hour)
	if repeated("b"); repeated("first") {
		t.Error("a request of 8 days ago is still known")
	}
	wantClean(t, s)
}

func TestCausalPastOfOthersAlone(t *testing.T) {
	ctx, s := context.Background(), newTest(t)
	mustChange(t, s, Cause{After: []Position{{Log: "things", Epoch: 1, Sequence: 9}, {Log: "b", Epoch: 1, Sequence: 3}, {Log: "a", Epoch: 1, Sequence: 5}, {Log: "b", Epoch: 1, Sequence: 7}}}, func(tx *Tx) error { return putThing(ctx, tx, "k", "v") })
	entries, _, _ := s.ReadLog(ctx, Position{}, 0)
	var h eventlogv1.Head
	if err := proto.Unmarshal(entries[0].Head, &h); err != nil {
		t.Fatal(err)
	}
	var got []Position
	for _, p := range h.After {
		got = append(got, PositionOf(p))
	}
	if diff := cmp.Diff([]Position{{Log: "a", Epoch: 1, Sequence: 5}, {Log: "b", Epoch: 1, Sequence: 7}}, got); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
}

func TestOpenRefuses(t *testing.T) {
	ctx := context.Background()
	o := testOptions(filepath.Join(t.TempDir(), "test.db"))
	s := openTest(t, o)
	if _, err := Open(ctx, o); !errors.Is(err, ErrInUse) {
		t.Errorf("second open: %v, want ErrInUse", err)
	}
	s.Close()
	other := o
	other.Schema.Service = "other"
	if _, err := Open(ctx, other); err == nil || !strings.Contains(err.Error(), `"things"`) {
		t.Errorf("another service's file: %v", err)
	}
	extra := &Bucket{Name: "extra", Kind: Record}
	grown := o
	grown.Schema.Buckets = append(slices.Clone(o.Schema.Buckets), extra)
	if _, err := Open(ctx, grown); err == nil || !strings.Contains(err.Error(), "extra") {
		t.Errorf("a new bucket without a new version: %v", err)
	}
	grown.Schema.Version = 2
	s = openTest(t, grown)
	mustChange(t, s, Cause{}, func(tx *Tx) error { return tx.Put(ctx, extra, []byte("k"), nil) })
	wantClean(t, s)
	s.Close()
	if _, err := Open(ctx, o); err == nil || !strings.Contains(err.Error(), "later program") {
		t.Errorf("a file of a later version: %v", err)
	}
	writeFile(t, o.Path, []byte("not a store"))
	if _, err := Open(ctx, o); err == nil || !strings.Contains(err.Error(), o.Path) {
		t.Errorf("a file that is no store: %v, want an error that names it", err)
	}
}

func TestNewVersionRebuildsDerivedBuckets(t *testing.T) {
	ctx := context.Background()
	o := testOptions(filepath.Join(t.TempDir(), "test.db"))
	s := openTest(t, o)
	mustChange(t, s, Cause{}, func(tx *Tx) error { return putThing(ctx, tx, "k", "v") })
	s.Close()
	reversed := &Bucket{Name: "reversed", Kind: Derived}
	o.Schema.Version, o.Schema.Buckets = 2, []*Bucket{things, reversed, people, byVal}
	rebuild := o.Schema.Rebuild
	o.Schema.Rebuild = func(ctx context.Context, r Reader, w *DerivedWriter) error {
		if err := w.Put(ctx, things, []byte("x"), nil); err == nil {
			t.Error("a rebuild wrote a record")
		}
		err := Each(ctx, r, things, nil, func(kv KV) error { return w.Put(ctx, reversed, kv.Value, kv.Key) })
		return errors.Join(err, rebuild(ctx, r, w))
	}
	s = openTest(t, o)
	err := s.View(ctx, func(r Reader) error {
		v, err := r.Get(ctx, reversed, []byte("v"))
		if string(v) != "k" {
			t.Errorf("rebuilt index = %q, want k", v)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	wantClean(t, s)
}

func TestMisuseIsAnError(t *testing.T) {
	ctx, s := context.Background(), newTest(t)
	var leaked *Tx
	for name, fn := range map[string]func(tx *Tx) error{
		"undeclared bucket": func(tx *Tx) error { return tx.Put(ctx, &Bucket{Name: "nowhere", Kind: Record}, []byte("k"), nil) },
		"other kind":        func(tx *Tx) error { return tx.Put(ctx, &Bucket{Name: "people", Kind: Record}, []byte("k"), nil) },
		"empty key":         func(tx *Tx) error { return tx.Put(ctx, things, nil, nil) },
		"long key":          func(tx *Tx) error { return tx.Put(ctx, things, make([]byte, maxKey+1), nil) },
		"long record":       func(tx *Tx) error { return tx.Put(ctx, things, []byte("k"), make([]byte, maxRecord+1)) },
		"nameless fact":     func(tx *Tx) error { leaked = tx; return tx.Emit(Fact{}) },
	} {
		if _, err := s.Change(ctx, Cause{}, func(tx *Tx) ([]byte, error) { return nil, fn(tx) }); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if err := leaked.Put(ctx, things, []byte("k"), nil); err == nil {
		t.Error("a transaction could be used after its change had returned")
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Change(done, Cause{}, func(tx *Tx) ([]byte, error) { return nil, nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("change of a caller who had left: %v", err)
	}
}

func TestWaitAndClose(t *testing.T) {
	ctx, s := context.Background(), newTest(t)
	p := s.Last()
	if err := s.Wait(ctx, p); err != nil {
		t.Errorf("Wait for the present: %v", err)
	}
	if err := s.Wait(ctx, Position{Log: "things", Epoch: 2, Sequence: 1}); !errors.Is(err, ErrOutOfRange) {
		t.Errorf("Wait for another epoch: %v", err)
	}
	p.Sequence = 2
	waited := make(chan error, 1)
	go func() { waited <- s.Wait(ctx, p) }()
	for i := range 2 {
		mustChange(t, s, Cause{}, func(tx *Tx) error { return putThing(ctx, tx, "k", fmt.Sprint(i)) })
	}
	if err := <-waited; err != nil {
		t.Errorf("Wait: %v", err)
	}
	release := hold(s)
	last := s.Submit(ctx, request("last"), func(tx *Tx) ([]byte, error) { return nil, putThing(ctx, tx, "last", "v") })
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	<-s.Closing()
	release()
	if _, err := last.Wait(ctx); err != nil {
		t.Errorf("a change submitted before Close: %v", err)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := s.Change(ctx, Cause{}, func(tx *Tx) ([]byte, error) { return nil, nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("Change after Close: %v", err)
	}
	if err := s.View(ctx, func(Reader) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("View after Close: %v", err)
	}
}

func TestUnknownFieldsSurvive(t *testing.T) {
	ctx, s := context.Background(), newTest(t)
	extra := protowire.AppendString(protowire.AppendTag(nil, 900, protowire.BytesType), "from a later program")
	newer := &storagev1.WaitingFact{Head: &eventlogv1.Head{Facts: []*eventlogv1.Fact{{Type: "A"}, {Type: "B"}}}, Reason: "old"}
	newer.ProtoReflect().SetUnknown(extra)
	newer.Head.ProtoReflect().SetUnknown(extra)
	newer.Head.Facts[1].ProtoReflect().SetUnknown(extra)
	table := NewTable(things, func() *storagev1.WaitingFact { return &storagev1.WaitingFact{} })
	mustChange(t, s, Cause{}, func(tx *Tx) error { return table.Put(ctx, tx, []byte("k"), newer) })
	mine := &storagev1.WaitingFact{Head: &eventlogv1.Head{Facts: []*eventlogv1.Fact{{Type: "A"}, {Type: "B2"}}}, Reason: "new"}
	mustChange(t, s, Cause{}, func(tx *Tx) error { return table.Put(ctx, tx, []byte("k"), mine) })
	err := s.View(ctx, func(r Reader) error {
		got, err := table.Get(ctx, r, []byte("k"))
		if err != nil {
			return err
		}
		for name, m := range map[string]proto.Message{"record": got, "message in it": got.Head, "element of a list": got.Head.Facts[1]} {
			if !bytes.Equal(m.ProtoReflect().GetUnknown(), extra) {
				t.Errorf("%s lost its unknown field", name)
			}
		}
		if got.Reason != "new" || got.Head.Facts[1].Type != "B2" || len(got.Head.Facts[0].ProtoReflect().GetUnknown()) > 0 {
			t.Errorf("got %v", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(mine.ProtoReflect().GetUnknown()) > 0 {
		t.Error("the caller's message was changed")
	}
}

func TestTypedChange(t *testing.T) {
	ctx, s := context.Background(), newTest(t)
	codec := ProtoCodec(func() *durationpb.Duration { return &durationpb.Duration{} })
	for i := range 2 {
		d, pos, err := Change(ctx, s, request("typed"), codec, func(tx *Tx) (*durationpb.Duration, error) {
			return durationpb.New(time.Duration(i+1) * time.Hour), nil
		})
		if err != nil || d.AsDuration() != time.Hour || pos.Sequence != 1 {
			t.Errorf("call %d = %v, %v, %v, want 1h at 1", i, d.AsDuration(), pos, err)
		}
	}
}

func TestKeyOrder(t *testing.T) {
	type tuple struct {
		s string
		u uint64
		i int64
	}
	gen := rapid.Custom(func(t *rapid.T) tuple {
		return tuple{rapid.StringOfN(rapid.SampledFrom([]rune("a\x00b\x01\u00ff")), 0, 4, -1).Draw(t, "s"), rapid.Uint64().Draw(t, "u"), rapid.Int64().Draw(t, "i")}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		want := strings.Compare(a.s, b.s)
		if want == 0 {
			want = slices.Compare([]uint64{a.u}, []uint64{b.u})
		}
		if want == 0 {
			want = slices.Compare([]int64{a.i}, []int64{b.i})
		}
		ka, kb := Key(a.s, a.u, a.i), Key(b.s, b.u, b.i)
		if got := bytes.Compare(ka, kb); got != want {
			t.Fatalf("Compare(Key(%v), Key(%v)) = %d, want %d", a, b, got, want)
		}
		if !bytes.HasPrefix(ka, Key(a.s)) || a.s != b.s && bytes.HasPrefix(kb, Key(a.s)) {
			t.Fatalf("Key(%q) is a prefix of the wrong keys", a.s)
		}
		if s, rest, ok := cutString(ka); !ok || s != a.s || len(rest) != 16 {
			t.Fatalf("cutString = %q, %x, %v, want %q", s, rest, ok, a.s)
		}
	})
	if got := Prefix([]byte{1, 0xff, 0xff}); !bytes.Equal(got.To, []byte{2}) {
		t.Errorf("Prefix(01ffff).To = %x, want 02", got.To)
	}
}

// A change that reads a copy of another log builds on that log as far as it was read; one that does not read it does not.
func TestCopiesAreCausalPast(t *testing.T) {
	ctx := t.Context()
	copied := &Bucket{Name: "copied", Kind: Record, Copies: "other"}
	own := &Bucket{Name: "own", Kind: Record}
	s, err := Open(ctx, Options{Path: filepath.Join(t.TempDir(), "x.db"), Clock: clock.Fixed(time.Unix(0, 0)),
		Schema: Schema{Service: "x", Version: 1, Buckets: []*Bucket{copied, own}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	change := func(fn func(tx *Tx) error) []*eventlogv1.Position {
		t.Helper()
		if _, err := s.Change(ctx, Cause{}, func(tx *Tx) ([]byte, error) { return nil, fn(tx) }); err != nil {
			t.Fatal(err)
		}
		entries, _, err := s.ReadLog(ctx, Position{Log: "x", Epoch: 1, Sequence: s.Last().Sequence - 1}, 1)
		if err != nil || len(entries) != 1 {
			t.Fatalf("last entry: %v, %v", entries, err)
		}
		var head eventlogv1.Head
		if err := proto.Unmarshal(entries[0].Head, &head); err != nil {
			t.Fatal(err)
		}
		return head.GetAfter()
	}
	change(func(tx *Tx) error {
		return PutProto(ctx, tx, Consumers, []byte("other"), &storagev1.ConsumerRecord{
			Position: &eventlogv1.Position{Log: "other", Epoch: 1, Sequence: 7},
		})
	})
	if after := change(func(tx *Tx) error { return tx.Put(ctx, own, []byte("k"), []byte("v")) }); len(after) != 0 {
		t.Errorf("without reading the copy: after %v, want nothing", after)
	}
	after := change(func(tx *Tx) error {
		if _, err := tx.Get(ctx, copied, []byte("missing")); !errors.Is(err, ErrNotFound) {
			return err
		}
		return tx.Put(ctx, own, []byte("k"), []byte("w"))
	})
	if len(after) != 1 || after[0].GetLog() != "other" || after[0].GetSequence() != 7 {
		t.Errorf("after reading the copy: after %v, want other/7", after)
	}
}

// A commit can be read in the file before it is the log's end. Whoever asks in between gets the log up to its end and no
// further: what is after it is told when it is the end, once.
func TestFeedEndsWhereTheLogEnds(t *testing.T) {
	ctx := context.Background()
	s := newTest(t)
	visible, release := make(chan struct{}), make(chan struct{})
	put := func(key string) *Pending {
		return s.Submit(ctx, Cause{}, func(tx *Tx) ([]byte, error) { return nil, putThing(ctx, tx, key, "v") })
	}
	if _, err := put("one").Wait(ctx); err != nil {
		t.Fatal(err)
	}
	commit := s.commit
	s.commit = func(btx *bbolt.Tx) error {
		err := commit(btx)
		close(visible)
		<-release
		return err
	}
	second := put("two")
	<-visible
	entries, last, err := s.ReadLog(ctx, Position{}, 0)
	if err != nil || last.Sequence != 1 || len(entries) != 1 || entries[0].Position.Sequence != 1 {
		t.Errorf("ReadLog while the second commit is not the end: %d entries, last %v, %v; want one entry and last 1", len(entries), last, err)
	}
	close(release)
	if _, err := second.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	entries, last, err = s.ReadLog(ctx, last, 0)
	if err != nil || last.Sequence != 2 || len(entries) != 1 || entries[0].Position.Sequence != 2 {
		t.Errorf("ReadLog after it: %d entries, last %v, %v; want the second entry alone and last 2", len(entries), last, err)
	}
}

// A commit can be seen in the file before it is synced. Nobody is shown it until then, since a power cut could take it back.
func TestNothingUnsyncedIsShown(t *testing.T) {
	s := newTest(t)
	ctx := t.Context()
	written, sync := make(chan struct{}), make(chan error, 1)
	s.commit = func(btx *bbolt.Tx) error {
		err := btx.Commit()
		close(written)
		return errors.Join(err, <-sync)
	}
	change := s.Submit(ctx, Cause{}, func(tx *Tx) ([]byte, error) { return nil, putThing(ctx, tx, "a", "1") })
	<-written
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	look := func(ctx context.Context) (found bool, err error) {
		err = s.View(ctx, func(r Reader) error {
			_, err := r.Get(context.Background(), things, []byte("a"))
			found = err == nil
			return nil
		})
		return found, err
	}
	seen := make(chan bool, 1)
	go func() {
		found, err := look(ctx)
		seen <- found && err == nil
	}()
	if found, err := look(short); found || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("before the sync: found %v, error %v, want to wait", found, err)
	}
	select {
	case <-seen:
		t.Error("a reader did not wait for the sync")
	default:
	}
	sync <- nil
	if !<-seen {
		t.Error("a reader that waited does not see what was synced")
	}
	if _, err := change.Wait(ctx); err != nil {
		t.Fatal(err)
	}

	written = make(chan struct{})
	change = s.Submit(ctx, Cause{}, func(tx *Tx) ([]byte, error) { return nil, putThing(ctx, tx, "b", "1") })
	<-written
	sync <- errors.New("the disk is gone")
	if _, err := change.Wait(ctx); !errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("change: %v, want an unknown outcome", err)
	}
	if _, err := look(ctx); !errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("after a sync that failed: %v, want an unknown outcome", err)
	}
}
