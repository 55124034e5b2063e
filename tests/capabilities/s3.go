package capabilities

import (
	"context"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	governancev1 "crossdock.dev/gen/crossdock/governance/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/tests/outcome"
	"crossdock.dev/tests/story"
)

// s3 is the architecture.
var s3 = []Capability{
	{ID: "S3.1", What: "a field is changed by its system of record alone", Missing: "there is no matrix of who owns which field, and no ERP that would own some"},
	{ID: "S3.2", What: "each service owns its store", Check: ownStores, Programs: true},
	{ID: "S3.3", What: "synchronous calls by gRPC and REST: latency of each method, deadlines, typed errors", Check: synchronous, Kind: Acts, Programs: true},
	{ID: "S3.4", What: "asynchronous facts: with a follower stopped commands succeed, the backlog grows and drains", Check: backlogDrains, Kind: Disturbs, Programs: true},
	{ID: "S3.5", What: "declared mappings with a playground and a report of what is not mapped", Missing: "mappings are code with tests; there is no playground and no coverage report"},
	{ID: "S3.6", What: "a page of policies with what they allowed and denied", Missing: "policies stand in the contracts; there is no page and no counts by policy"},
	{ID: "S3.7", What: "adapters hang on the hub and on no other adapter", Missing: "there is one adapter, so nothing can be shown of two"},
	{ID: "S3.8", What: "a catalogue of services, events, policies and monitoring", Missing: "no page lists every event with owner, version and consumers"},
	{ID: "S3.9", What: "REST for orders, customers, billing and financial status", Missing: "customers and the ledger have no REST"},
	{ID: "S3.10", What: "adapters for ERP, TMS, WMS, carrier APIs, EDI and finance", Missing: "there is EDI, and a REST door for carriers and customers; no others"},
	{ID: "S3.11", What: "latency from what happened to what is shown, as a histogram", Missing: "the three times of a fact are kept; no histogram is made of them"},
	{ID: "S3.12", What: "from an invoice line to the message, the segment and its sender", Check: lineage},
}

// ownStores looks at which files each running program has open, and at who knows whose code.
func ownStores(_ context.Context, w *World) (e Evidence, err error) {
	stores, err := filepath.Glob(filepath.Join(w.Programs.Dir, "data", "*", "*.db"))
	if err != nil {
		return e, err
	}
	if err := same("stores", len(stores), len(outcome.Services)); err != nil {
		return e, err
	}
	for _, service := range outcome.Services {
		own := filepath.Join(w.Programs.Dir, "data", service) + string(filepath.Separator)
		pids := w.Programs.PIDs(service)
		open, err := openFiles(pids[len(pids)-1])
		if err != nil {
			return e, err
		}
		mine := 0
		for _, file := range open {
			switch {
			case !strings.HasSuffix(file, ".db"):
			case !strings.HasPrefix(file, own):
				return e, fmt.Errorf("%s has %s open", service, file)
			default:
				mine++
			}
		}
		if mine == 0 && open != nil {
			return e, fmt.Errorf("%s has no store open", service)
		}
		e.say("%s, pid %d: data/%s/%s.db and no other store", service, pids[len(pids)-1], service, service)
	}
	packages, err := imports(w.Root)
	if err != nil {
		return e, err
	}
	seen := 0
	for _, pkg := range slices.Sorted(maps.Keys(packages)) {
		owner, isService := strings.CutPrefix(pkg, "services/")
		owner, _, _ = strings.Cut(owner, "/")
		for _, imported := range packages[pkg] {
			other, ok := strings.CutPrefix(imported, "crossdock.dev/services/")
			other, _, _ = strings.Cut(other, "/")
			switch {
			case isService && ok && other != owner:
				return e, fmt.Errorf("%s imports %s", pkg, imported)
			case imported == "go.etcd.io/bbolt" && pkg != "platform/store":
				return e, fmt.Errorf("%s opens a store by itself", pkg)
			}
		}
		if isService {
			seen++
		}
	}
	e.say("%d packages of services read: none imports another service's, none but platform/store imports the storage engine", seen)
	return e, first(same("stores and services", len(stores), len(outcome.Services)))
}

// openFiles are the files that a process has open, as Linux tells; nil where the system does not tell.
func openFiles(pid int) ([]string, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	out := []string{}
	for _, entry := range entries {
		if to, err := os.Readlink(filepath.Join(dir, entry.Name())); err == nil { // closed meanwhile
			out = append(out, to)
		}
	}
	return out, err
}

