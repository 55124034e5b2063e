package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	"crossdock.dev/platform/rpcerr"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/services/tower/internal/explain"
	"crossdock.dev/services/tower/internal/store"
)

// maxThreads is the most cases that are explained in one answer; of more only the heads are told.
const maxThreads = 10

// Explain returns the threads that a reference leads to.
func (s *Server) Explain(ctx context.Context, req *towerv1.ExplainRequest) (*towerv1.ExplainResponse, error) {
	var after []platform.Position
	for _, p := range req.GetWaitFor() {
		after = append(after, platform.PositionOf(p))
	}
	if err := s.waiter.WaitRead(ctx, after); err != nil {
		return nil, err
	}
	resp := &towerv1.ExplainResponse{}
	var near []string
	err := s.store.View(ctx, func(r platform.Reader) error {
		found, err := store.Find(ctx, r, strings.TrimSpace(req.GetReference()))
		if err != nil {
			return err
		}
		near, resp.Reference = found.Near, found.Reference
		if len(found.Cases) == 0 && found.Told {
			story, err := store.StoryOf(ctx, r, found.Reference)
			if err != nil {
				return err
			}
			return s.tell(ctx, r, resp, story, req.GetAmount())
		}
		for _, rec := range found.Cases {
			if len(found.Cases) > maxThreads {
				resp.Threads = append(resp.Threads, &towerv1.Thread{Case: rec.GetCase()})
				continue
			}
			story, err := store.Story(ctx, r, rec.GetCase())
			if err != nil {
				return err
			}
			if err := s.tell(ctx, r, resp, story, req.GetAmount()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, answer(err, req.GetReference())
	}
	if len(resp.GetThreads()) == 0 {
		refusal := rpcerr.NotFound(req.GetReference())
		if len(near) > 0 {
			return nil, refusal.With("near", strings.Join(near, ", "))
		}
		return nil, refusal
	}
	if len(resp.GetThreads()) <= maxThreads {
		resp.Unasked = s.pending(ctx, resp.GetThreads())
	}
	return resp, nil
}

// tell adds the thread of a story.
func (s *Server) tell(ctx context.Context, r platform.Reader, resp *towerv1.ExplainResponse, story *explain.Story, want string) error {
	t := &towerv1.Thread{Case: story.Case, Waits: story.Waits(s.clock.Now()), Messages: story.Messages()}
	for _, f := range story.Facts {
		t.Steps = append(t.Steps, f.Step)
	}
	if story.Case != nil {
		var err error
		t.Amounts, err = story.Amounts(want, func(name string) ([]*towerv1.Step, error) {
			records, err := store.StepsOf(ctx, r, []string{name})
			steps := make([]*towerv1.Step, len(records))
			for i, rec := range records {
				steps[i] = rec.GetStep()
			}
			return steps, err
		})
		if err != nil {
			return err
		}
	}
	resp.Threads = append(resp.Threads, t)
	return nil
}

// pending adds what waits inside the services to the threads that it is about, and returns the services that did not say.
func (s *Server) pending(ctx context.Context, threads []*towerv1.Thread) (unasked []string) {
	pending, unasked := s.suite.Pending(ctx)
	for _, t := range threads {
		names := map[string]bool{}
		var interchanges []string
		for _, ref := range t.GetCase().GetReferences() {
			names[ref.GetValue()] = true
			if ref.GetKind() == "interchange" && !strings.Contains(ref.GetValue(), "/") {
				interchanges = append(interchanges, ref.GetValue())
			}
		}
		for _, p := range pending {
			for _, f := range p.Parked {
				if names[f.GetSubject()] || slices.ContainsFunc(f.GetKeys(), func(key string) bool { return names[key] }) {
					t.Waits = append(t.Waits, &towerv1.Wait{
						Kind: towerv1.Wait_PARKED_FACT, Subject: f.GetName(), Owner: p.Service,
						Text: fmt.Sprintf("%s could not apply %s of %s/%d: %s", p.Service, f.GetType(), f.GetPosition().GetLog(), f.GetPosition().GetSequence(), f.GetReason()),
					})
				}
			}
			for _, task := range p.Tasks {
				mine := names[task.GetSubject()] || slices.ContainsFunc(interchanges, func(id string) bool { return strings.Contains(task.GetName(), id) })
				if !mine || task.GetState() == eventlogv1.Task_PENDING && task.GetLastError() == "" {
					continue // what has not failed is a timer or its turn has not come
				}
				w := &towerv1.Wait{Kind: towerv1.Wait_TASK, Subject: task.GetName(), Owner: p.Service}
				switch task.GetState() {
				case eventlogv1.Task_FAILED:
					w.Text = fmt.Sprintf("%s was refused for good: %s", task.GetKind(), task.GetLastError())
				case eventlogv1.Task_IN_DOUBT:
					w.Text = fmt.Sprintf("whether %s went through is not known: %s", task.GetKind(), task.GetLastError())
				default:
					w.Text = fmt.Sprintf("%s is tried again, %d times so far: %s", task.GetKind(), task.GetAttempts(), task.GetLastError())
				}
				t.Waits = append(t.Waits, w)
			}
		}
		explain.Sort(t.Waits)
	}
	return unasked
}
