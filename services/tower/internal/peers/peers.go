// Package peers asks the other services what tower's checks need.
package peers

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
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
