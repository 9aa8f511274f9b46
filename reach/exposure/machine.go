package exposure

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/reach/aws"
	"github.com/triad-security/triad/reach/kubernetes"
)

// machine is a host, virtual machine or node as all scopes together know it.
type machine struct {
	name     string
	provider string // aws, gce, azure…; empty when nothing says that a cloud runs it
	instance string // EC2 instance
	// found reports that the instance's own row is in the estate; network and tags are its.
	found   bool
	network string
	tags    map[string]string
	facts   *instanceFacts
	// addresses that the machine itself, or its cluster, says it has.
	addresses []netip.Addr
	scope     string
}

// machineOf gathers what is known of a machine under an asset ID and its aliases. All that
// run on it ask.
func machineOf(v reach.View, id string) machine {
	if id == "" {
		return machine{}
	}
	return reach.Share(v, "reach-machine", id, func(v reach.View) machine { return readMachine(v, id) })
}

func readMachine(v reach.View, id string) machine {
	m := machine{name: id}
	queue, seen := []string{id}, map[string]bool{id: true}
	for len(queue) > 0 && len(seen) < 64 {
		key := queue[0]
		queue = queue[1:]
		for _, row := range v.Rows(key) {
			a := row.Asset
			if a == nil || a.Type != triad.TypeHost {
				continue
			}
			if m.name == id && a.Name != "" && a.Kind != "Instance" {
				m.name = a.Name[strings.LastIndexByte(a.Name, '/')+1:]
			}
			if m.scope == "" {
				m.scope = row.Scope
			}
			for _, alias := range append([]string{a.ID}, a.Aliases...) {
				if i, ok := strings.CutPrefix(alias, "aws-instance:"); ok {
					m.provider, m.instance = "aws", i
				} else if provider, _, ok := strings.Cut(alias, "://"); ok && m.provider == "" {
					m.provider = provider
				}
				if !seen[alias] {
					seen[alias] = true
					queue = append(queue, alias)
				}
			}
			if a.Kind == "Instance" {
				m.fill(row)
				continue
			}
			var props triad.HostProps
			if json.Unmarshal(a.Props, &props) == nil {
				for _, s := range props.Addresses {
					if ip, err := netip.ParseAddr(strings.SplitN(s, "/", 2)[0]); err == nil && !slices.Contains(m.addresses, ip) {
						m.addresses = append(m.addresses, ip.Unmap().WithZone(""))
					}
				}
			}
		}
	}
	return m
}

func (m *machine) fill(row *reach.Row) {
	f := factsOf(row)
	m.found, m.provider, m.network, m.tags, m.facts = true, "aws", f.network, row.Asset.Tags, f
	if m.instance == "" {
		m.instance = row.Asset.ID
	}
}

// like describes an instance by all that decides what reaches it from the internet. It is
// empty for one that a load balancer has as a target, or of which that is not known.
func (m machine) like(v reach.View) string {
	if m.facts == nil || len(v.Rows(keyTargetID(m.instance))) > 0 {
		return ""
	}
	for _, ip := range m.facts.primary {
		if len(v.Rows(keyTargetID(ip))) > 0 || len(v.Rows(keyTargetIn(m.network, ip))) > 0 {
			return ""
		}
	}
	return m.facts.like
}

// place is where a machine must take packets: a port at all its addresses, at those of one
// family, or at one address.
type place struct {
	address  netip.Addr
	family   int // 4, 6 or 0 for both
	protocol string
	port     int
}

// ways are those from the internet to a place on the machine.
func (m machine) ways(v reach.View, p place) []reach.Result {
	start := []triad.Hop{{Type: "internet"}}
	switch {
	case m.found:
		var all []reach.Result
		if p.address.IsValid() {
			all = aws.FromInternet(v, aws.Target{Address: p.address, Network: m.network}, p.protocol, p.port)
		} else {
			all = instanceWays(v, m.instance, p.protocol, p.port)
		}
		if all = m.family(p, all); len(all) > 0 {
			return all
		}
		return []reach.Result{blocked(start, triad.Hop{Type: "instance", ID: m.instance, Reason: "the internet reaches none of its IPv" + itoa(p.family) + " addresses"})}
	case m.instance != "":
		return []reach.Result{unknown(start, triad.Unread{Section: "ec2-describe-instances", Reason: "the account of instance " + m.instance + " was not collected"})}
	case m.provider != "" && !slices.Contains([]string{"kind", "k3s", "minikube", "docker"}, m.provider):
		return []reach.Result{unknown(start, triad.Unread{Section: "cloud", Reason: "the network of " + m.name + " in " + m.provider + " was not collected"})}
	}
	return []reach.Result{m.alone(p)}
}

