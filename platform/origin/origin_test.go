package origin

import (
	"context"
	"slices"
	"testing"
)

func TestPrincipalString(t *testing.T) {
	for want, p := range map[string]Principal{
		"partner/CUS-XYZ":  {Kind: Partner, Name: "key-1", Party: "parties/CUS-XYZ"},
		"partner/key-1":    {Kind: Partner, Name: "key-1"},
		"service/workflow": {Kind: Service, Name: "workflow"},
		"user/dev":         {Kind: User, Name: "dev"},
		"":                 {Name: "nobody"},
	} {
		if got := p.String(); got != want {
			t.Errorf("%+v = %q, want %q", p, got, want)
		}
	}
}

func TestMergeAfter(t *testing.T) {
	at := func(log string, epoch, sequence uint64) Position {
		return Position{Log: log, Epoch: epoch, Sequence: sequence}
	}
	got := MergeAfter([]Position{at("b", 1, 5), at("a", 1, 2), at("", 1, 9)}, []Position{at("b", 1, 4), at("c", 1, 0), at("a", 2, 1), at("d", 1, 1)})
	want := []Position{at("a", 2, 1), at("b", 1, 5), at("d", 1, 1)}
	if !slices.Equal(got, want) {
		t.Errorf("MergeAfter = %v, want %v", got, want)
	}
	if got := MergeAfter(nil, nil); len(got) != 0 {
		t.Errorf("MergeAfter of nothing = %v", got)
	}
}

func TestContext(t *testing.T) {
	if got := From(context.Background()); got.Method != "" || got.Principal.String() != "" {
		t.Errorf("From an empty context = %+v", got)
	}
	if got := From(With(context.Background(), Origin{Method: "m"})); got.Method != "m" {
		t.Errorf("From = %+v", got)
	}
}
