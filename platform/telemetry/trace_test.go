package telemetry

import "testing"

// FuzzTrace: a header of any bytes is refused, or names a trace that is written as it is read.
func FuzzTrace(f *testing.F) {
	for _, s := range []string{ // W3C Trace Context, 3.2.4 and 3.2.5
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
		"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-will-be-like", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		trace, ok := ParseTrace(s)
		if !ok {
			if trace != (Trace{}) {
				t.Fatalf("%q is refused as %v", s, trace)
			}
			return
		}
		if again, ok := ParseTrace(trace.String()); !ok || again != trace || trace.ID() != s[3:35] || trace.Span() != s[36:52] {
			t.Fatalf("%q is read as %v and written %s", s, trace, trace.String())
		}
	})
}
