package mapping

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"crossdock.dev/integrations/edi/x12"
)

// Status is what a 214 says.
type Status struct {
	Source           Source // B10
	CarrierReference string // B1001, PRO number; drayage carriers put the container there
	ShipmentID       string // B1002, our load number
	SCAC             string // B1003
	Stop             int    // L11 with qualifier QN before the first LX; 0: not said
	References       []Reference
	Parties          []Party
	Events           []StatusEvent // in the order of the set
}

// StatusEvent is an AT7 with what belongs to it.
type StatusEvent struct {
	Source     Source // AT7
	Code       string // AT701 or AT703 as written
	List       string // ListStatus for AT701, ListAppointment for AT703
	ReasonCode string // AT702 or AT704, data element 1651
	Milestone  string // the code map's word for Code; empty where it has none

	// LocalTime is AT705 and 06 as written, CCYY-MM-DDTHH:MM:SS with
	// hundredths where they are not zero. Which clock it is on: Instant where
	// ZoneCode is an offset from UTC; the zone named by ZoneName; else the
	// clock at the place of the event.
	LocalTime string
	ZoneCode  string // AT707 as written, data element 623
	ZoneName  string // IANA name for codes such as ET, which do not say standard or daylight time
	Instant   string // UTC, RFC 3339; only where ZoneCode fixes it

	LX         string // LX01 the event stands under
	Stop       int    // L11 with qualifier QN under the same LX, else that of the head; 0: not said
	City       string // MS101
	State      string // MS102
	Country    string // MS103, as written
	Longitude  string // MS104 and its direction letter, DDDMMSS
	Latitude   string // MS105 and its direction letter, DDDMMSS
	Equipment  Equipment
	References []Reference // L11 under the same LX
	Exceptions []LadingException
	Weights    []Weight
}

// Equipment is an MS2.
type Equipment struct {
	Owner      string // MS201, SCAC or container prefix
	Number     string // MS202
	Type       string // MS203, data element 40
	CheckDigit string // MS204
}

// LadingException is a Q7: what was wrong with how many packages.
type LadingException struct {
	Code     string // Q701, data element 33
	Package  string // Q702, data element 211
	Quantity string // Q703
}

// Weight is an AT8. Units are X12 codes as written.
type Weight struct {
	Qualifier  string // AT801: G gross, N net, ...
	Unit       string // AT802, data element 188
	Value      string // AT803
	Quantity   string // AT804, lading quantity
	VolumeUnit string // AT806, data element 184
	Volume     string // AT807
}

// zone is the meaning of a time code of data element 623.
type zone struct {
	offset time.Duration // from UTC, where name is empty
	name   string        // IANA
}

// zones are the codes of data element 623 with a name of their own. 01 to 24,
// the offsets in whole hours, are computed; LT is the clock at the place.
var zones = map[string]zone{
	"UT": {}, "GM": {},
	"ND": {offset: -150 * time.Minute}, "NS": {offset: -210 * time.Minute}, "NT": {name: "America/St_Johns"},
	"TD": {offset: -3 * time.Hour}, "TS": {offset: -4 * time.Hour}, "TT": {name: "America/Halifax"},
	"ED": {offset: -4 * time.Hour}, "ES": {offset: -5 * time.Hour}, "ET": {name: "America/New_York"},
	"CD": {offset: -5 * time.Hour}, "CS": {offset: -6 * time.Hour}, "CT": {name: "America/Chicago"},
	"MD": {offset: -6 * time.Hour}, "MS": {offset: -7 * time.Hour}, "MT": {name: "America/Denver"},
	"PD": {offset: -7 * time.Hour}, "PS": {offset: -8 * time.Hour}, "PT": {name: "America/Los_Angeles"},
	"AD": {offset: -8 * time.Hour}, "AS": {offset: -9 * time.Hour}, "AT": {name: "America/Anchorage"},
	"HD": {offset: -9 * time.Hour}, "HS": {offset: -10 * time.Hour}, "HT": {name: "Pacific/Honolulu"},
}

// zoneOf looks up a time code. 01 to 12 are hours east of UTC, 13 to 24 are
// 12 to 1 hours west of it.
func zoneOf(code string) (zone, bool) {
	if z, ok := zones[code]; ok {
		return z, true
	}
	n, err := strconv.Atoi(code)
	if err != nil || len(code) != 2 || n < 1 || n > 24 {
		return zone{}, false
	}
	if n > 12 {
		n -= 25
	}
	return zone{offset: time.Duration(n) * time.Hour}, true
}

