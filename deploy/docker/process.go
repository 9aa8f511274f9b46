package docker

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

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

// processRows adds a container's processes, one row for each executable and arguments, and their
// listeners: two virtual machines of one language are two processes, their workers are not.
// When one of them could not be read whole, none is reported: what is declared then stands,
// where a half-read process would seem not to listen.
func (b *rows) processRows(id string, c *container) {
	partial := false
	for _, p := range b.processes[c.ID] {
		if p.Unread != "" {
			b.section(sectionProcesses, triad.SectionUnread, fmt.Sprintf("%s, process %d (%s): %s", c.name(), p.PID, p.Exe, p.Unread))
			partial = true
		}
	}
	if partial {
		return
	}
	type group struct {
		props     triad.ProcessProps
		listeners []Socket
	}
	groups := map[string]*group{}
	for _, p := range b.processes[c.ID] {
		name := distinguish(p)
		g := groups[name]
		if g == nil {
			g = &group{props: triad.ProcessProps{Exe: p.Exe, Args: p.Args, User: p.User}}
			groups[name] = g
		}
		g.props.Loads = append(g.props.Loads, p.Loads...)
		g.listeners = append(g.listeners, p.Listens...)
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		g := groups[name]
		exe, process := g.props.Exe, triad.ProcessID(id, name)
		slices.Sort(g.props.Loads)
		g.props.Loads = slices.Compact(g.props.Loads)
		b.asset(triad.Asset{
			ID: process, Type: triad.TypeProcess, Kind: "Process", Name: b.host + "/" + c.name() + exe, Section: sectionProcesses,
			Schema: "process/1", Props: raw(g.props),
		})
		b.relate(triad.Relation{From: id, Type: triad.RelContains, To: process, Section: sectionProcesses})
		for _, s := range widest(g.listeners) {
			b.relate(triad.Relation{
				From: process, Type: triad.RelListens, To: triad.EndpointID(id, s.Protocol, strconv.Itoa(s.Port)), Section: sectionProcesses,
				Props:    raw(triad.Listen{Protocol: s.Protocol, Port: s.Port, Address: s.Address, Basis: triad.BasisObserved, Process: process}),
				Evidence: []triad.Evidence{{Source: "/proc/net/" + s.Protocol, Detail: fmt.Sprintf("%s listens on %s port %d", exe, s.Address, s.Port)}},
			})
		}
	}
}

// distinguish names a process by its executable, and by a hash of its arguments where it has
// any beyond its own name: arguments may be long, and an ID goes into keys.
func distinguish(p Process) string {
	if len(p.Args) < 2 {
		return p.Exe
	}
	sum := sha256.Sum256([]byte(strings.Join(p.Args[1:], "\x00")))
	return p.Exe + "@" + hex.EncodeToString(sum[:4])
}

// widest keeps for each port the socket that lets in most: one bound to every address before
// one bound to some, and loopback last.
func widest(sockets []Socket) []Socket {
	rank := func(s Socket) int {
		address, err := netip.ParseAddr(s.Address)
		switch {
		case err != nil:
			return 1
		case address.IsUnspecified():
			return 0
		case address.IsLoopback():
			return 2
		}
		return 1
	}
	slices.SortFunc(sockets, func(a, b Socket) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Port, b.Port), cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Address, b.Address))
	})
	return slices.CompactFunc(sockets, func(a, b Socket) bool { return a.Protocol == b.Protocol && a.Port == b.Port })
}
