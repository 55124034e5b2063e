// Package report writes figures: lines that benchstat reads, JSON for programs, and a table for a page.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"

	"crossdock.dev/bench/internal/machine"
)

// Figure is what one benchmark found.
type Figure struct {
	// Name is the benchmark's, such as "create-order".
	Name string `json:"name"`
	// Rate is operations a second; what an operation is, the list of benchmarks says.
	Rate float64 `json:"rate"`
	// P50 and P99 are milliseconds of one operation.
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	// CPU is microseconds of the server processes' processor time for one operation.
	CPU float64 `json:"cpu_us"`
	// Limit is the rate of the limit that Rate is held against, measured in the same run; null where there is none.
	Limit *float64 `json:"limit"`
	// Ratio is Rate / Limit; null where there is none. Where a benchmark has another meaning for it, the list of benchmarks says so.
	Ratio *float64 `json:"ratio"`

	// Variant is how it was run, such as "callers=256".
	Variant string `json:"variant,omitempty"`
	// Ops is how many operations the figures rest on.
	Ops uint64 `json:"ops"`
	// Against is the name of the limit.
	Against string `json:"against,omitempty"`
	// Servers are the processes whose processor time counts.
	Servers []string `json:"servers,omitempty"`
	// More are further figures, by unit.
	More map[string]float64 `json:"more,omitempty"`
}

// AgainstLimit holds a figure against the rate of a limit.
func (f *Figure) AgainstLimit(name string, rate float64) {
	ratio := f.Rate / rate
	f.Against, f.Limit, f.Ratio = name, &rate, &ratio
}

// Header prints what benchstat compares runs by.
func Header(w io.Writer, d machine.Description) error {
	_, err := fmt.Fprintf(w, "goos: linux\npkg: crossdock.dev/bench\ncpu: %s\ncpus: %d\nkernel: %s\nfilesystem: %s\ngo: %s\ncommit: %s\n",
		d.CPU, d.CPUs, d.Kernel, d.FileSystem, d.Go, d.Commit)
	return err
}

// Line prints a figure in the format of Go's benchmarks.
func Line(w io.Writer, f Figure) error {
	name := "Benchmark" + camel(f.Name)
	if f.Variant != "" {
		name += "/" + f.Variant
	}
	perOp := 0.0
	if f.Rate > 0 {
		perOp = 1e9 / f.Rate
	}
	line := fmt.Sprintf("%s\t%8d\t%12.0f ns/op\t%12.1f ops/s\t%10.3f p50-ms\t%10.3f p99-ms\t%10.2f cpu-us/op", name, max(f.Ops, 1), perOp, f.Rate, f.P50, f.P99, f.CPU)
	if f.Ratio != nil {
		line += fmt.Sprintf("\t%8.3f ratio", *f.Ratio)
	}
	for _, unit := range sorted(f.More) {
		line += fmt.Sprintf("\t%12.3f %s", f.More[unit], unit)
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

// JSON writes the list of figures.
func JSON(w io.Writer, figures []Figure) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(figures)
}

// Markdown writes the figures as a table under what they depend on.
func Markdown(w io.Writer, d machine.Description, figures []Figure) error {
	_, err := fmt.Fprintf(w, "Commit %s, %s, %s.\n%d × %s, %.0f GiB memory, Linux %s, %s.\n\n", d.Commit, d.Time.Format("2006-01-02 15:04 UTC"), d.Go,
		d.CPUs, d.CPU, float64(d.MemoryBytes)/(1<<30), d.Kernel, d.FileSystem)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w, "| benchmark | rate | p50 ms | p99 ms | CPU µs | limit | ratio | more |\n| --- | ---: | ---: | ---: | ---: | --- | ---: | --- |"); err != nil {
		return err
	}
	for _, f := range figures {
		limit, ratio, more := "", "", ""
		if f.Limit != nil {
			limit = number(*f.Limit) + " (" + f.Against + ")"
		}
		if f.Ratio != nil {
			ratio = fmt.Sprintf("%.2f", *f.Ratio)
		}
		for _, unit := range sorted(f.More) {
			if more != "" {
				more += ", "
			}
			more += number(f.More[unit]) + " " + unit
		}
		name := f.Name
		if f.Variant != "" {
			name += " (" + f.Variant + ")"
		}
		if _, err := fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", name, number(f.Rate), number(f.P50), number(f.P99), number(f.CPU), limit, ratio, more); err != nil {
			return err
		}
	}
	return nil
}

// number shows three digits, or all before the point.
func number(x float64) string {
	switch a := math.Abs(x); {
	case a == 0:
		return "0"
	case a < 10:
		return fmt.Sprintf("%.2f", x)
	case a < 100:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}
