package app

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/integrations/edi/internal/profile"
	"crossdock.dev/integrations/edi/internal/store"
	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
	"crossdock.dev/kernel/calendar"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
)

// Carriers are the services that what carriers say is handed to. The first four make the bytes of requests.
type Carriers interface {
	Accept(tender, reference string) ([]byte, error)
	Decline(tender, reason, note string) ([]byte, error)
	// Report makes one request for each report. ErrWord says that a milestone is none of the service's words.
	Report(load string, reports []Report) ([]byte, error)
	Bill(b Bill) ([]byte, []mapping.Problem)
	// Send sends the requests, each under the request id with its own suffix. A *RefusedError says that no repeat will help; after
	// any other error the same requests may be sent again with the same id. done tells how many of them went through.
	Send(ctx context.Context, requestID string, requests []byte) (answer Answer, done []string, err error)
}

// ErrWord says that a code map has a word that the owner of its list does not know.
var ErrWord = errors.New("not a word of the service")

// Report is something that happened. Exactly one of OccurTime and LocalTime is set.
type Report struct {
	Suffix    string // of the request id: the event's place in its set
	Milestone string
	Stop      int // 0: on the way
	OccurTime time.Time
	LocalTime string // at the place, CCYY-MM-DDTHH:MM:SS
	Estimate  time.Time
	City      string
	State     string
	Code      string // as the carrier writes it
	Reason    string // likewise
	Source    string // the set
}

// Answer is what a service made of the last request.
type Answer struct {
	Name  string // the resource
	State string // of a tender or a freight bill
	// Detail is why, of a bill that was not taken as it is.
	Detail string
}

// Words of the lists.
const (
	accepted = "ACCEPTED"
	declined = "DECLINED"
	estimate = "ETA_CHANGED"
)

// meanings looks codes up for a carrier, and remembers those that have no meaning.
type meanings struct {
	ctx      context.Context
	r        platform.Reader
	party    string
	day      string
	err      error
	lists    map[string]map[string]string
	unmapped []message.Code
}

func (a *App) meanings(ctx context.Context, r platform.Reader, x message.Interchange) *meanings {
	return &meanings{ctx: ctx, r: r, party: x.Party, day: x.CreateTime.UTC().Format(time.DateOnly), lists: map[string]map[string]string{}}
}

// find is a mapping.CodeMap. Letters of a 990 mean something else to each carrier: rows for everybody count for nothing there.
func (m *meanings) find(list, code string) (string, bool) {
	codes, ok := m.lists[list]
	if !ok && m.err == nil {
		codes, m.err = store.Codes(m.ctx, m.r, list, m.party, m.day, list == ResponseList)
		m.lists[list] = codes
	}
	if word := codes[code]; word != "" {
		return word, true
	}
	if c := (message.Code{List: list, Code: message.Clean(code, 40)}); c.Code != "" && !slices.Contains(m.unmapped, c) {
		m.unmapped = append(m.unmapped, c)
	}
	return "", false
}

// wait parks a set that cannot be mapped: for its codes when that is all that is wrong, or else as a whole.
func (m *meanings) wait(code message.Reason, problems []mapping.Problem) (message.Verdict, bool) {
	other := slices.ContainsFunc(problems, func(p mapping.Problem) bool { return p.Severity == x12.Error && p.Reason != mapping.UnmappedCode })
	switch words := message.Describe(problems); {
	case other:
		return message.Wait(message.MappingFailed, words), true
	case len(m.unmapped) > 0:
		var codes []string
		for _, c := range m.unmapped {
			codes = append(codes, c.Code+" of list "+c.List)
		}
		v := message.Wait(code, "no code map says what "+strings.Join(codes, " and ")+" means")
		v.Unmapped = m.unmapped
		return v, true
	}
	return message.Verdict{}, false
}

// offered reads the offer that a carrier speaks of.
func offered(ctx context.Context, r platform.Reader, x message.Interchange, number string) (store.Tender, message.Verdict, error) {
	t, err := store.TenderOf(ctx, r, number, x.Party)
	if errors.Is(err, store.ErrNotFound) {
		return t, message.Wait(message.LoadUnknown, "load "+number+" was never offered to this carrier"), nil
	}
	return t, message.Verdict{Disposition: message.InProgress}, err
}

