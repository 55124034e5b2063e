package capabilities

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	edgev1 "crossdock.dev/gen/crossdock/edge/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	governancev1 "crossdock.dev/gen/crossdock/governance/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/rpc"
)

// s5 is the governance of APIs.
var s5 = []Capability{
	{ID: "S5.1", What: "two services that expose the same resource fail the build", Check: overlaps},
	{ID: "S5.2", What: "a change that breaks a contract fails the build and is shown", Check: breakingChange, Programs: true},
	{ID: "S5.3", What: "versions with deprecation and sunset headers", Missing: "methods say their lifecycle; no Sunset header, no list of consumers by version"},
	{ID: "S5.4", What: "adapters hold mappings and no business rule", Check: thinAdapters},
	{ID: "S5.5", What: "system, process and experience methods, and who may call them", Check: tiers, Programs: true},
	{ID: "S5.6", What: "standards of payloads and names, linted", Check: contractsLinted, Programs: true},
	{ID: "S5.7", What: "a partner sees nothing of another's, and the try is on record", Check: foreignPartner, Programs: true},
	{ID: "S5.8", What: "retry policies by method, with metrics", Missing: "methods say whether a repeat is safe; no budgets, no metrics of retries"},
	{ID: "S5.9", What: "owner, target and error budget of each interface", Missing: "methods say owner and target; nobody counts the budget"},
	{ID: "S5.10", What: "draft, published, deprecated, retired, with approval", Missing: "the state stands in the contract; there is no approval"},
	{ID: "S5.11", What: "carriers, 3PLs, customs brokers and portals, each with its own door", Missing: "there are customers and carriers"},
	{ID: "S5.12", What: "master data apart from transactions, with no reference that leads nowhere", Check: noOrphans},
	{ID: "S5.13", What: "the five canonical events, registered, versioned, told", Check: canonicalEvents},
	{ID: "S5.14", What: "authentication, throttling, validation and audit on both surfaces", Missing: "throttling inside is by load, and the log of refusals can be edited"},
	{ID: "S5.15", What: "what breaks when a field changes", Missing: "no register of consumers by field"},
	{ID: "S5.16", What: "recorded traffic replayed against a new connector", Missing: "documents are kept; nothing replays them against another version"},
}

// exposed is a resource and the contract that exposes it.
type exposed struct{ resource, contract string }

// exposures are what the methods of the contracts expose: the resource that a method gets, lists, creates or changes, and the
// first collection in its path for partners. The log that every service has is one contract, and is left out.
func exposures() []exposed {
	var out []exposed
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		contract := string(f.Package())
		if !strings.HasPrefix(contract, "crossdock.") || contract == "crossdock.eventlog.v1" {
			return true
		}
		for i := range f.Services().Len() {
			for j := range f.Services().Get(i).Methods().Len() {
				m := f.Services().Get(i).Methods().Get(j)
				for _, verb := range []string{"Get", "Create", "Update"} {
					if noun, ok := strings.CutPrefix(string(m.Name()), verb); ok {
						out = append(out, exposed{noun, contract})
					}
				}
				rule, ok := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
				if !ok || rule == nil {
					continue
				}
				path := strings.TrimPrefix(rule.GetGet()+rule.GetPost(), "/v1/")
				if _, name, ok := strings.Cut(path, "="); ok {
					path = name
				}
				out = append(out, exposed{"/v1/" + path[:len(path)-len(strings.TrimLeft(path, letters))], contract})
			}
		}
		return true
	})
	return out
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// overlap names what two contracts expose.
func overlap(list []exposed) []string {
	by, out := map[string]string{}, []string{}
	for _, x := range list {
		if known := by[x.resource]; known != "" && known != x.contract {
			out = append(out, fmt.Sprintf("%s is exposed by %s and %s", x.resource, known, x.contract))
		}
		by[x.resource] = x.contract
	}
	return out
}

