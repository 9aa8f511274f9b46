package exposure

import (
	"encoding/json"
	"net/netip"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/reach/docker"
	"github.com/triad-security/triad/reach/kubernetes"
)

// Of is the best way in from the internet to a port of a container, by its asset ID (a pod's
// container, a Docker container, or the pod or DockerContainer itself): open before
// controlled, unknown, small. With port 0 it is the best over all ports at which the
// container is known to be served.
//
// A result that is not reachable names as BlockedBy the stop of the way that gets furthest,
// with the open hops before it as Path, and every further stop as AlsoBlockedBy.
func Of(v reach.View, container, protocol string, port int) reach.Result {
	if protocol == "" {
		protocol = "tcp"
	}
	protocol = strings.ToLower(protocol)
	if p, name := kubernetes.PodOf(v, container); p != nil {
		if name != "" && p.Ends(name) {
			return graded(blocked(nil, triad.Hop{Type: "container", ID: name, Reason: "an init container ends before its pod serves", Evidence: &triad.Evidence{Source: "pods", Scope: p.Scope}}))
		}
		return ofPorts(v, container, protocol, port, kubernetes.Ports(v, p, name), func(proto string, port int) reach.Result {
			return podResult(v, p, name, proto, port, nil)
		})
	}
	c, err := docker.ContainerOf(v, container)
	switch {
	case err != nil:
		return graded(unknown(nil, triad.Unread{Section: "docker-inspect", Reason: err.Error()}))
	case c != nil:
		return ofPorts(v, container, protocol, port, c.Ports(v), func(proto string, port int) reach.Result {
			return dockerResult(v, c, proto, port)
		})
	}
	reason := "nothing that was collected holds " + container
	for _, row := range v.Rows(strings.SplitN(container, "#", 2)[0]) {
		if row.Err != nil {
			reason = row.Err.Error()
		}
	}
	return graded(unknown(nil, triad.Unread{Section: "pods", Reason: reason}))
}

// Ports are the ports at which a container is known to be served, beyond what its own
// listens relations say: declared ones, those that Services target, published ones.
func Ports(v reach.View, container string) []triad.Listen {
	if p, name := kubernetes.PodOf(v, container); p != nil {
		return kubernetes.Ports(v, p, name)
	}
	if c, _ := docker.ContainerOf(v, container); c != nil {
		return c.Ports(v)
	}
	return nil
}

// ofPorts asks for one port, or for all known ones when port is 0.
func ofPorts(v reach.View, id, protocol string, port int, known []triad.Listen, ask func(string, int) reach.Result) reach.Result {
	one := func(proto string, port int) reach.Result {
		if stop := loopbackOnly(v, id, proto, port); stop != nil {
			r := ask(proto, port)
			also := r.AlsoBlockedBy
			if r.BlockedBy != nil {
				also = append([]triad.Hop{*r.BlockedBy}, also...)
			}
			if r.Verdict == reach.Reachable && len(r.Path) > 0 && r.Path[len(r.Path)-1].Type == "container-port" {
				r.Path = r.Path[:len(r.Path)-1]
			}
			return graded(blocked(r.Path, *stop, also...))
		}
		return ask(proto, port)
	}
	if port != 0 || len(known) == 0 {
		return one(protocol, port)
	}
	var ways []way
	for _, l := range known {
		ways = append(ways, way{Result: one(l.Protocol, l.Port)})
	}
	return best(ways, nil, nil)
}

// loopbackOnly is the stop of a port whose only observed listeners are bound to loopback.
func loopbackOnly(v reach.View, id, proto string, port int) *triad.Hop {
	var stop *triad.Hop
	for _, row := range v.Rows(reach.RelationsFrom(id, triad.RelListens)) {
		var l triad.Listen
		if row.Relation == nil || json.Unmarshal(row.Relation.Props, &l) != nil || l.Port != port || l.Protocol != proto || l.Basis != triad.BasisObserved {
			continue
		}
		ip, err := netip.ParseAddr(l.Address)
		if err != nil || !ip.IsLoopback() {
			return nil
		}
		stop = &triad.Hop{Type: "container-port", ID: itoa(port), Reason: "its process listens on " + l.Address + " only", Evidence: &triad.Evidence{Source: row.Relation.Section, Detail: l.Address + ":" + itoa(port), Scope: row.Scope}}
	}
	return stop
}

func graded(r reach.Result) reach.Result {
	grade(&r)
	return r
}
