package exposure

import (
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/reach/aws"
	"github.com/triad-security/triad/reach/kubernetes"
)

// Host is the best way from the internet to a port of a host, where a process that is in no
// container listens; with port 0 to any port that the network lets through.
func Host(v reach.View, host, protocol string, port int) reach.Result {
	if protocol == "" {
		protocol = "tcp"
	}
	protocol = strings.ToLower(protocol)
	m := machineOf(v, host)
	if port == 0 && m.found {
		r := aws.Query(v, aws.Question{From: aws.End{Kind: "internet"}, To: aws.End{Kind: "instance", ID: m.instance}, Protocol: protocol, Port: aws.PortRange{Lo: 1, Hi: 65535}, Match: "some"})
		return best([]way{{Result: r}}, nil, nil)
	}
	ask := func(proto string, port int) reach.Result {
		var ways []way
		for _, r := range m.ways(v, place{protocol: proto, port: port}) {
			w := way{Result: r}
			if r.Verdict != reach.Blocked {
				w.Path = m.arrived(r.Path, false)
				if n := kubernetes.NodeAt(v, host); n != nil {
					w.Path = join(toNode(w.Path), triad.Hop{Type: "node", ID: n.HopID()})
				}
			}
			ways = append(ways, w)
		}
		return best(ways, nil, nil)
	}
	return ofPorts(v, host, protocol, port, nil, ask)
}
