package story

import (
	"context"
	"strings"
)

// Disturbed is a running suite that something happens to while partners use it.
type Disturbed struct {
	*Live
	// At is told before and after each thing that a partner does: "drop", "dropped", "call accept", "called accept".
	At func(moment string)
}

// Drop puts a file into the EDI inbox.
func (d Disturbed) Drop(ctx context.Context, name string, content []byte) error {
	d.At("drop")
	defer d.At("dropped")
	return d.Live.Drop(ctx, name, content)
}

// REST calls the partners' front door. What only reads is no moment.
func (d Disturbed) REST(ctx context.Context, party, method, path, key string, body []byte) ([]byte, error) {
	if key == "" {
		return d.Live.REST(ctx, party, method, path, key, body)
	}
	verb := path[strings.LastIndexAny(path, "/:")+1:]
	d.At("call " + verb)
	defer d.At("called " + verb)
	return d.Live.REST(ctx, party, method, path, key, body)
}
