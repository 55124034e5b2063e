package rpc_test

import (
	"testing"

	"crossdock.dev/platform/rpc"
)

// FuzzParseAfter: a causal past of any text is refused or read, one position a log, and reads the same when it is written again.
func FuzzParseAfter(f *testing.F) {
	f.Add("orders/1/12,freight/2/18446744073709551615")
	f.Add("orders/01/+2,,")
	f.Fuzz(func(t *testing.T, text string) {
		after, err := rpc.ParseAfter(text)
		if err != nil {
			return
		}
		again, err := rpc.ParseAfter(rpc.FormatAfter(after))
		if err != nil || len(again) != len(after) || len(after) > 64 {
			t.Fatalf("%q is read as %v, and again as %v, %v", text, after, again, err)
		}
		for i := range after {
			if after[i] != again[i] {
				t.Fatalf("%q is read as %v, and again as %v", text, after, again)
			}
		}
	})
}
