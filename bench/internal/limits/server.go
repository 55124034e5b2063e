package limits

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	"crossdock.dev/platform/auth"
)

// Server is what a bare server is told, as JSON on its standard input, which stays open for as long as it is to serve.
type Server struct {
	Identity auth.Files `json:"identity"`
	// Dir is where the writer loop's file goes.
	Dir string `json:"dir"`
	// Rows, if any, are put through a writer loop before each answer.
	Rows []Row `json:"rows"`
	// HeadSize, Batch and Entries describe a feed: entries of so many bytes, so many to a message, so many in all.
	HeadSize, Batch, Entries int
}

// Service is the name that a bare server proves to have: that of the program it stands for.
const Service = "orders"

// Serve is the program of a bare server: it prints its address and serves until its standard input ends.
func Serve(in io.Reader, out io.Writer) (err error) {
	dec := json.NewDecoder(in) // reads ahead; what comes after the message is nothing
	var s Server
	if err := dec.Decode(&s); err != nil {
		return err
	}
	c, err := auth.ServerTLS(s.Identity)
	if err != nil {
		return err
	}
	e := &echo{}
	if len(s.Rows) > 0 {
		if e.loop, err = OpenWriterLoop(filepath.Join(s.Dir, "echo.db"), s.Rows); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, e.loop.Close()) }()
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(c)), grpc.WaitForHandlers(true))
	ordersv1.RegisterOrderServiceServer(server, e)
	eventlogv1.RegisterEventLogServiceServer(server, newFeed(s))
	if _, err := fmt.Fprintln(out, lis.Addr()); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, in) // its end is the sign, however it comes
		server.Stop()
	}()
	return server.Serve(lis)
}

// echo answers with what it was asked to create.
type echo struct {
	ordersv1.UnimplementedOrderServiceServer
	loop *WriterLoop // nil: nothing is kept
}

// CreateOrder returns the order.
func (e *echo) CreateOrder(_ context.Context, req *ordersv1.CreateOrderRequest) (*ordersv1.Order, error) {
	if e.loop != nil {
		if err := e.loop.Change(); err != nil {
			return nil, err
		}
	}
	return req.GetOrder(), nil
}

// feed sends entries from memory.
type feed struct {
	eventlogv1.UnimplementedEventLogServiceServer
	batch   *eventlogv1.TailEntriesResponse
	batches int
}

func newFeed(s Server) *feed {
	f := &feed{batch: &eventlogv1.TailEntriesResponse{}}
	for range s.Batch {
		f.batch.Entries = append(f.batch.Entries, &eventlogv1.Entry{Head: make([]byte, s.HeadSize), Hash: make([]byte, 32)})
	}
	if s.Batch > 0 {
		f.batches = s.Entries / s.Batch
	}
	return f
}

// TailEntries sends all there is and ends.
func (f *feed) TailEntries(_ *eventlogv1.TailEntriesRequest, stream grpc.ServerStreamingServer[eventlogv1.TailEntriesResponse]) error {
	for range f.batches {
		if err := stream.Send(f.batch); err != nil {
			return err
		}
	}
	return nil
}
