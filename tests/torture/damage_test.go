package torture

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/store"
	billingcore "crossdock.dev/services/billing/core"
	freightcore "crossdock.dev/services/freight/core"
	orderscore "crossdock.dev/services/orders/core"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// schemas are those of the stores that are damaged.
var schemas = map[string]func() store.Schema{"billing": billingcore.Schema, "freight": freightcore.Schema, "orders": orderscore.Schema}

// damageJob is the environment variable that makes this a program which damages copies of a store, and says of which.
const damageJob = "TORTURE_DAMAGE"

// What may become of a damage.
const (
	harmless = "harmless" // in space that is not used: everything reads as it was
	detected = "detected" // a read or the opening said so, and verify did too
	found    = "found"    // rows are missing, or could not be looked at; verify said so
	crashed  = "crashed"  // the program ended
	wrong    = "WRONG"    // a wrong value was served, or verify found nothing although rows are missing
)

// Bits of a store that a real order has filled are turned over, and pages of it torn. A read serves what was there, or says that it
// cannot; verify finds what is missing. Each damage is looked at by a program of its own kind, since a crash is allowed.
func TestDamage(t *testing.T) {
	if job := os.Getenv(damageJob); job != "" {
		damageAll(t, job)
		return
	}
	a := begin(t, 15*time.Second)
	s := sim.New(a)
	s.Seed()
	file, err := os.ReadFile(filepath.Join(sim.Root(t), "tests", "day", "x12", "850.edi"))
	must(t, err)
	var n story.Names
	must(t, story.Play(t.Context(), s, story.HappyPath(s, file, &n), func(story.Act) {}))
	each := times(500, 10_000) / len(schemas)
	var mu sync.Mutex
	outcomes := map[string]int{}
	var lanes sync.WaitGroup
	for _, service := range slices.Sorted(maps.Keys(schemas)) {
		s.Close(service)
		path := filepath.Join(t.TempDir(), service+".db")
		must(t, compact(filepath.Join(s.Dir, service, service+".db"), path))
		lanes.Go(func() {
			for from := 0; from <= each; {
				next, err := damageSome(t.Context(), service, path, from, each+1, func(line string) {
					mu.Lock()
					defer mu.Unlock()
					kind, _, _ := strings.Cut(line, " ")
					if outcomes[kind]++; kind == wrong {
						t.Errorf("%s: %s", service, line)
					}
				})
				if err != nil {
					t.Error(err)
					return
				}
				from = next
			}
		})
	}
	lanes.Wait()
	a.over("%d damages to %d stores: %v", len(schemas)*(each+1), len(schemas), outcomes)
}

// compact copies a store without the space that it does not use.
func compact(from, to string) error {
	src, err := bbolt.Open(from, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	dst, err := bbolt.Open(to, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		return errors.Join(err, src.Close())
	}
	err = errors.Join(bbolt.Compact(dst, src, 0), dst.Sync())
	return errors.Join(err, dst.Close(), src.Close())
}

// slowest is how long one damage may take on a loaded machine.
const slowest = 2 * time.Minute

// damageSome runs a program that tries damages from one number to another, and returns the number to go on with: behind the one at which
// the program ended, if it did.
func damageSome(ctx context.Context, service, path string, from, to int, said func(line string)) (next int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run", "^TestDamage$", "-torture", "-test.timeout", "0")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d %d %d", damageJob, service, path, from, to, *seedOf))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	stuck := time.AfterFunc(slowest, cancel)
	next, tried := from, from // tried is the number of the damage under way
	for lines := bufio.NewScanner(out); lines.Scan(); {
		stuck.Reset(slowest)
		line := lines.Text()
		if rest, ok := strings.CutPrefix(line, "try "); ok {
			_, _ = fmt.Sscan(rest, &tried)
		} else if rest, ok := strings.CutPrefix(line, "so "); ok {
			said(rest)
			next = tried + 1
		}
	}
	hung := !stuck.Stop()
	err = cmd.Wait()
	if next >= to {
		return to, nil
	}
	if hung {
		said(fmt.Sprintf("%s damage %d: the program hangs", wrong, tried))
	} else {
		said(fmt.Sprintf("%s damage %d: %v", crashed, tried, err))
	}
	return tried + 1, nil
}

