package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"crossdock.dev/platform/clock"
)

// progress shows how far long work with bytes has come: a bar on a terminal, a line every ten seconds elsewhere.
type progress struct {
	w        io.Writer
	machine  clock.Machine
	what     string
	total    int64
	done     int64
	terminal bool
	begun    time.Time
	shown    time.Time
}

func (e *Env) progress(what string, total int64) *progress {
	f, ok := e.Err.(*os.File)
	if ok {
		info, err := f.Stat()
		ok = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	now := e.Machine.Now()
	return &progress{w: e.Err, machine: e.Machine, what: what, total: total, terminal: ok, begun: now, shown: now}
}

// add tells that n more bytes are done.
func (p *progress) add(n int64) {
	p.done += n
	now, every := p.machine.Now(), 10*time.Second
	if p.terminal {
		every = 100 * time.Millisecond
	}
	if now.Sub(p.shown) >= every {
		p.shown = now
		p.print()
	}
}

// end leaves the bar's last state on the terminal.
func (p *progress) end() {
	if p.terminal {
		p.print()
		fmt.Fprintln(p.w)
	}
}

func (p *progress) print() {
	const width = 30
	part := 1.0
	if p.total > 0 {
		part = min(float64(p.done)/float64(p.total), 1)
	}
	rate, left := 0.0, ""
	if spent := p.shown.Sub(p.begun).Seconds(); spent > 0 {
		rate = float64(p.done) / spent
	}
	if rate > 0 && p.done < p.total {
		left = " " + (time.Duration(float64(p.total-p.done) / rate * float64(time.Second))).Round(time.Second).String() + " left"
	}
	line := fmt.Sprintf("%-12s %3.0f %% of %s, %s/s%s", p.what, 100*part, size(uint64(p.total)), size(uint64(rate)), left)
	if !p.terminal {
		fmt.Fprintln(p.w, line)
		return
	}
	full := int(part * width)
	fmt.Fprintf(p.w, "\r[%s%s] %s\x1b[K", strings.Repeat("=", full), strings.Repeat(" ", width-full), line)
}
