package page

import (
	"fmt"
	"net/http"
	"time"

	platform "crossdock.dev/platform/store"
)

const (
	pace = 250 * time.Millisecond // the shortest time between two events of a stream
	beat = 15 * time.Second       // how often a stream without events says that it is alive
)

// stream tells that the read model has changed, as server-sent events: the id of an event is the position, its data as well. Who comes
// back with Last-Event-ID, or with the position of its data in "after", is told at once when something happened since.
func (p *Page) stream(w http.ResponseWriter, r *http.Request) {
	out := http.NewResponseController(w)
	if err := out.SetReadDeadline(time.Time{}); err != nil {
		p.Log.Debug("stream without read deadline", "error", err)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	told := r.Header.Get("Last-Event-ID")
	if told == "" {
		told = r.URL.Query().Get("after")
	}
	if told == "" {
		told = label(p.Store.Last())
	}
	text := "retry: 1000\n: listening\n\n"
	for {
		if _, err := fmt.Fprint(w, text); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-p.Machine.After(pace):
		case <-p.Stop:
			return
		case <-r.Context().Done():
			return
		}
		// The channel is taken before the position is read: a change between the two closes it.
		changed := p.Store.Changed()
		if now := label(p.Store.Last()); now != told {
			told = now
			text = fmt.Sprintf("id: %s\nevent: change\ndata: %s\n\n", now, now)
			continue
		}
		text = ""
		select {
		case <-changed:
		case <-p.Machine.After(beat):
			text = "event: beat\ndata: alive\n\n"
		case <-p.Stop:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// label is a position as the page passes it around.
func label(p platform.Position) string {
	return fmt.Sprintf("%s/%d/%d", p.Log, p.Epoch, p.Sequence)
}
