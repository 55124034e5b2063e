package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/rpcerr"

	"crossdock.dev/cmd/crossdock/internal/show"
	"crossdock.dev/cmd/crossdock/internal/suite"
)

type statusCmd struct {
	Watch bool          `help:"Show it again and again until it is interrupted."`
	Every time.Duration `help:"How often, with --watch." default:"2s"`
}

// Help is printed by status --help.
func (c *statusCmd) Help() string {
	return `Asks all services at once, none for longer than three seconds, and tells what each does and what is not well. Exit status 1 when something is not well; each
problem begins with a word that docs/runbooks.md leads on from. Ages are in business time; behind them, in brackets, in machine time where the two differ.`
}

// What a problem of status is called. Each has a page in docs/runbooks.md.
const (
	problemDown         = "DOWN"          // the program does not answer
	problemHeld         = "HELD"          // a hold file keeps it down
	problemNotReady     = "NOT_READY"     // it answers, and takes no work
	problemFeedStopped  = "FEED_STOPPED"  // a followed log cannot be read on
	problemFeedForked   = "FEED_FORKED"   // a followed log was restored to before what was read of it
	problemFenced       = "FENCED"        // a restored store gives no numbers and sends nothing until a person has decided
	problemBehind       = "BEHIND"        // a followed log is not read to its end
	problemFactsParked  = "FACTS_PARKED"  // facts that could not be applied wait for a person
	problemTasksStopped = "TASKS_STOPPED" // tasks that failed, or whose outcome is in doubt, wait for a person
	problemTasksOverdue = "TASKS_OVERDUE" // tasks are due and are refused, or are not carried out
	problemDiskLow      = "DISK_LOW"      // the volume of the data folder runs full
	problemConsulAway   = "CONSUL_AWAY"   // the agent that the suite uses does not answer
)

// How long something may take before it counts as not well.
const (
	behindLimit  = 30 * time.Second
	overdueLimit = time.Minute
	// refusedLimit is how often a task may be refused. A service that starts again is met within that.
	refusedLimit = 5
	// askLimit is how long a service is asked for, all questions together.
	askLimit = 3 * time.Second
	// lastEntries is how far back the last fact is looked for.
	lastEntries = 64
)

// The volume runs full when less is free than the smaller of these.
const (
	lowBytes = 2 << 30
	lowShare = 20 // one twentieth
)

// suiteStatus is what status prints for programs.
type suiteStatus struct {
	// Well says that there are no problems.
	Well bool `json:"well"`
	// BusinessTime is what the suite's clock shows.
	BusinessTime time.Time       `json:"business_time"`
	Disk         *diskStatus     `json:"disk,omitempty"`
	Services     []serviceStatus `json:"services"`
	Problems     []problemStatus `json:"problems"`
}

// diskStatus is the volume that holds the data folder.
type diskStatus struct {
	Path       string `json:"path"`
	FreeBytes  uint64 `json:"free_bytes"`
	TotalBytes uint64 `json:"total_bytes"`
}

type problemStatus struct {
	Problem string `json:"problem"`
	Service string `json:"service,omitempty"`
	Detail  string `json:"detail"`
}

// serviceStatus is what status knows of a service.
type serviceStatus struct {
	Service string `json:"service"`
	Version string `json:"version"`
	// Health is "serving", "not serving", "held" or "unreachable".
	Health string `json:"health"`
	// Why says in words why it does not serve.
	Why          string           `json:"why,omitempty"`
	LastEpoch    uint64           `json:"last_epoch"`
	LastSequence uint64           `json:"last_sequence"`
	LastFact     *factStatus      `json:"last_fact,omitempty"`
	Consumers    []consumerStatus `json:"consumers"`
	Tasks        taskStatus       `json:"tasks"`
	// StoreBytes is the size of the store's file; 0 when it is not known.
	StoreBytes int64 `json:"store_bytes"`

	hold     bool // its hold file is there
	position *eventlogv1.Position
	parked   []*eventlogv1.ParkedFact
	stopped  []*eventlogv1.Task
	fence    *eventlogv1.Fence
	refused  *eventlogv1.Task // the pending task that was refused most often
	metrics  map[string]*dto.MetricFamily
}

// factStatus is the last fact that a service has told.
type factStatus struct {
	Type    string    `json:"type"`
	Subject string    `json:"subject"`
	Time    time.Time `json:"time"`
}

