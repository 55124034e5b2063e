package mapping

import (
	"fmt"
	"strconv"
	"time"

	"crossdock.dev/integrations/edi/x12"
)

// Address is an interchange id with its qualifier (ISA05/06 or ISA07/08).
type Address struct {
	Qualifier, ID string
}

// Envelope is what a partner's profile says about the interchanges we send it.
type Envelope struct {
	From, To           Address
	FromGroup, ToGroup string // GS02, GS03
	ControlVersion     string // ISA12, for example "00401"
	Version            string // GS08, for example "004010VICS"
	Usage              string // ISA15: P or T
	AckRequested       bool   // ISA14: ask for a TA1
	Separators         x12.Separators
	AfterSegment       string // white space after each terminator, "" or a line break
}

// Numbers are the control numbers of an interchange. The caller draws them.
type Numbers struct {
	Interchange int64 // ISA13, 1 to 999999999
	Group       int64 // GS06, 1 to 999999999
}

// Wrap puts sets into one group of one interchange. functionalID is GS01. Date and time in the envelope are UTC.
func (e Envelope) Wrap(functionalID string, sets []x12.Set, n Numbers, at time.Time) (x12.Interchange, error) {
	if n.Interchange < 1 || n.Interchange > 999999999 || n.Group < 1 || n.Group > 999999999 {
		return x12.Interchange{}, fmt.Errorf("mapping: control numbers %d and %d are not within 1 to 999999999", n.Interchange, n.Group)
	}
	sep := e.Separators
	isa11 := "U" // standards identifier; the repetition separator from 00402 on
	if e.ControlVersion >= "00402" {
		isa11 = sep.Repetition
	} else {
		sep.Repetition = ""
	}
	ask := "0"
	if e.AckRequested {
		ask = "1"
	}
	at = at.UTC()
	isa13 := fmt.Sprintf("%09d", n.Interchange)
	gs06 := strconv.FormatInt(n.Group, 10)
	g := x12.Group{
		Header:  x12.Seg("GS", functionalID, e.FromGroup, e.ToGroup, at.Format("20060102"), at.Format("1504"), gs06, "X", e.Version),
		Sets:    sets,
		Trailer: x12.Seg("GE", strconv.Itoa(len(sets)), gs06),
	}
	return x12.Interchange{
		Format: x12.Format{Separators: sep, AfterSegment: e.AfterSegment, Trailer: e.AfterSegment},
		Header: x12.Seg("ISA", "00", "", "00", "", e.From.Qualifier, e.From.ID, e.To.Qualifier, e.To.ID, at.Format("060102"), at.Format("1504"),
			isa11, e.ControlVersion, isa13, ask, e.Usage, sep.Component),
		Groups:  []x12.Group{g},
		Trailer: x12.Seg("IEA", "1", isa13),
	}, nil
}