// instanceWays are those from the internet to a port of an instance: the same for all pods
// to which the port leads.
func instanceWays(v reach.View, instance, protocol string, port int) []reach.Result {
	all := reach.Share(v, "reach-instance", instance+"|"+protocol+"|"+itoa(port), func(v reach.View) []reach.Result {
		list := aws.FromInternet(v, aws.Target{Instance: instance}, protocol, port)
		for i := range list { // whoever appends must copy
			r := &list[i]
			r.Path, r.AlsoBlockedBy, r.Sources, r.Unread = slices.Clip(r.Path), slices.Clip(r.AlsoBlockedBy), slices.Clip(r.Sources), slices.Clip(r.Unread)
		}
		return list
	})
	return slices.Clone(all)
}

// family drops ways by addresses of a family that the place does not take.
func (m machine) family(p place, all []reach.Result) []reach.Result {
	return slices.DeleteFunc(all, func(r reach.Result) bool {
		if p.family == 0 || len(r.Path) == 0 {
			return false
		}
		last := r.Path[len(r.Path)-1]
		if last.Type != "instance" || last.Evidence == nil {
			return false
		}
		ip, err := netip.ParseAddr(last.Evidence.Detail)
		return err == nil && ip.Is4() != (p.family == 4)
	})
}

// alone decides for a machine that no cloud is known to run, by its own addresses: one that
// the internet can route makes it unknown, for a firewall on the way was not read; with
// private ones only nothing from the internet comes in unless somebody forwards to it, which
// nothing collected shows.
func (m machine) alone(p place) reach.Result {
	host := triad.Hop{Type: "host", ID: m.name}
	start := []triad.Hop{{Type: "internet"}}
	var private []string
	for _, ip := range m.addresses {
		switch {
		case p.address.IsValid() && ip != p.address,
			p.family == 4 && !ip.Is4(), p.family == 6 && !ip.Is6(),
			ip.IsLoopback(), ip.IsLinkLocalUnicast():
			continue
		case reach.Internet.Contains(ip):
			host.Evidence = &triad.Evidence{Source: "host addresses", Detail: ip.String(), Scope: m.scope}
			return unknown(join(start, host), triad.Unread{Scope: m.scope, Section: "firewall", Reason: m.name + " has the internet address " + ip.String() + "; whether a firewall stands before it was not read"})
		}
		private = append(private, ip.String())
	}
	if p.address.IsValid() && len(private) == 0 {
		// An address that the machine was told to listen on and does not list itself.
		if reach.Internet.Contains(p.address) {
			return unknown(join(start, host), triad.Unread{Scope: m.scope, Section: "firewall", Reason: p.address.String() + " is an internet address; whether a firewall stands before it was not read"})
		}
		private = append(private, p.address.String())
	}
	if len(private) == 0 {
		return unknown(start, triad.Unread{Scope: m.scope, Section: "host addresses", Reason: "the addresses of " + m.name + " are not known"})
	}
	return blocked(start, triad.Hop{
		Type: "private-address", ID: private[0],
		Reason:   m.name + " has private addresses only (" + strings.Join(private[:min(len(private), 4)], ", ") + "), and nothing that was collected forwards to it from the internet",
		Evidence: &triad.Evidence{Source: "host addresses", Detail: strings.Join(private, ", "), Scope: m.scope},
	})
}

// clusterNetwork is the VPC of an EKS cluster.
func clusterNetwork(v reach.View, name string) string {
	for _, row := range kubernetes.Clusters(v, name) {
		var c struct {
			ResourcesVPCConfig struct {
				VPCID string `json:"vpcId"`
			} `json:"resourcesVpcConfig"`
		}
		if row.Asset != nil && json.Unmarshal(row.Asset.Doc, &c) == nil && c.ResourcesVPCConfig.VPCID != "" {
			return c.ResourcesVPCConfig.VPCID
		}
	}
	return ""
}