// In214 maps a shipment status message. A code without a word of the code map
// is kept in its event and is an [UnmappedCode] of list [ListStatus] or
// [ListAppointment]. Estimates and appointments are events like all others:
// their word tells them apart.
func In214(set x12.Set, sep x12.Separators, codes CodeMap) (Status, []Problem) {
	var problems []Problem
	m := mapper214{mapper: mapper{sep: sep, report: func(p Problem) { problems = append(problems, p) }}, codes: codes}
	seen := false
	for i, s := range set.Segments {
		m.at(s, i+1)
		if m.party != nil && m.inParty(m.party) {
			continue
		}
		switch s.ID {
		case "ST", "SE":
		case "B10":
			seen = true
			m.status.Source = m.source
			m.status.CarrierReference = m.text(1)
			m.status.ShipmentID = m.required(2, ShipmentMissing, "shipmentID", "no shipment id")
			m.status.SCAC = m.required(3, SCACMissing, "scac", "no carrier")
		case "LX":
			m.endItem()
			m.party, m.inItem = nil, true
			m.lx, m.stop, m.refs = m.text(1), 0, nil
		case "N1":
			if m.inItem {
				m.notMapped()
				continue
			}
			m.status.Parties = append(m.status.Parties, m.n1())
			m.party = &m.status.Parties[len(m.status.Parties)-1]
		case "L11":
			m.l11At()
		case "AT7":
			m.event()
		case "MS1", "MS2", "Q7", "AT8":
			if m.last == nil {
				m.notMapped()
				continue
			}
			m.detail()
		default:
			m.notMapped()
		}
	}
	m.endItem()
	m.none(set)
	if !seen {
		m.problem(x12.Error, ShipmentMissing, "shipmentID", 0, "no B10")
	}
	if len(m.status.Events) == 0 {
		m.problem(x12.Error, EventsMissing, "events", 0, "no AT7")
	}
	return m.status, problems
}

type mapper214 struct {
	mapper
	codes  CodeMap
	status Status
	party  *Party // the N1 loop we are in

	inItem bool // an LX was seen
	lx     string
	from   int // the first event under the present LX
	stop   int
	refs   []Reference
	last   *StatusEvent
}

// endItem gives the events of an LX what stands under it.
func (m *mapper214) endItem() {
	for i := m.from; i < len(m.status.Events); i++ {
		e := &m.status.Events[i]
		if e.Stop = m.stop; e.Stop == 0 {
			e.Stop = m.status.Stop
		}
		e.References = m.refs
	}
	m.from, m.last = len(m.status.Events), nil
}

func (m *mapper214) l11At() {
	ref := m.l11()
	stop := 0
	if ref.Qualifier == "QN" {
		n, err := strconv.Atoi(ref.Value)
		if err != nil || n < 1 || n > 999 {
			m.problem(x12.Error, StopInvalid, "stop", 1, "not a stop number")
		} else {
			stop = n
		}
	}
	if m.inItem {
		m.refs = append(m.refs, ref)
		if stop > 0 {
			m.stop = stop
		}
		return
	}
	m.status.References = append(m.status.References, ref)
	if stop > 0 {
		m.status.Stop = stop
	}
}

func (m *mapper214) event() {
	e := StatusEvent{Source: m.source, LX: m.lx, Code: m.text(1), List: ListStatus, ReasonCode: m.text(2)}
	code := 1
	switch {
	case e.Code != "" && m.text(3) != "":
		m.problem(x12.Error, CodesExclusive, "events", 3, "a status and an appointment status together")
	case e.Code == "":
		e.Code, e.List, e.ReasonCode, code = m.text(3), ListAppointment, m.text(4), 3
	}
	if e.Code == "" {
		m.problem(x12.Error, CodeMissing, "events", 1, "no status")
	} else {
		e.Milestone = m.word(m.codes, e.List, code)
	}
	m.time(&e)
	m.status.Events = append(m.status.Events, e)
	m.last = &m.status.Events[len(m.status.Events)-1]
}

// time reads AT705 to 07.
func (m *mapper214) time(e *StatusEvent) {
	e.ZoneCode = m.text(7)
	date := m.calendar(5, "time")
	clock, ok, err := m.segment.TM(6)
	switch {
	case err != nil:
		m.problem(x12.Error, TimeInvalid, "time", 6, "not a time")
	case m.text(5) == "":
		m.problem(x12.Error, TimeMissing, "time", 5, "no date")
	case !ok:
		m.problem(x12.Error, TimeMissing, "time", 6, "no time")
	case date != "":
		e.LocalTime = fmt.Sprintf("%sT%02d:%02d:%02d", date, clock.Hour, clock.Minute, clock.Second)
		if clock.Hundredth > 0 {
			e.LocalTime += fmt.Sprintf(".%02d", clock.Hundredth)
		}
	}
	if e.ZoneCode == "" || e.ZoneCode == "LT" {
		return
	}
	z, known := zoneOf(e.ZoneCode)
	if !known {
		m.problem(x12.Error, ZoneUnknown, "time", 7, "not a time zone")
		return
	}
	e.ZoneName = z.name
	if z.name == "" && e.LocalTime != "" {
		t, err := time.Parse("2006-01-02T15:04:05", e.LocalTime) // takes a fraction of a second as well
		if err == nil {
			e.Instant = t.Add(-z.offset).Format(time.RFC3339Nano)
		}
	}
}

// detail takes what follows an AT7 and belongs to it.
func (m *mapper214) detail() {
	e := m.last
	switch m.segment.ID {
	case "MS1":
		e.City, e.State, e.Country = m.text(1), m.text(2), m.text(3)
		e.Longitude, e.Latitude = strings.TrimSpace(m.text(4)+m.text(6)), strings.TrimSpace(m.text(5)+m.text(7))
	case "MS2":
		e.Equipment = Equipment{Owner: m.text(1), Number: m.text(2), Type: m.text(3), CheckDigit: m.text(4)}
	case "Q7":
		e.Exceptions = append(e.Exceptions, LadingException{Code: m.text(1), Package: m.text(2), Quantity: m.number(3, "exceptions")})
	case "AT8":
		e.Weights = append(e.Weights, Weight{Qualifier: m.text(1), Unit: m.text(2), Value: m.number(3, "weight"),
			Quantity: m.number(4, "weight"), VolumeUnit: m.text(6), Volume: m.number(7, "weight")})
	}
}
