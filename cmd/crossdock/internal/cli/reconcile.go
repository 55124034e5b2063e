package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/grpc"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"

	"crossdock.dev/cmd/crossdock/internal/show"
	"crossdock.dev/cmd/crossdock/internal/suite"
)

type reconcileCmd struct {
	List    reconcileListCmd    `cmd:"" help:"Show what waits for a decision after a restore."`
	Orphans reconcileOrphansCmd `cmd:"" help:"Show a reader's changes whose cause is no more."`
	Feed    reconcileFeedCmd    `cmd:"" help:"Let a reader that has read past a fork read on; its orphans stand."`
	Series  reconcileSeriesCmd  `cmd:"" help:"Open a number series at a number that was surely never given."`
	Lift    reconcileLiftCmd    `cmd:"" help:"End what a restore keeps back: other series go on where the copy ended, new messages go out."`
}

// waits is one thing that a restore leaves to a person.
type waits struct {
	Service string `json:"service"`
	What    string `json:"what"` // feed, series, task or fence
	Name    string `json:"name"`
	Detail  string `json:"detail"`
	Try     string `json:"try"`
}

type reconcileListCmd struct{}

func (c *reconcileListCmd) Run(ctx context.Context, env *Env) error {
	all := []waits{}
	silent := 0
	for _, name := range suite.Names() {
		found, err := whatWaits(ctx, env, name)
		if err != nil {
			fmt.Fprintf(env.Err, "%s: %s\n", name, problem(err))
			silent++
		}
		all = append(all, found...)
	}
	if err := printWaits(env, all); err != nil {
		return err
	}
	if silent > 0 {
		return &failure{status: exitPartial, what: fmt.Sprintf("%d services do not answer", silent), reason: "PARTIAL", try: "crossdock status"}
	}
	return nil
}

func printWaits(env *Env, all []waits) error {
	if env.Output == "json" {
		return show.JSON(env.Out, all)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(env.Err, "nothing waits for a decision after a restore")
		return err
	}
	var rows [][]string
	for _, w := range all {
		rows = append(rows, []string{w.Service, w.What, w.Name, w.Detail, w.Try})
	}
	return show.Table(env.Out, []show.Column{{Head: "SERVICE"}, {Head: "WHAT"}, {Head: "NAME"}, {Head: "DETAIL"}, {Head: "TRY"}}, rows)
}

func whatWaits(ctx context.Context, env *Env, service string) ([]waits, error) {
	cc, err := env.Connect(service)
	if err != nil {
		return nil, err
	}
	client := eventlogv1.NewEventLogServiceClient(cc)
	var out []waits
	consumers, err := client.ListConsumers(ctx, &eventlogv1.ListConsumersRequest{}, grpc.WaitForReady(false))
	if err != nil {
		return nil, err
	}
	for _, c := range consumers.GetConsumers() {
		if f := c.GetFork(); f != nil {
			out = append(out, waits{service, "feed", c.GetLog(), fmt.Sprintf("read up to %d, restored to %d in epoch %d: %d orphans", c.GetCursor().GetSequence(),
				f.GetAfter().GetSequence(), f.GetEpoch(), c.GetOrphans()), fmt.Sprintf("crossdock reconcile orphans --service %s --feed %s", service, c.GetLog())})
		}
	}
	fence, err := client.GetFence(ctx, &eventlogv1.GetFenceRequest{})
	if unimplemented(err) {
		return out, nil
	}
	if err != nil || !fence.GetUp() {
		return out, err
	}
	for _, s := range fence.GetSeries() {
		if s.GetFenced() {
			out = append(out, waits{service, "series", s.GetName(), fmt.Sprintf("the copy would give %d next", s.GetNext()),
				fmt.Sprintf("crossdock reconcile series %s --service %s --next N", s.GetName(), service)})
		}
	}
	tasks, err := client.ListTasks(ctx, &eventlogv1.ListTasksRequest{PageSize: 1000})
	if err != nil {
		return out, err
	}
	for _, t := range tasks.GetTasks() {
		if t.GetState() == eventlogv1.Task_IN_DOUBT {
			out = append(out, waits{service, "task", t.GetName(), t.GetKind() + ": " + t.GetLastError(), fmt.Sprintf("crossdock call %s.RetryTask or %s.DropTask", service, service)})
		}
	}
	return append(out, waits{service, "fence", fmt.Sprintf("epoch %d", fence.GetFork().GetEpoch()), "restored " + show.Time(fence.GetTime()),
		"crossdock reconcile lift --service " + service}), nil
}

type reconcileOrphansCmd struct {
	Service string `help:"The reader." required:"" placeholder:"NAME"`
	Feed    string `help:"The log that was restored." required:"" placeholder:"NAME"`
}

func (c *reconcileOrphansCmd) Run(ctx context.Context, env *Env) error {
	cc, err := env.Connect(c.Service)
	if err != nil {
		return err
	}
	client := eventlogv1.NewEventLogServiceClient(cc)
	all, err := pages(0, func(size int32, token string) ([]*eventlogv1.Orphan, string, error) {
		resp, err := client.ListOrphans(ctx, &eventlogv1.ListOrphansRequest{Parent: "consumers/" + c.Feed, PageSize: size, PageToken: token})
		return resp.GetOrphans(), resp.GetNextPageToken(), err
	})
	if err != nil {
		return err
	}
	if env.Output == "json" {
		return show.ListJSON(env.Out, all)
	}
	var rows [][]string
	for _, o := range all {
		decided := "waits"
		if o.GetReconciled() {
			decided = "decided"
		}
		rows = append(rows, []string{fmt.Sprintf("%d/%d", o.GetPosition().GetEpoch(), o.GetPosition().GetSequence()), show.Time(o.GetApplyTime()),
			fmt.Sprintf("%s %d/%d", c.Feed, o.GetCause().GetEpoch(), o.GetCause().GetSequence()), decided, strings.Join(o.GetFacts(), ", "), strings.Join(o.GetRecords(), ", ")})
	}
	return show.Table(env.Out, []show.Column{{Head: "ENTRY"}, {Head: "APPLIED"}, {Head: "BECAUSE OF"}, {Head: "STATE"}, {Head: "TOLD"}, {Head: "RECORDS"}}, rows)
}