// damageAll is the program: it damages copies of a store and tells what became of each.
func damageAll(t *testing.T, job string) {
	var service, path string
	var from, to int
	var seed uint64
	_, err := fmt.Sscan(job, &service, &path, &from, &to, &seed)
	must(t, err)
	whole, err := os.ReadFile(path)
	must(t, err)
	want, err := rows(t.Context(), path, schemas[service]())
	must(t, err)
	for i := from; i < to; i++ {
		fmt.Println("try", i)
		damaged := bytes.Clone(whole)
		what := damage(damaged, rand.New(rand.NewPCG(seed, uint64(i))))
		// A copy for each look: one that fails leaves its file locked until the program ends.
		toRead, toVerify := fmt.Sprint(path, ".read", i), fmt.Sprint(path, ".verify", i)
		must(t, os.WriteFile(toRead, damaged, 0o600))
		must(t, os.WriteFile(toVerify, damaged, 0o600))
		fmt.Println("so", judge(t.Context(), toRead, toVerify, schemas[service](), want), what)
		must(t, errors.Join(os.Remove(toRead), os.Remove(toVerify)))
	}
}

// damage turns a bit over, or tears a page: from some sector on it holds nothing, what another page holds, or that shifted.
func damage(file []byte, r *rand.Rand) string {
	const page, sector = 4096, 512
	if r.IntN(10) < 7 {
		at, bit := r.IntN(len(file)), r.IntN(8)
		file[at] ^= 1 << bit
		return fmt.Sprintf("bit %d of byte %d", bit, at)
	}
	n, from := r.IntN(len(file)/page), r.IntN(page/sector)*sector
	torn := file[n*page+from : (n+1)*page]
	other := r.IntN(len(file) / page)
	switch r.IntN(2) {
	case 0:
		clear(torn)
		return fmt.Sprintf("page %d empty from %d on", n, from)
	default:
		copy(torn, file[other*page+from:(other+1)*page])
		return fmt.Sprintf("page %d is page %d from %d on", n, other, from)
	}
}

// judge reads a damaged store as a service does, and verifies it.
func judge(ctx context.Context, toRead, toVerify string, schema store.Schema, want map[string]string) string {
	got, readErr := rows(ctx, toRead, schema)
	report, err := store.Verify(ctx, toVerify, schema)
	finds := err != nil || len(report.Breaches) > 0
	missing := 0
	for key, value := range want {
		switch have, ok := got[key]; {
		case ok && have != value:
			return wrong + " value of " + key
		case !ok:
			missing++
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			return wrong + " row " + key
		}
	}
	switch {
	case (readErr != nil || missing > 0) && !finds:
		return fmt.Sprintf("%s report: verify finds nothing, %d rows are missing, %v", wrong, missing, readErr)
	case readErr != nil:
		return detected
	case finds:
		return found
	}
	return harmless
}

// rows are all that a service can read of its store: each entry of its log, each record, each answer "there is none". What cannot be read
// is not there; err says why something could not.
func rows(ctx context.Context, path string, schema store.Schema) (out map[string]string, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	out = map[string]string{}
	defer func() {
		if p := recover(); p != nil { // as the server's interceptor does
			err = errors.Join(err, fmt.Errorf("panic: %v", p))
		}
	}()
	s, err := store.Open(ctx, store.Options{Path: path, Schema: schema, Clock: clock.NewManual(story.Start), NoSync: true, InitialMmapSize: 1 << 24})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for at := (store.Position{}); ; {
		entries, last, readErr := s.ReadLog(ctx, at, 500)
		if readErr != nil {
			err = errors.Join(err, readErr)
			break
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			out[fmt.Sprint("log ", e.Position.Sequence)] = string(e.Head) + string(e.Hash)
		}
		at = store.Position{Log: last.Log, Epoch: last.Epoch, Sequence: at.Sequence + uint64(len(entries))}
	}
	for _, b := range append(slices.Clone(schema.Buckets), store.Tasks, store.Consumers) {
		err = errors.Join(err, bucket(ctx, s, b, out))
	}
	return out, err
}

// bucket reads one bucket to its end.
func bucket(ctx context.Context, s *store.Store, b *store.Bucket, out map[string]string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("bucket %s: panic: %v", b.Name, p)
		}
	}()
	var from []byte
	for {
		var page []store.KV
		err := s.View(ctx, func(r store.Reader) (err error) {
			page, err = r.Scan(ctx, b, store.Range{From: from, Limit: 500})
			return err
		})
		if err != nil {
			return err
		}
		for _, kv := range page {
			out[fmt.Sprintf("%s %x", b.Name, kv.Key)] = string(kv.Value)
		}
		if len(page) < 500 {
			return nil
		}
		if next := append(page[len(page)-1].Key, 0); bytes.Compare(next, from) <= 0 {
			return fmt.Errorf("bucket %s: keys do not come in order", b.Name)
		} else {
			from = next
		}
	}
}
