package suite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"crossdock.dev/platform/discovery/consul"
)

// Agent is the Consul agent that a suite uses.
type Agent struct {
	// Config is how it is reached.
	Config consul.Config
	// Program and Args start an agent of the suite's own; empty for one that runs already.
	Program string
	Args    []string
	// How says which agent it is, for people.
	How string
}

// ErrNoAgent says that no agent answers and none can be started.
var ErrNoAgent = errors.New("no Consul agent: none answers at CONSUL_HTTP_ADDR, none is on the PATH, none was built with make consul")

// answerTime is how long an agent at CONSUL_HTTP_ADDR has to answer.
const answerTime = 2 * time.Second

// FindAgent finds the agent that answers at CONSUL_HTTP_ADDR, or a program on the PATH or in the cache of `make consul` that can
// be started for this suite alone, with its state in memory. root is the checkout.
func FindAgent(ctx context.Context, l Layout, r Run, root string) (Agent, error) {
	c, found, err := fromEnvironment(l)
	if err != nil {
		return Agent{}, err
	}
	if found {
		ctx, cancel := context.WithTimeout(ctx, answerTime)
		defer cancel()
		if err := c.Leader(ctx); err == nil {
			return Agent{Config: c, How: "the agent at " + c.Address}, nil
		}
	}
	program, err := exec.LookPath("consul")
	if err != nil {
		out, err := exec.Command(filepath.Join(root, "build", "consul.sh"), "--cached").Output()
		if err != nil {
			return Agent{}, ErrNoAgent // no script, or nothing in its cache
		}
		program = strings.TrimSpace(string(out))
	}
	config, err := r.writeAgent(l)
	if err != nil {
		return Agent{}, err
	}
	return Agent{
		Config: consul.Config{Address: r.agentPorts[0]}, Program: program, Args: []string{"agent", "-dev", "-log-level=warn", "-config-file=" + config},
		How: "an agent of its own, http://" + r.agentPorts[0],
	}, nil
}

// fromEnvironment reads the variables that Consul's own tools read.
func fromEnvironment(l Layout) (c consul.Config, found bool, err error) {
	c.Address = os.Getenv("CONSUL_HTTP_ADDR")
	if c.Address == "" {
		return c, false, nil
	}
	if v := os.Getenv("CONSUL_HTTP_SSL"); v != "" {
		ssl, err := strconv.ParseBool(v)
		if err != nil {
			return c, false, fmt.Errorf("CONSUL_HTTP_SSL is %q, want true or false", v)
		}
		if ssl && !strings.Contains(c.Address, "://") {
			c.Address = "https://" + c.Address
		}
	}
	c.CAFile, c.CertFile, c.KeyFile = os.Getenv("CONSUL_CACERT"), os.Getenv("CONSUL_CLIENT_CERT"), os.Getenv("CONSUL_CLIENT_KEY")
	c.TokenFile = os.Getenv("CONSUL_HTTP_TOKEN_FILE")
	if token := os.Getenv("CONSUL_HTTP_TOKEN"); token != "" {
		// A secret does not stand in a configuration file; what services read again and again is a file of its own.
		c.TokenFile = filepath.Join(l.Dir, "consul-token")
		if err := os.WriteFile(c.TokenFile, []byte(token+"\n"), 0o600); err != nil {
			return c, false, err
		}
	}
	return c, true, nil
}

// writeAgent writes the configuration of an agent of the suite's own, on loopback.
func (r Run) writeAgent(l Layout) (path string, err error) {
	ports := map[string]int{"dns": -1, "grpc": -1, "grpc_tls": -1, "https": -1, "serf_wan": -1}
	for i, name := range []string{"http", "server", "serf_lan"} {
		_, port, err := net.SplitHostPort(r.agentPorts[i])
		if err != nil {
			return "", err
		}
		if ports[name], err = strconv.Atoi(port); err != nil {
			return "", err
		}
	}
	raw, err := json.MarshalIndent(map[string]any{
		"bind_addr": "127.0.0.1", "client_addr": "127.0.0.1", "ports": ports, "disable_update_check": true, "node_name": "crossdock", "leave_on_terminate": true,
	}, "", "  ")
	if err != nil {
		return "", err
	}
	path = filepath.Join(l.Dir, "config", "consul.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	if err := os.WriteFile(path, append(raw, '\n'), 0o600); err != nil {
		return "", fmt.Errorf("configuration of consul: %w", err)
	}
	return path, nil
}