func overlaps(_ context.Context, _ *World) (e Evidence, err error) {
	list := exposures()
	resources := map[string]bool{}
	for _, x := range list {
		resources[x.resource] = true
	}
	if !resources["Order"] || !resources["/v1/orders"] || !resources["Load"] || len(resources) < 25 {
		return e, fmt.Errorf("%d resources found: %v", len(resources), resources)
	}
	if found := overlap(list); len(found) > 0 {
		return e, fmt.Errorf("%s", strings.Join(found, "; "))
	}
	e.say("%d resources and paths, each of one contract", len(resources))
	found := overlap(append(list, exposed{"/v1/orders", "crossdock.portal.v1"}))
	e.say("with a second service at /v1/orders: %s", strings.Join(found, "; "))
	return e, same("findings with a second service", len(found), 1)
}

// breakingChange takes a field away in a copy of the contracts and asks the build's own tool.
func breakingChange(ctx context.Context, w *World) (e Evidence, err error) {
	buf, err := w.buf(ctx)
	if err != nil {
		return e, err
	}
	dir, err := os.MkdirTemp("", "contracts")
	if err != nil {
		return e, err
	}
	defer func() { err = first(err, os.RemoveAll(dir)) }()
	if err := copyContracts(w.Root, dir); err != nil {
		return e, err
	}
	out, code, err := run(ctx, dir, buf, "breaking", "proto", "--against", filepath.Join(w.Root, "proto"))
	if err := first(err, same("exit status for contracts that did not change, "+out, code, 0)); err != nil {
		return e, err
	}
	file := filepath.Join(dir, "proto", "crossdock", "orders", "v1", "order.proto")
	raw, err := os.ReadFile(file)
	if err != nil {
		return e, err
	}
	changed := strings.Replace(string(raw), "string currency_code = 9 [", "int64 currency_code = 9; // [", 1)
	changed = strings.Replace(changed, `// [(buf.validate.field).string.pattern = "^([A-Z]{3})?$"];`, "", 1)
	if changed == string(raw) {
		return e, fmt.Errorf("%s has no currency_code to change", filepath.Base(file))
	}
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		return e, err
	}
	out, code, err = run(ctx, dir, buf, "breaking", "proto", "--against", filepath.Join(w.Root, "proto"))
	if err != nil {
		return e, err
	}
	if code == 0 || !strings.Contains(out, "currency_code") {
		return e, fmt.Errorf("a type was changed, and the check says %d: %s", code, out)
	}
	makefile, err := os.ReadFile(filepath.Join(w.Root, "Makefile"))
	if err != nil {
		return e, err
	}
	if !regexp.MustCompile(`(?m)^check:.* breaking( |$)`).Match(makefile) {
		return e, fmt.Errorf("make check does not compare the contracts")
	}
	e.say("contracts as they are: nothing breaks; the build compares them with the last release in make check")
	for _, line := range strings.Split(strings.TrimSpace(out), "\n")[:1] {
		e.say("type of Order.currency_code changed: refused, %s", line)
	}
	return e, nil
}

// buf is the build's own program for contracts.
func (w *World) buf(ctx context.Context) (string, error) {
	program := filepath.Join(w.Root, ".cache", "bin", "buf")
	for _, script := range []string{"tools.sh", "protos.sh"} {
		if out, code, err := run(ctx, w.Root, filepath.Join(w.Root, "build", script)); err != nil || code != 0 {
			return "", fmt.Errorf("build/%s: %d %s: %w", script, code, out, err)
		}
	}
	_, err := os.Stat(program)
	return program, err
}

// copyContracts copies what the tool needs into another folder.
func copyContracts(root, dir string) error {
	for _, folder := range []string{"proto", filepath.Join(".cache", "protos")} {
		if err := os.CopyFS(filepath.Join(dir, folder), os.DirFS(filepath.Join(root, folder))); err != nil {
			return err
		}
	}
	raw, err := os.ReadFile(filepath.Join(root, "buf.yaml"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "buf.yaml"), raw, 0o600)
}

