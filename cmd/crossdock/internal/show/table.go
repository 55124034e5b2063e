package show

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Column is one column of a table.
type Column struct {
	Head string
	// Right aligns to the right, for numbers.
	Right bool
}

// Table prints rows under heads, two blanks between columns, nothing cut off.
func Table(w io.Writer, columns []Column, rows [][]string) error {
	widths := make([]int, len(columns))
	heads := make([]string, len(columns))
	for i, c := range columns {
		heads[i] = c.Head
		widths[i] = utf8.RuneCountInString(c.Head)
		for _, r := range rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(r[i]))
		}
	}
	for _, row := range append([][]string{heads}, rows...) {
		var b strings.Builder
		for i, cell := range row {
			if i > 0 {
				b.WriteString("  ")
			}
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if columns[i].Right {
				b.WriteString(pad + cell)
			} else {
				b.WriteString(cell + pad)
			}
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(b.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// Style colours text where a person looks at it.
type Style struct {
	// Colour is false for files, pipes and NO_COLOR.
	Colour bool
}

func (s Style) wrap(code, text string) string {
	if !s.Colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Bold stands out.
func (s Style) Bold(text string) string { return s.wrap("1", text) }

// Dim stands back.
func (s Style) Dim(text string) string { return s.wrap("2", text) }

// Good is green.
func (s Style) Good(text string) string { return s.wrap("32", text) }

// Bad is red.
func (s Style) Bad(text string) string { return s.wrap("31", text) }
