package story

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The pause between two attempts doubles from the first to the last.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
)

// retry repeats what failed only because nobody was there to answer, as a partner does while a program is started again. The
// repeat must be safe: a read, or a change with the same idempotency key or request id. It gives up when ctx ends or after
// patience, and returns the last error.
func retry(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := try(ctx)
		if err == nil || !unanswered(err) {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// unanswered says that a call may be made again as it was: it did not reach its service, or its outcome is not known.
func unanswered(err error) bool {
	var refused *RESTError
	if errors.As(err, &refused) {
		return refused.Status == http.StatusServiceUnavailable || refused.Status == http.StatusGatewayTimeout
	}
	var transport *url.Error
	return errors.As(err, &transport) || errors.Is(err, io.ErrUnexpectedEOF) || status.Code(err) == codes.Unavailable
}

// patient is a connection whose unary calls are repeated. The story sends no change without a request id.
type patient struct{ *grpc.ClientConn }

func (p patient) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return retry(ctx, func(ctx context.Context) error { return p.ClientConn.Invoke(ctx, method, args, reply, opts...) })
}
