// Package message says what an interchange, its sets and their dispositions are to us, reads interchanges out of a document,
// and decides what becomes of them. It is pure: what it needs to know (agreements, what was seen before) is given to it. It
// promises flat memory: an interchange is described, never held. It leaves keeping, answering and handing on to others.
package message

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"crossdock.dev/integrations/edi/x12"
)

// Direction is which way an interchange went. The numbers are those of the contract.
type Direction int32

const (
	Inbound Direction = iota + 1
	Outbound
)

// Disposition is what became of an interchange. The numbers are those of the contract.
type Disposition int32

const (
	Accepted Disposition = iota + 1
	Replayed
	Quarantined
	Unreadable
)

// SetDisposition is what became of a set. The numbers are those of the contract.
type SetDisposition int32

const (
	InProgress SetDisposition = iota + 1
	Applied
	Duplicate
	Parked
	Rejected
	Acknowledgement
)

// Reason is a stable word for why something waits or was refused.
type Reason string

const (
	UnknownPartner         Reason = "UNKNOWN_PARTNER"
	UsageMismatch          Reason = "USAGE_MISMATCH"
	ControlNumberReused    Reason = "CONTROL_NUMBER_REUSED"
	MessageRejected        Reason = "MESSAGE_REJECTED"
	ReplaceWithoutOriginal Reason = "REPLACE_WITHOUT_ORIGINAL" // BEG01 05 for an order that we never had
	ChangeWithoutOriginal  Reason = "CHANGE_WITHOUT_ORIGINAL"  // another BEG01 than 00 and 05, likewise
	ChangeNotApplied       Reason = "CHANGE_NOT_APPLIED"       // a change of an order that we have
	DuplicatePODiffers     Reason = "DUPLICATE_PO_DIFFERS"     // the same order number with other content
	DuplicatePOAsk         Reason = "DUPLICATE_PO"             // the same content again, of a partner with whom a person decides
	MappingFailed          Reason = "MAPPING_FAILED"
	OrderRefused           Reason = "ORDER_REFUSED"
	LoadUnknown            Reason = "LOAD_UNKNOWN"          // the carrier was never offered a load of this number
	ResponseCodeUnknown    Reason = "RESPONSE_CODE_UNKNOWN" // a 990 with a letter that no code map of the carrier has
	ResponseDiffers        Reason = "RESPONSE_DIFFERS"      // a 990 that takes back an answer
	ResponseRefused        Reason = "RESPONSE_REFUSED"      // by freight, such as an acceptance that comes too late
	StatusCodeUnknown      Reason = "STATUS_CODE_UNKNOWN"
	StatusRefused          Reason = "STATUS_REFUSED"
	ChargeCodeUnknown      Reason = "CHARGE_CODE_UNKNOWN"
	FreightBillRefused     Reason = "FREIGHT_BILL_REFUSED" // billing cannot take it in; what its audit rejects is Rejected
	FreightBillRejected    Reason = "FREIGHT_BILL_REJECTED"
	MasterDataMissing      Reason = "MASTER_DATA_MISSING" // one of ours cannot be written
	AckRejected            Reason = "ACK_REJECTED"        // one of ours was refused by the partner's 997
)

// Interchange is one ISA..IEA that came or went.
type Interchange struct {
	ID           string
	Direction    Direction
	Party        string // empty when unknown
	Sender       string // ISA05/ISA06
	Receiver     string // ISA07/ISA08
	Control      string // ISA13
	Usage        string // ISA15
	Document     string // SHA-256 of the document, hexadecimal
	Offset, Size int64  // in the document, in bytes
	FileName     string
	Disposition  Disposition
	Reason       string
	ReasonCode   Reason
	Answer       string // id of the interchange that answers it, or that it answers
	AnswerCode   string // of an outbound one: what the partner said of its group (data element 715)
	CreateTime   time.Time
	Sets         int
	Separators   x12.Separators
	// AcknowledgeBy is until when an outbound one is to be acknowledged; zero where nothing is awaited. Overdue is true while that
	// time has passed in vain.
	AcknowledgeBy time.Time
	Overdue       bool
}