type reconcileFeedCmd struct {
	Feed    string `arg:"" help:"The log that was restored."`
	Service string `help:"The reader." required:"" placeholder:"NAME"`
	Note    string `help:"What was decided about the orphans, in words." required:""`
}

func (c *reconcileFeedCmd) Run(ctx context.Context, env *Env) error {
	cc, err := env.Connect(c.Service)
	if err != nil {
		return err
	}
	client := eventlogv1.NewEventLogServiceClient(cc)
	list, err := client.ListConsumers(ctx, &eventlogv1.ListConsumersRequest{})
	if err != nil {
		return err
	}
	var epoch uint64
	for _, x := range list.GetConsumers() {
		if x.GetLog() == c.Feed {
			epoch = x.GetFork().GetEpoch()
		}
	}
	if epoch == 0 {
		return &failure{status: exitConflict, what: c.Service + " has not read " + c.Feed + " past a fork", reason: "NOT_FORKED", try: "crossdock reconcile list"}
	}
	id, err := env.changeID()
	if err != nil {
		return err
	}
	row, err := client.ReconcileConsumer(ctx, &eventlogv1.ReconcileConsumerRequest{Name: "consumers/" + c.Feed, Epoch: epoch, Note: c.Note, RequestId: id})
	if err != nil {
		return err
	}
	if env.Output == "json" {
		return show.MessageJSON(env.Out, row)
	}
	_, err = fmt.Fprintf(env.Out, "%s reads %s on from %d\n", c.Service, c.Feed, row.GetCursor().GetSequence())
	return err
}

type reconcileSeriesCmd struct {
	Series  string `arg:"" help:"The series, as crossdock reconcile list names it."`
	Service string `help:"The service." required:"" placeholder:"NAME"`
	Next    uint64 `help:"The next number to give." xor:"number" required:"" placeholder:"N"`
	Skip    uint64 `help:"Pass over so many numbers." xor:"number" required:"" placeholder:"N"`
	Note    string `help:"How the number was found, in words." required:""`
}

func (c *reconcileSeriesCmd) Run(ctx context.Context, env *Env) error {
	cc, err := env.Connect(c.Service)
	if err != nil {
		return err
	}
	client := eventlogv1.NewEventLogServiceClient(cc)
	next := c.Next
	if c.Skip > 0 {
		fence, err := client.GetFence(ctx, &eventlogv1.GetFenceRequest{})
		if err != nil {
			return err
		}
		next = 1 + c.Skip // a series that the copy does not know
		for _, s := range fence.GetSeries() {
			if s.GetName() == c.Series {
				next = s.GetNext() + c.Skip
			}
		}
	}
	id, err := env.changeID()
	if err != nil {
		return err
	}
	fence, err := client.ReconcileSeries(ctx, &eventlogv1.ReconcileSeriesRequest{Series: c.Series, Next: next, Note: c.Note, RequestId: id})
	if err != nil {
		return err
	}
	return printFence(env, fence)
}

type reconcileLiftCmd struct {
	Service string `help:"The service." required:"" placeholder:"NAME"`
	Note    string `help:"Why it is safe, in words." required:""`
}

func (c *reconcileLiftCmd) Run(ctx context.Context, env *Env) error {
	cc, err := env.Connect(c.Service)
	if err != nil {
		return err
	}
	client := eventlogv1.NewEventLogServiceClient(cc)
	fence, err := client.GetFence(ctx, &eventlogv1.GetFenceRequest{})
	if err != nil {
		return err
	}
	if !fence.GetUp() {
		return &failure{status: exitConflict, what: c.Service + " is not fenced", reason: "NOT_FENCED", try: "crossdock reconcile list"}
	}
	id, err := env.changeID()
	if err != nil {
		return err
	}
	if fence, err = client.LiftFence(ctx, &eventlogv1.LiftFenceRequest{Epoch: fence.GetFork().GetEpoch(), Note: c.Note, RequestId: id}); err != nil {
		return err
	}
	return printFence(env, fence)
}

func printFence(env *Env, f *eventlogv1.Fence) error {
	if env.Output == "json" {
		return show.MessageJSON(env.Out, f)
	}
	var rows [][]string
	for _, s := range f.GetSeries() {
		state := "open"
		if s.GetFenced() {
			state = "fenced"
		}
		var voids []string
		for _, v := range s.GetVoids() {
			voids = append(voids, fmt.Sprintf("%d-%d", v.GetFrom(), v.GetTo()))
		}
		rows = append(rows, []string{s.GetName(), strconv.FormatUint(s.GetNext(), 10), state, strings.Join(voids, ", ")})
	}
	return show.Table(env.Out, []show.Column{{Head: "SERIES"}, {Head: "NEXT", Right: true}, {Head: "STATE"}, {Head: "VOID"}}, rows)
}
