package cli

import (
	"fmt"

	"crossdock.dev/cmd/crossdock/internal/show"
	"crossdock.dev/platform/telemetry"
)

type versionCmd struct{}

func (c *versionCmd) Run(env *Env) error {
	version, revision := telemetry.Build()
	if env.Output == "json" {
		return show.JSON(env.Out, map[string]string{"version": version, "revision": revision})
	}
	_, err := fmt.Fprintln(env.Out, "crossdock", version, revision)
	return err
}
