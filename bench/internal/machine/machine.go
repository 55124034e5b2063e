// Package machine reads what the kernel knows of processes and of the machine: processor time, memory, names. Linux alone.
package machine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of processor time in /proc/PID/stat: USER_HZ is 100 on every architecture that Linux runs Go on.
const tick = 10 * time.Millisecond

// CPU is the processor time, user and system, that processes have used so far.
func CPU(pids ...int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, err
		}
		// The name in parentheses may hold anything; what follows it begins with field 3 (proc_pid_stat(5)).
		fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
		if len(fields) < 13 {
			return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields)+2)
		}
		for _, f := range fields[11:13] { // utime and stime, fields 14 and 15
			n, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
			}
			sum += time.Duration(n) * tick
		}
	}
	return sum, nil
}

// Anonymous is the memory in bytes that a process holds and that no file backs (RssAnon): pages of a mapped store do not count.
func Anonymous(pid int) (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status does not tell RssAnon", pid)
}

// Description is what a figure depends on.
type Description struct {
	Commit, Go, Kernel, CPU, FileSystem string
	CPUs                                int
	MemoryBytes                         uint64
	Time                                time.Time
}

// Describe tells of this machine, of the file system that a folder is on, and of the checkout at root.
func Describe(root, folder string, now time.Time) (Description, error) {
	d := Description{Go: runtime.Version(), CPUs: runtime.NumCPU(), Commit: commit(root), CPU: "unknown", Time: now.UTC()}
	var uts syscall.Utsname
	if err := syscall.Uname(&uts); err != nil {
		return d, err
	}
	d.Kernel = text(uts.Release[:])
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return d, err
	}
	d.MemoryBytes = info.Totalram * uint64(info.Unit)
	if raw, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(raw)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				d.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	var err error
	d.FileSystem, err = fileSystem(folder)
	return d, err
}

// commit is the commit of a checkout, with "+" when files differ from it; "unknown" without git.
func commit(root string) string {
	out, err := exec.Command("git", "-C", root, "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	id := strings.TrimSpace(string(out))
	if changed, err := exec.Command("git", "-C", root, "status", "--porcelain", "--untracked-files=no").Output(); err != nil || len(changed) > 0 {
		id += "+"
	}
	return id
}

// fileSystem is the type of the file system that a folder is on, from the longest mount point that leads to it.
func fileSystem(folder string) (string, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	raw, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	best, kind := "", ""
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		at := strings.TrimSuffix(f[1], "/") + "/"
		if strings.HasPrefix(folder+"/", at) && len(at) >= len(best) {
			best, kind = at, f[2]
		}
	}
	if kind == "" {
		return "", errors.New("no mount point of " + folder)
	}
	return kind, nil
}

func text(chars []int8) string {
	var b strings.Builder
	for _, c := range chars {
		if c == 0 {
			break
		}
		b.WriteByte(byte(c))
	}
	return b.String()
}
