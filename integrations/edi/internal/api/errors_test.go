package api

import (
	"testing"

	"google.golang.org/grpc/codes"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	"crossdock.dev/platform/rpcerr"
)

// Every reason of the contract is given by an error.
func TestReasons(t *testing.T) {
	given := map[string]error{ediv1.Reason_DOCUMENT_TOO_LARGE.String(): &tooLargeError{size: 5}}
	for n, name := range ediv1.Reason_name {
		if n == 0 {
			continue
		}
		if e := rpcerr.From(answer(given[name], "documents/1")); e == nil || e.Reason != name || e.Code != codes.FailedPrecondition || e.Metadata["size"] != "5" {
			t.Errorf("%s: got %v", name, e)
		}
	}
}
