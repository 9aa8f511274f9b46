package exposure

import (
	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/reach/aws"
	"github.com/triad-security/triad/reach/docker"
)

// dockerResult is the best way to a port of a Docker container.
func dockerResult(v reach.View, c *docker.Container, proto string, port int) reach.Result {
	entrances, stops, unread := docker.Entrances(v, c, proto, port)
	m := machineOf(v, c.HostID(v))
	var ways []way
	if port == 0 && len(entrances) > 0 { // on its host's network, at no port that is known
		entrances = nil
		stops = []triad.Hop{{Type: "container", ID: c.Label(), Reason: "it listens on its host's network, at no port that is known"}, {Type: "container-port", Reason: "none declared"}}
		if m.found {
			w, doubt := anyPort(v, aws.End{Kind: "instance", ID: m.instance}, proto, true, m.scope)
			ways, unread = append(ways, w...), append(unread, doubt...)
		}
	}
	for _, e := range entrances {
		for _, r := range m.ways(v, place{e.Address, e.Family, e.Protocol, e.Port}) {
			w := way{Result: r}
			if r.Verdict != reach.Blocked {
				w.Path = join(m.arrived(r.Path, e.Own), e.Hops...)
			}
			ways = append(ways, w)
		}
	}
	if len(entrances) == 0 {
		// What stops the same port at the host is just as true.
		for _, r := range m.ways(v, place{protocol: proto, port: hostPort(stops, port)}) {
			if r.Verdict == reach.Blocked && m.found && port != 0 {
				ways = append(ways, way{Result: r, aside: true})
			}
		}
	}
	if s := v.Section(c.Scope, "docker-inspect"); s.Status == triad.SectionUnread {
		unread = append(unread, triad.Unread{Scope: c.Scope, Section: s.Name, Reason: s.Reason})
	}
	return certain(v, best(ways, stops, unread))
}

// arrived ends a path at the machine, by the instance's ID.
func (m machine) arrived(path []triad.Hop, own bool) []triad.Hop {
	if own || len(path) == 0 {
		return path
	}
	switch last := path[len(path)-1]; {
	case last.Type == "instance" || last.Type == "host":
		return path
	case m.instance != "":
		return join(path, triad.Hop{Type: "instance", ID: m.instance})
	}
	return join(path, triad.Hop{Type: "host", ID: m.name})
}

// hostPort is the port on the host that a published port's stop names, else the port itself.
func hostPort(stops []triad.Hop, port int) int {
	for _, h := range stops {
		if h.Type != "published-port" {
			continue
		}
		if n := portAfter(h.ID); n > 0 {
			return n
		}
	}
	return port
}

// portAfter is the number behind the last colon of address:port.
func portAfter(s string) int {
	n, scale := 0, 1
	for i := len(s) - 1; i >= 0; i-- {
		switch {
		case s[i] == ':' && scale > 1:
			return n
		case s[i] < '0' || s[i] > '9' || scale > 100_000:
			return 0
		}
		n += int(s[i]-'0') * scale
		scale *= 10
	}
	return 0
}