func thinAdapters(_ context.Context, w *World) (e Evidence, err error) {
	packages, err := imports(w.Root)
	if err != nil {
		return e, err
	}
	adapters := 0
	for pkg, list := range packages {
		if !strings.HasPrefix(pkg, "integrations/") {
			continue
		}
		adapters++
		for _, imported := range list {
			inside := strings.HasPrefix(imported, "crossdock.dev/")
			switch {
			case strings.HasPrefix(imported, "crossdock.dev/services/"):
				return e, fmt.Errorf("%s imports %s", pkg, imported)
			case pkg == "integrations/edi/x12" && strings.Contains(imported, "."):
				return e, fmt.Errorf("the codec imports %s", imported)
			case pkg == "integrations/edi/mapping" && inside && !strings.HasPrefix(imported, "crossdock.dev/kernel/") && imported != "crossdock.dev/integrations/edi/x12":
				return e, fmt.Errorf("the mapping imports %s", imported)
			}
		}
	}
	if adapters < 5 {
		return e, fmt.Errorf("%d packages of adapters found", adapters)
	}
	e.say("%d packages below integrations/: none imports a service's rules; the codec imports the standard library, the mapping kernel and codec", adapters)
	return e, nil
}

// tiers sorts the methods by tier and has one service call what another may call alone.
func tiers(ctx context.Context, w *World) (e Evidence, err error) {
	counts := map[governancev1.MethodPolicy_Tier]int{}
	for _, m := range methods() {
		counts[m.policy.GetTier()]++
	}
	if counts[governancev1.MethodPolicy_TIER_UNSPECIFIED] > 0 || len(counts) < 3 {
		return e, fmt.Errorf("methods by tier: %v", counts)
	}
	for _, tier := range []governancev1.MethodPolicy_Tier{governancev1.MethodPolicy_SYSTEM, governancev1.MethodPolicy_PROCESS, governancev1.MethodPolicy_EXPERIENCE} {
		e.say("%s: %d methods", tier, counts[tier])
	}
	pki, err := auth.DevPKI(filepath.Join(w.Programs.Dir, "pki"))
	if err != nil {
		return e, err
	}
	plan := &freightv1.CancelShipmentRequest{Name: "shipments/shp_00000000000000000000000000", Reason: "a try", RequestId: w.number("tier")}
	for caller, want := range map[string]codes.Code{"tower": codes.PermissionDenied, "workflow": codes.NotFound} {
		cc, err := rpc.Dial(rpc.ClientConfig{Target: "static:///" + w.Programs.addrs["freight"].GRPC, Service: "freight", Identity: pki.Service(caller)})
		if err != nil {
			return e, err
		}
		_, err = freightv1.NewFreightServiceClient(cc).CancelShipment(ctx, plan)
		e.say("freight.CancelShipment called by %s: %s", caller, status.Code(err))
		if err := first(same("code for "+caller, status.Code(err), want), cc.Close()); err != nil {
			return e, err
		}
	}
	return e, nil
}

func contractsLinted(ctx context.Context, w *World) (e Evidence, err error) {
	buf, err := w.buf(ctx)
	if err != nil {
		return e, err
	}
	out, code, err := run(ctx, w.Root, buf, "lint", "proto")
	if err := first(err, same("exit status, "+out, code, 0)); err != nil {
		return e, err
	}
	e.say("buf lint: no findings")
	dir, err := os.MkdirTemp("", "contracts")
	if err != nil {
		return e, err
	}
	defer func() { err = first(err, os.RemoveAll(dir)) }()
	if err := copyContracts(w.Root, dir); err != nil {
		return e, err
	}
	file := filepath.Join(dir, "proto", "crossdock", "orders", "v1", "events.proto")
	raw, err := os.ReadFile(file)
	if err != nil {
		return e, err
	}
	if err := os.WriteFile(file, append(raw, "\nmessage order_lost {\n  string Order = 1;\n}\n"...), 0o600); err != nil {
		return e, err
	}
	out, code, err = run(ctx, dir, buf, "lint", "proto")
	if err == nil && (code == 0 || !strings.Contains(out, "order_lost")) {
		err = fmt.Errorf("an event named against the rules is let through: %d %s", code, out)
	}
	e.say("an event named order_lost: refused, %s", strings.Split(out, "\n")[0])
	wrong := 0
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(f.Path(), "crossdock/") && strings.HasSuffix(f.Path(), "/v1/events.proto") {
			wrong += f.Messages().Len()
		}
		return true
	})
	e.say("%d events in the contracts", wrong)
	return e, err
}

