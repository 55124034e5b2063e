package serve

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"crossdock.dev/platform/conf"
)

// memoryLimit is what a process may take where its configuration says nothing.
const memoryLimit = 256 << 20

// collectAt is the growth of the heap, in percent of what lives, after which it is collected. With a limit that holds in every case
// a busy service collects a quarter as often as by default; what that leaves behind goes back to the machine in a quiet minute.
const collectAt = 400

// boundMemory sets the process's limit, which the collector keeps by working more; the function returned takes it back.
func boundMemory(limit conf.Bytes) (undo func()) {
	bytes, percent := debug.SetMemoryLimit(int64(limit)), debug.SetGCPercent(collectAt)
	return func() {
		debug.SetMemoryLimit(bytes)
		debug.SetGCPercent(percent)
	}
}

// A service that allocates less than quietBytes in quietTime has little to do.
const (
	quietTime  = 20 * time.Second
	quietBytes = 16 << 20
)

// restMemory gives memory back to the machine once the service has become quiet.
func restMemory(ctx context.Context) error {
	tick := time.NewTicker(quietTime)
	defer tick.Stop()
	before, rested := allocated(), false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := allocated()
		quiet := now-before < quietBytes
		if quiet && !rested {
			debug.FreeOSMemory()
		}
		before, rested = now, quiet
	}
}

// allocated is how many bytes the process has ever allocated on its heap.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
