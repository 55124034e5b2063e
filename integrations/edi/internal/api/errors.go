package api

import (
	"errors"
	"strconv"

	"google.golang.org/grpc/codes"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	"crossdock.dev/integrations/edi/internal/app"
	"crossdock.dev/integrations/edi/internal/transport"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpcerr"
	platform "crossdock.dev/platform/store"
)

// tooLargeError says that a document does not fit an answer.
type tooLargeError struct{ size int64 }

func (e *tooLargeError) Error() string {
	return "the document has " + strconv.FormatInt(e.size, 10) + " bytes"
}

// answer turns an error about a resource into what the caller gets.
func answer(err error, name string) error {
	var tooLarge *tooLargeError
	var notParked *app.NotParkedError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, platform.ErrNotFound), errors.Is(err, transport.ErrNoDocument):
		return rpcerr.NotFound(name)
	case errors.Is(err, page.ErrToken):
		return rpcerr.InvalidPageToken("page_token")
	case errors.As(err, &tooLarge):
		return &rpcerr.Error{
			Code: codes.FailedPrecondition, Reason: ediv1.Reason_DOCUMENT_TOO_LARGE.String(), Message: "the document is too large for an answer",
			Metadata: map[string]string{"size": strconv.FormatInt(tooLarge.size, 10)},
		}
	case errors.As(err, &notParked):
		disposition := ediv1.Interchange_TransactionSet_Disposition(notParked.Disposition).String()
		return &rpcerr.Error{
			Code: codes.FailedPrecondition, Reason: ediv1.Reason_NOT_PARKED.String(), Message: notParked.Error(),
			Metadata: map[string]string{"disposition": disposition},
		}
	}
	return rpcerr.FromStore(err)
}
