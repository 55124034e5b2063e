package carrier

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"crossdock.dev/tests/counterparts/script"
	"crossdock.dev/tests/counterparts/segments"
)

// tender is what a carrier reads of a 204.
type tender struct {
	load      string // B204
	payment   string // B206: PP prepaid, CC collect
	unit      string // B205: L pounds, K kilograms
	orders    []string
	cities    []string // of the stops, in order
	pieces    string
	pickup    string         // CCYYMMDD, at the first stop
	delivery  string         // CCYYMMDD, at the last stop
	anchors   script.Anchors // of a load with a script
	withdrawn bool
}

// readTender reads an offer, purpose 00, or that one is taken back, purpose 01 (X12 data element 353).
func readTender(set segments.Set) (tender, error) {
	b2 := set.First("B2")
	t := tender{load: b2.At(4), unit: b2.At(5), payment: b2.At(6)}
	switch purpose := set.First("B2A").At(1); {
	case t.load == "":
		return t, fmt.Errorf("204 without a shipment id")
	case purpose == "01":
		t.withdrawn = true
		return t, nil
	case purpose != "00":
		return t, fmt.Errorf("204 of %s has the purpose %q", t.load, purpose)
	}
	stop := ""
	for _, s := range set.Segments {
		switch s.ID() {
		case "S5":
			stop = s.At(1)
		case "L11":
			if s.At(2) == "PO" && !slices.Contains(t.orders, s.At(1)) {
				t.orders = append(t.orders, s.At(1))
			}
		case "G62":
			if s.At(1) == "37" && t.pickup == "" {
				t.pickup = s.At(2)
			}
			if s.At(1) == "54" {
				t.delivery = s.At(2)
			}
		case "N4":
			if stop != "" {
				t.cities = append(t.cities, strings.ToUpper(s.At(1)))
			}
		case "L3":
			t.pieces = s.At(11)
		}
	}
	if len(t.cities) < 2 {
		return t, fmt.Errorf("204 of %s has %d stops", t.load, len(t.cities))
	}
	return t, nil
}

// anchors are what the instants of an offer follow from. written is when its group was, in UTC.
func anchors(written string, t tender) (a script.Anchors, err error) {
	if a.Tender, err = time.Parse("200601021504", written[:min(12, len(written))]); err != nil {
		return a, err
	}
	if a.Pickup, err = midnight(t.pickup, t.cities[0]); err != nil {
		return a, err
	}
	a.Delivery, err = midnight(t.delivery, t.cities[len(t.cities)-1])
	return a, err
}

// zones of the cities that the carriers go to.
var zones = map[string]string{
	"COLUMBUS": "America/New_York", "SOLON": "America/New_York", "PITTSBURGH": "America/New_York", "ATHENS": "America/New_York",
	"DETROIT": "America/Detroit", "INDIANAPOLIS": "America/Indiana/Indianapolis", "CHICAGO": "America/Chicago", "NASHVILLE": "America/Chicago",
	"VENLO": "Europe/Amsterdam", "EINDHOVEN": "Europe/Amsterdam", "HAMBURG": "Europe/Berlin",
}

func midnight(day, city string) (time.Time, error) {
	zone, ok := zones[city]
	if !ok {
		return time.Time{}, fmt.Errorf("nobody here knows what time it is in %s", city)
	}
	at, err := time.LoadLocation(zone)
	if err != nil {
		return time.Time{}, err
	}
	return time.ParseInLocation("20060102", day, at)
}
