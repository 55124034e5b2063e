package chaos

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/eventlog"
)

func firstDiff(t *testing.T, a, b *world, name string) string {
	var after eventlog.Position
	for {
		x, _, err := eventlog.Local(a.Store(name)).Read(t.Context(), after, 1)
		must(t, err)
		y, _, err := eventlog.Local(b.Store(name)).Read(t.Context(), after, 1)
		must(t, err)
		if len(x) == 0 || len(y) == 0 {
			return ""
		}
		if string(x[0].Head) != string(y[0].Head) {
			var h, i eventlogv1.Head
			must(t, proto.Unmarshal(x[0].Head, &h))
			must(t, proto.Unmarshal(y[0].Head, &i))
			return cmp.Diff(&h, &i, protocmp.Transform())
		}
		var h eventlogv1.Head
		must(t, proto.Unmarshal(x[0].Head, &h))
		p := h.GetPosition()
		after = eventlog.Position{Log: p.GetLog(), Epoch: p.GetEpoch(), Sequence: p.GetSequence()}
	}
}
