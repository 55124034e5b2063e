package conductor

import (
	"context"
	"io/fs"
	"path/filepath"

	"google.golang.org/grpc"

	"crossdock.dev/tests/counterparts"
)

// Stage is where the players of the day meet the suite.
type Stage struct {
	// Day is the folder of the day's data.
	Day fs.FS
	// Own is the folder in which the players keep what they have done.
	Own string
	// Inbox and Outbox are the suite's folders for X12 files.
	Inbox, Outbox string
	// Conn is a connection to a service, as a user of the enterprise.
	Conn func(service string) grpc.ClientConnInterface
	// REST calls the partners' door with the key of a party.
	REST func(ctx context.Context, party, method, path, key string, body []byte) ([]byte, error)
}

// Cast makes the players of the day, in the order of their turns: the desk, which loads the seed, then the partners.
func Cast(s Stage) ([]Player, error) {
	seed, err := fs.Sub(s.Day, "seed")
	if err != nil {
		return nil, err
	}
	desk, err := NewDesk(seed, filepath.Join(s.Own, "desk"), s.Conn)
	if err != nil {
		return nil, err
	}
	partners, err := counterparts.All(counterparts.Config{
		Inbox: s.Inbox, Outbox: s.Outbox, Own: filepath.Join(s.Own, "partners"),
		Door: func(party string) counterparts.Door { return door{s, party} },
	})
	if err != nil {
		return nil, err
	}
	players := []Player{desk}
	for _, p := range partners {
		players = append(players, p)
	}
	return players, nil
}

// door is the partners' door with one party's key.
type door struct {
	stage Stage
	party string
}

func (d door) Call(ctx context.Context, method, path, key string, body []byte) ([]byte, error) {
	return d.stage.REST(ctx, d.party, method, path, key, body)
}
