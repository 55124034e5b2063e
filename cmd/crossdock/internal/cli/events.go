package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	// The messages of all services, so that every fact's payload can be shown.
	_ "crossdock.dev/gen/crossdock/edi/v1"
	_ "crossdock.dev/gen/crossdock/masterdata/v1"

	"crossdock.dev/cmd/crossdock/internal/show"
	"crossdock.dev/cmd/crossdock/internal/suite"
)

type eventsCmd struct {
	Tail eventsTailCmd `cmd:"" help:"Print facts as they are told, one a line."`
}

type eventsTailCmd struct {
	Service []string `help:"Only of this service; may be repeated. Default is all." enum:"masterdata,orders,freight,billing,workflow,edge,tower,edi"`
	From    uint64   `help:"Begin with this sequence of each log; default is the last 20 entries." placeholder:"N"`
	Follow  bool     `help:"Go on with new facts." default:"true" negatable:""`
}

// backlog is how many entries of each log are shown when nobody says where to begin.
const backlog = 20

// fact is one line.
type fact struct {
	service string
	head    *eventlogv1.Head
	index   int
	fact    *eventlogv1.Fact
}

func (c *eventsTailCmd) Run(ctx context.Context, env *Env) error {
	services := c.Service
	if len(services) == 0 {
		services = suite.Names()
	}
	reached := map[string]*eventlogv1.Position{}
	var facts []fact
	var missing []string
	for _, s := range services {
		some, last, err := c.read(ctx, env, s)
		e := refusal(err)
		switch {
		case err == nil:
		case len(services) > 1 && e != nil && e.Code == codes.Unavailable:
			missing = append(missing, s) // the others are shown all the same
			fmt.Fprintln(env.Err, problem(err))
		default:
			return err
		}
		facts, reached[s] = append(facts, some...), last
	}
	slices.SortStableFunc(facts, func(a, b fact) int {
		return cmp.Or(a.head.GetApplyTime().AsTime().Compare(b.head.GetApplyTime().AsTime()),
			cmp.Compare(slices.Index(services, a.service), slices.Index(services, b.service)))
	})
	for _, f := range facts {
		if err := c.print(env, f); err != nil {
			return err
		}
	}
	if !c.Follow && len(missing) > 0 {
		return &failure{status: exitPartial, what: "not read: " + strings.Join(missing, ", "), reason: "PARTIAL", try: "crossdock status"}
	}
	if !c.Follow {
		return nil
	}
	return c.follow(ctx, env, reached)
}

// read returns the facts from where the tail begins to the end of a log.
func (c *eventsTailCmd) read(ctx context.Context, env *Env, service string) ([]fact, *eventlogv1.Position, error) {
	cc, err := env.Connect(service)
	if err != nil {
		return nil, nil, err
	}
	client := eventlogv1.NewEventLogServiceClient(cc)
	log, err := client.GetLog(ctx, &eventlogv1.GetLogRequest{}, grpc.WaitForReady(false))
	if err != nil {
		return nil, nil, err
	}
	last := log.GetLast()
	at := proto.CloneOf(last)
	at.Sequence = 0
	switch {
	case c.From > 0:
		at.Sequence = c.From - 1
	default:
		at.Sequence = max(last.GetSequence()-min(last.GetSequence(), backlog), max(log.GetFirst().GetSequence(), 1)-1)
	}
	var out []fact
	for at.GetSequence() < last.GetSequence() {
		req := &eventlogv1.ReadEntriesRequest{}
		if at.GetSequence() > 0 {
			req.After = at
		}
		resp, err := client.ReadEntries(ctx, req)
		if err != nil {
			return nil, nil, err
		}
		if len(resp.GetEntries()) == 0 {
			break
		}
		some, end, err := factsOf(service, resp.GetEntries())
		if err != nil {
			return nil, nil, err
		}
		out, at = append(out, some...), end
	}
	return out, at, nil
}

