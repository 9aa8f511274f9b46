package exposure

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/reach/aws"
	"github.com/triad-security/triad/reach/docker"
	"github.com/triad-security/triad/reach/kubernetes"
)

// Connect says whether the network lets a container, function or host connect to a data
// store's endpoint. A store without an address of its own (a bucket) is used by identity, and
// no network alone opens it.
func Connect(v reach.View, from, dataStore string) reach.Result {
	s, err := storeOf(v, dataStore)
	switch {
	case s.row == nil:
		return unknown(nil, triad.Unread{Section: "data stores", Reason: "nothing that was collected holds " + dataStore})
	case err != nil:
		return unknown(nil, triad.Unread{Scope: s.row.Scope, Section: s.row.Asset.Section, Reason: err.Error()})
	case s.byIdentity():
		return blocked(nil, triad.Hop{Type: "resource-policy", ID: s.row.Asset.ID, Reason: "identity decides who uses it, not the network"})
	}
	points := s.points(v)
	for _, a := range s.Addresses {
		if ip, err := netip.ParseAddr(a); err == nil && reach.Internet.Contains(ip) && ip.Is4() {
			points = append(points, point{ip, v})
		}
	}
	if len(points) == 0 {
		return unknown(nil, triad.Unread{Scope: s.row.Scope, Section: s.row.Asset.Section, Reason: "neither addresses nor subnets of " + dataStore + " are known"})
	}
	origin := originOf(v, from)
	if origin.result != nil {
		return *origin.result
	}
	var ways []way
	for _, to := range points {
		for _, r := range origin.to(v, s, to) {
			ways = append(ways, way{Result: r})
		}
	}
	r := best(ways, nil, origin.unread)
	r.Exposure = "" // nobody on the internet asked
	return r
}

// origin is where a connection begins.
type origin struct {
	// targets are tried in order; the first that the cloud knows is the one.
	targets []aws.Target
	view    func(reach.View) reach.View // adds the origin's imagined interface
	outside string                      // why it comes from the internet's side, where it has no place in a VPC
	pod     *podQuestion                // for egress policies
	path    []triad.Hop
	result  *reach.Result // the answer, where the origin alone decides
	unread  []triad.Unread
}

func originOf(v reach.View, id string) origin {
	no := func(h triad.Hop) origin {
		r := blocked(nil, h)
		return origin{result: &r}
	}
	if p, name := kubernetes.PodOf(v, id); p != nil {
		q := &podQuestion{v: v, pod: p, name: name, machines: map[string]machine{}}
		q.cluster()
		return q.origin()
	}
	c, err := docker.ContainerOf(v, id)
	switch {
	case err != nil:
		r := unknown(nil, triad.Unread{Section: "docker-inspect", Reason: err.Error()})
		return origin{result: &r}
	case c != nil:
		hop := triad.Hop{Type: "container", ID: c.Label()}
		if why := c.Isolated(v); why != "" {
			hop.Reason = why
			return no(hop)
		}
		o := machineOf(v, c.HostID(v)).origin()
		o.path = []triad.Hop{hop}
		return o
	}
	if row, f, err := functionRow(v, id); row != nil {
		o := origin{path: []triad.Hop{{Type: "function", ID: f.ARN}}}
		switch {
		case err != nil:
			r := unknown(nil, triad.Unread{Scope: row.Scope, Section: row.Asset.Section, Reason: err.Error()})
			o.result = &r
		case len(f.VPC.SubnetIDs) == 0:
			o.outside = "a function without a VPC comes from the internet's side"
		default:
			o.inSubnets(v, row.Scope, f)
		}
		return o
	}
	return machineOf(v, id).origin()
}

// origin of a machine: its instance, or somewhere outside every collected cloud.
func (m machine) origin() origin {
	switch {
	case m.found:
		return origin{targets: []aws.Target{{Instance: m.instance}}}
	case m.instance != "":
		r := unknown(nil, triad.Unread{Section: "ec2-describe-instances", Reason: "the account of instance " + m.instance + " was not collected"})
		return origin{result: &r}
	}
	return origin{outside: m.name + " is in no cloud that was collected"}
}