// judgeResponse decides about a 990.
func (a *App) judgeResponse(ctx context.Context, tx *platform.Tx, x message.Interchange, s message.Set, set x12.Set) (message.Verdict, []byte, error) {
	codes := a.meanings(ctx, tx, x)
	r, problems := mapping.In990(set, x.Separators, codes.find)
	if codes.err != nil {
		return message.Verdict{}, nil, codes.err
	}
	if v, waits := codes.wait(message.ResponseCodeUnknown, problems); waits {
		return v, nil, nil
	}
	t, v, err := offered(ctx, tx, x, r.ShipmentID)
	if err != nil || v.Disposition != message.InProgress {
		return v, nil, err
	}
	var request []byte
	switch {
	case r.Answer != accepted && r.Answer != declined:
		v = message.Wait(message.ResponseCodeUnknown, "letter "+r.Letter+" is mapped to "+r.Answer+", which answers no tender")
		v.Unmapped = []message.Code{{List: ResponseList, Code: message.Clean(r.Letter, 40)}}
		return v, nil, nil
	case t.Answer == r.Answer:
		return message.Verdict{Disposition: message.Duplicate, Reason: "same answer as " + t.AnsweredBy, Result: t.Name}, nil, nil
	case t.Answer != "":
		return message.Wait(message.ResponseDiffers, t.AnsweredBy+" said "+t.Answer+" before"), nil, nil
	case r.Answer == accepted:
		request, err = a.Carriers.Accept(t.Name, message.Clean(r.CarrierReference, 40))
	default:
		request, err = a.Carriers.Decline(t.Name, declineReason(r.ReasonText), message.Clean(strings.TrimSpace(r.ReasonCode+" "+r.ReasonText), 400))
	}
	return v, request, err
}

var capacity = regexp.MustCompile(`(?i)\b(trucks?|equipment|capacity|trailers?|drivers?)\b`)

// declineReason reads a carrier's words: what speaks of trucks or equipment means that it has none.
func declineReason(words string) string {
	if capacity.MatchString(words) {
		return "CAPACITY"
	}
	return "OTHER"
}

// judgeStatus decides about a 214. Nothing of it is applied unless all its codes have a meaning.
func (a *App) judgeStatus(ctx context.Context, tx *platform.Tx, x message.Interchange, s message.Set, p profile.Profile, set x12.Set) (message.Verdict, []byte, error) {
	codes := a.meanings(ctx, tx, x)
	status, problems := mapping.In214(set, x.Separators, codes.find)
	if codes.err != nil {
		return message.Verdict{}, nil, codes.err
	}
	if v, waits := codes.wait(message.StatusCodeUnknown, problems); waits {
		return v, nil, nil
	}
	t, v, err := offered(ctx, tx, x, status.ShipmentID)
	if err != nil || v.Disposition != message.InProgress {
		return v, nil, err
	}
	var reports []Report
	var news []store.Event
	first := ""
	for i, e := range status.Events {
		identity := identityOf(status, e, t)
		by, err := store.ReportedBy(ctx, tx, identity)
		if err != nil {
			return v, nil, err
		}
		if by != "" || slices.Contains(news, identity) {
			if first == "" {
				first = by
			}
			continue
		}
		r, err := reportOf(x, s, p, t, e, i)
		if err != nil {
			return message.Wait(message.MappingFailed, err.Error()), nil, nil
		}
		reports, news = append(reports, r), append(news, identity)
	}
	if len(reports) == 0 {
		return message.Verdict{Disposition: message.Duplicate, Reason: "same event as in " + first, Result: t.Load, Related: t.Related}, nil, nil
	}
	request, err := a.Carriers.Report(t.Load, reports)
	if errors.Is(err, ErrWord) {
		return message.Wait(message.StatusCodeUnknown, err.Error()), nil, nil
	}
	if err != nil {
		return v, nil, err
	}
	return v, request, store.ClaimEvents(ctx, tx, x.ID, s.Index, news)
}

// identityOf tells an event from others: who says of which load, at which stop, what, and when.
func identityOf(status mapping.Status, e mapping.StatusEvent, t store.Tender) store.Event {
	return store.Event{
		SCAC: status.SCAC, Load: status.ShipmentID, Reference: status.CarrierReference, Stop: stopOf(e, t), List: e.List, Code: e.Code, Time: e.LocalTime,
	}
}

// Milestones that happen where goods are loaded, and where they are unloaded.
var (
	atPickup   = []string{"ARRIVED_PICKUP", "LOADED", "DEPARTED_PICKUP"}
	atDelivery = []string{"ARRIVED_DELIVERY", "DELIVERED", "DEPARTED_DELIVERY", "DELIVERY_ATTEMPTED", "DELIVERY_NOT_COMPLETED", "REFUSED"}
)

// stopOf is the stop that an event was at: the one it says, else the first for what happens at a pick-up and the last for what
// happens at a delivery; 0 on the way.
func stopOf(e mapping.StatusEvent, t store.Tender) int {
	switch {
	case e.Stop > 0:
		return e.Stop
	case slices.Contains(atPickup, e.Milestone) && len(t.Stops) > 0:
		return t.Stops[0].Sequence
	case slices.Contains(atDelivery, e.Milestone) && len(t.Stops) > 0:
		return t.Stops[len(t.Stops)-1].Sequence
	}
	return 0
}

