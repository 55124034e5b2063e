package cli

import (
	"fmt"

	"crossdock.dev/cmd/crossdock/internal/show"
	"crossdock.dev/platform/telemetry"
)

type versionCmd struct{}

func (c *versionCmd) Run(env *Env) error {
	if env.Output == "json" {
		return show.JSON(env.Out, map[string]string{"version": telemetry.Version()})
	}
	_, err := fmt.Fprintln(env.Out, "crossdock", telemetry.Version())
	return err
}