// consumerStatus is how far a service has read another's log.
type consumerStatus struct {
	Log      string `json:"log"`
	Sequence uint64 `json:"sequence"`
	// Last is the end of the log; absent while its service cannot be asked.
	Last     *uint64 `json:"last,omitempty"`
	Behind   uint64  `json:"behind"`
	Deferred uint64  `json:"deferred"`
	Parked   uint64  `json:"parked"`
	// OldestUnread is when the first entry that has not been read was committed, in business time.
	OldestUnread *time.Time `json:"oldest_unread,omitempty"`
	// OldestSeconds is how long ago that is, in business time.
	OldestSeconds float64 `json:"oldest_seconds"`
	// BehindSeconds is for how long the reader has not been at the end, in machine time; absent when it does not say.
	BehindSeconds *float64 `json:"behind_seconds,omitempty"`
	Error         string   `json:"error,omitempty"`
	// Orphans are the changes and waiting facts whose cause is no more, while a person has not decided about the fork.
	Orphans uint64 `json:"orphans,omitempty"`

	cursor *eventlogv1.Position
	fork   *eventlogv1.Fork
}

type taskStatus struct {
	// Waiting are all that are not done, Due those of them whose time has come.
	Waiting int `json:"waiting"`
	Due     int `json:"due"`
	// OldestDue is the earliest time that has passed, in business time.
	OldestDue        *time.Time `json:"oldest_due,omitempty"`
	OldestDueSeconds float64    `json:"oldest_due_seconds"`
	// Failed and InDoubt wait for a person.
	Failed  int `json:"failed"`
	InDoubt int `json:"in_doubt"`
}

func (c *statusCmd) Run(ctx context.Context, env *Env) error {
	if !c.Watch {
		all, err := askSuite(ctx, env)
		if err != nil {
			return err
		}
		if err := printStatus(env, all); err != nil {
			return err
		}
		return statusResult(all)
	}
	for {
		all, err := askSuite(ctx, env)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if env.Style.Colour {
			fmt.Fprint(env.Out, "\x1b[H\x1b[2J") // a person looks at it: the screen begins anew
		}
		if err := printStatus(env, all); err != nil {
			return err
		}
		select {
		case <-env.Machine.After(c.Every):
		case <-ctx.Done():
			return nil
		}
	}
}

// askSuite asks all services at once.
func askSuite(ctx context.Context, env *Env) (suiteStatus, error) {
	run, runErr := env.run() // without a run file there are no versions and folders, and connecting says so
	all := suiteStatus{BusinessTime: env.Machine.Now().UTC(), Services: make([]serviceStatus, len(suite.Names())), Problems: []problemStatus{}}
	if run.ClockFile != "" {
		all.BusinessTime = clock.File(run.ClockFile).Now()
	}
	conns := map[string]grpc.ClientConnInterface{}
	for _, name := range suite.Names() {
		cc, err := env.Connect(name)
		if err != nil {
			return all, err
		}
		conns[name] = &impatientConn{cc}
	}
	var asked sync.WaitGroup
	for i, name := range suite.Names() {
		s := &all.Services[i]
		s.Service, s.Version, s.Consumers = name, run.Services[name].Version, []consumerStatus{}
		if runErr == nil {
			s.StoreBytes = storeBytes(run, name)
			_, err := os.Stat((suite.Layout{Dir: run.DataDir}).Hold(name))
			s.hold = err == nil
		}
		asked.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, min(askLimit, env.Timeout))
			defer cancel()
			if err := s.ask(ctx, conns[name], all.BusinessTime); err != nil {
				s.Health, s.Why = unreachable, problem(err)
				if s.hold { // not for a program of somebody else in its place
					s.Health, s.Why = held, "its hold file says so"
				}
				return
			}
			s.askAdmin(ctx, run.Services[name].Admin)
		})
	}
	asked.Wait()
	byName := map[string]*serviceStatus{}
	for i := range all.Services {
		byName[all.Services[i].Service] = &all.Services[i]
	}
	for i := range all.Services {
		for j := range all.Services[i].Consumers {
			s, c := &all.Services[i], &all.Services[i].Consumers[j]
			asked.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, min(askLimit, env.Timeout))
				defer cancel()
				c.compare(ctx, s.metrics, byName[c.Log], conns[c.Log], all.BusinessTime)
			})
		}
	}
	asked.Wait()
	if runErr == nil {
		all.Disk = volume(run.DataDir)
	}
	for i := range all.Services {
		all.Problems = append(all.Problems, all.Services[i].problems(run.ClockFile != "")...)
	}
	if d := all.Disk; d != nil && d.FreeBytes < min(lowBytes, d.TotalBytes/lowShare) {
		all.Problems = append(all.Problems, problemStatus{problemDiskLow, "", fmt.Sprintf("%s free of %s under %s", size(d.FreeBytes), size(d.TotalBytes), d.Path)})
	}
	if run.Consul != nil {
		ctx, cancel := context.WithTimeout(ctx, min(askLimit, env.Timeout))
		if err := run.Consul.Leader(ctx); err != nil {
			all.Problems = append(all.Problems, problemStatus{problemConsulAway, "", fmt.Sprintf("the agent at %s: %v; services go on with the last known addresses", run.Consul.Address, err)})
		}
		cancel()
	}
	all.Well = len(all.Problems) == 0
	return all, ctx.Err()
}