// reportOf puts an event into the words of freight. A local time goes along as it is where the place or the stop gives the zone,
// since freight knows both; where nothing does, the partner's own zone makes an instant of it.
func reportOf(x message.Interchange, s message.Set, p profile.Profile, t store.Tender, e mapping.StatusEvent, i int) (Report, error) {
	r := Report{
		Suffix: suffix(i), Milestone: e.Milestone, Stop: stopOf(e, t), City: message.Clean(e.City, 60), State: message.Clean(e.State, 3),
		Code: message.Clean(e.Code, 20), Reason: message.Clean(e.ReasonCode, 20), Source: message.SetName(x.ID, s.Index),
	}
	local, _, _ := strings.Cut(e.LocalTime, ".") // hundredths of a second
	resolve := func(zone string) (time.Time, error) {
		day, clock, _ := strings.Cut(local, "T")
		d, err := calendar.ParseDate(day)
		if err != nil {
			return time.Time{}, err
		}
		at, err := d.At(clock, zone)
		return at.Instant, err
	}
	zone := e.ZoneName
	if zone == "" && (e.Milestone == estimate || r.City == "" && r.Stop == 0) {
		zone = zoneAt(t, r.Stop, p.Zone)
	}
	at, err := time.Time{}, error(nil)
	switch {
	case e.Instant != "":
		if at, err = time.Parse(time.RFC3339, e.Instant); err == nil {
			at = at.Truncate(time.Second)
		}
	case zone != "":
		at, err = resolve(zone)
	default:
		r.LocalTime = local
	}
	r.OccurTime = at
	if e.Milestone == estimate {
		// The time of an estimate is the estimated one; it was told when its message came.
		r.Estimate, r.OccurTime = at, x.CreateTime
	}
	return r, err
}

// zoneAt is the zone of a stop, the partner's own on the way.
func zoneAt(t store.Tender, stop int, own string) string {
	for _, s := range t.Stops {
		if s.Sequence == stop && s.Zone != "" {
			return s.Zone
		}
	}
	return own
}

// hand sends what follows from a carrier's set, and books what became of it.
func (a *App) hand(ctx context.Context, t tasks.Task) (tasks.Done, error) {
	x, s, err := a.load(ctx, t)
	if err != nil {
		return nil, err
	}
	var request []byte
	err = a.Store.View(ctx, func(r platform.Reader) (err error) {
		request, err = store.Request(ctx, r, x.ID, s.Index)
		return err
	})
	if err != nil {
		return nil, err
	}
	answer, done, err := a.Carriers.Send(ctx, t.ID, request)
	var refused *RefusedError
	if err != nil && !errors.As(err, &refused) {
		return nil, err
	}
	var set x12.Set
	if s.ID != "210" {
		if set, err = a.read(x, s); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, tx *platform.Tx) error {
		if err := store.DropRequest(ctx, tx, x.ID, s.Index); err != nil {
			return err
		}
		v := message.Verdict{Disposition: message.Applied, Result: answer.Name}
		switch s.ID {
		case "990":
			err = a.responded(ctx, tx, x, s, set, answer, refused, &v)
		case "214":
			err = a.reported(ctx, tx, x, s, set, done, refused, &v)
		case "210":
			err = a.billed(ctx, tx, x, s, answer, refused, &v)
		}
		if err != nil {
			return err
		}
		return store.Settle(ctx, tx, x.ID, s.Index, v)
	}, nil
}

func (a *App) responded(ctx context.Context, tx *platform.Tx, x message.Interchange, s message.Set, set x12.Set, answer Answer, refused *RefusedError, v *message.Verdict) error {
	r, _ := mapping.In990(set, x.Separators, nil)
	t, err := store.TenderOf(ctx, tx, r.ShipmentID, x.Party)
	if err != nil {
		return err
	}
	if refused != nil {
		*v = message.Wait(message.ResponseRefused, refused.Detail)
	} else if t.Name == answer.Name {
		t.Answer, t.AnsweredBy = answer.State, message.SetName(x.ID, s.Index)
		err = store.SaveTender(ctx, tx, t)
	}
	v.Related = t.Related
	return err
}

// reported: events that did not come through are free to be told again.
func (a *App) reported(ctx context.Context, tx *platform.Tx, x message.Interchange, s message.Set, set x12.Set, done []string, refused *RefusedError, v *message.Verdict) error {
	codes := a.meanings(ctx, tx, x)
	status, _ := mapping.In214(set, x.Separators, codes.find)
	if codes.err != nil {
		return codes.err
	}
	t, err := store.TenderOf(ctx, tx, status.ShipmentID, x.Party)
	if err != nil {
		return err
	}
	if refused != nil {
		*v = message.Wait(message.StatusRefused, refused.Detail)
		var lost []store.Event
		for i, e := range status.Events {
			if !slices.Contains(done, suffix(i)) {
				lost = append(lost, identityOf(status, e, t))
			}
		}
		err = store.ReleaseEvents(ctx, tx, x.ID, s.Index, lost)
	} else {
		v.Result = t.Load
	}
	v.Related = t.Related
	return err
}

// suffix is added to a set's request id for its event with index i.
func suffix(i int) string { return "/" + strconv.Itoa(i+1) }
