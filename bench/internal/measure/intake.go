package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"

	"crossdock.dev/bench/internal/load"
	"crossdock.dev/bench/internal/report"
	"crossdock.dev/bench/internal/suite"
)

// withLoads starts programs on stores with the configured number of booked loads, which are booked once.
func (r *runner) withLoads(ctx context.Context, names ...string) (*suite.Running, error) {
	if err := r.reset(); err != nil {
		return nil, err
	}
	kept := filepath.Join(r.Home.Dir, "booked")
	if r.offers == nil {
		if err := r.book(ctx); err != nil {
			return nil, err
		}
		if err := r.Home.Keep(kept); err != nil {
			return nil, err
		}
	} else if err := r.Home.PutBack(kept); err != nil {
		return nil, err
	}
	return r.Home.Only(ctx, names...)
}

// book has loads booked, through all programs.
func (r *runner) book(ctx context.Context) (err error) {
	run, err := r.Home.Only(ctx, suite.Names()...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Stop()) }()
	f, err := r.newFlows(ctx, run)
	if err != nil {
		return err
	}
	r.progress("having %d loads booked", r.Loads)
	var mu sync.Mutex
	_, err = load.Run(ctx, load.Plan{Workers: r.Flows, Count: r.Loads}, func(ctx context.Context, t load.Turn) error {
		x := &flow{f, t, t.Start}
		_, offer, err := x.offered(ctx)
		if err == nil {
			err = x.accept(ctx, offer)
		}
		mu.Lock()
		defer mu.Unlock()
		r.offers = append(r.offers, offer)
		return err
	})
	return errors.Join(err, f.close())
}

// claim is the i-th thing of n that a carrier reports of a load: the journey, with news from the road between.
func claim(i, n uint64) (m freightv1.Milestone, stop int32) {
	switch i {
	case 0:
		return freightv1.Milestone_ARRIVED_PICKUP, 1
	case 1:
		return freightv1.Milestone_DEPARTED_PICKUP, 1
	case n - 2:
		return freightv1.Milestone_ARRIVED_DELIVERY, 2
	case n - 1:
		return freightv1.Milestone_DELIVERED, 2
	}
	return freightv1.Milestone_IN_TRANSIT, 0
}

// milestoneIntake reports milestones to freight by gRPC, as the adapter does.
func milestoneIntake(ctx context.Context, r *runner) (err error) {
	limit, err := r.limit(ctx, limitEchoWriterLoop)
	if err != nil {
		return err
	}
	run, err := r.withLoads(ctx, "masterdata", "freight")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Stop()) }()
	conns, err := run.Dial(r.Conns, "freight", adapter)
	if err != nil {
		return err
	}
	defer conns.Close()
	clients := make([]freightv1.FreightServiceClient, len(conns))
	for i, c := range conns {
		clients[i] = freightv1.NewFreightServiceClient(c)
	}
	loads, begun := uint64(len(r.offers)), time.Now().Add(-time.Hour)
	// A load's claims come in their order, one after the other: a worker reports all of one load at a time.
	f, result, err := r.measured(ctx, "milestone-intake", "grpc", load.Plan{Workers: int(min(loads, uint64(r.Callers))), Count: loads}, servers(run, "freight"),
		func(ctx context.Context, t load.Turn) error {
			for i := range r.Claims {
				m, stop := claim(i, r.Claims)
				_, err := clients[t.Worker%len(clients)].ReportMilestone(ctx, &freightv1.ReportMilestoneRequest{
					Parent: r.offers[t.N].GetLoad().GetName(), RequestId: uuid.NewString(),
					Claim: &freightv1.Claim{Milestone: m, Stop: stop, OccurTime: timestamppb.New(begun.Add(time.Duration(i) * time.Minute))},
				})
				if err != nil {
					return fmt.Errorf("report %v: %w", m, err)
				}
			}
			return nil
		})
	if err != nil {
		return err
	}
	perLoad(&f, result, r.Claims)
	f.AgainstLimit(limitEchoWriterLoop, limit)
	if err := r.checkClaims(ctx, run); err != nil {
		return err
	}
	return r.found(f)
}

// perLoad makes a figure of loads one of claims. A load's claims follow each other, so each took its share of the time.
func perLoad(f *report.Figure, result load.Result, claims uint64) {
	n := float64(claims)
	f.Ops, f.Rate, f.CPU, f.P50, f.P99 = result.Ops*claims, f.Rate*n, f.CPU/n, f.P50/n, f.P99/n
}

// checkClaims holds what freight has of each load against what was acknowledged.
func (r *runner) checkClaims(ctx context.Context, run *suite.Running) error {
	conns, err := run.Dial(1, "freight", "")
	if err != nil {
		return err
	}
	defer conns.Close()
	freight := freightv1.NewFreightServiceClient(conns[0])
	for _, o := range r.offers {
		resp, err := freight.ListClaims(ctx, &freightv1.ListClaimsRequest{Parent: o.GetLoad().GetName(), PageSize: 500})
		if err != nil {
			return err
		}
		if got := uint64(len(resp.GetClaims())); got != r.Claims {
			return fmt.Errorf("%s has %d claims, %d were acknowledged", o.GetLoad().GetName(), got, r.Claims)
		}
	}
	return nil
}

// setsPerFile is how many 214s come in one interchange.
const setsPerFile = 50

