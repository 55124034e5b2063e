package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Suite is a data folder and the `crossdock up` that runs on it.
type Suite struct {
	// Bin is the folder of the command line, Dir the data folder. Profiles is the file that says what is agreed with each EDI partner.
	Bin, Dir, Profiles string
	// Programs is the folder of the services' programs; empty is that of the command line.
	Programs string
	// Discovery is how programs find each other; empty leaves it to up.
	Discovery string
	// PortBase is what the ports are counted from; zero takes ports that no other suite has.
	PortBase int
	// Patience is how long a program may take for anything; zero is for ever.
	Patience time.Duration
	// Up is the `crossdock up` that was started last.
	Up *Program
}

// Command is a command of the command line, on the suite's data.
func (s *Suite) Command(ctx context.Context, args ...string) *exec.Cmd {
	all := []string{"--data", s.Dir}
	if s.Programs != "" {
		all = append(all, "--bin", s.Programs)
	}
	return exec.CommandContext(ctx, filepath.Join(s.Bin, "crossdock"), append(all, args...)...)
}

// Start runs `crossdock up` by the story's clock, and by more flags. It does not wait.
func (s *Suite) Start(flags ...string) (err error) {
	args := []string{"up", "--story-clock", "--port-base", strconv.Itoa(s.PortBase), "--profiles", s.Profiles}
	if s.Discovery != "" {
		args = append(args, "--discovery", s.Discovery)
	}
	s.Up, err = Start(s.Command(context.Background(), append(args, flags...)...), s.Patience)
	return err
}

// Launch starts the suite; it ends with the test.
func (s *Suite) Launch(t testing.TB, flags ...string) {
	t.Helper()
	if err := s.Start(flags...); err != nil {
		t.Fatal(err)
	}
	s.Up.EndWith(t)
}

// TellLogs makes a test that failed show the ends of the programs' logs.
func (s *Suite) TellLogs(t testing.TB) {
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		logs, err := filepath.Glob(s.Log("*"))
		if err != nil {
			t.Error(err)
		}
		for _, log := range logs {
			if raw, err := os.ReadFile(log); err == nil {
				t.Logf("the end of %s:\n%s", filepath.Base(log), tail(string(raw)))
			}
		}
	})
}

// Ready waits until all programs are.
func (s *Suite) Ready(ctx context.Context) error {
	return s.Up.AwaitText(ctx, "DEVELOPMENT on loopback")
}

// RunFile says where the suite runs.
func (s *Suite) RunFile() string { return filepath.Join(s.Dir, "run.json") }

// Log is the file of a program's log.
func (s *Suite) Log(name string) string { return filepath.Join(s.Dir, "logs", name+".log") }

// Addresses are where a service answers, as host:port, and the file of its configuration.
type Addresses struct {
	GRPC   string `json:"grpc"`
	HTTP   string `json:"http"`
	Admin  string `json:"admin"`
	Config string `json:"config"`
}

// Addresses are those of each service of a suite that is ready.
func (s *Suite) Addresses() (map[string]Addresses, error) {
	raw, err := os.ReadFile(s.RunFile())
	if err != nil {
		return nil, err
	}
	run := struct {
		Services map[string]Addresses `json:"services"`
	}{}
	err = json.Unmarshal(raw, &run)
	return run.Services, err
}

// PIDs are the process ids that up has told of a program, oldest first.
func (s *Suite) PIDs(name string) []int { return PIDs(name, s.Up.Text()) }

// PID waits until a program has been started and then started again this many times, and returns the process id of that start.
func (s *Suite) PID(ctx context.Context, name string, restarts int) (pid int, err error) {
	err = s.Up.Await(ctx, fmt.Sprintf("%s has been started again %d times", name, restarts), func(text string) bool {
		pids := PIDs(name, text)
		if len(pids) > restarts {
			pid = pids[restarts]
		}
		return pid != 0
	})
	return pid, err
}

// Kill kills a program, unless it is just being started again or held: then its number is nobody's, or somebody else's.
func (s *Suite) Kill(name string) error {
	pids := s.PIDs(name)
	if len(pids) == 0 {
		return fmt.Errorf("up does not say which process %s is\n%s", name, s.Up.Text())
	}
	pid := pids[len(pids)-1]
	if program, err := executable(pid); err != nil || filepath.Base(program) != name {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

func (s *Suite) holdFile(name string) string { return filepath.Join(s.Dir, "hold", name) }

// Hold asks up to stop a program and to keep it down. It does not wait for that.
func (s *Suite) Hold(name string) error {
	if err := os.MkdirAll(filepath.Dir(s.holdFile(name)), 0o700); err != nil {
		return err
	}
	return os.WriteFile(s.holdFile(name), nil, 0o600)
}

// Release lets a program that is held run again.
func (s *Suite) Release(name string) error { return os.Remove(s.holdFile(name)) }

// Blocks of ports for suites that stay where they are: those that `crossdock up` leaves out when it finds free ports by itself. Their
// bases are a stride apart, so that no offset of one meets one of another; nothing uses the one of claimed.
const firstBlock, stride, blocks, claimed = 11090, 1100, 19, 9

// ClaimPorts gives the suite a PortBase that no other suite has until the test is over, so that it has the same ports whenever it is
// started. The claim is a port of the block that is listened on: of suites that start at the same moment one gets it, also while
// none of its programs runs.
func (s *Suite) ClaimPorts(t testing.TB) {
	t.Helper()
	for n := range blocks {
		s.PortBase = firstBlock + stride*((os.Getpid()+n)%blocks)
		claim, err := net.Listen("tcp", s.local(claimed))
		if err != nil {
			continue
		}
		if s.free() {
			t.Cleanup(func() { claim.Close() })
			return
		}
		claim.Close()
	}
	t.Fatal("every block of ports is in use")
}

func (s *Suite) local(offset int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.PortBase+offset))
}

// free says whether nobody listens on the ports of the suite: gRPC, gateways, admin, edge and tower.
func (s *Suite) free() bool {
	for _, block := range [][2]int{{1, 8}, {102, 104}, {201, 208}, {980, 981}} {
		for offset := block[0]; offset <= block[1]; offset++ {
			lis, err := net.Listen("tcp", s.local(offset))
			if err != nil {
				return false
			}
			lis.Close()
		}
	}
	return true
}

// Gone waits until the programs of a supervisor that was killed have ended too. The suite must have a PortBase.
func (s *Suite) Gone(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	for !s.free() {
		select {
		case <-ctx.Done():
			return errors.New("programs outlive their supervisor")
		case <-time.After(again):
		}
	}
	return nil
}
