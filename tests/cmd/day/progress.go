package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"crossdock.dev/tests/conductor"
)

// progress tells how far the day has come: a bar on a terminal, else a line for each simulated day that is over.
type progress struct {
	out      *os.File
	terminal bool
	day      string
	moments  int // of this simulated day
	since    time.Time
}

func newProgress(out *os.File) *progress {
	info, err := out.Stat()
	return &progress{out: out, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0, since: time.Now()}
}

const width = 40 // of the bar

// moment is told of every moment.
func (p *progress) moment(now time.Time) {
	day := now.Format("Mon 2006-01-02")
	if p.terminal {
		part := float64(now.Sub(conductor.Start)) / float64(conductor.End.Sub(conductor.Start))
		full := int(part * width)
		fmt.Fprintf(p.out, "\r%s%s  %3.0f %%  %s ", strings.Repeat("█", full), strings.Repeat("░", width-full), 100*part, now.Format("Mon 01-02 15:04Z"))
		return
	}
	if p.day != "" && day != p.day {
		p.over()
	}
	p.day = day
	p.moments++
}

func (p *progress) over() {
	fmt.Fprintf(p.out, "%s  %3d moments  %5.1f s\n", p.day, p.moments, time.Since(p.since).Seconds())
	p.moments, p.since = 0, time.Now()
}

// end ends the bar, or the last day.
func (p *progress) end() {
	if p.terminal {
		fmt.Fprintln(p.out)
		return
	}
	p.over()
}
