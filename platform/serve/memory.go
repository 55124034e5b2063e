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

// The growth of the heap, in percent of what lives, after which it is collected. With a limit that holds in every case a busy service
// collects a quarter as often as by default, for the processor's sake; a quiet one as usual, for the memory's.
const (
	whileBusy  = 400
	whileQuiet = 100
)

// boundMemory sets the process's limit, which the collector keeps by working more; the function returned takes it back.
func boundMemory(limit conf.Bytes) (undo func()) {
	bytes, percent := debug.SetMemoryLimit(int64(limit)), debug.SetGCPercent(whileBusy)
	return func() {
		debug.SetMemoryLimit(bytes)
		debug.SetGCPercent(percent)
	}
}

// A service that allocates less than quietBytes in quietTime has little to do.
const (
	quietTime  = 5 * time.Second
	quietBytes = 8 << 20
)

// restMemory gives memory back to the machine when the service has become quiet.
func restMemory(ctx context.Context) error {
	tick := time.NewTicker(quietTime)
	defer tick.Stop()
	before, was := allocated(), false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := allocated()
		quiet := now-before < quietBytes
		switch {
		case quiet && !was:
			debug.SetGCPercent(whileQuiet)
			debug.FreeOSMemory()
		case was && !quiet:
			debug.SetGCPercent(whileBusy)
		}
		before, was = now, quiet
	}
}

// allocated is how many bytes the process has ever allocated on its heap.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