// impatientConn does not wait for a service that does not listen: status tells that at once.
type impatientConn struct{ grpc.ClientConnInterface }

func (c *impatientConn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return c.ClientConnInterface.Invoke(ctx, method, args, reply, append(opts, grpc.WaitForReady(false))...)
}

// What health is called beside gRPC's own words.
const (
	unreachable = "unreachable"
	held        = "held"
	serving     = "serving"
)

// ask asks a service for all that it knows of itself.
func (s *serviceStatus) ask(ctx context.Context, cc grpc.ClientConnInterface, now time.Time) error {
	h, err := healthv1.NewHealthClient(cc).Check(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		return err
	}
	s.Health = strings.ToLower(strings.ReplaceAll(h.GetStatus().String(), "_", " "))
	client := eventlogv1.NewEventLogServiceClient(cc)
	log, err := client.GetLog(ctx, &eventlogv1.GetLogRequest{})
	if err != nil {
		return err
	}
	s.position = log.GetLast()
	s.LastEpoch, s.LastSequence = log.GetLast().GetEpoch(), log.GetLast().GetSequence()
	if err := s.lastFact(ctx, client, log.GetFirst()); err != nil {
		return err
	}
	consumers, err := pages(0, func(size int32, token string) ([]*eventlogv1.Consumer, string, error) {
		resp, err := client.ListConsumers(ctx, &eventlogv1.ListConsumersRequest{PageSize: size, PageToken: token})
		return resp.GetConsumers(), resp.GetNextPageToken(), err
	})
	if err != nil {
		return err
	}
	waiting := uint64(0)
	for _, c := range consumers {
		s.Consumers = append(s.Consumers, consumerStatus{Log: c.GetLog(), Sequence: c.GetCursor().GetSequence(), Deferred: c.GetDeferred(),
			Parked: c.GetParked(), Error: c.GetError(), Orphans: c.GetOrphans(), cursor: c.GetCursor(), fork: c.GetFork()})
		waiting += c.GetParked()
	}
	if waiting > 0 {
		resp, err := client.ListParkedFacts(ctx, &eventlogv1.ListParkedFactsRequest{Parent: "consumers/-", PageSize: 1})
		if err != nil {
			return err
		}
		s.parked = resp.GetParkedFacts()
	}
	if s.fence, err = client.GetFence(ctx, &eventlogv1.GetFenceRequest{}); err != nil && !unimplemented(err) {
		return err
	}
	return s.tasks(ctx, client, now)
}

// lastFact looks for the last fact among the last entries that are held: an entry may hold none.
func (s *serviceStatus) lastFact(ctx context.Context, client eventlogv1.EventLogServiceClient, first *eventlogv1.Position) error {
	req := &eventlogv1.ReadEntriesRequest{}
	if s.LastSequence == 0 {
		return nil
	}
	if after := max(s.LastSequence-min(s.LastSequence, lastEntries), max(first.GetSequence(), 1)-1); after > 0 {
		req.After = proto.CloneOf(s.position)
		req.After.Sequence = after
	}
	resp, err := client.ReadEntries(ctx, req)
	if err != nil {
		return err
	}
	facts, _, err := factsOf(s.Service, resp.GetEntries())
	if err != nil || len(facts) == 0 {
		return err
	}
	f := facts[len(facts)-1]
	s.LastFact = &factStatus{f.fact.GetType(), f.fact.GetSubject(), f.head.GetApplyTime().AsTime()}
	return nil
}

