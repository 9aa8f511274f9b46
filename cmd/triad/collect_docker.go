package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/deploy/docker"
	"github.com/triad-security/triad/deploy/manifest"
	"github.com/triad-security/triad/run/workload"
)

func newCollectDockerCommand(a *app) *cobra.Command {
	var from, host, instance, engine, record string
	var registries trustedRegistries
	cmd := &cobra.Command{
		Use:   "docker",
		Short: "Read a Docker engine, live or from docker inspect output",
		Long: `Reads an engine's host, containers, images and networks. An engine on this machine is also
looked into: which process of a container listens on which port, and what code it has loaded.
That takes the right to read other users' processes, so run it as root.`,
		Args: cobra.NoArgs,
		Example: `  triad collect docker
  triad collect docker --engine tcp://10.0.0.5:2376 --host build-1
  docker inspect $(docker ps -aq) > dump/docker-inspect.json
  docker image inspect $(docker images -q) > dump/docker-image-inspect.json
  docker info --format json > dump/docker-info.json
  triad collect docker --from dump`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			trusted, err := registries.read(a)
			if err != nil {
				return err
			}
			o := docker.Options{
				Tenant: a.tenant, Host: host, Collector: "docker/" + version,
				Trusted: trusted, Record: record, Now: time.Now(),
			}
			var report *triad.Report
			if from != "" {
				if instance != "" {
					return triad.Errorf(triad.CodeInvalid, "--instance is for a live engine; a dump says it in host.json")
				}
				report, err = docker.Dir(cmd.Context(), from, o)
			} else {
				report, err = liveDocker(cmd.Context(), engine, instance, o)
			}
			if err != nil {
				return err
			}
			return a.keepCollected(cmd.Context(), report)
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "folder of docker-inspect.json, docker-image-inspect.json, docker-info.json and host.json")
	f.StringVar(&engine, "engine", "", "address of the engine: unix:///path, tcp://host:port; default DOCKER_HOST, else its usual socket")
	f.StringVar(&host, "host", "", "the host's name in asset names; default the cloud instance, else the engine's name")
	f.StringVar(&instance, "instance", "", "the EC2 instance (i-...) that the engine runs on, where its firmware does not tell or it is elsewhere")
	f.StringVar(&record, "record", "", "also write what is read, secrets masked, to this folder in the form that --from reads")
	registries.flag(f)
	return cmd
}

// liveDocker reads an engine and, where it runs on this machine, the processes in its containers.
func liveDocker(ctx context.Context, engine, instance string, o docker.Options) (*triad.Report, error) {
	client, err := docker.NewClient(engine)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if client.Local {
		machine := workload.ThisMachine("/")
		o.Machine = docker.Machine{MachineID: machine.ID, Addresses: machine.Addresses}
		if machine.Provider == "aws" {
			o.Machine.InstanceID = machine.Instance
		}
		o.Processes = containerProcesses{workload.Reader{Mask: manifest.MaskArgs}}
	}
	if instance != "" {
		o.Machine.InstanceID = instance
	}
	return docker.Live(ctx, client, o)
}

// containerProcesses lets the Docker collector see what runs on this machine.
type containerProcesses struct{ reader workload.Reader }

func (c containerProcesses) Container(ctx context.Context, id string, pid int) ([]docker.Process, error) {
	found, err := c.reader.Container(ctx, id, pid)
	list := make([]docker.Process, 0, len(found))
	for _, p := range found {
		converted := docker.Process{PID: p.PID, Exe: p.Exe, Args: p.Args, User: p.User, Loads: p.Loads, Unread: p.Unread}
		for _, l := range p.Listens {
			converted.Listens = append(converted.Listens, docker.Socket(l))
		}
		list = append(list, converted)
	}
	return list, err
}
