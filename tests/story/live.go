package story

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	edgev1 "crossdock.dev/gen/crossdock/edge/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/store"
)

// Run is what the story reads of run.json, which `crossdock up` writes.
type Run struct {
	Services map[string]struct {
		GRPC string `json:"grpc"`
	} `json:"services"`
	DataDir   string `json:"data_dir"`
	PKIDir    string `json:"pki_dir"`
	ClockFile string `json:"clock_file"`
	EdgeURL   string `json:"edge_url"`
	TowerURL  string `json:"tower_url"`
	Discovery string `json:"discovery"` // static or consul
}

// ReadRun reads run.json.
func ReadRun(path string) (Run, error) {
	var r Run
	raw, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	if r.ClockFile == "" {
		return r, errors.New("the suite runs on the machine's clock; start it with --story-clock")
	}
	return r, nil
}

// Live is a suite of running programs on loopback. A program that is being started again is waited for: calls are repeated as
// they were, with the same keys.
type Live struct {
	run      Run
	business clock.Business
	conns    map[string]*grpc.ClientConn
	secrets  map[string]string
}

var _ World = (*Live)(nil)

// Connect reaches a running suite as the development person.
func Connect(run Run) (*Live, error) {
	l := &Live{run: run, business: clock.File(run.ClockFile), conns: map[string]*grpc.ClientConn{}, secrets: map[string]string{}}
	pki, err := auth.DevPKI(run.PKIDir)
	if err != nil {
		return nil, err
	}
	for name, addrs := range run.Services {
		l.conns[name], err = rpc.Dial(rpc.ClientConfig{
			Target: "static:///" + addrs.GRPC, Service: name, Identity: pki.User(auth.DevUser), Timeout: 30 * time.Second,
		})
		if err != nil {
			return nil, err
		}
	}
	return l, readJSON(l.secretsFile(), &l.secrets)
}

// Close closes the connections.
func (l *Live) Close() error {
	var err error
	for _, c := range l.conns {
		err = errors.Join(err, c.Close())
	}
	return err
}

// SetClock freezes business time at an instant.
func (l *Live) SetClock(at time.Time) error { return clock.SetFile(l.run.ClockFile, at, false) }

// LetGo lets business time go on from here with the machine's.
func (l *Live) LetGo() error { return clock.SetFile(l.run.ClockFile, l.Now(), true) }

// Now is the business time.
func (l *Live) Now() time.Time { return l.business.Now() }

func (l *Live) edi(folder string) string { return filepath.Join(l.run.DataDir, "data", "edi", folder) }

// Drop puts a file into the EDI inbox, in one step.
func (l *Live) Drop(_ context.Context, name string, content []byte) error {
	if err := os.MkdirAll(l.edi("inbox"), 0o700); err != nil {
		return err
	}
	part := filepath.Join(l.edi("inbox"), "."+name+".part")
	if err := os.WriteFile(part, content, 0o600); err != nil {
		return err
	}
	return os.Rename(part, filepath.Join(l.edi("inbox"), name))
}

// Outbox returns what was sent to partners.
func (l *Live) Outbox(context.Context) (map[string][]byte, error) { return ReadFolder(l.edi("outbox")) }

// REST calls the partners' front door.
func (l *Live) REST(ctx context.Context, party, method, path, key string, body []byte) ([]byte, error) {
	secret, err := l.Secret(ctx, party)
	if err != nil {
		return nil, err
	}
	var answer []byte
	err = retry(ctx, func(ctx context.Context) error {
		answer, err = Call(ctx, l.run.EdgeURL, secret, method, path, key, body)
		return err
	})
	return answer, err
}

// Secret is the API key of a party; it is made on first use and kept, since the suite shows it once.
func (l *Live) Secret(ctx context.Context, party string) (string, error) {
	if l.secrets[party] == "" {
		secret, err := CreateKey(ctx, edgev1.NewEdgeServiceClient(l.Conn("edge")), party)
		if err != nil {
			return "", err
		}
		l.secrets[party] = secret
		if err := writeJSON(l.secretsFile(), l.secrets); err != nil {
			return "", err
		}
	}
	return l.secrets[party], nil
}

func (l *Live) secretsFile() string { return filepath.Join(l.run.DataDir, "story-keys.json") }

// Conn is a connection to a service.
func (l *Live) Conn(service string) grpc.ClientConnInterface { return patient{l.conns[service]} }

// CaughtUp waits until every service that copies a log has read all that it holds now.
func (l *Live) CaughtUp(ctx context.Context, log string) error {
	of, err := eventlogv1.NewEventLogServiceClient(l.Conn(log)).GetLog(ctx, &eventlogv1.GetLogRequest{})
	if err != nil {
		return err
	}
	// A call that asks for a position is answered when the called service has read as far.
	ctx = rpc.WithWaitPosition(ctx, store.PositionOf(of.GetLast()))
	for name := range l.conns {
		if _, err := eventlogv1.NewEventLogServiceClient(l.Conn(name)).GetLog(ctx, &eventlogv1.GetLogRequest{}); err != nil {
			return fmt.Errorf("wait until %s has read %s: %w", name, log, err)
		}
	}
	return nil
}

// Await follows a service's log until a fact fits.
func (l *Live) Await(ctx context.Context, service string, is func(proto.Message) bool) (proto.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	log := eventlog.Remote(service, l.Conn(service))
	var after eventlog.Position
	for {
		payload, last, err := findFrom(ctx, log, after, is)
		if !errors.Is(err, ErrNoFact) {
			return payload, err
		}
		after = last
		select {
		case <-log.Changed(ctx, after):
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w within %v", ErrNoFact, patience)
		}
	}
}

// patience is how long a fact or an answer may take on a loaded machine before something must be wrong.
const patience = 90 * time.Second

func readJSON(path string, into any) error {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

func writeJSON(path string, from any) error {
	raw, err := json.MarshalIndent(from, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", raw, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
