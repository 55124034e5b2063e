package script_test

import (
	"strings"
	"testing"
	"time"

	"crossdock.dev/tests/counterparts/script"
)

func TestParse(t *testing.T) {
	s, err := script.Parse("one.txt", `
# for people
orders A B

at 2026-03-05T15:05:00Z send 214 as departure
  B10*{{pro}}*{{load}}

LX*1
withdrawn
at tender +90m prove
{}
`, []string{"orders"}, []string{"pro", "load"})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(s.Heads["orders"], " ") != "A B" || len(s.Blocks) != 2 {
		t.Fatalf("got %+v", s)
	}
	first, last := s.Blocks[0], s.Blocks[1]
	if first.Line != 5 || first.Number != 1 || first.Verb != "send" || strings.Join(first.Words, " ") != "214 as departure" || first.Withdrawn ||
		strings.Join(first.Body, "|") != "B10*{{pro}}*{{load}}|LX*1" {
		t.Errorf("got %+v", first)
	}
	if !last.Withdrawn || last.Verb != "prove" || last.Number != 2 {
		t.Errorf("got %+v", last)
	}
	if got, want := script.Fill(first.Body[0], map[string]string{"pro": "P1", "load": "L1"}), "B10*P1*L1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := last.Errorf("no %s", "door").Error(), "one.txt:10: no door"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Instants follow from an offer: on the clock of the place, also over the Sunday on which the clocks change.
func TestWhen(t *testing.T) {
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	a := script.Anchors{
		Tender: time.Date(2026, 3, 6, 21, 0, 0, 0, time.UTC),
		Pickup: time.Date(2026, 3, 7, 0, 0, 0, 0, chicago), Delivery: time.Date(2026, 3, 8, 0, 0, 0, 0, chicago),
	}
	for text, want := range map[string]string{
		"2026-03-03T10:10:00-05:00": "2026-03-03T15:10:00Z",
		"tender +45m":               "2026-03-06T21:45:00Z",
		"pickup 09:10":              "2026-03-07T15:10:00Z",
		"pickup+2 09:10":            "2026-03-09T14:10:00Z",
		"delivery 09:10":            "2026-03-08T14:10:00Z",
		"delivery+1 00:30":          "2026-03-09T05:30:00Z",
	} {
		s, err := script.Parse("x", "at "+text+" wait", nil, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := s.Blocks[0].When.In(a).Format(time.RFC3339); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}