func factsOf(service string, entries []*eventlogv1.Entry) ([]fact, *eventlogv1.Position, error) {
	var out []fact
	var end *eventlogv1.Position
	for _, e := range entries {
		h := &eventlogv1.Head{}
		if err := proto.Unmarshal(e.GetHead(), h); err != nil {
			return nil, nil, fmt.Errorf("entry after %v: %w", end, err)
		}
		for i, f := range h.GetFacts() {
			out = append(out, fact{service, h, i, f})
		}
		end = h.GetPosition()
	}
	return out, end, nil
}

// follow prints new facts of all services until it is interrupted.
func (c *eventsTailCmd) follow(ctx context.Context, env *Env, reached map[string]*eventlogv1.Position) error {
	lines, problems := make(chan fact), make(chan error)
	for service, at := range reached {
		go func() {
			for {
				err := tail(ctx, env, service, &at, lines)
				if ctx.Err() != nil {
					return
				}
				select {
				case problems <- fmt.Errorf("%s: %s", service, problem(err)):
				case <-ctx.Done():
					return
				}
				select {
				case <-env.Machine.After(time.Second):
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	for {
		select {
		case f := <-lines:
			if err := c.print(env, f); err != nil {
				return err
			}
		case err := <-problems:
			fmt.Fprintln(env.Err, "lost the log, trying again:", err)
		case <-ctx.Done():
			return nil
		}
	}
}

// tail sends the facts after at, and moves at with them.
func tail(ctx context.Context, env *Env, service string, at **eventlogv1.Position, lines chan<- fact) error {
	cc, err := env.Connect(service)
	if err != nil {
		return err
	}
	req := &eventlogv1.TailEntriesRequest{}
	if (*at).GetSequence() > 0 {
		req.After = *at
	}
	stream, err := eventlogv1.NewEventLogServiceClient(cc).TailEntries(ctx, req)
	if err != nil {
		return err
	}
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return errors.New("the service ended the stream")
		}
		if err != nil {
			return err
		}
		facts, end, err := factsOf(service, resp.GetEntries())
		if err != nil {
			return err
		}
		for _, f := range facts {
			select {
			case lines <- f:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		*at = end
	}
}

func (c *eventsTailCmd) print(env *Env, f fact) error {
	switch env.Output {
	case "json":
		return f.json(env.Out)
	case "name":
		_, err := fmt.Fprintln(env.Out, f.fact.GetSubject())
		return err
	}
	_, err := fmt.Fprintf(env.Out, "%s  %-10s %6d  %-24s %s  %s\n", show.Time(f.head.GetApplyTime()), f.service, f.head.GetPosition().GetSequence(),
		f.fact.GetType(), f.fact.GetSubject(), env.Style.Dim(strings.Join(f.fact.GetRelated(), " ")))
	return err
}

// json prints one line.
func (f fact) json(w io.Writer) error {
	line := struct {
		Time     string          `json:"time"`
		Occurred string          `json:"occurred"`
		Service  string          `json:"service"`
		Epoch    uint64          `json:"epoch"`
		Sequence uint64          `json:"sequence"`
		Index    int             `json:"index"`
		Type     string          `json:"type"`
		Subject  string          `json:"subject"`
		Related  []string        `json:"related"`
		Actor    string          `json:"actor"`
		Payload  json.RawMessage `json:"payload,omitempty"`
	}{
		f.head.GetApplyTime().AsTime().Format(time.RFC3339Nano), f.head.GetOccurTime().AsTime().Format(time.RFC3339Nano), f.service,
		f.head.GetPosition().GetEpoch(), f.head.GetPosition().GetSequence(), f.index, f.fact.GetType(), f.fact.GetSubject(),
		f.fact.GetRelated(), f.head.GetActor(), nil,
	}
	if line.Related == nil {
		line.Related = []string{}
	}
	if f.fact.GetPayload() != nil {
		// A payload of a type that this program does not know is left out: a later service may tell new facts.
		if m, err := f.fact.GetPayload().UnmarshalNew(); err == nil {
			if line.Payload, err = show.Message(m); err != nil {
				return err
			}
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(line); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
