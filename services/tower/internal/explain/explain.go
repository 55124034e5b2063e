// Package explain says what the facts of a case come to: what is waited for and until when, which messages went to and fro, and
// what each figure is made of, down to the row of a tariff, the proof, the milestone, and the bytes of a partner's document or the
// call that brought it.
//
// It promises that every figure is one that a service told, and that a part whose origin was not told is shown without one. It
// reads nothing: facts are given to it, in an order that causes allow. Finding them is the store's part.
package explain

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
)

// Fact is one fact of a case.
type Fact struct {
	Step    *towerv1.Step
	Payload proto.Message // nil where it was not kept
}

// Lookup finds the facts that were told about a name, oldest first; it is asked for master data.
type Lookup func(name string) ([]*towerv1.Step, error)

// Story is a case with its facts, and an index of where they came from.
type Story struct {
	Case  *towerv1.Case
	Facts []Fact

	sets   map[string]*set            // by name
	at     map[position]*towerv1.Step // the first fact of an entry
	brings map[string]*towerv1.Step   // the fact that first told of a resource
	traces map[string]*towerv1.Step   // what a message or a call from outside began, by trace
}

type position struct {
	log             string
	epoch, sequence uint64
}

func positionOf(p *eventlogv1.Position) position {
	return position{p.GetLog(), p.GetEpoch(), p.GetSequence()}
}

// set is a transaction set that came in.
type set struct {
	id, document, file string
	offset, length     int64
	segments           []*ediv1.Interchange_Segment
}

// New indexes the facts of a case, oldest first, and gives each step the place in the document that it came from.
func New(c *towerv1.Case, facts []Fact) *Story {
	s := &Story{
		Case: c, Facts: facts, sets: map[string]*set{}, at: map[position]*towerv1.Step{}, brings: map[string]*towerv1.Step{},
		traces: map[string]*towerv1.Step{},
	}
	documents := map[string]*ediv1.Interchange{}
	for _, f := range facts {
		if at := positionOf(f.Step.GetPosition()); s.at[at] == nil {
			s.at[at] = f.Step
		}
		if name := f.Step.GetSubject(); s.brings[name] == nil {
			s.brings[name] = f.Step
		}
		switch m := f.Payload.(type) {
		case *freightv1.MilestoneRecorded:
			s.brings[m.GetClaim().GetName()] = f.Step
		case *ediv1.MessageReceived:
			documents[m.GetInterchange().GetName()] = m.GetInterchange()
			for _, t := range m.GetInterchange().GetTransactionSets() {
				s.learn(m.GetInterchange().GetName(), t)
			}
		case *ediv1.MessageApplied:
			s.learn(m.GetInterchange(), m.GetTransactionSet())
		case *ediv1.MessageParked:
			documents[m.GetInterchange().GetName()] = m.GetInterchange()
			s.learn(m.GetInterchange().GetName(), m.GetTransactionSet())
		case *ediv1.MessageRejected:
			documents[m.GetInterchange().GetName()] = m.GetInterchange()
			s.learn(m.GetInterchange().GetName(), m.GetTransactionSet())
		}
	}
	for name, t := range s.sets {
		interchange, _, _ := strings.Cut(name, "/sets/")
		if x := documents[interchange]; x != nil {
			t.document, t.file = "documents/"+x.GetDocumentSha256(), x.GetFileName()
		}
	}
	for _, f := range facts {
		f.Step.Origin = s.origin(f.Step)
		began := f.Step.GetOrigin() != nil && f.Step.GetCall().GetPrincipal() == "service/edi" && !strings.HasPrefix(f.Step.GetSubject(), "interchanges/") || outside(f.Step) != nil
		if id := f.Step.GetTraceId(); id != "" && began && s.traces[id] == nil {
			s.traces[id] = f.Step
		}
	}
	return s
}

func (s *Story) learn(interchange string, t *ediv1.Interchange_TransactionSet) {
	if t == nil {
		return
	}
	name := interchange + "/sets/" + strconv.Itoa(int(t.GetIndex()))
	known := s.sets[name]
	if known == nil {
		known = &set{}
		s.sets[name] = known
	}
	known.id, known.offset, known.length = t.GetSet(), t.GetOffset(), t.GetLength()
	if len(t.GetSegments()) > 0 {
		known.segments = t.GetSegments()
	}
}

// requestID is how the EDI adapter names what it asks of others: after the interchange, the set in it, and the event in that.
var requestID = regexp.MustCompile(`^(edi_[a-z0-9]+)/([0-9]{1,4})(?:/([0-9]{1,4}))?$`)

// origin is the place that a step came from; nil where no message brought it.
func (s *Story) origin(step *towerv1.Step) *towerv1.Origin {
	if s.sets[step.GetSubject()] != nil {
		return s.place(step.GetSubject(), "", 1)
	}
	parts := requestID.FindStringSubmatch(step.GetCall().GetRequestId())
	if step.GetCall().GetPrincipal() != "service/edi" || parts == nil {
		return nil
	}
	name := "interchanges/" + parts[1] + "/sets/" + parts[2]
	if s.sets[name] == nil {
		return nil
	}
	n, segment := 1, ""
	switch s.sets[name].id {
	case "214":
		segment = "AT7"
		if parts[3] != "" {
			n, _ = strconv.Atoi(parts[3]) // at most four digits
		}
	case "990":
		segment = "B1"
	}
	return s.place(name, segment, n)
}

// place is where the n-th segment of a kind stands, from 1, and the whole set where that is not known.
func (s *Story) place(name, segment string, n int) *towerv1.Origin {
	t := s.sets[name]
	if t == nil {
		return nil
	}
	o := &towerv1.Origin{Set: name, SetId: t.id, Document: t.document, FileName: t.file, Offset: t.offset, Length: t.length}
	for _, at := range t.segments {
		if at.GetId() != segment {
			continue
		}
		if n--; n == 0 {
			o.Segment, o.Offset, o.Length = segment, at.GetOffset(), at.GetLength()
		}
	}
	return o
}

// brought says what told of a resource; nil when that is not among the facts.
func (s *Story) brought(name string) *towerv1.Source {
	step := s.brings[name]
	if step == nil {
		return nil
	}
	return s.told(step, name)
}

// told is a fact as a source: with the message or call that brought it. Where that lies some facts back it is found by the facts
// that each follows from, and where a service called another, by the trace that goes on.
func (s *Story) told(step *towerv1.Step, name string) *towerv1.Source {
	out := &towerv1.Source{Resource: name, Fact: step.GetPosition(), Time: step.GetReceiveTime()}
	for range 16 {
		if out.Origin, out.Call = s.origin(step), outside(step); out.Origin != nil || out.Call != nil {
			break
		}
		before := s.at[positionOf(step.GetCauseFact())]
		if before == nil {
			before = s.traces[step.GetTraceId()]
		}
		if before == nil || before == step {
			break
		}
		step = before
	}
	return out
}

// outside is the call of a partner or a person that a step follows from; nil when a service called.
func outside(step *towerv1.Step) *towerv1.Call {
	if c := step.GetCall(); c != nil && !strings.HasPrefix(c.GetPrincipal(), "service/") {
		return c
	}
	return nil
}

// segment is a source in the set that brought a resource: the n-th segment of a kind.
func (s *Story) segment(name, id string, n int) *towerv1.Source {
	source := s.brought(name)
	if source.GetOrigin() != nil {
		source.Origin = s.place(source.GetOrigin().GetSet(), id, n)
	}
	return source
}

// plural writes a count with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// bare is a resource name without its collection.
func bare(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }
