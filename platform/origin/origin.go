// Package origin says who acts and why, and carries that in a context from the interceptor that proved it to the store
// that writes it down and on to the next service.
//
// It promises that a Principal in a context was proved by an interceptor (mTLS or a signed token), never taken from a
// header. Actor, Traceparent and After are data: they are forwarded between services and recorded, and nothing is
// allowed because of them.
package origin

import (
	"cmp"
	"context"
	"slices"
)

// Kind says how a principal proved itself.
type Kind int

// The kinds of principal. The zero Kind is nobody.
const (
	Service Kind = iota + 1 // another program of the suite, by mTLS
	Partner                 // a partner, by the token that edge signed
	User                    // a person of the enterprise
)

// Principal is a proven caller.
type Principal struct {
	Kind Kind
	// Name is "workflow" for a service, the key's id for a partner, "dev" for a user.
	Name string
	// Party is the partner's resource name, "parties/CUS-XYZ"; empty for services and users.
	Party         string
	Roles         []string
	Scopes        []string
	LegalEntities []string
}

// String is the principal as it stands in the log and in idempotency keys: "partner/CUS-XYZ", "service/workflow",
// "user/dev"; "" for nobody. A partner is named by its party, so that two keys of one partner are one caller.
func (p Principal) String() string {
	switch p.Kind {
	case Service:
		return "service/" + p.Name
	case Partner:
		const parties = "parties/"
		if len(p.Party) > len(parties) && p.Party[:len(parties)] == parties {
			return "partner/" + p.Party[len(parties):]
		}
		return "partner/" + p.Name
	case User:
		return "user/" + p.Name
	}
	return ""
}

// Position is a place in a log. Sequence 0 is before the first entry.
type Position struct {
	Log      string
	Epoch    uint64
	Sequence uint64
}

// Before tells whether p lies before q: in an earlier epoch, or earlier in the same one. Of different logs neither is.
func (p Position) Before(q Position) bool {
	return p.Log == q.Log && (p.Epoch < q.Epoch || p.Epoch == q.Epoch && p.Sequence < q.Sequence)
}

// Origin is why a call is made.
type Origin struct {
	Principal Principal
	// Method is the full gRPC method, "/crossdock.orders.v1.OrderService/CreateOrder".
	Method string
	// Actor is the principal at the beginning of the chain of causes.
	Actor string
	// Traceparent is the W3C header, empty when there is none.
	Traceparent string
	// After is the causal past: one position per log, sorted by log.
	After []Position
}

type contextKey struct{}

// With returns a context that carries o.
func With(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, contextKey{}, o)
}

// From returns the origin in ctx, or the zero Origin.
func From(ctx context.Context) Origin {
	o, _ := ctx.Value(contextKey{}).(Origin)
	return o
}

// MergeAfter joins two causal pasts: one position per log, the furthest, sorted by log. Positions without a log or at
// sequence 0 say nothing and are dropped.
func MergeAfter(a, b []Position) []Position {
	out := make([]Position, 0, len(a)+len(b))
	for _, p := range slices.Concat(a, b) {
		if p.Log == "" || p.Sequence == 0 {
			continue
		}
		i, found := slices.BinarySearchFunc(out, p.Log, func(q Position, log string) int { return cmp.Compare(q.Log, log) })
		switch {
		case !found:
			out = slices.Insert(out, i, p)
		case out[i].Before(p):
			out[i] = p
		}
	}
	return out
}