// Name is the resource name.
func (x Interchange) Name() string { return Name(x.ID) }

// Name is the resource name of an interchange.
func Name(id string) string {
	if id == "" {
		return ""
	}
	return "interchanges/" + id
}

// Day is the day that its messages are counted on, UTC.
func (x Interchange) Day() string { return x.CreateTime.UTC().Format(time.DateOnly) }

// Set is one ST..SE.
type Set struct {
	Index          int    // in the interchange, from 1
	ID             string // ST01
	Control        string // ST02
	Group          string // GS06
	Version        string // GS08
	Disposition    SetDisposition
	Reason         string
	ReasonCode     Reason
	Result         string // what it became: "orders/ord_..."
	Offset, Length int64  // in the document, in bytes
	Related        []string
	AckCode        string // of a 997: what it says of the group (data element 715)
	Unmapped       []Code // what a parked one waits for
	Segments       []Segment
}

// Segment is where a statement of a set stands in its document, in bytes, without the terminator.
type Segment struct {
	ID             string
	Offset, Length int64
}

// maxSegments bounds the statements that are found again: as many as an order may have lines, and a bill charges that are held.
const maxSegments = 1000

// statements are the segments, by set, that hold what becomes a line, a charge, an event, an answer or an amount due.
var statements = map[string][]string{"850": {"PO1"}, "990": {"B1"}, "214": {"AT7"}, "210": {"B3", "L1"}}

// Code is a partner's code in a list of code maps; in the list Masterdata it is the name of a resource.
type Code struct{ List, Code string }

// Masterdata is the list of resources that a message of ours waits for.
const Masterdata = "masterdata"

// AcceptsGroup reports whether a code of data element 715 accepts the whole group.
func AcceptsGroup(code string) bool { return code == "A" || code == "E" }

// Prefixes of numbers that lead to a case.
const (
	orderPrefix = "po:"
	loadPrefix  = "load:"
	proPrefix   = "pro:"
)

// OrderNumber is the customer's order number that the set is about; empty when it says none.
func (s Set) OrderNumber() string {
	for _, r := range s.Related {
		if number, ok := strings.CutPrefix(r, orderPrefix); ok {
			return number
		}
	}
	return ""
}

// LoadNumbers are the loads that the set is about.
func (s Set) LoadNumbers() []string {
	var out []string
	for _, r := range s.Related {
		if number, ok := strings.CutPrefix(r, loadPrefix); ok {
			out = append(out, number)
		}
	}
	return out
}

// maxRelated bounds the names that a set leads to: an acknowledgement may speak of many.
const maxRelated = 60

// Relate adds names and numbers that lead to the set's case, each once.
func (s *Set) Relate(names ...string) {
	for _, name := range names {
		if len(s.Related) < maxRelated && !slices.Contains(s.Related, name) {
			s.Related = append(s.Related[:len(s.Related):len(s.Related)], name)
		}
	}
}

// SetName names a set of an interchange.
func SetName(interchange string, index int) string {
	return fmt.Sprintf("%s/sets/%d", Name(interchange), index)
}

// Most bytes of texts that come from outside, as they are kept.
const (
	maxAddress = 40
	maxControl = 20
	maxReason  = 400
	maxNumber  = 60
)

// Clean makes text from outside fit for a record: valid UTF-8 without control characters, at most n bytes.
func Clean(s string, n int) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, Text(s)))
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// Text reads bytes as UTF-8, and what is none as ISO 8859-1, which has a character for every byte.
func Text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	out := make([]rune, len(s))
	for i := range len(s) {
		out[i] = rune(s[i])
	}
	return string(out)
}

// setID keeps a set identifier as it is where it looks like one, so that counters have few rows.
func setID(s string) string {
	s = strings.TrimSpace(s)
	if len(s) == 0 || len(s) > 6 || strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsDigit(r) && !unicode.IsLetter(r) }) {
		return "?"
	}
	return s
}
