package seed

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/genproto/googleapis/type/money"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	kmoney "crossdock.dev/kernel/money"
)

// Error is one place of the seed that was not understood.
type Error struct {
	// File is the file's name.
	File string
	// Row is the line of a CSV file, 1 for its header, or the key of a JSON file.
	Row string
	// Column is the name of the column or field; empty when the row as a whole is meant.
	Column string
	// Problem says what is wrong.
	Problem string
}

// Error names file, row and column.
func (e *Error) Error() string {
	at := e.File
	if e.Row != "" {
		at += ", row " + e.Row
	}
	if e.Column != "" {
		at += ", column " + e.Column
	}
	return at + ": " + e.Problem
}

// problems collects all places that were not understood.
type problems struct{ list []error }

func (p *problems) add(file, row, column, format string, args ...any) {
	p.list = append(p.list, &Error{file, row, column, fmt.Sprintf(format, args...)})
}

func (p *problems) err() error { return errors.Join(p.list...) }

// row is one line of a CSV file.
type row struct {
	*problems
	file  string
	line  int
	cells map[string]string
}

// table reads a CSV file that has exactly these columns, in any order.
func (p *problems) table(dir fs.FS, file string, columns ...string) []row {
	f, err := dir.Open(file)
	if err != nil {
		p.add(file, "", "", "%v", err)
		return nil
	}
	defer f.Close()
	r := csv.NewReader(f)
	header, err := r.Read()
	if err != nil {
		p.add(file, "1", "", "%v", err)
		return nil
	}
	known := true
	for i, c := range header {
		if !slices.Contains(columns, c) || slices.Contains(header[:i], c) {
			p.add(file, "1", c, "unknown or repeated column")
			known = false
		}
	}
	for _, c := range columns {
		if !slices.Contains(header, c) {
			p.add(file, "1", c, "missing column")
			known = false
		}
	}
	if !known {
		return nil
	}
	var rows []row
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows
		}
		if broken, ok := errors.AsType[*csv.ParseError](err); ok {
			p.add(file, strconv.Itoa(broken.StartLine), "", "%v", err)
			return rows
		}
		if err != nil {
			p.add(file, "", "", "%v", err)
			return rows
		}
		line, _ := r.FieldPos(0)
		cells := map[string]string{}
		for i, c := range header {
			cells[c] = record[i]
		}
		rows = append(rows, row{p, file, line, cells})
	}
}

func (r row) fail(column, format string, args ...any) {
	r.add(r.file, strconv.Itoa(r.line), column, format, args...)
}

// text returns a cell as it is.
func (r row) text(column string) string { return r.cells[column] }

// words splits a cell at its spaces.
func (r row) words(column string) []string { return strings.Fields(r.cells[column]) }

// only fails unless the cell is one of the words, the few that the suite knows what to do with.
func (r row) only(column string, words ...string) {
	if !slices.Contains(words, r.cells[column]) {
		r.fail(column, "%q is none of %q", r.cells[column], words)
	}
}

// choice returns what a word stands for.
func choice[T any](r row, column string, meanings map[string]T) T {
	v, ok := meanings[r.cells[column]]
	if !ok {
		r.fail(column, "%q is not understood", r.cells[column])
	}
	return v
}

func (r row) number(column string) int32 {
	n, err := strconv.ParseInt(r.cells[column], 10, 32)
	if err != nil {
		r.fail(column, "%q is no whole number", r.cells[column])
	}
	return int32(n)
}

// decimal returns a cell that is an exact decimal, as it is written.
func (r row) decimal(column string) string {
	if _, err := decimal.Parse(r.cells[column]); err != nil {
		r.fail(column, "%q is no decimal", r.cells[column])
	}
	return r.cells[column]
}

func (r row) date(column string) *date.Date {
	d, err := calendar.ParseDate(r.cells[column])
	if err != nil {
		r.fail(column, "%q is no date", r.cells[column])
		return nil
	}
	return &date.Date{Year: int32(d.Year()), Month: int32(d.Month()), Day: int32(d.Day())}
}

func (r row) instant(column string) time.Time {
	t, err := time.Parse(time.RFC3339, r.cells[column])
	if err != nil {
		r.fail(column, "%q is no instant", r.cells[column])
	}
	return t
}

// weekdays reads "Mon-Fri" to ISO 8601 numbers, Monday 1 to Sunday 7.
func (r row) weekdays(column string) []int32 {
	days, err := calendar.ParseWeekdays(r.cells[column])
	if err != nil {
		r.fail(column, "%q are no weekdays", r.cells[column])
	}
	out := make([]int32, len(days))
	for i, d := range days {
		out[i] = (int32(d)+6)%7 + 1
	}
	slices.Sort(out)
	return out
}

// amount reads money; nothing for zero, which in the seed means that there is no such charge.
func (r row) amount(column, currency string) *money.Money {
	m, err := parseMoney(r.cells[column], currency)
	if err != nil {
		r.fail(column, "%v", err)
	}
	return m
}

func parseMoney(s, currency string) (*money.Money, error) {
	a, err := kmoney.Parse(s, currency)
	if err != nil {
		return nil, fmt.Errorf("%q is no amount of %s", s, currency)
	}
	if a.IsZero() {
		return nil, nil
	}
	units, nanos := a.UnitsNanos()
	return &money.Money{CurrencyCode: currency, Units: units, Nanos: nanos}, nil
}

var netDays = regexp.MustCompile(`\bnet ([0-9]+)\b`)

// dueDays reads the days of "net 30" or "2% 45 net 46 (ITD of the PO)".
func (r row) dueDays(column string) int32 {
	m := netDays.FindAllStringSubmatch(r.cells[column], -1)
	if len(m) != 1 {
		r.fail(column, "%q does not say net and the days", r.cells[column])
		return 0
	}
	n, err := strconv.ParseInt(m[0][1], 10, 32)
	if err != nil {
		r.fail(column, "%q: %v", r.cells[column], err)
	}
	return int32(n)
}
