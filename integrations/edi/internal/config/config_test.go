package config

import (
	"path/filepath"
	"testing"

	"crossdock.dev/integrations/edi/internal/profile"
)

func TestExampleLoads(t *testing.T) {
	c, err := Load("../../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if c.GRPCAddr != "127.0.0.1:7108" || c.AdminAddr != "127.0.0.1:7308" || c.Name != "edi" {
		t.Errorf("grpc_addr %q, admin_addr %q, name %q", c.GRPCAddr, c.AdminAddr, c.Name)
	}
	// The example names the profiles as seen from the module's folder.
	if _, err := profile.Load(filepath.Join("../..", c.ProfilesFile)); err != nil {
		t.Error(err)
	}
}
