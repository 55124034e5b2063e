// Package consul registers a service with a Consul agent and follows where other services are.
//
// It promises that what is known stays known: an agent that is away, answers nothing or was wiped takes no address from a
// connection that has one, and a service that the agent has forgotten is registered again. It leaves to the agent who is
// passing, and to package rpc how a connection chooses between addresses.
package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
)

// Config says how an agent is reached. Only Address is required.
type Config struct {
	// Address is host:port, or a URL with https for TLS.
	Address string `yaml:"address" json:"address"`
	// TokenFile holds the ACL token. It is read again for every request, so that a token can be changed under a running service.
	TokenFile string `yaml:"token_file,omitempty" json:"token_file,omitempty"`
	// CAFile, CertFile and KeyFile are for an agent that speaks TLS; the last two where it asks for a client's certificate.
	CAFile   string `yaml:"ca_file,omitempty" json:"ca_file,omitempty"`
	CertFile string `yaml:"cert_file,omitempty" json:"cert_file,omitempty"`
	KeyFile  string `yaml:"key_file,omitempty" json:"key_file,omitempty"`
	// Datacenter is where services are looked for; empty means the agent's own.
	Datacenter string `yaml:"datacenter,omitempty" json:"datacenter,omitempty"`
}

// Check names every problem of the block; add is told the key within it and what is wrong.
func (c Config) Check(add func(key, problem string)) {
	if c.Address == "" {
		add("address", "is required")
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		add("cert_file", "goes together with key_file")
	}
	if (c.CAFile != "" || c.CertFile != "") && !strings.HasPrefix(c.Address, "https://") {
		add("address", "is not https, and certificates are given")
	}
}

// waitTime bounds one blocking query, and with it how long an answer from before a restored snapshot is believed. The agent adds up
// to a sixteenth of it.
const waitTime = time.Minute

func (c Config) client() (*api.Client, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute}
	client, err := api.NewClient(&api.Config{
		Address: c.Address, Datacenter: c.Datacenter, Transport: transport,
		TLSConfig: api.TLSConfig{CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile},
	})
	if err != nil {
		return nil, fmt.Errorf("consul agent %s: %w", c.Address, err)
	}
	return client, nil
}

// Leader asks the agent whether its datacenter has a leader, without which nothing is registered or found.
func (c Config) Leader(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	leader, err := client.Status().LeaderWithQueryOptions((&api.QueryOptions{}).WithContext(ctx))
	if err == nil && leader == "" {
		err = errors.New("no leader")
	}
	if err != nil {
		return fmt.Errorf("consul agent %s: %w", c.Address, err)
	}
	return nil
}

// token is the ACL token as its file holds it now; empty without a file.
func (c Config) token() (string, error) {
	if c.TokenFile == "" {
		return "", nil
	}
	raw, err := os.ReadFile(c.TokenFile)
	if err != nil {
		return "", fmt.Errorf("consul token: %w", err)
	}
	token := strings.TrimSpace(string(raw))
	if token == "" {
		return "", errors.New("consul token: the file is empty")
	}
	return token, nil
}
