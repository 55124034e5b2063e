package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"

	"crossdock.dev/cmd/crossdock/internal/show"
	"crossdock.dev/cmd/crossdock/internal/suite"
)

type statusCmd struct{}

// serviceStatus is what status knows of a service.
type serviceStatus struct {
	Service string `json:"service"`
	Version string `json:"version"`
	// Health is "serving", "not serving" or "unreachable".
	Health       string           `json:"health"`
	Problem      string           `json:"problem,omitempty"`
	LastEpoch    uint64           `json:"last_epoch"`
	LastSequence uint64           `json:"last_sequence"`
	Consumers    []consumerStatus `json:"consumers"`
	TasksWaiting int              `json:"tasks_waiting"`
	// TasksStuck are FAILED or IN_DOUBT and wait for a person.
	TasksStuck int `json:"tasks_stuck"`
}

type consumerStatus struct {
	Log      string `json:"log"`
	Sequence uint64 `json:"sequence"`
	Deferred uint64 `json:"deferred"`
	Parked   uint64 `json:"parked"`
}

const unreachable = "unreachable"

func (c *statusCmd) Run(ctx context.Context, env *Env) error {
	versions := map[string]string{}
	if run, err := env.run(); err == nil { // without a run file there are no versions, and connecting will say so
		for name, a := range run.Services {
			versions[name] = a.Version
		}
	}
	var all []serviceStatus
	for _, name := range suite.Names() {
		cc, err := env.Connect(name)
		if err != nil {
			return err
		}
		s := serviceStatus{Service: name, Version: versions[name], Consumers: []consumerStatus{}}
		if err := s.ask(ctx, cc); err != nil {
			s.Health, s.Problem = unreachable, problem(err)
		}
		all = append(all, s)
	}
	if err := printStatus(env, all); err != nil {
		return err
	}
	return statusResult(all)
}

func (s *serviceStatus) ask(ctx context.Context, cc grpc.ClientConnInterface) error {
	// A service that does not listen is told at once: status does not wait for it.
	h, err := healthv1.NewHealthClient(cc).Check(ctx, &healthv1.HealthCheckRequest{}, grpc.WaitForReady(false))
	if err != nil {
		return err
	}
	s.Health = strings.ToLower(strings.ReplaceAll(h.GetStatus().String(), "_", " "))
	client := eventlogv1.NewEventLogServiceClient(cc)
	log, err := client.GetLog(ctx, &eventlogv1.GetLogRequest{})
	if err != nil {
		return err
	}
	s.LastEpoch, s.LastSequence = log.GetLast().GetEpoch(), log.GetLast().GetSequence()
	consumers, err := pages(0, func(size int32, token string) ([]*eventlogv1.Consumer, string, error) {
		resp, err := client.ListConsumers(ctx, &eventlogv1.ListConsumersRequest{PageSize: size, PageToken: token})
		return resp.GetConsumers(), resp.GetNextPageToken(), err
	})
	if err != nil {
		return err
	}
	for _, c := range consumers {
		s.Consumers = append(s.Consumers, consumerStatus{c.GetLog(), c.GetCursor().GetSequence(), c.GetDeferred(), c.GetParked()})
	}
	tasks, err := pages(0, func(size int32, token string) ([]*eventlogv1.Task, string, error) {
		resp, err := client.ListTasks(ctx, &eventlogv1.ListTasksRequest{PageSize: size, PageToken: token})
		return resp.GetTasks(), resp.GetNextPageToken(), err
	})
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if t.GetState() == eventlogv1.Task_PENDING {
			s.TasksWaiting++
		} else {
			s.TasksStuck++
		}
	}
	return nil
}

func printStatus(env *Env, all []serviceStatus) error {
	switch env.Output {
	case "json":
		return show.JSON(env.Out, all)
	case "name":
		for _, s := range all {
			fmt.Fprintln(env.Out, s.Service)
		}
		return nil
	}
	last := map[string]uint64{}
	for _, s := range all {
		last[s.Service] = s.LastSequence
	}
	columns := []show.Column{{Head: "SERVICE"}, {Head: "VERSION"}, {Head: "HEALTH"}, {Head: "LOG", Right: true}, {Head: "TASKS", Right: true}, {Head: "STUCK", Right: true},
		{Head: "FOLLOWS (read/last)"}}
	var rows [][]string
	for _, s := range all {
		if s.Health == unreachable {
			rows = append(rows, []string{s.Service, show.Text(s.Version), s.Health, show.None, show.None, show.None, show.None})
			continue
		}
		var follows []string
		for _, c := range s.Consumers {
			text := fmt.Sprintf("%s %d/%d", c.Log, c.Sequence, last[c.Log])
			if c.Deferred > 0 {
				text += fmt.Sprintf(" %d deferred", c.Deferred)
			}
			if c.Parked > 0 {
				text += fmt.Sprintf(" %d PARKED", c.Parked)
			}
			follows = append(follows, text)
		}
		rows = append(rows, []string{s.Service, show.Text(s.Version), s.Health, fmt.Sprint(s.LastSequence), fmt.Sprint(s.TasksWaiting), fmt.Sprint(s.TasksStuck),
			show.Text(strings.Join(follows, ", "))})
	}
	if err := show.Table(env.Out, columns, rows); err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(s serviceStatus) bool { return s.Problem == "" }) {
		return nil // one line about all of them follows
	}
	for _, s := range all {
		if s.Problem != "" {
			fmt.Fprintf(env.Err, "%s: %s\n", s.Service, s.Problem)
		}
	}
	return nil
}

// statusResult is an error when not every service serves: 6 when none can be reached, 7 when some can.
func statusResult(all []serviceStatus) error {
	var bad []string
	gone := 0
	for _, s := range all {
		if s.Health != "serving" {
			bad = append(bad, s.Service)
		}
		if s.Health == unreachable {
			gone++
		}
	}
	switch {
	case len(bad) == 0:
		return nil
	case gone == len(all):
		return &failure{status: exitUnavailable, what: "no service can be reached", reason: "UNAVAILABLE", try: "crossdock up"}
	}
	return &failure{status: exitPartial, what: "not serving: " + strings.Join(bad, ", "), reason: "PARTIAL"}
}