// origin of a pod: its own address where that is one of the VPC, else its node.
func (q *podQuestion) origin() origin {
	o := origin{outside: "its node is in no cloud that was collected", pod: q, path: []triad.Hop{{Type: "pod", ID: q.pod.Path()}}}
	if n := kubernetes.NodeOf(q.v, q.pod); n != nil {
		m := q.machine(n)
		if m.instance != "" && !m.found {
			o.result = m.origin().result
			return o
		}
		if m.found {
			o.targets = append(o.targets, aws.Target{Instance: m.instance})
		}
	}
	if q.network != "" && !q.pod.HostNetwork() {
		for _, ip := range q.pod.Addresses() {
			o.targets = slices.Insert(o.targets, 0, aws.Target{Address: ip, Network: q.network})
		}
	}
	return o
}

// inSubnets places a function in the first of its subnets that is known: all have its groups.
func (o *origin) inSubnets(v reach.View, scope string, f lambda) {
	for _, subnet := range f.VPC.SubnetIDs {
		if p, ok := imagine(v, scope, f.VPC.VPCID, subnet, f.VPC.GroupIDs, false, "of "+f.ARN); ok {
			extra, _ := p.view.(imagined)
			o.targets = []aws.Target{{Address: p.address, Network: f.VPC.VPCID}}
			o.view = func(below reach.View) reach.View { return imagined{below, extra.row, extra.keys} }
			return
		}
	}
	r := unknown(nil, triad.Unread{Scope: scope, Section: "ec2-describe-subnets", Reason: fmt.Sprintf("none of the subnets %v is known", f.VPC.SubnetIDs)})
	o.result = &r
}

// to asks for the way from the origin to one address of a store.
func (o origin) to(v reach.View, s store, at point) []reach.Result {
	if len(o.targets) == 0 {
		return []reach.Result{o.fromOutside(v, s)}
	}
	if stop, unread := o.egress(at.address, s.Port); stop != nil {
		r := blocked(o.path, *stop)
		if len(unread) > 0 {
			r = unknown(o.path, unread...)
		}
		return []reach.Result{r}
	}
	view := at.view
	if o.view != nil {
		view = o.view(view)
	}
	var r reach.Result
	for i, from := range o.targets {
		r = aws.Connect(view, from, aws.Target{Address: at.address, Network: s.Network}, "tcp", s.Port)
		if reach.Internet.Contains(at.address) && at.address.Is4() {
			r = aws.Connect(view, from, aws.Target{Address: at.address}, "tcp", s.Port)
		}
		if i+1 < len(o.targets) && r.Verdict == reach.Blocked && len(r.Path) == 0 && stoppedBy(r, "no-such-address") {
			continue // an overlay's address: the packet leaves with its node's
		}
		break
	}
	r.Path = join(o.path, r.Path...)
	if r.Verdict == reach.Reachable {
		r.Path = join(r.Path, s.hop())
	}
	return []reach.Result{r}
}

// fromOutside decides for an origin on the internet's side: what is open to all is open to it.
func (o origin) fromOutside(v reach.View, s store) reach.Result {
	r := DataStore(v, s.row.Asset.ID)
	r.Path = join(o.path, r.Path...)
	if r.Exposure == triad.ExposureControlled {
		return unknown(r.Path, triad.Unread{Section: "egress address", Reason: o.outside + ", and under which address is not known; the store lets in listed ones"})
	}
	return r
}

// egress is the policy that keeps a pod from an address.
func (o origin) egress(ip netip.Addr, port int) (*triad.Hop, []triad.Unread) {
	if o.pod == nil || !o.pod.enforced {
		return nil, nil
	}
	d := kubernetes.PolicyEgress(o.pod.v, o.pod.pod, kubernetes.Peer{Addresses: reach.Addresses(ip)}, "tcp", port)
	if !d.Allowed.Empty() && (len(d.Unread) == 0 || len(d.Select) > 0) {
		return nil, nil
	}
	unread := d.Unread
	if o.pod.doubt != nil {
		unread = append(unread, *o.pod.doubt)
	}
	h := triad.Hop{Type: "network-policy", Reason: fmt.Sprintf("no egress rule lets the pod out to %s tcp %d", ip, port)}
	if len(d.Select) > 0 {
		h.ID = d.Select[0].Path()
		h.Evidence = &triad.Evidence{Source: "networkpolicies", Scope: d.Select[0].Scope}
	}
	return &h, unread
}
