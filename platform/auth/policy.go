package auth

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	governancev1 "crossdock.dev/gen/crossdock/governance/v1"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/rpcerr"
)

// exempt lists the services that carry no policy, because their protos are not ours, and why they may be called. Callers
// still need a certificate of the suite.
var exempt = map[string]string{
	"grpc.health.v1.Health":                    "asked by the catalogue and by load balancers; tells nothing but serving or not",
	"grpc.reflection.v1.ServerReflection":      "registered in development only; tells the public contracts",
	"grpc.reflection.v1alpha.ServerReflection": "the older name of reflection, still used by tools",
}

// Method is what the suite knows of a method.
type Method struct {
	Policy *governancev1.MethodPolicy // nil when exempt
	// Exempt is true for the few services that carry no policy.
	Exempt bool
	// Streams is true when either side streams.
	Streams bool
	// Input describes the request.
	Input protoreflect.MessageDescriptor
}

// Policies reads methods' policies from their descriptors. Safe for concurrent use.
type Policies struct {
	files Descriptors
	cache sync.Map // full method -> Method
}

// Descriptors finds descriptors by name; *protoregistry.Files is one.
type Descriptors interface {
	FindDescriptorByName(protoreflect.FullName) (protoreflect.Descriptor, error)
}

// NewPolicies reads from files; nil means protoregistry.GlobalFiles, where generated code is registered.
func NewPolicies(files Descriptors) *Policies {
	if files == nil {
		files = protoregistry.GlobalFiles
	}
	return &Policies{files: files}
}

// Lookup returns a method by its full name, "/crossdock.orders.v1.OrderService/CreateOrder". ok is false when it is
// unknown or has no complete policy: nobody may call it.
func (p *Policies) Lookup(fullMethod string) (m Method, ok bool) {
	if v, ok := p.cache.Load(fullMethod); ok {
		return v.(Method), true
	}
	m, problem := p.read(fullMethod)
	if problem != "" {
		return Method{}, false
	}
	p.cache.Store(fullMethod, m) // only known methods are kept, so callers cannot fill the memory
	return m, true
}

func (p *Policies) read(fullMethod string) (Method, string) {
	service, method, ok := strings.Cut(strings.TrimPrefix(fullMethod, "/"), "/")
	if !ok {
		return Method{}, "is no method name"
	}
	if _, ok := exempt[service]; ok {
		return Method{Exempt: true, Streams: method != "Check" && method != "List"}, ""
	}
	d, err := p.files.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return Method{}, "has no descriptor"
	}
	sd, ok := d.(protoreflect.ServiceDescriptor)
	if !ok {
		return Method{}, "has no descriptor"
	}
	md := sd.Methods().ByName(protoreflect.Name(method))
	if md == nil {
		return Method{}, "has no descriptor"
	}
	policy, ok := proto.GetExtension(md.Options(), governancev1.E_Method).(*governancev1.MethodPolicy)
	if !ok || policy == nil {
		return Method{}, "has no policy"
	}
	if missing := Incomplete(policy); len(missing) > 0 {
		return Method{}, "has no " + strings.Join(missing, ", ") + " in its policy"
	}
	return Method{Policy: policy, Streams: md.IsStreamingClient() || md.IsStreamingServer(), Input: md.Input()}, ""
}

// Incomplete names what a policy leaves out. An empty list of callers is complete: no service may call.
func Incomplete(p *governancev1.MethodPolicy) []string {
	var missing []string
	for _, f := range []struct {
		name  string
		empty bool
	}{
		{"owner", p.GetOwner() == ""},
		{"tier", p.GetTier() == 0},
		{"scope", p.GetScope() == ""},
		{"visibility", p.GetVisibility() == 0},
		{"criticality", p.GetCriticality() == 0},
		{"idempotency", p.GetIdempotency() == 0},
		{"rate_class", p.GetRateClass() == 0},
		{"lifecycle", p.GetLifecycle() == 0},
		{"slo", p.GetSlo().GetP99() == nil || p.GetSlo().GetAvailabilityPercent() == ""},
	} {
		if f.empty {
			missing = append(missing, f.name)
		}
	}
	return missing
}

// Check refuses a server that has a method without a complete policy; the error names every such method.
func (p *Policies) Check(services map[string]grpc.ServiceInfo) error {
	var problems []string
	for _, service := range slices.Sorted(maps.Keys(services)) {
		for _, m := range services[service].Methods {
			full := "/" + service + "/" + m.Name
			if _, problem := p.read(full); problem != "" {
				problems = append(problems, full+" "+problem)
			}
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("methods that may not be served: %s", strings.Join(problems, "; "))
	}
	return nil
}

// Authorize decides whether a principal may call a method; the refusal may be shown to the caller. That a partner came
// through the service's own gateway with a token for the route is proved before, by where its principal comes from.
func Authorize(p origin.Principal, m Method, u Users) *rpcerr.Error {
	if m.Exempt {
		if p.Kind == origin.Partner {
			return rpcerr.Denied("partners may not call this method")
		}
		return nil
	}
	switch p.Kind {
	case origin.Service:
		if c := m.Policy.GetCallers(); slices.Contains(c, p.Name) || slices.Contains(c, "*") {
			return nil
		}
		return rpcerr.Denied(describe(p) + " is not among the callers of this method")
	case origin.Partner:
		if m.Policy.GetVisibility() != governancev1.MethodPolicy_PARTNER {
			return rpcerr.Denied("partners may not call this method")
		}
		if slices.Contains(p.Scopes, m.Policy.GetScope()) {
			return nil
		}
	case origin.User:
		if u.holds(p, m.Policy.GetScope()) {
			return nil
		}
	}
	return rpcerr.Denied("the scope is missing").With("scope", m.Policy.GetScope())
}