// milestoneIntakeX12 puts files of 214s into the inbox of edi and waits until freight has told of every one.
func milestoneIntakeX12(ctx context.Context, r *runner) (err error) {
	limit, err := r.limit(ctx, limitEchoWriterLoop)
	if err != nil {
		return err
	}
	run, err := r.withLoads(ctx, "masterdata", "freight", "edi")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Stop()) }()
	files := r.statuses(time.Now())
	log, err := dialLog(run, "freight")
	if err != nil {
		return err
	}
	defer log.Close()
	end, err := log.GetLog(ctx, &eventlogv1.GetLogRequest{})
	if err != nil {
		return err
	}
	want := uint64(len(r.offers)) * r.Claims
	m := meter{servers: servers(run, "edi", "freight")}
	if err := m.begin(); err != nil {
		return err
	}
	prof := r.profile(ctx, "milestone-intake-x12", m.servers, r.Window)
	begun := time.Now()
	inbox := filepath.Join(r.Home.Data("edi"), "inbox")
	if err := os.MkdirAll(inbox, 0o700); err != nil {
		return err
	}
	for i, file := range files {
		name := fmt.Sprintf("214-%04d.edi", i)
		if err := errors.Join(os.WriteFile(filepath.Join(inbox, "."+name+".part"), []byte(file), 0o600),
			os.Rename(filepath.Join(inbox, "."+name+".part"), filepath.Join(inbox, name))); err != nil {
			return err
		}
	}
	if err := awaitFacts(ctx, log, end.GetLast(), "MilestoneRecorded", want); err != nil {
		return err
	}
	took := time.Since(begun)
	if err := errors.Join(m.end(), prof.wait()); err != nil {
		return err
	}
	if err := r.checkClaims(ctx, run); err != nil {
		return err
	}
	f := report.Figure{Name: "milestone-intake-x12", Variant: fmt.Sprintf("sets=%d", setsPerFile), Ops: want, Rate: float64(want) / took.Seconds(), Servers: m.names()}
	f.CPU, f.More = m.perOp(want)
	f.AgainstLimit(limitEchoWriterLoop, limit)
	return r.found(f)
}

// awaitFacts reads a log on until it has told so many facts of a type.
func awaitFacts(ctx context.Context, log logOf, after *eventlogv1.Position, kind string, want uint64) error {
	ctx, cancel := context.WithTimeout(ctx, flowTimeout)
	defer cancel()
	stream, err := log.TailEntries(ctx, &eventlogv1.TailEntriesRequest{After: after})
	if err != nil {
		return err
	}
	for got := uint64(0); got < want; {
		resp, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("after %d of %d %s: %w", got, want, kind, err)
		}
		n, err := countFacts(resp.GetEntries(), kind)
		if err != nil {
			return err
		}
		got += n
	}
	return nil
}

// codes are how CXBB writes milestones, by its agreement with us, and where they happen.
var codes = map[freightv1.Milestone][2]string{
	freightv1.Milestone_ARRIVED_PICKUP: {"X3", "COLUMBUS*OH"}, freightv1.Milestone_DEPARTED_PICKUP: {"AF", "COLUMBUS*OH"},
	freightv1.Milestone_IN_TRANSIT: {"X6", "COLUMBUS*OH"}, freightv1.Milestone_ARRIVED_DELIVERY: {"X1", "PITTSBURGH*PA"},
	freightv1.Milestone_DELIVERED: {"D1", "PITTSBURGH*PA"},
}

// zone is the time of day that CXBB writes.
const zone = "America/New_York"

// statuses are interchanges of X12 214 that report the loads' milestones (X12 004010: B10, L11, LX, AT7, MS1), the first of each load
// before the second of any.
func (r *runner) statuses(now time.Time) []string {
	local := now
	if at, err := time.LoadLocation(zone); err == nil {
		local = now.In(at)
	}
	var sets []string
	for i := range r.Claims {
		m, stop := claim(i, r.Claims)
		at := local.Add(-time.Hour).Add(time.Duration(i) * time.Minute)
		for _, o := range r.offers {
			number := o.GetLoad().GetNumber()
			segments := []string{"B10*PRO" + number + "*" + number + "*CXBB"}
			if stop > 0 {
				segments = append(segments, fmt.Sprintf("L11*%d*QN", stop))
			}
			segments = append(segments, "LX*1", fmt.Sprintf("AT7*%s*NS***%s*%s", codes[m][0], at.Format("20060102"), at.Format("1504")), "MS1*"+codes[m][1]+"*US")
			sets = append(sets, strings.Join(segments, "~"))
		}
	}
	var files []string
	for len(sets) > 0 {
		n := min(len(sets), setsPerFile)
		files = append(files, interchange(len(files)+1, sets[:n], local))
		sets = sets[n:]
	}
	return files
}

// interchange wraps sets in one group (X12 004010 ISA, GS, ST, SE, GE, IEA).
func interchange(control int, sets []string, at time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ISA*00*          *00*          *02*CXBB           *ZZ*NORTHLINE      *%s*%s*U*00401*%09d*0*P*>~", at.Format("060102"), at.Format("1504"), control)
	fmt.Fprintf(&b, "GS*QM*CXBB*NORTHLINE*%s*%s*%d*X*004010~", at.Format("20060102"), at.Format("1504"), control)
	for i, set := range sets {
		fmt.Fprintf(&b, "ST*214*%04d~%s~SE*%d*%04d~", i+1, set, strings.Count(set, "~")+3, i+1)
	}
	fmt.Fprintf(&b, "GE*%d*%d~IEA*1*%09d~", len(sets), control, control)
	return b.String()
}
