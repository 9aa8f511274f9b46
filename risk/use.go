package risk

import (
	"slices"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/risk/graph"
)

// process is a process that a sensor or /proc saw in a container or on a host.
type process struct {
	ID    string
	Exe   string
	Files []string // Exe and what it loads
	// hashes are those of Files, in their order.
	hashes []uint64
}

func newProcess(id string, p triad.ProcessProps) process {
	q := process{ID: id, Exe: p.Exe, Files: append([]string{p.Exe}, p.Loads...)}
	for _, f := range q.Files {
		q.hashes = append(q.hashes, hashFile(f))
	}
	return q
}

// listeners are the ports of one container, function or host, and who listens on them.
type listeners struct {
	Ports     []triad.Listen // sorted by port
	Processes []process
	// Observed: somebody looked at its processes, so that a port not listed is not listened on.
	Observed bool
	// Partial: not all of its processes could be read, so that what none has loaded is not known.
	Partial bool
}

// listeners reads the ports of a container or host: those that a process was seen to
// listen on where anybody looked, else the declared ones and those that others point at.
func (e *Engine) listeners(c *graph.Context, id string, container bool) listeners {
	return graph.Get(c, graph.ID{Kind: "listeners", Of: id}, func(c *graph.Context) listeners {
		var l listeners
		var all []triad.Listen
		read := func(of, process string) {
			for _, r := range c.Rows(reach.RelationsFrom(of, triad.RelListens)) {
				p := relationProps[triad.Listen](r.Relation)
				if p.Process == "" {
					p.Process = process
				}
				all = append(all, p)
			}
		}
		read(id, "")
		seen := map[string]bool{}
		for _, r := range c.Rows(reach.RelationsFrom(id, triad.RelContains)) {
			for _, a := range c.Rows(r.Relation.To) {
				if a.Asset == nil || a.Asset.Type != triad.TypeProcess || seen[a.Asset.ID] {
					continue
				}
				seen[a.Asset.ID] = true
				if c.Section(a.Scope, a.Asset.Section).Status == triad.SectionUnread {
					l.Partial = true
				}
				p := props[triad.ProcessProps](a.Asset)
				l.Processes = append(l.Processes, newProcess(a.Asset.ID, p))
				read(a.Asset.ID, a.Asset.ID)
			}
		}
		if container && e.options.Ways.Ports != nil {
			all = append(all, e.options.Ways.Ports(c, id)...)
		}
		l.Observed = len(l.Processes) > 0 || slices.ContainsFunc(all, func(p triad.Listen) bool { return p.Basis == triad.BasisObserved })
		for _, p := range all {
			if p.Basis == "" {
				p.Basis = triad.BasisDeclared
			}
			if l.Observed == (p.Basis == triad.BasisObserved) {
				l.Ports = append(l.Ports, p)
			}
		}
		for i := range l.Ports {
			l.Ports[i].Protocol = strings.ToLower(l.Ports[i].Protocol)
			if l.Ports[i].Protocol == "" {
				l.Ports[i].Protocol = "tcp"
			}
		}
		slices.SortFunc(l.Ports, compareListens)
		l.Ports = slices.CompactFunc(l.Ports, func(a, b triad.Listen) bool { return compareListens(a, b) == 0 })
		slices.SortFunc(l.Processes, func(a, b process) int { return strings.Compare(a.ID, b.ID) })
		return l
	})
}

func compareListens(a, b triad.Listen) int {
	if a.Port != b.Port {
		return a.Port - b.Port
	}
	for _, c := range []int{
		strings.Compare(a.Protocol, b.Protocol), strings.Compare(a.Process, b.Process), strings.Compare(a.Address, b.Address),
	} {
		if c != 0 {
			return c
		}
	}
	return 0
}

// loaded says which processes have loaded a package.
type loaded struct {
	use   use
	by    []int // indexes of Processes
	file  string
	exact bool // the ports of those processes are the ones that count
}

type use uint8

const (
	useUnknown use = iota // nobody looked, or the package's files are not known
	useNo
	useYes
)

// loads joins a package's files with what the processes have loaded.
func (l listeners) loads(files []uint64) loaded {
	if len(l.Processes) == 0 || len(files) == 0 {
		return loaded{}
	}
	found := loaded{use: useNo}
	for i, p := range l.Processes {
		for j, h := range p.hashes {
			if _, ok := slices.BinarySearch(files, h); ok {
				found.by = append(found.by, i)
				if found.file == "" {
					found.file = p.Files[j]
				}
				break
			}
		}
	}
	switch {
	case len(found.by) > 0:
		found.use, found.exact = useYes, true
	case l.Partial:
		found.use = useUnknown
	}
	return found
}

// ports returns the ports that expose a package: those of the processes that load it where
// that is known, else all. A process whose sockets could not be told apart keeps all.
func (l listeners) ports(by loaded) []triad.Listen {
	if !by.exact {
		return l.Ports
	}
	var ports []triad.Listen
	for _, p := range l.Ports {
		if p.Process == "" || slices.ContainsFunc(by.by, func(i int) bool { return l.Processes[i].ID == p.Process }) {
			ports = append(ports, p)
		}
	}
	return ports
}

// loopback reports whether a listener answers its own network namespace only.
func loopback(address string) bool {
	return strings.HasPrefix(address, "127.") || address == "::1" || address == "localhost" || strings.HasPrefix(address, "::ffff:127.")
}