func (s *serviceStatus) tasks(ctx context.Context, client eventlogv1.EventLogServiceClient, now time.Time) error {
	tasks, err := pages(0, func(size int32, token string) ([]*eventlogv1.Task, string, error) {
		resp, err := client.ListTasks(ctx, &eventlogv1.ListTasksRequest{PageSize: size, PageToken: token})
		return resp.GetTasks(), resp.GetNextPageToken(), err
	})
	if err != nil {
		return err
	}
	for _, t := range tasks {
		switch t.GetState() {
		case eventlogv1.Task_FAILED:
			s.Tasks.Failed++
			s.stopped = append(s.stopped, t)
			continue
		case eventlogv1.Task_IN_DOUBT:
			s.Tasks.InDoubt++
			s.stopped = append(s.stopped, t)
			continue
		}
		s.Tasks.Waiting++
		if t.GetAttempts() > s.refused.GetAttempts() {
			s.refused = t
		}
		if t.DueTime == nil { // in its turn: always due
			s.Tasks.Due++
			continue
		}
		due := t.GetDueTime().AsTime()
		if due.After(now) {
			continue
		}
		s.Tasks.Due++
		if s.Tasks.OldestDue == nil || due.Before(*s.Tasks.OldestDue) {
			s.Tasks.OldestDue, s.Tasks.OldestDueSeconds = &due, now.Sub(due).Seconds()
		}
	}
	return nil
}

// askAdmin asks the admin listener why the service is not ready, and for its metrics. It is on this machine alone, and what it
// would have said is left out when it does not answer.
func (s *serviceStatus) askAdmin(ctx context.Context, admin string) {
	if admin == "" {
		return
	}
	if code, body := fetch(ctx, "http://"+admin+"/readyz"); code == http.StatusServiceUnavailable {
		s.Health, s.Why = "not serving", whyNotReady(body)
	}
	if code, body := fetch(ctx, "http://"+admin+"/metrics"); code == http.StatusOK {
		parser := expfmt.NewTextParser(model.UTF8Validation)
		if families, err := parser.TextToMetricFamilies(strings.NewReader(string(body))); err == nil {
			s.metrics = families
		}
	}
}

// whyNotReady is the reason in the problem details of /readyz, and all of it when there is none.
func whyNotReady(body []byte) string {
	var p rpcerr.Problem
	if err := json.Unmarshal(body, &p); err == nil {
		return cmp.Or(p.Metadata["why"], p.Title)
	}
	return strings.TrimSpace(string(body))
}

// fetch returns 0 when nobody answers.
func fetch(ctx context.Context, url string) (int, []byte) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, body
}

// gauge is the value of a metric for a followed log; nil when there is none.
func gauge(families map[string]*dto.MetricFamily, name, log string) *float64 {
	for _, m := range families[name].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "log" && l.GetValue() == log {
				v := m.GetGauge().GetValue()
				return &v
			}
		}
	}
	return nil
}

// compare says how far a reader is behind the log that it follows.
func (c *consumerStatus) compare(ctx context.Context, metrics map[string]*dto.MetricFamily, owner *serviceStatus, cc grpc.ClientConnInterface, now time.Time) {
	c.BehindSeconds = gauge(metrics, "crossdock_feed_behind_seconds", c.Log)
	if owner == nil || owner.position == nil {
		return // nobody can say how long the log is
	}
	last := owner.LastSequence
	c.Last = &last
	if last <= c.Sequence {
		return // it may have read on while the others were asked
	}
	c.Behind = last - c.Sequence
	req := &eventlogv1.ReadEntriesRequest{PageSize: 1}
	if c.Sequence > 0 {
		req.After = c.cursor
	}
	resp, err := eventlogv1.NewEventLogServiceClient(cc).ReadEntries(ctx, req)
	if err != nil || len(resp.GetEntries()) == 0 {
		return // how much it is behind is known, from when is not
	}
	head := &eventlogv1.Head{}
	if err := proto.Unmarshal(resp.GetEntries()[0].GetHead(), head); err != nil {
		return
	}
	at := head.GetApplyTime().AsTime()
	c.OldestUnread, c.OldestSeconds = &at, max(0, now.Sub(at).Seconds())
}

