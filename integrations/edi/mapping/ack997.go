package mapping

import (
	"time"

	"crossdock.dev/integrations/edi/x12"
)

// Ack997 puts an acknowledgement into its interchange. The answer goes to the
// address the acknowledged interchange came from, which the caller has put
// into the envelope.
func Ack997(e Envelope, ack x12.Ack, n Numbers, at time.Time) (x12.Interchange, error) {
	return e.Wrap("FA", []x12.Set{ack.Set}, n, at)
}