// foreignPartner has a carrier and a customer ask for what is another's.
func foreignPartner(ctx context.Context, w *World) (e Evidence, err error) {
	load := w.Day.Loads[slices.IndexFunc(w.Day.Loads, func(l *freightv1.Load) bool { return l.GetCarrier() == "parties/CAR-CXEE" })]
	order := w.Day.Orders[slices.IndexFunc(w.Day.Orders, func(o *ordersv1.Order) bool { return o.GetCustomer() == "parties/CUS-PIN" })]
	if _, err := w.REST(ctx, "parties/CAR-CXEE", http.MethodGet, "/v1/"+load.GetName(), "", nil); err != nil {
		return e, fmt.Errorf("the carrier does not see its own load: %w", err)
	}
	for party, name := range map[string]string{"parties/CAR-CXAA": load.GetName(), "parties/CUS-HHS": order.GetName()} {
		_, err := w.REST(ctx, party, http.MethodGet, "/v1/"+name, "", nil)
		problem, err := refused(err)
		if err := first(err, same("status for "+party, problem.Status, http.StatusNotFound)); err != nil {
			return e, err
		}
		raw, err := os.ReadFile(filepath.Join(w.Programs.Dir, "logs", "edge.log"))
		if err != nil {
			return e, err
		}
		found := ""
		for line := range strings.Lines(string(raw)) {
			if strings.Contains(line, `"http_path":"/v1/`+name+`","http_status":404`) && strings.Contains(line, `"principal":"partner/`+bare(party)) {
				found = strings.TrimSpace(line)
			}
		}
		if found == "" {
			return e, fmt.Errorf("the edge has no record that %s asked for %s", party, name)
		}
		e.say("%s asks for %s: %d %s", bare(party), name, problem.Status, problem.Reason)
		e.say("on record: %s", found)
	}
	keys, err := edgev1.NewEdgeServiceClient(w.Conn("edge")).ListApiKeys(ctx, &edgev1.ListApiKeysRequest{})
	if err != nil {
		return e, err
	}
	e.say("%d keys, each for one party", len(keys.GetApiKeys()))
	return e, nil
}

// noOrphans asks masterdata for everything that orders and loads refer to.
func noOrphans(ctx context.Context, w *World) (e Evidence, err error) {
	names := map[string]bool{}
	for _, o := range w.Day.Orders {
		names[o.GetCustomer()], names[o.GetLegalEntity()], names[o.GetShipFrom()], names[o.GetShipTo()] = true, true, true, true
		for _, l := range o.GetLines() {
			names[l.GetItem()] = true
		}
	}
	for _, l := range w.Day.Loads {
		names[l.GetCarrier()], names[l.GetLane()] = true, true
	}
	delete(names, "")
	counts := map[string]int{}
	m := w.masterdata()
	for name := range names {
		kind, _, _ := strings.Cut(name, "/")
		switch counts[kind]++; kind {
		case "parties":
			_, err = m.GetParty(ctx, &masterdatav1.GetPartyRequest{Name: name})
		case "legalEntities":
			_, err = m.GetLegalEntity(ctx, &masterdatav1.GetLegalEntityRequest{Name: name})
		case "locations":
			_, err = m.GetLocation(ctx, &masterdatav1.GetLocationRequest{Name: name})
		case "items":
			_, err = m.GetItem(ctx, &masterdatav1.GetItemRequest{Name: name})
		case "lanes":
			_, err = m.GetLane(ctx, &masterdatav1.GetLaneRequest{Name: name})
		default:
			err = fmt.Errorf("%s is of no kind that masterdata has", name)
		}
		if err != nil {
			return e, fmt.Errorf("%s: %w", name, err)
		}
	}
	if _, err := m.GetItem(ctx, &masterdatav1.GetItemRequest{Name: "items/NS-NOTHING"}); status.Code(err) != codes.NotFound {
		return e, fmt.Errorf("an item that does not exist: %v", err)
	}
	for _, kind := range []string{"parties", "legalEntities", "locations", "items", "lanes"} {
		e.say("%d %s that orders and loads refer to are in masterdata", counts[kind], kind)
	}
	if !slices.ContainsFunc(w.Day.Checked, func(c string) bool { return strings.HasPrefix(c, "I8") }) {
		return e, fmt.Errorf("I8 was not checked")
	}
	for _, b := range w.Day.Breaches {
		if strings.HasPrefix(b, "I8") {
			return e, fmt.Errorf("%s", b)
		}
	}
	e.say("I8, references that lead nowhere: 0")
	return e, nil
}

