package docker

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// Entrance is a place at which the host takes packets for a container's port: what must be
// reachable from outside is Port at the host, or at Address where that is valid.
type Entrance struct {
	// Address that takes the packet; invalid when every address of the host does.
	Address netip.Addr
	// Family is 4 or 6 when only addresses of that family take it, else 0.
	Family   int
	Protocol string
	Port     int
	// Own reports that Address is the container's own (macvlan, ipvlan), not the host's.
	Own bool
	// Hops from the host on to the container's port.
	Hops []triad.Hop
}

// Entrances lists the places at which a host takes packets for a container's port, and the
// stops at the container's side.
func Entrances(v reach.View, c *Container, proto string, port int) (all []Entrance, stops []triad.Hop, unread []triad.Unread) {
	end := []triad.Hop{c.hop(""), c.portHop(proto, port)}
	if !c.State.Running {
		return nil, []triad.Hop{c.hop("the container does not run" + status(c.State.Status))}, nil
	}
	owner, err := c.networkOwner(v)
	if err != "" {
		return nil, nil, []triad.Unread{{Scope: c.Scope, Section: "docker-inspect", Reason: err}}
	}
	if owner != c {
		end = append([]triad.Hop{owner.hop("")}, end...)
	}
	switch owner.HostConfig.NetworkMode {
	case "none":
		return nil, []triad.Hop{owner.hop("network mode none: it has no network")}, nil
	case "host":
		hop := triad.Hop{Type: "host-network", ID: owner.Label(), Evidence: owner.evidence("NetworkMode host: listens on the host's own addresses")}
		return []Entrance{{Protocol: proto, Port: port, Hops: append([]triad.Hop{hop}, end...)}}, nil, nil
	}
	for _, b := range owner.published(proto, port) {
		host, _ := strconv.Atoi(b.HostPort)
		if host <= 0 || host > 65535 {
			continue
		}
		e := Entrance{Protocol: proto, Port: host}
		ip, _ := netip.ParseAddr(b.HostIP)
		hop := triad.Hop{Type: "published-port", ID: text(b), Evidence: owner.evidence(text(b) + " to " + strconv.Itoa(port) + "/" + proto)}
		switch {
		case b.HostIP == "" || ip.IsUnspecified() && ip.Is4():
			e.Family = 4
		case ip.IsUnspecified():
			e.Family = 6
		case ip.IsLoopback():
			hop.Reason = "bound to the loopback address only"
			stops = append(stops, hop)
			continue
		case ip.IsValid():
			e.Address = ip
		default:
			continue
		}
		e.Hops = append([]triad.Hop{hop}, end...)
		all = append(all, e)
	}
	// Networks on which a container is a host of its own beside its host.
	for _, ip := range owner.addresses(v, func(n *network) bool { return n.Driver == "macvlan" || n.Driver == "ipvlan" }) {
		all = append(all, Entrance{Address: ip, Own: true, Protocol: proto, Port: port, Hops: end})
	}
	if len(all) == 0 && len(stops) == 0 {
		stops = owner.unpublished(v, proto, port)
	}
	return all, stops, nil
}

// published are the bindings of a container's port, IPv4 first.
func (c *Container) published(proto string, port int) []binding {
	name := strconv.Itoa(port) + "/" + proto
	list := slices.Clone(c.NetworkSettings.Ports[name])
	if c.NetworkSettings.Ports == nil { // not told, so what was asked for
		list = slices.Clone(c.HostConfig.PortBindings[name])
	}
	slices.SortStableFunc(list, func(a, b binding) int {
		return cmp.Compare(strings.Count(a.HostIP, ":"), strings.Count(b.HostIP, ":"))
	})
	return list
}

// unpublished are the stops of a port that nothing publishes.
func (c *Container) unpublished(v reach.View, proto string, port int) []triad.Hop {
	why := "port " + strconv.Itoa(port) + "/" + proto + " is not published on the host"
	if port == 0 {
		why = "it publishes no port on the host"
	}
	if len(c.addresses(v, func(n *network) bool { return n.Internal })) > 0 {
		why += ", and its network is internal"
	}
	return []triad.Hop{c.hop(why), {Type: "published-port", Reason: "there is none", Evidence: c.evidence("NetworkSettings.Ports")}}
}

// networkOwner follows network mode container:ID to the container that owns the network.
func (c *Container) networkOwner(v reach.View) (owner *Container, problem string) {
	owner = c
	for range 8 {
		id, shared := strings.CutPrefix(owner.HostConfig.NetworkMode, "container:")
		if !shared {
			return owner, ""
		}
		var next *Container
		for _, row := range v.Rows(keyByDockerID(c.Scope, id)) {
			if o, ok := row.Decoded.(*Container); ok {
				next = o
			}
		}
		if next == nil {
			return owner, "container " + id + ", whose network " + c.Label() + " shares, is not known"
		}
		owner = next
	}
	return owner, "container " + c.Label() + " shares its network in a circle"
}

// Ports are those at which the container is known to be served: published ones.
func (c *Container) Ports(v reach.View) []triad.Listen {
	owner, _ := c.networkOwner(v)
	var all []triad.Listen
	for _, ports := range []map[string][]binding{owner.NetworkSettings.Ports, owner.HostConfig.PortBindings} {
		for name := range ports {
			number, proto, _ := strings.Cut(name, "/")
			port, err := strconv.Atoi(number)
			l := triad.Listen{Protocol: proto, Port: port, Basis: triad.BasisDeclared}
			if err == nil && !slices.Contains(all, l) {
				all = append(all, l)
			}
		}
	}
	slices.SortFunc(all, func(a, b triad.Listen) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol))
	})
	return all
}

func (c *Container) hop(reason string) triad.Hop {
	return triad.Hop{Type: "container", ID: c.Label(), Reason: reason, Evidence: c.evidence(c.ID)}
}

func (c *Container) portHop(proto string, port int) triad.Hop {
	return triad.Hop{Type: "container-port", ID: c.Label(), Evidence: c.evidence(proto + " " + strconv.Itoa(port))}
}

func (c *Container) evidence(detail string) *triad.Evidence {
	return &triad.Evidence{Source: "docker-inspect", Detail: detail, Scope: c.Scope}
}

// text writes a binding as Docker prints it: 0.0.0.0:80, [::]:80.
func text(b binding) string {
	ip := b.HostIP
	if ip == "" {
		ip = "0.0.0.0"
	}
	if strings.Contains(ip, ":") {
		ip = "[" + ip + "]"
	}
	return ip + ":" + b.HostPort
}

func status(s string) string {
	if s == "" {
		return ""
	}
	return ": it is " + s
}

// Isolated says why no packet of the container leaves its host; empty when some can.
func (c *Container) Isolated(v reach.View) string {
	if !c.State.Running {
		return "the container does not run" + status(c.State.Status)
	}
	owner, _ := c.networkOwner(v)
	if owner.HostConfig.NetworkMode == "none" {
		return "network mode none: it has no network"
	}
	inside := 0
	for _, n := range owner.NetworkSettings.Networks {
		for _, row := range v.Rows(keyNetwork(n.NetworkID)) {
			if doc, ok := row.Decoded.(*network); ok && doc.Internal {
				inside++
				break
			}
		}
	}
	if inside > 0 && inside == len(owner.NetworkSettings.Networks) {
		return "its networks are internal: nothing leaves the host"
	}
	return ""
}
