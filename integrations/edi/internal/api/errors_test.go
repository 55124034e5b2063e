package api

import (
	"maps"
	"testing"

	"google.golang.org/grpc/codes"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	"crossdock.dev/integrations/edi/internal/app"
	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/platform/rpcerr"
)

// Every reason of the contract is given by an error.
func TestReasons(t *testing.T) {
	given := map[string]error{
		ediv1.Reason_DOCUMENT_TOO_LARGE.String(): &tooLargeError{size: 5},
		ediv1.Reason_NOT_PARKED.String():         &app.NotParkedError{Disposition: message.Applied},
	}
	metadata := map[string]map[string]string{
		ediv1.Reason_DOCUMENT_TOO_LARGE.String(): {"size": "5"},
		ediv1.Reason_NOT_PARKED.String():         {"disposition": "APPLIED"},
	}
	for n, name := range ediv1.Reason_name {
		if n == 0 {
			continue
		}
		if e := rpcerr.From(answer(given[name], "documents/1")); e == nil || e.Reason != name || e.Code != codes.FailedPrecondition || !maps.Equal(e.Metadata, metadata[name]) {
			t.Errorf("%s: got %v", name, e)
		}
	}
}
