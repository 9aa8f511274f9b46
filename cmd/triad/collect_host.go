package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/triad-security/triad/deploy/manifest"
	"github.com/triad-security/triad/run/workload"
)

func newCollectHostCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "host",
		Short: "Read this machine: its processes, what they load, where they listen, its packages",
		Long: `Reads this machine itself, by its machine-id. Processes in containers are the Docker or
Kubernetes collector's. Other users' processes can be read by root only; without that right
they are reported as unread. Nothing is sent anywhere: the cloud's name for the machine is
read from its firmware.`,
		Args:    cobra.NoArgs,
		Example: "  sudo triad collect host --data /var/lib/triad",
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := workload.Host(cmd.Context(), workload.Reader{Mask: manifest.MaskArgs}, workload.Options{
				Tenant: a.tenant, Collector: "host/" + version, Now: time.Now(), Packages: new(hostPackages).Find,
			})
			if err != nil {
				return err
			}
			return a.keepCollected(cmd.Context(), report)
		},
	}
}
