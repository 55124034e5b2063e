package story

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/proto"

	edgev1 "crossdock.dev/gen/crossdock/edge/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/eventlog"
)

// RESTError is a refusal by the partners' front door.
type RESTError struct {
	Status int
	Body   []byte
}

// Error shows the status and the problem.
func (e *RESTError) Error() string { return fmt.Sprintf("%d: %s", e.Status, e.Body) }

// Call makes one REST call and returns the answer's body.
func Call(ctx context.Context, base, secret, method, path, key string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		return nil, &RESTError{resp.StatusCode, answer}
	}
	return answer, nil
}

// CreateKey makes an API key for a party and returns its secret. A secret is shown once: when the answer that held it was lost,
// another key is made.
func CreateKey(ctx context.Context, edge edgev1.EdgeServiceClient, party string) (string, error) {
	role := "customer"
	if strings.HasPrefix(party, "parties/CAR-") {
		role = "carrier"
	}
	for attempt := range 5 {
		resp, err := edge.CreateApiKey(ctx, &edgev1.CreateApiKeyRequest{
			ApiKey:    &edgev1.ApiKey{Party: party, Roles: []string{role}, LegalEntities: []string{"legalEntities/LE-US", "legalEntities/LE-NL"}, DisplayName: "the day's"},
			RequestId: fmt.Sprintf("story-key-%s-%d", strings.TrimPrefix(party, "parties/"), attempt+1),
		})
		if err != nil {
			return "", fmt.Errorf("create a key for %s: %w", party, err)
		}
		if resp.GetSecret() != "" {
			return resp.GetSecret(), nil
		}
	}
	return "", fmt.Errorf("create a key for %s: the secrets of all that were made have been shown before", party)
}

// ErrNoFact says that a log was read to its end.
var ErrNoFact = errors.New("no such fact was told")

// FindFact returns the payload of the first fact in a log that fits, or ErrNoFact.
func FindFact(ctx context.Context, log eventlog.Source, is func(proto.Message) bool) (proto.Message, error) {
	payload, _, err := findFrom(ctx, log, eventlog.Position{}, is)
	return payload, err
}

// findFrom looks in the entries after a position, and returns how far it read.
func findFrom(ctx context.Context, log eventlog.Source, after eventlog.Position, is func(proto.Message) bool) (proto.Message, eventlog.Position, error) {
	for {
		entries, _, err := log.Read(ctx, after, 256)
		if err != nil {
			return nil, after, err
		}
		if len(entries) == 0 {
			return nil, after, ErrNoFact
		}
		for _, e := range entries {
			var head eventlogv1.Head
			if err := proto.Unmarshal(e.Head, &head); err != nil {
				return nil, after, err
			}
			p := head.GetPosition()
			after = eventlog.Position{Log: p.GetLog(), Epoch: p.GetEpoch(), Sequence: p.GetSequence()}
			for _, f := range head.GetFacts() {
				if m, err := f.GetPayload().UnmarshalNew(); err == nil && is(m) {
					return m, after, nil
				}
			}
		}
	}
}

// ReadFolder reads every file below a folder, by its path within it. Names that begin with a dot are unfinished and left out.
func ReadFolder(dir string) (map[string][]byte, error) {
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == dir {
			return nil
		}
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = content
		return err
	})
	return out, err
}