// late is for how long a reader has been behind: in machine time, and in business time when the reader does not say and the
// two are the same clock.
func (c consumerStatus) late(storyClock bool) time.Duration {
	switch {
	case c.BehindSeconds != nil:
		return time.Duration(*c.BehindSeconds * float64(time.Second))
	case storyClock:
		return 0
	}
	return time.Duration(c.OldestSeconds * float64(time.Second))
}

// problems is what is not well with a service.
func (s *serviceStatus) problems(storyClock bool) []problemStatus {
	var out []problemStatus
	add := func(word, format string, args ...any) {
		out = append(out, problemStatus{word, s.Service, fmt.Sprintf(format, args...)})
	}
	switch s.Health {
	case serving:
	case unreachable:
		add(problemDown, "%s", s.Why)
		return out
	case held:
		add(problemHeld, "%s", s.Why)
		return out
	default:
		add(problemNotReady, "%s", cmp.Or(s.Why, s.Health))
	}
	for _, c := range s.Consumers {
		if c.fork != nil {
			add(problemFeedForked, "%s was restored to %d in epoch %d, read up to %d: %d orphans", c.Log, c.fork.GetAfter().GetSequence(), c.fork.GetEpoch(), c.Sequence, c.Orphans)
		} else if c.Error != "" && (c.late(storyClock) > behindLimit || strings.Contains(c.Error, "feed is broken") || strings.Contains(c.Error, "out of range")) {
			add(problemFeedStopped, "reads %s no further than %d: %s", c.Log, c.Sequence, c.Error)
		} else if c.Behind > 0 && c.late(storyClock) > behindLimit {
			add(problemBehind, "%s: %d entries unread, behind for %s", c.Log, c.Behind, age(c.late(storyClock)))
		}
		if c.Parked > 0 {
			add(problemFactsParked, "%s: %d parked%s", c.Log, c.Parked, s.firstParked(c.Log))
		}
	}
	if s.fence.GetUp() {
		closed := 0
		for _, x := range s.fence.GetSeries() {
			if x.GetFenced() {
				closed++
			}
		}
		add(problemFenced, "restored in epoch %d; %d number series give no number", s.fence.GetFork().GetEpoch(), closed)
	}
	if n := s.Tasks.Failed + s.Tasks.InDoubt; n > 0 {
		t := s.stopped[0]
		add(problemTasksStopped, "%d failed, %d in doubt; %s of kind %s: %s", s.Tasks.Failed, s.Tasks.InDoubt, t.GetName(), t.GetKind(), cmp.Or(t.GetLastError(), "no outcome"))
	}
	overdue := time.Duration(s.Tasks.OldestDueSeconds * float64(time.Second))
	switch {
	case s.refused.GetAttempts() >= refusedLimit:
		add(problemTasksOverdue, "%s of kind %s was refused %d times: %s", s.refused.GetName(), s.refused.GetKind(), s.refused.GetAttempts(), s.refused.GetLastError())
	case overdue > overdueLimit && !storyClock:
		add(problemTasksOverdue, "%d due, the oldest for %s", s.Tasks.Due, age(overdue))
	}
	return out
}

// firstParked names the first parked fact of a log and why it was parked.
func (s *serviceStatus) firstParked(log string) string {
	for _, f := range s.parked {
		if f.GetPosition().GetLog() == log {
			return fmt.Sprintf("; %s %s: %s", f.GetName(), f.GetType(), f.GetReason())
		}
	}
	return ""
}

// storeBytes is the size of a service's store file.
func storeBytes(run suite.Run, name string) int64 {
	info, err := os.Stat(filepath.Join((suite.Layout{Dir: run.DataDir}).Data(name), name+".db"))
	if err != nil {
		return 0 // not made yet
	}
	return info.Size()
}

