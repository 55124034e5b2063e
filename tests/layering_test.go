package tests

import (
	"testing"

	"crossdock.dev/platform/platformtest/imports"
)

// TestLayering is the one place that says who may import whom, and why.
func TestLayering(t *testing.T) {
	// Every package of a service that is not plumbing is its domain.
	plumbing := []string{
		"crossdock.dev/services/*/internal/app/...", "crossdock.dev/services/*/internal/api/...", "crossdock.dev/services/*/internal/store/...",
		"crossdock.dev/services/*/internal/inbound/...", "crossdock.dev/services/*/internal/peers/...", "crossdock.dev/services/*/internal/config/...",
		// Between records and contracts, where a service's store and api share the translation.
		"crossdock.dev/services/*/internal/wire/...",
		// Masterdata keeps its resources as messages: these two say which there are, and hand their values to the rules.
		"crossdock.dev/services/masterdata/internal/catalog", "crossdock.dev/services/masterdata/internal/resource",
		// The front door and the control tower own no business rules: what they do is plumbing and pages.
		"crossdock.dev/services/edge/internal/...", "crossdock.dev/services/tower/internal/...",
	}
	network := []string{"google.golang.org/grpc/...", "github.com/grpc-ecosystem/..."}
	imports.Check(t, "..", []imports.Rule{
		{
			Packages: []string{"crossdock.dev/kernel/..."},
			Only:     []string{"std", "crossdock.dev/kernel/...", "github.com/cockroachdb/apd/v3"},
			Reason:   "the kernel is values and functions that every service shares",
		},
		{
			Packages: []string{"crossdock.dev/services/*/internal/*"},
			Except:   plumbing,
			Only:     []string{"std", "crossdock.dev/kernel/...", "crossdock.dev/services/*/internal/*", "github.com/cockroachdb/apd/v3"},
			Reason:   "a business rule is a pure function: no contract, no store, no platform",
		},
		{
			Packages: []string{"crossdock.dev/services/*/internal/*"},
			Except:   plumbing,
			Forbid:   append([]string{"log/slog", "net/...", "os", "crossdock.dev/gen/...", "crossdock.dev/platform/..."}, network...),
			Reason:   "a business rule does no I/O",
		},
		{
			Packages: []string{"crossdock.dev/services/*/internal/app"},
			Except:   []string{"crossdock.dev/services/edge/...", "crossdock.dev/services/tower/..."},
			Forbid:   append([]string{"crossdock.dev/gen/..."}, network...),
			Direct:   true,
			Reason:   "a verb loads, decides and saves; words on the wire are the api's business",
		},
		{
			Packages: []string{"crossdock.dev/services/...", "crossdock.dev/integrations/...", "crossdock.dev/cmd/..."},
			Forbid:   []string{"go.etcd.io/bbolt"},
			Direct:   true,
			Reason:   "only platform/store knows the engine",
		},
		{
			Packages: []string{"crossdock.dev/platform/..."},
			Forbid: []string{
				"crossdock.dev/services/...", "crossdock.dev/integrations/...", "crossdock.dev/kernel/...", "crossdock.dev/gen/crossdock/orders/...",
				"crossdock.dev/gen/crossdock/freight/...", "crossdock.dev/gen/crossdock/billing/...", "crossdock.dev/gen/crossdock/masterdata/...",
				"crossdock.dev/gen/crossdock/workflow/...", "crossdock.dev/gen/crossdock/edge/...", "crossdock.dev/gen/crossdock/tower/...",
				"crossdock.dev/gen/crossdock/edi/...",
			},
			Reason: "the platform has not one business word",
		},
		{
			Packages: []string{"crossdock.dev/integrations/edi/x12"},
			Only:     []string{"std"},
			Reason:   "a codec knows bytes and the standard, nothing of us",
		},
		{
			Packages: []string{"crossdock.dev/integrations/edi/mapping"},
			Only:     []string{"std", "crossdock.dev/kernel/...", "crossdock.dev/integrations/edi/x12"},
			Reason:   "a mapping is pure",
		},
		{
			Packages: []string{"crossdock.dev/cmd/..."},
			Forbid:   []string{"crossdock.dev/services/...", "crossdock.dev/integrations/...", "crossdock.dev/platform/store/..."},
			Direct:   true,
			Reason:   "the command line speaks contracts only",
		},
		ownCore("orders"), ownCore("freight"), ownCore("billing"), ownCore("masterdata"), ownCore("workflow"), ownCore("edge"), ownCore("tower"),
		{
			Packages: []string{"crossdock.dev/..."},
			Except:   []string{"crossdock.dev/tests/...", "crossdock.dev/integrations/edi/..."},
			Forbid:   []string{"crossdock.dev/integrations/edi/core"},
			Direct:   true,
			Reason:   "an assembly is for its own program and for tests",
		},
	})
}

// ownCore says that a service's assembly is imported by its own program and by tests, and that a service knows no other.
func ownCore(service string) imports.Rule {
	return imports.Rule{
		Packages: []string{"crossdock.dev/..."},
		Except:   []string{"crossdock.dev/tests/...", "crossdock.dev/services/" + service + "/..."},
		Forbid:   []string{"crossdock.dev/services/" + service + "/..."},
		Direct:   true,
		Reason:   "a service is reached by its contract; its assembly is for its own program and for tests",
	}
}
