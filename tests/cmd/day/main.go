// Day plays the working day against a running suite: customers, carriers and the users of the enterprise do what they do in three
// weeks, and what comes of it is held against what was worked out by hand. It prints a line for each day that goes by, then the
// cases as a table. It exits with 1 and names every difference when a figure is not what it must be.
//
//	day [-run FILE] [-day DIR] [-summary FILE] [-once]
//
// The file is run.json of `crossdock up --story-clock`; CROSSDOCK_RUN names it too. It may be ended at any moment, also with kill
// -9: started again, it goes on where it was.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
	_ "time/tzdata"

	"crossdock.dev/tests/conductor"
	"crossdock.dev/tests/outcome"
	"crossdock.dev/tests/story"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "day:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	runFile := flag.String("run", os.Getenv("CROSSDOCK_RUN"), "run.json of the running suite")
	dayDir := flag.String("day", filepath.Join("tests", "day"), "folder of the day's data")
	summary := flag.String("summary", "", "file to write the day's figures to, as JSON")
	once := flag.Bool("once", false, "the suite is stopped afterwards: do not say where to look")
	flag.Parse()
	begun := time.Now()
	r, err := story.ReadRun(*runFile)
	if err != nil {
		return err
	}
	suite, err := story.Connect(r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, suite.Close()) }()
	d := day{run: r, suite: suite, data: os.DirFS(*dayDir), own: filepath.Join(r.DataDir, "day")}
	if d.live, err = conductor.Conduct(r, suite); err != nil {
		return err
	}
	played, err := d.played()
	if err != nil {
		return err
	}
	stopped := true
	if played {
		fmt.Println("The day has been played on this data; here is what has come of it. `make clean` begins anew.")
	} else if stopped, err = d.play(ctx); err != nil {
		return err
	}
	expected, err := outcome.ReadExpected(d.data)
	if err != nil {
		return err
	}
	reading, err := outcome.Read(ctx, suite.Conn)
	if err != nil {
		return err
	}
	o, err := expected.Judge(reading, stopped, time.Since(begun), conductor.End.Sub(conductor.Start))
	if err != nil {
		return err
	}
	if *summary != "" {
		o.Summary.Discovery = r.Discovery
		if err := d.write(*summary, o.Summary); err != nil {
			return err
		}
	}
	fmt.Println()
	if err := o.Tell(os.Stdout); err != nil {
		return err
	}
	if !played { // else people may have worked on since
		for _, difference := range o.Differences {
			fmt.Fprintln(os.Stderr, difference)
		}
		if n := len(o.Differences); n > 0 {
			return fmt.Errorf("%d figures are not what they must be", n)
		}
		fmt.Printf("\nEvery figure is what was worked out by hand; all invariants hold. %.1f s for three weeks.\n", time.Since(begun).Seconds())
		if err := d.done(); err != nil {
			return err
		}
	}
	if *once {
		return nil
	}
	return d.look(ctx)
}

// day is a suite on which the day is played.
type day struct {
	run   story.Run
	suite *story.Live
	live  *conductor.Live
	data  fs.FS
	own   string // what the players keep, beside the suite's data
}

// mark says that the day was played to its end and found right.
func (d day) mark() string { return filepath.Join(d.own, "played") }

func (d day) played() (bool, error) {
	_, err := os.Stat(d.mark())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// play plays to the end of the day; stopped says whether a service was stopped on the way.
func (d day) play(ctx context.Context) (stopped bool, err error) {
	players, err := conductor.Cast(conductor.Stage{
		Day: d.data, Own: d.own, Inbox: d.live.Inbox(), Outbox: d.live.OutboxDir(), Conn: d.suite.Conn, REST: d.suite.REST,
	})
	if err != nil {
		return false, err
	}
	p := newProgress(os.Stderr)
	c := conductor.Config{
		Suite: d.live, Players: players, Outages: []conductor.Outage{conductor.FreightStops}, Own: d.own, End: conductor.End, Said: p.moment,
	}
	if err := conductor.Play(ctx, c); err != nil {
		return false, err
	}
	p.end()
	return c.Stopped(), nil
}

// done notes that the day was played and lets business time go on from here with the machine's.
func (d day) done() error {
	if err := d.suite.LetGo(); err != nil {
		return err
	}
	return os.WriteFile(d.mark(), nil, 0o600)
}

func (d day) write(path string, s outcome.Summary) error {
	form, err := outcome.ReadForm(d.data)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := s.Write(&out, form); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

// look says where to look, with a call of each kind to try.
func (d day) look(ctx context.Context) error {
	secret, err := d.suite.Secret(ctx, "parties/CUS-XYZ")
	if err != nil {
		return err
	}
	_, err = fmt.Printf(`
Look at it
  control tower   %[1]s
  a case          bin/crossdock explain %[2]s
  the books       bin/crossdock ledger balance
  verify          bin/crossdock verify
REST, as a customer
  curl -s -H 'Authorization: Bearer %[3]s' %[4]s/v1/invoices
gRPC, as a person of the enterprise (with grpcurl, or bin/crossdock orders list)
  grpcurl -cacert %[5]s/ca.crt -cert %[5]s/user-dev.crt -key %[5]s/user-dev.key -authority orders \
    -d '{}' %[6]s crossdock.orders.v1.OrderService/ListOrders
`, d.run.TowerURL, story.PurchaseOrder, secret, d.run.EdgeURL, d.run.PKIDir, d.run.Services["orders"].GRPC)
	return err
}
