package main

import (
	"github.com/spf13/cobra"

	"github.com/triad-security/triad/deploy/docker"
)

func newCollectDockerCommand(a *app) *cobra.Command {
	var from, host string
	var registries trustedRegistries
	cmd := &cobra.Command{
		Use:   "docker",
		Short: "Read a Docker engine, live or from docker inspect output",
		Args:  cobra.NoArgs,
		Example: `  triad collect docker
  docker inspect $(docker ps -aq) > dump/docker-inspect.json
  docker image inspect $(docker images -q) > dump/docker-image-inspect.json
  docker info --format json > dump/docker-info.json
  triad collect docker --from dump`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			trusted, err := registries.read(a)
			if err != nil {
				return err
			}
			o := docker.Options{Tenant: a.tenant, Host: host, Collector: "docker/" + version, Trusted: trusted}
			report, err := docker.Dir(cmd.Context(), from, o)
			if err != nil {
				return err
			}
			return a.keepCollected(cmd.Context(), report)
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "folder of docker-inspect.json, docker-image-inspect.json, docker-info.json and host.json")
	f.StringVar(&host, "host", "", "the host's name in asset names; default the cloud instance, else the engine's name")
	registries.flag(f)
	return cmd
}
