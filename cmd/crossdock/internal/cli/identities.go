package cli

import (
	"context"
	"fmt"

	"crossdock.dev/cmd/crossdock/internal/suite"
	"crossdock.dev/platform/auth"
)

type identitiesCmd struct {
	Dir string `arg:"" optional:"" help:"Folder of the identities; default is pki in the data folder." type:"path"`
}

// Run makes what is missing: identities that exist stay as they are.
func (c *identitiesCmd) Run(_ context.Context, env *Env) error {
	dir := c.Dir
	if dir == "" {
		dir = env.layout().PKI()
	}
	pki, err := auth.DevPKI(dir, suite.Names()...)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Out, pki.Dir())
	return err
}