func printStatus(env *Env, all suiteStatus) error {
	switch env.Output {
	case "json":
		return show.JSON(env.Out, all)
	case "name":
		for _, s := range all.Services {
			fmt.Fprintln(env.Out, s.Service)
		}
		return nil
	}
	columns := []show.Column{{Head: "SERVICE"}, {Head: "VERSION"}, {Head: "HEALTH"}, {Head: "LOG", Right: true}, {Head: "LAST FACT"}, {Head: "TASKS"},
		{Head: "STUCK", Right: true}, {Head: "STORE", Right: true}, {Head: "FOLLOWS (read/last)"}}
	var rows [][]string
	for _, s := range all.Services {
		store := show.None
		if s.StoreBytes > 0 {
			store = size(uint64(s.StoreBytes))
		}
		if s.Health == unreachable || s.Health == held {
			rows = append(rows, []string{s.Service, show.Text(s.Version), s.Health, show.None, show.None, show.None, show.None, store, show.None})
			continue
		}
		fact := show.None
		if s.LastFact != nil {
			fact = s.LastFact.Type + " " + show.Instant(s.LastFact.Time)
		}
		var follows []string
		for _, c := range s.Consumers {
			follows = append(follows, c.text())
		}
		rows = append(rows, []string{s.Service, show.Text(s.Version), s.Health, fmt.Sprint(s.LastSequence), fact, s.Tasks.text(),
			fmt.Sprint(s.Tasks.Failed + s.Tasks.InDoubt), store, show.Text(strings.Join(follows, ", "))})
	}
	if err := show.Table(env.Out, columns, rows); err != nil {
		return err
	}
	fmt.Fprintf(env.Out, "\nbusiness time %s", show.Instant(all.BusinessTime))
	if all.Disk != nil {
		fmt.Fprintf(env.Out, " · %s free of %s under %s", size(all.Disk.FreeBytes), size(all.Disk.TotalBytes), all.Disk.Path)
	}
	fmt.Fprintln(env.Out)
	for _, p := range all.Problems {
		line := env.Style.Bad(p.Problem)
		if p.Service != "" {
			line += "  " + p.Service
		}
		if _, err := fmt.Fprintln(env.Out, line+": "+p.Detail); err != nil {
			return err
		}
	}
	return nil
}

// text is a followed log in a table, "freight 12/40 28 behind 2m10s".
func (c consumerStatus) text() string {
	text := fmt.Sprintf("%s %d/?", c.Log, c.Sequence)
	if c.Last != nil {
		text = fmt.Sprintf("%s %d/%d", c.Log, c.Sequence, max(*c.Last, c.Sequence))
	}
	if c.Behind > 0 {
		text += fmt.Sprintf(" %d behind", c.Behind)
		if c.OldestUnread != nil {
			text += " " + age(time.Duration(c.OldestSeconds*float64(time.Second)))
		}
		if c.BehindSeconds != nil {
			text += " (" + age(time.Duration(*c.BehindSeconds*float64(time.Second))) + ")"
		}
	}
	if c.Deferred > 0 {
		text += fmt.Sprintf(" %d deferred", c.Deferred)
	}
	if c.Parked > 0 {
		text += fmt.Sprintf(" %d PARKED", c.Parked)
	}
	return text
}

// text is the tasks in a table, "12, 3 due 4m".
func (t taskStatus) text() string {
	text := fmt.Sprint(t.Waiting)
	if t.Due > 0 {
		text += fmt.Sprintf(", %d due", t.Due)
	}
	if t.OldestDue != nil {
		text += " " + age(time.Duration(t.OldestDueSeconds*float64(time.Second)))
	}
	return text
}

// age is a duration as people say it: two units at most.
func age(d time.Duration) string {
	switch {
	case d < time.Second:
		return "<1s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}

// size is a number of bytes as people say it.
func size(bytes uint64) string {
	const unit = 1024
	switch {
	case bytes < unit*unit:
		return fmt.Sprintf("%.0f KiB", float64(bytes)/unit)
	case bytes < unit*unit*unit:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/unit/unit)
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/unit/unit/unit)
}

// statusResult is an error when something is not well: 6 when no service answers, 1 else.
func statusResult(all suiteStatus) error {
	if all.Well {
		return nil
	}
	if !slices.ContainsFunc(all.Services, func(s serviceStatus) bool { return s.Health != unreachable && s.Health != held }) {
		return &failure{status: exitUnavailable, what: "no service can be reached", reason: "UNAVAILABLE", try: "crossdock up"}
	}
	var words []string
	for _, p := range all.Problems {
		word := p.Problem
		if p.Service != "" {
			word = p.Service + " " + word
		}
		words = append(words, word)
	}
	return &failure{status: exitFailed, what: "not well: " + strings.Join(slices.Compact(words), ", "), reason: "NOT_WELL", try: "docs/runbooks.md"}
}
