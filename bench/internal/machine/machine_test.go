package machine

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// The kernel tells the same time in two ways.
func TestCPU(t *testing.T) {
	var before, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		t.Fatal(err)
	}
	got, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		t.Fatal(err)
	}
	sum := func(u syscall.Rusage) time.Duration { return time.Duration(u.Utime.Nano() + u.Stime.Nano()) }
	// Each of the two fields is cut to a tick.
	if got < sum(before)-2*tick || got > sum(after) {
		t.Errorf("%v, want between %v and %v", got, sum(before)-2*tick, sum(after))
	}
	if _, err := CPU(1 << 30); err == nil {
		t.Error("a process that is not: no error")
	}
}

func TestAnonymous(t *testing.T) {
	block := make([]byte, 32<<20)
	for i := 0; i < len(block); i += 4096 {
		block[i] = 1
	}
	got, err := Anonymous(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if got < int64(len(block)) {
		t.Errorf("%d bytes, want at least the %d that were written to", got, len(block))
	}
	_ = block[0]
}

func TestDescribe(t *testing.T) {
	d, err := Describe(".", t.TempDir(), time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if d.CPUs < 1 || d.Kernel == "" || d.FileSystem == "" || d.Go == "" || d.Commit == "" || d.MemoryBytes == 0 {
		t.Errorf("%+v lacks something", d)
	}
}