// imports are what the packages of the project import, tests left out, by folder.
func imports(root string) (map[string][]string, error) {
	out := map[string][]string{}
	for _, top := range []string{"kernel", "platform", "services", "integrations", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, filepath.Dir(path))
			if err != nil {
				return err
			}
			for _, i := range file.Imports {
				name, err := strconv.Unquote(i.Path.Value)
				if err != nil {
					return err
				}
				out[filepath.ToSlash(rel)] = append(out[filepath.ToSlash(rel)], name)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(out) < 50 {
		return nil, fmt.Errorf("%d packages found in %s: that is not the project's folder", len(out), root)
	}
	return out, nil
}

// method is a method of a contract with its policy.
type method struct {
	full   string // "/crossdock.orders.v1.OrderService/CreateOrder"
	policy *governancev1.MethodPolicy
}

// methods are all methods of all contracts.
func methods() []method {
	var out []method
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for j := range s.Methods().Len() {
				m := s.Methods().Get(j)
				if policy, ok := proto.GetExtension(m.Options(), governancev1.E_Method).(*governancev1.MethodPolicy); ok && policy != nil {
					out = append(out, method{fmt.Sprintf("/%s/%s", s.FullName(), m.Name()), policy})
				}
			}
		}
		return true
	})
	slices.SortFunc(out, func(a, b method) int { return strings.Compare(a.full, b.full) })
	return out
}

func synchronous(ctx context.Context, w *World) (e Evidence, err error) {
	shownMethods := map[string]bool{"CreateOrder": true, "GetOrder": true, "PlanShipment": true, "ReportMilestone": true, "AuthorizeBilling": true, "SubmitFreightBill": true}
	seen := 0
	for _, service := range []string{"orders", "freight", "billing"} {
		text, err := w.Programs.metrics(ctx, service)
		if err != nil {
			return e, err
		}
		for _, m := range methods() {
			if !strings.Contains(m.full, ".v1.") || !strings.Contains(text, `crossdock_rpc_seconds_count{method="`+m.full+`"}`) {
				continue
			}
			p50, n, err1 := quantile(text, m.full, 50)
			p99, _, err2 := quantile(text, m.full, 99)
			if err := first(err1, err2); err != nil {
				return e, err
			}
			if n == 0 {
				return e, fmt.Errorf("%s was never counted", m.full)
			}
			seen++
			if name := m.full[strings.LastIndexByte(m.full, '/')+1:]; shownMethods[name] {
				e.say("%s.%s: %d calls, p50 up to %s s, p99 up to %s s, promised %s", service, name, n, p50, p99, m.policy.GetSlo().GetP99().AsDuration())
			}
		}
	}
	if seen < 10 {
		return e, fmt.Errorf("only %d methods have a latency", seen)
	}
	e.say("%d methods of three services have a histogram of their own", seen)
	_, err = w.orders().GetOrder(ctx, &ordersv1.GetOrderRequest{Name: "orders/ord_00000000000000000000000000"})
	r := rpcerr.From(err)
	if err := first(same("code", status.Code(err), codes.NotFound), same("reason", r.Reason, "NOT_FOUND")); err != nil {
		return e, err
	}
	e.say("gRPC: a missing order is %s with reason %s of %s", status.Code(err), r.Reason, r.Domain)
	_, err = w.REST(ctx, "parties/CUS-HHS", http.MethodPost, "/v1/orders", w.number("bad"), []byte(`{"customerOrderNumber":"","mode":"SHIP"}`))
	problem, err := refused(err)
	if err := first(err, same("status", problem.Status, http.StatusBadRequest)); err != nil {
		return e, err
	}
	e.say("REST: a wrong order is %d with reason %s: %s", problem.Status, problem.Reason, problem.Detail)
	late, cancel := context.WithTimeout(ctx, 1)
	defer cancel()
	_, err = ordersv1.NewOrderServiceClient(w.Conn("orders")).ListOrders(late, &ordersv1.ListOrdersRequest{})
	e.say("a call whose deadline has passed: %s", status.Code(err))
	return e, same("code after the deadline", status.Code(err), codes.DeadlineExceeded)
}

// quantile is the bound in seconds below which so many of a hundred calls of a method stayed, as its histogram tells.
func quantile(text, method string, percent uint64) (bound string, calls uint64, err error) {
	type bucket struct {
		le string
		n  uint64
	}
	var buckets []bucket
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, `crossdock_rpc_seconds_bucket{method="`+method+`",le="`)
		if !ok {
			continue
		}
		le, count, _ := strings.Cut(strings.TrimSpace(rest), `"} `)
		n, err := strconv.ParseUint(count, 10, 64)
		if err != nil {
			return "", 0, fmt.Errorf("%q is no count", line)
		}
		buckets = append(buckets, bucket{le, n})
	}
	if len(buckets) == 0 {
		return "", 0, fmt.Errorf("no histogram of %s", method)
	}
	calls = buckets[len(buckets)-1].n
	for _, b := range buckets {
		if 100*b.n >= percent*calls {
			return b.le, calls, nil
		}
	}
	return "+Inf", calls, nil
}

