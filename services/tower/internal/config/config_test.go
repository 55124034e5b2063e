package config

import "testing"

func TestExampleLoads(t *testing.T) {
	c, err := Load("../../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if c.GRPCAddr != "127.0.0.1:7107" || c.Name != "tower" {
		t.Errorf("grpc_addr %q, name %q", c.GRPCAddr, c.Name)
	}
}