func canonicalEvents(ctx context.Context, w *World) (e Evidence, err error) {
	day := func(path ...any) int {
		text, err1 := figure(w.Expected.Day, path...)
		n := 0
		if _, err2 := fmt.Sscan(text, &n); err1 != nil || err2 != nil {
			err = first(err, err1, err2)
		}
		return n
	}
	tenders, proofs := 0, 0
	for _, outcome := range []string{"ACCEPTED", "DECLINED", "EXPIRED", "WITHDRAWN"} {
		tenders += day("tenders", outcome)
	}
	for _, carrier := range []string{"CXAA", "CXBB", "CXCC", "CXDD", "CXEE"} {
		proofs += day("messages", carrier, "sets", "POD", "received")
	}
	invoices := day("invoices", "ISSUED", "USD", "count") + day("invoices", "ISSUED", "EUR", "count")
	want := []struct {
		name, service, event string
		count                int
	}{
		// Each order of the day was released once, all that were delivered in whole or part had left, and each invoice was approved once.
		{"order released", "orders", "OrderReleased", day("orders", "total")},
		{"load tendered", "freight", "LoadTendered", tenders},
		{"shipment departed", "freight", "ShipmentDeparted", day("orders", "fulfilment", "DELIVERED") + day("orders", "fulfilment", "PARTLY_DELIVERED")},
		{"proof of delivery received", "freight", "ProofOfDeliveryReceived", proofs},
		{"invoice approved", "billing", "InvoiceApproved", invoices},
	}
	if err != nil {
		return e, err
	}
	for _, x := range want {
		full := protoreflect.FullName("crossdock." + x.service + ".v1." + x.event)
		if _, err := protoregistry.GlobalTypes.FindMessageByName(full); err != nil {
			return e, fmt.Errorf("%s is not registered: %w", full, err)
		}
		facts, err := w.facts(ctx, x.service, 0)
		if err != nil {
			return e, err
		}
		n, last := 0, ""
		for _, f := range facts {
			if f.GetType() == x.event && !f.head.GetApplyTime().AsTime().After(dayEnd) {
				n++
				last = fmt.Sprintf("%s/%d/%d", f.head.GetPosition().GetLog(), f.head.GetPosition().GetEpoch(), f.head.GetPosition().GetSequence())
				if got := string(f.message.ProtoReflect().Descriptor().FullName()); got != string(full) {
					return e, fmt.Errorf("%s has the payload %s", x.event, got)
				}
			}
		}
		e.say("%s: %s, told %d times, last as %s", x.name, full, n, last)
		if err := same(x.event, n, x.count); err != nil {
			return e, err
		}
	}
	if w.Programs == nil {
		return e, nil
	}
	out, code, err := w.Programs.cli(ctx, "events", "tail", "--service", "billing", "--from", "1", "--follow=false")
	if err == nil && strings.Count(out, "InvoiceApproved") < invoices {
		err = fmt.Errorf("crossdock events tail tells InvoiceApproved %d times, want %d", strings.Count(out, "InvoiceApproved"), invoices)
	}
	return e, first(err, same("exit status", code, 0))
}
