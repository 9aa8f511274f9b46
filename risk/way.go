package risk

import (
	"strconv"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/risk/graph"
)

// way is the best way from the internet to a finding.
type way struct {
	reach.Result
	Port     int // that the vulnerable process listens on
	Protocol string
	Member   string // name of the container that it leads to
	Basis    triad.Basis
}

// target is one port of one container or host.
type target struct {
	id, name string
	listen   triad.Listen
}

// containerWay grades the way to one port of a container.
func (e *Engine) containerWay(c *graph.Context, t target) *way {
	l := t.listen
	id := graph.ID{Kind: "way", Of: t.id + "|" + l.Protocol + "|" + itoa(l.Port)}
	r := graph.Get(c, id, func(c *graph.Context) reach.Result {
		return e.options.Ways.container(c, t.id, l.Protocol, l.Port)
	})
	w := &way{Result: r, Port: l.Port, Protocol: l.Protocol, Member: t.name, Basis: l.Basis}
	if loopback(l.Address) && r.Exposure != triad.ExposureSmall {
		w.Result = reach.Result{
			Verdict: reach.Blocked, Exposure: triad.ExposureSmall, Path: r.Path,
			BlockedBy: &triad.Hop{Type: "container-port", ID: itoa(l.Port), Reason: "the process listens on " + l.Address + " only, inside the container"},
		}
	}
	return w
}

// hostWay grades the way to one port of a machine.
func (e *Engine) hostWay(c *graph.Context, t target) *way {
	l := t.listen
	id := graph.ID{Kind: "host-way", Of: t.id + "|" + l.Protocol + "|" + itoa(l.Port)}
	r := graph.Get(c, id, func(c *graph.Context) reach.Result {
		return e.options.Ways.host(c, t.id, l.Protocol, l.Port)
	})
	w := &way{Result: r, Port: l.Port, Protocol: l.Protocol, Member: t.name, Basis: l.Basis}
	if loopback(l.Address) {
		w.Result = reach.Result{
			Verdict: reach.Blocked, Exposure: triad.ExposureSmall,
			BlockedBy: &triad.Hop{Type: "host-port", ID: itoa(l.Port), Reason: "the process listens on " + l.Address + " only"},
		}
	}
	return w
}

// bestWay returns the most exposed of the ways to the targets; of equals the one that gets
// furthest, then the lowest port. The first open one settles it.
func bestWay(targets []target, grade func(target) *way) *way {
	var found *way
	for _, t := range targets {
		w := grade(t)
		if found == nil || better(w, found) {
			found = w
		}
		if found.Exposure == triad.ExposureOpen {
			break
		}
	}
	return found
}

func better(a, b *way) bool {
	if x, y := openness(a.Exposure), openness(b.Exposure); x != y {
		return x < y
	}
	if len(a.Path) != len(b.Path) {
		return len(a.Path) > len(b.Path)
	}
	return a.Port < b.Port && a.Port > 0
}

// memberTargets lists the ports of one container that a package loaded so is exposed by.
func memberTargets(m member, ports []triad.Listen) []target {
	if len(ports) == 0 {
		return []target{{id: m.ID, name: m.Name}}
	}
	targets := make([]target, 0, len(ports))
	for _, p := range ports {
		targets = append(targets, target{m.ID, m.Name, p})
	}
	return targets
}

func itoa(n int) string { return strconv.Itoa(n) }
