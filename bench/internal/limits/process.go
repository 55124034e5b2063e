package limits

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Process is a bare server in a process of its own.
type Process struct {
	Addr string
	PID  int
	cmd  *exec.Cmd
	in   io.WriteCloser
}

// Argument makes the program serve (Serve) instead of measure.
const Argument = "serve-limit"

// Start starts a bare server by running this program again.
func Start(s Server) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, Argument)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, in: in, PID: cmd.Process.Pid}
	if err := json.NewEncoder(in).Encode(s); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("a bare server does not tell its address: %w", err), p.Stop())
	}
	p.Addr = strings.TrimSpace(addr)
	return p, nil
}

// Stop ends the server.
func (p *Process) Stop() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }
