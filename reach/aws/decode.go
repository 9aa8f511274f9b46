package aws

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"slices"

	"github.com/triad-security/triad/reach"
)

func plain[T any](doc json.RawMessage) (any, []string, error) {
	d := new(T)
	return d, nil, json.Unmarshal(doc, d)
}

func decodeInterface(doc json.RawMessage) (any, []string, error) {
	n := new(networkInterface)
	err := json.Unmarshal(doc, n)
	n.decode()
	return n, interfaceKeys(n), err
}

func interfaceKeys(n *networkInterface) []string {
	var keys []string
	for _, a := range n.private {
		keys = append(keys, keyIP(a), keyVPCIP(n.VPC, a))
	}
	for _, p := range n.public {
		keys = append(keys, keyPublic(p))
	}
	for _, p := range n.prefixes {
		keys = append(keys, keyPrefix("", p), keyPrefix(n.VPC, p))
	}
	if n.instance != "" {
		keys = append(keys, keyInstanceInterfaces(n.instance))
	}
	if n.balancer != "" {
		keys = append(keys, keyBalancerInterfaces(n.balancer))
	}
	return keys
}

func decodeInstance(doc json.RawMessage) (any, []string, error) {
	i := new(instance)
	err := json.Unmarshal(doc, i)
	var keys []string
	i.Interfaces = slices.DeleteFunc(i.Interfaces, func(n *networkInterface) bool { return n == nil })
	for _, n := range i.Interfaces {
		n.decode()
		n.instance = i.ID
		n.balancer = ""
		keys = append(keys, interfaceKeys(n)...)
	}
	return i, keys, err
}

func decodeGroup(doc json.RawMessage) (any, []string, error) {
	g := new(securityGroup)
	err := json.Unmarshal(doc, g)
	for _, rules := range [][]permission{g.Ingress, g.Egress} {
		for i := range rules {
			if e := rules[i].decode(); err == nil {
				err = e
			}
		}
	}
	return g, nil, err
}

func (p *permission) decode() (err error) {
	if p.protocol, err = parseProtocol(p.Protocol); err != nil {
		return err
	}
	p.ports = reach.AllPorts
	from, to := -1, -1
	if p.FromPort != nil {
		from = *p.FromPort
	}
	if p.ToPort != nil {
		to = *p.ToPort
	}
	switch p.protocol {
	case tcp, udp:
		if from >= 0 || to >= 0 {
			p.ports = portRange(from, to)
		}
	case icmp, icmpv6:
		p.ports = reach.ICMP(from, to)
	}
	for _, r := range p.IPRanges {
		x, e := netip.ParsePrefix(r.CIDR)
		if e != nil {
			err = e
			continue
		}
		p.ranges = append(p.ranges, x.Masked())
	}
	for _, r := range p.IPv6Ranges {
		x, e := netip.ParsePrefix(r.CIDR)
		if e != nil {
			err = e
			continue
		}
		p.ranges = append(p.ranges, x.Masked())
	}
	p.addrs = reach.Prefixes(p.ranges...)
	return err
}

func portRange(from, to int) reach.PortSet {
	from, to = max(from, 0), min(to, 1<<16-1)
	if from > to {
		return reach.PortSet{}
	}
	return reach.Ports(uint16(from), uint16(to))
}

func decodeACL(doc json.RawMessage) (any, []string, error) {
	a := new(networkACL)
	err := json.Unmarshal(doc, a)
	for i := range a.Entries {
		if e := a.Entries[i].decode(); err == nil {
			err = e
		}
	}
	slices.SortStableFunc(a.Entries, func(x, y aclEntry) int { return cmp.Compare(x.Number, y.Number) })
	var keys []string
	for _, s := range a.Associations {
		keys = append(keys, keySubnetACL(s.Subnet))
	}
	if a.Default {
		keys = append(keys, keyDefaultACL(a.VPC))
	}
	return a, keys, err
}

func (r *aclEntry) decode() (err error) {
	if r.protocol, err = parseProtocol(r.Protocol); err != nil {
		return err
	}
	r.ports = reach.AllPorts
	switch r.protocol {
	case tcp, udp:
		if r.Ports != nil {
			r.ports = portRange(r.Ports.From, r.Ports.To)
		}
	case icmp, icmpv6:
		if r.ICMP != nil {
			r.ports = reach.ICMP(r.ICMP.Type, r.ICMP.Code)
		}
	}
	cidr := r.CIDR
	if cidr == "" {
		cidr = r.IPv6CIDR
	}
	if r.prefix, err = netip.ParsePrefix(cidr); err != nil {
		return err
	}
	r.prefix = r.prefix.Masked()
	r.addrs = reach.Prefixes(r.prefix)
	return nil
}

func decodeSubnet(doc json.RawMessage) (any, []string, error) {
	s := new(subnet)
	err := json.Unmarshal(doc, s)
	cidrs := []string{s.CIDR}
	for _, c := range s.IPv6CIDR {
		if c.State.State == "associated" || c.State.State == "" {
			cidrs = append(cidrs, c.CIDR)
		}
	}
	var e error
	if s.prefixes, e = parsePrefixes(cidrs); err == nil {
		err = e
	}
	return s, []string{keySubnets(s.VPC)}, err
}

func decodeVPC(doc json.RawMessage) (any, []string, error) {
	v := new(vpc)
	err := json.Unmarshal(doc, v)
	cidrs := []string{v.CIDR}
	for _, c := range slices.Concat(v.CIDRs) {
		if c.State.State == "associated" || c.State.State == "" {
			cidrs = append(cidrs, c.CIDR)
		}
	}
	for _, c := range v.IPv6CIDRs {
		if c.State.State == "associated" || c.State.State == "" {
			cidrs = append(cidrs, c.CIDR)
		}
	}
	var e error
	if v.prefixes, e = parsePrefixes(cidrs); err == nil {
		err = e
	}
	return v, []string{keyVPCs}, err
}

// parsePrefixes parses CIDRs, leaving out empty strings and repetitions.
func parsePrefixes(cidrs []string) (out []netip.Prefix, err error) {
	for _, c := range cidrs {
		if c == "" {
			continue
		}
		p, e := netip.ParsePrefix(c)
		if e != nil {
			err = e
			continue
		}
		if p = p.Masked(); !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out, err
}

func decodeTable(doc json.RawMessage) (any, []string, error) {
	t := new(routeTable)
	err := json.Unmarshal(doc, t)
	for i := range t.Routes {
		r := &t.Routes[i]
		cidr := r.CIDR
		if cidr == "" {
			cidr = r.IPv6CIDR
		}
		if cidr == "" && r.PrefixList != "" {
			continue
		}
		p, e := netip.ParsePrefix(cidr)
		if e != nil && err == nil {
			err = e
		}
		r.prefix = p.Masked()
	}
	var keys []string
	for _, a := range t.Associations {
		switch state := a.State.State; {
		case state != "" && state != "associated" && state != "associating":
		case a.Main:
			keys = append(keys, keyMainTable(t.VPC))
		case a.Subnet != "":
			keys = append(keys, keySubnetTable(a.Subnet))
		case a.Gateway != "":
			keys = append(keys, keyGatewayTable(a.Gateway))
		}
	}
	return t, keys, err
}

func decodeGateway(doc json.RawMessage) (any, []string, error) {
	g := new(internetGateway)
	err := json.Unmarshal(doc, g)
	var keys []string
	for _, a := range g.Attachments {
		keys = append(keys, keyGatewayOf(a.VPC))
	}
	return g, keys, err
}

func decodeNAT(doc json.RawMessage) (any, []string, error) {
	n := new(natGateway)
	err := json.Unmarshal(doc, n)
	var keys []string
	for _, a := range n.Addresses {
		keys = append(keys, keyNATOf(a.Interface))
	}
	return n, keys, err
}

func decodeAttachment(doc json.RawMessage) (any, []string, error) {
	t := new(transitAttachment)
	err := json.Unmarshal(doc, t)
	var keys []string
	if n := t.network(); n != "" {
		keys = append(keys, keyAttachment(t.Gateway, n))
	}
	return t, keys, err
}

func decodeTransitTable(doc json.RawMessage) (any, []string, error) {
	t := new(transitTable)
	err := json.Unmarshal(doc, t)
	if t.Routes != nil {
		for i := range *t.Routes {
			r := &(*t.Routes)[i]
			if r.CIDR == "" {
				continue // by prefix list
			}
			p, e := netip.ParsePrefix(r.CIDR)
			if e != nil && err == nil {
				err = e
			}
			r.prefix = p.Masked()
		}
	}
	return t, nil, err
}

func decodePeering(doc json.RawMessage) (any, []string, error) {
	p := new(peeringConnection)
	err := json.Unmarshal(doc, p)
	for _, side := range []*peeringSide{&p.Accepter, &p.Requester} {
		cidrs := []string{side.CIDR}
		for _, c := range side.CIDRs {
			cidrs = append(cidrs, c.CIDR)
		}
		for _, c := range side.IPv6CIDRs {
			cidrs = append(cidrs, c.CIDR)
		}
		var e error
		if side.prefixes, e = parsePrefixes(cidrs); err == nil {
			err = e
		}
	}
	return p, nil, err
}

func decodeElastic(doc json.RawMessage) (any, []string, error) {
	x := new(elasticIP)
	err := json.Unmarshal(doc, x)
	var keys []string
	if a, e := netip.ParseAddr(x.PublicIP); e == nil {
		keys = append(keys, keyElastic(a))
	}
	return x, keys, err
}

func decodePrefixList(doc json.RawMessage) (any, []string, error) {
	l := new(prefixListDoc)
	err := json.Unmarshal(doc, l)
	var cidrs []string
	if l.CIDRs != nil {
		cidrs = append(cidrs, *l.CIDRs...)
	}
	if l.Entries != nil {
		for _, x := range *l.Entries {
			cidrs = append(cidrs, x.CIDR)
		}
	}
	var e error
	if l.prefixes, e = parsePrefixes(cidrs); err == nil {
		err = e
	}
	l.addrs = reach.Prefixes(l.prefixes...)
	l.known = l.CIDRs != nil || l.Entries != nil
	return l, nil, err
}

func decodeBalancer(doc json.RawMessage) (any, []string, error) {
	l := new(loadBalancer)
	err := json.Unmarshal(doc, l)
	return l, []string{keyBalancer(l.suffix())}, err
}

func decodeTargetGroup(doc json.RawMessage) (any, []string, error) {
	t := new(targetGroup)
	err := json.Unmarshal(doc, t)
	var keys []string
	if t.Health != nil {
		for _, h := range *t.Health {
			// Networks use the same private addresses, so one of a zone of the group's own VPC is
			// looked up in that VPC alone. "all" is what targets elsewhere have, and where nothing
			// is said it may be elsewhere.
			if t.TargetType == "ip" && t.VPC != "" {
				keys = append(keys, keyTargetIn(t.VPC, h.Target.ID))
				if h.Target.Zone != "" && h.Target.Zone != "all" {
					continue
				}
			}
			keys = append(keys, keyTarget(h.Target.ID))
		}
	}
	return t, keys, err
}
