// Package peers asks the other services what tower's checks need.
package peers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/services/tower/internal/api"
)

// Suite implements api.Suite over gRPC.
type Suite map[string]grpc.ClientConnInterface

// Consumers asks every service.
func (s Suite) Consumers(ctx context.Context) (map[string][]*eventlogv1.Consumer, error) {
	out := map[string][]*eventlogv1.Consumer{}
	for service, conn := range s {
		resp, err := eventlogv1.NewEventLogServiceClient(conn).ListConsumers(ctx, &eventlogv1.ListConsumersRequest{})
		if err != nil {
			return nil, fmt.Errorf("consumers of %s: %w", service, err)
		}
		out[service] = resp.GetConsumers()
	}
	return out, nil
}

// MessageCounts asks the EDI adapter for all pages.
func (s Suite) MessageCounts(ctx context.Context) ([]*ediv1.MessageCount, error) {
	client := ediv1.NewEdiServiceClient(s["edi"])
	var out []*ediv1.MessageCount
	req := &ediv1.ListMessageCountsRequest{PageSize: 500}
	for {
		resp, err := client.ListMessageCounts(ctx, req)
		if err != nil {
			return nil, fmt.Errorf("message counts: %w", err)
		}
		out = append(out, resp.GetMessageCounts()...)
		if req.PageToken = resp.GetNextPageToken(); req.PageToken == "" {
			return out, nil
		}
	}
}

// pendingPage and pendingPages bound what is read of a service's tasks and parked facts: there are few, or else something larger is
// wrong than one case can tell.
const (
	pendingPage  = 500
	pendingPages = 10
	pendingTime  = 500 * time.Millisecond // for each service
)

// Pending asks every service what waits inside it. One that does not answer in time is named.
func (s Suite) Pending(ctx context.Context) (pending []api.Pending, unasked []string) {
	for _, service := range slices.Sorted(maps.Keys(s)) {
		p, err := s.pending(ctx, service)
		if err != nil {
			unasked = append(unasked, service)
			continue
		}
		pending = append(pending, p)
	}
	return pending, unasked
}

func (s Suite) pending(ctx context.Context, service string) (api.Pending, error) {
	ctx, cancel := context.WithTimeout(ctx, pendingTime)
	defer cancel()
	client := eventlogv1.NewEventLogServiceClient(s[service])
	out := api.Pending{Service: service}
	tasks := &eventlogv1.ListTasksRequest{PageSize: pendingPage}
	for range pendingPages {
		resp, err := client.ListTasks(ctx, tasks)
		if err != nil {
			return out, err
		}
		out.Tasks = append(out.Tasks, resp.GetTasks()...)
		if tasks.PageToken = resp.GetNextPageToken(); tasks.PageToken == "" {
			break
		}
	}
	parked := &eventlogv1.ListParkedFactsRequest{Parent: "consumers/-", PageSize: pendingPage}
	for range pendingPages {
		resp, err := client.ListParkedFacts(ctx, parked)
		if err != nil {
			return out, err
		}
		out.Parked = append(out.Parked, resp.GetParkedFacts()...)
		if parked.PageToken = resp.GetNextPageToken(); parked.PageToken == "" {
			break
		}
	}
	return out, nil
}
