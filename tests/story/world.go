package story

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// World is a suite that the story is played against.
type World interface {
	// SetClock moves business time to an instant; it never goes back.
	SetClock(at time.Time) error
	// Now is the business time.
	Now() time.Time
	// Drop puts a file where partners put theirs.
	Drop(ctx context.Context, name string, content []byte) error
	// Outbox returns the files that were sent to partners since the beginning, by name.
	Outbox(ctx context.Context) (map[string][]byte, error)
	// REST calls the partners' front door with the key of a party; body and answer are JSON. An answer of another class than
	// 2xx is a *RESTError.
	REST(ctx context.Context, party, method, path, key string, body []byte) ([]byte, error)
	// Conn is a connection to a service, as a person of the enterprise.
	Conn(service string) grpc.ClientConnInterface
	// Await waits for a fact of a service's log and returns its payload.
	Await(ctx context.Context, service string, is func(payload proto.Message) bool) (proto.Message, error)
}
