package network_test

import (
	"testing"

	"crossdock.dev/services/freight/internal/network"
)

func TestNext(t *testing.T) {
	twice := []network.Choice{{Rank: 2, Carrier: "B"}, {Rank: 1, Carrier: "A"}, {Rank: 3, Carrier: "A"}}
	for _, x := range []struct {
		name      string
		again     bool
		after     int32
		dealtWith []string
		want      string
	}{
		{"first by rank, not by place", false, 0, nil, "A"},
		{"next", false, 1, []string{"A"}, "B"},
		{"a decliner is not asked again", false, 2, []string{"A", "B"}, ""},
		{"unless the guide says so", true, 2, []string{"A", "B"}, "A"},
		{"no rank comes twice", true, 3, []string{"A", "B", "A"}, ""},
	} {
		got, ok := network.Guide{Choices: twice, SameCarrierAgain: x.again}.Next(x.after, x.dealtWith)
		if got.Carrier != x.want || ok != (x.want != "") {
			t.Errorf("%s: got %q %t, want %q", x.name, got.Carrier, ok, x.want)
		}
	}
}
