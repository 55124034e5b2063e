package inbound

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"crossdock.dev/integrations/edi/internal/app"
	"crossdock.dev/platform/eventlog"
)

// TestTypes: a message of a followed service that is understood when it comes is among the types that are looked at.
func TestTypes(t *testing.T) {
	for _, r := range Readers(app.New(app.Config{})) {
		if len(r.Types) == 0 {
			continue
		}
		found := 0
		protoregistry.GlobalTypes.RangeMessages(func(m protoreflect.MessageType) bool {
			d := m.Descriptor()
			if !strings.HasPrefix(string(d.FullName()), "crossdock."+r.Log+".v1.") || d.Parent() != d.ParentFile() {
				return true
			}
			whole := m.New() // each message in it is there
			for i := range d.Fields().Len() {
				if f := d.Fields().Get(i); f.Message() != nil && f.Cardinality() != protoreflect.Repeated {
					whole.Mutable(f)
				}
			}
			if len(r.Keys(eventlog.Fact{Type: string(d.Name()), Payload: whole.Interface()})) > 0 {
				found++
				if !slices.Contains(r.Types, string(d.Name())) {
					t.Errorf("log %s: %s has keys, Types %q do not name it", r.Log, d.Name(), r.Types)
				}
			}
			return true
		})
		if found != len(r.Types) {
			t.Errorf("log %s: %d messages have keys, Types name %d: %q", r.Log, found, len(r.Types), r.Types)
		}
	}
}
