package docker

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/triad-security/triad"
)

// Process is one process of a container, as the machine's /proc shows it. Paths are those
// that the container sees.
type Process struct {
	PID   int
	Exe   string
	Args  []string // masked
	User  string
	Loads []string // mapped as code or held open as an archive or module
	// Listens are the sockets it accepts connections on, in its own network namespace.
	Listens []Socket
	// Unread says what of it could not be read.
	Unread string
}

// Socket is a listening socket.
type Socket struct {
	Protocol string // tcp, udp
	Address  string
	Port     int
}

// ProcessReader reads processes of this machine. Container returns those of the container
// whose first process is pid and whose cgroup names id.
type ProcessReader interface {
	Container(ctx context.Context, id string, pid int) ([]Process, error)
}

// processRows adds a container's processes, one row for each executable, and their listeners.
func (b *rows) processRows(id string, c *container) {
	type group struct {
		props     triad.ProcessProps
		listeners []Socket
	}
	groups := map[string]*group{}
	for _, p := range b.processes[c.ID] {
		if p.Unread != "" {
			b.section(sectionProcesses, triad.SectionUnread, fmt.Sprintf("%s, process %d: %s", c.name(), p.PID, p.Unread))
		}
		if p.Exe == "" {
			continue
		}
		g := groups[p.Exe]
		if g == nil {
			g = &group{props: triad.ProcessProps{Exe: p.Exe, Args: p.Args, User: p.User}}
			groups[p.Exe] = g
		}
		g.props.Loads = append(g.props.Loads, p.Loads...)
		g.listeners = append(g.listeners, p.Listens...)
	}
	for _, exe := range sortedKeys(groups) {
		g := groups[exe]
		process := triad.ProcessID(id, exe)
		slices.Sort(g.props.Loads)
		g.props.Loads = slices.Compact(g.props.Loads)
		b.asset(triad.Asset{
			ID: process, Type: triad.TypeProcess, Kind: "Process", Name: b.host + "/" + c.name() + exe, Section: sectionProcesses,
			Schema: "process/1", Props: raw(g.props),
		})
		b.relate(triad.Relation{From: id, Type: triad.RelContains, To: process, Section: sectionProcesses})
		for _, s := range g.listeners {
			b.relate(triad.Relation{
				From: process, Type: triad.RelListens, To: triad.EndpointID(id, s.Protocol, strconv.Itoa(s.Port)), Section: sectionProcesses,
				Props:    raw(triad.Listen{Protocol: s.Protocol, Port: s.Port, Address: s.Address, Basis: triad.BasisObserved, Process: process}),
				Evidence: []triad.Evidence{{Source: "/proc/net/" + s.Protocol, Detail: fmt.Sprintf("%s listens on %s port %d", exe, s.Address, s.Port)}},
			})
		}
	}
}