// lineage follows the first line of the day's first invoice down to the bytes that its customer and its carrier sent.
func lineage(ctx context.Context, w *World) (e Evidence, err error) {
	found, err := w.tower().Explain(ctx, &towerv1.ExplainRequest{Reference: story.PurchaseOrder, Amount: "*"})
	if err != nil {
		return e, err
	}
	sent, err := os.ReadFile(filepath.Join(w.Root, "tests", "day", "x12", "850.edi"))
	if err != nil {
		return e, err
	}
	// What the customer's file says of line 1, and what the carrier said of the delivery (page 01: 09:20 in Solon).
	want := []struct{ figure, segment, sender string }{
		{"goods.1", "PO1*1*120*EA*9.25*", "parties/CUS-XYZ"},
		{"invoice", "AT7*D1*NS***20260304*0920", "parties/CAR-CXBB"},
	}
	if !strings.Contains(string(sent), want[0].segment) {
		return e, fmt.Errorf("the customer's file has no %s", want[0].segment)
	}
	for _, x := range want {
		i := slices.IndexFunc(found.GetThreads()[0].GetAmounts(), func(a *towerv1.Amount) bool { return a.GetKey() == x.figure })
		if i < 0 {
			return e, fmt.Errorf("no figure %s", x.figure)
		}
		figure := found.GetThreads()[0].GetAmounts()[i]
		reached := false
		for _, origin := range origins(figure.GetReason()) {
			if origin.GetDocument() == "" {
				continue
			}
			doc, err := w.edi().GetDocument(ctx, &ediv1.GetDocumentRequest{Name: origin.GetDocument()})
			if err != nil {
				return e, err
			}
			from, to := origin.GetOffset(), origin.GetOffset()+origin.GetLength()
			if from < 0 || to > int64(len(doc.GetContent())) || !strings.HasPrefix(string(doc.GetContent()[from:to]), x.segment) {
				continue
			}
			name, _, _ := strings.Cut(origin.GetSet(), "/sets/")
			in, err := w.edi().GetInterchange(ctx, &ediv1.GetInterchangeRequest{Name: name})
			if err := first(err, same("sender of "+name, in.GetParty(), x.sender)); err != nil {
				return e, err
			}
			reached = true
			e.say("%s, %s: %s in %s, bytes %d to %d of %.22s: %s; sent by %s as %s", figure.GetLabel(), amount(figure.GetValue()), origin.GetSetId(), name, from, to, origin.GetDocument(),
				strings.TrimSpace(string(doc.GetContent()[from:to])), x.sender, in.GetSender())
			break
		}
		if !reached {
			return e, fmt.Errorf("%s leads to no bytes with %s", x.figure, x.segment)
		}
	}
	return e, nil
}

// origins are the places in documents that a figure leads to.
func origins(r *towerv1.Reason) []*towerv1.Origin {
	var out []*towerv1.Origin
	for _, s := range r.GetSources() {
		if s.GetOrigin() != nil {
			out = append(out, s.GetOrigin())
		}
	}
	for _, c := range r.GetChildren() {
		out = append(out, origins(c)...)
	}
	return out
}

// backlogDrains stops freight, who follows others and is followed, and sends orders in meanwhile.
func backlogDrains(ctx context.Context, w *World) (e Evidence, err error) {
	at, err := w.opening()
	if err := first(err, w.until(ctx, at)); err != nil {
		return e, err
	}
	if err := w.Programs.hold(ctx, "freight"); err != nil {
		return e, err
	}
	held := true
	defer func() {
		if held {
			err = first(err, w.Programs.free("freight"))
		}
	}()
	var list []*journey
	for range 3 {
		j := w.journey(pumps)
		if err := j.post(ctx); err != nil {
			return e, err
		}
		list = append(list, j)
	}
	waiting := func() (n int, err error) {
		tasks, err := w.tasks(ctx, "workflow")
		for _, t := range tasks {
			if strings.Contains(t.GetKind(), "freight") || strings.Contains(t.GetKind(), "plan") {
				n++
			}
		}
		return n, err
	}
	backlog := 0
	if err := poll(ctx, func() (bool, error) {
		backlog, err = waiting()
		return backlog >= len(list), err
	}); err != nil {
		return e, fmt.Errorf("the backlog has %d: %w", backlog, err)
	}
	e.say("freight stopped at %s: %d orders were taken in, and %d commands wait for it in workflow", shown(w.Now()), len(list), backlog)
	for _, j := range list {
		order, err := w.order(ctx, j.po)
		if err := first(err, same("release of "+j.po, order.GetRelease(), ordersv1.Order_RELEASED)); err != nil {
			return e, err
		}
	}
	if held, err = false, w.Programs.free("freight"); err != nil {
		return e, err
	}
	if err := first(w.answers(ctx, "freight"), w.settle(ctx)); err != nil {
		return e, err
	}
	for _, j := range list {
		if err := j.read(ctx); err != nil {
			return e, err
		}
		if err := same("release of "+j.po, j.order.GetRelease(), ordersv1.Order_TENDERED); err != nil {
			return e, err
		}
		e.say("%s: one shipment, load %s, %s", j.po, j.load.GetNumber(), j.order.GetRelease())
	}
	left, err := waiting()
	e.say("freight started again: %d commands are left", left)
	return e, first(err, same("commands left", left, 0))
}
