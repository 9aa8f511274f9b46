package exposure

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/reach/aws"
	"github.com/triad-security/triad/reach/docker"
	"github.com/triad-security/triad/reach/kubernetes"
)

// Indexes are those that an estate needs for the questions of this package.
func Indexes() []reach.Index {
	return []reach.Index{aws.Index, kubernetes.Index, docker.Index, Index}
}

func keyFront(name string) string  { return "exposure/load-balancer-named/" + strings.ToLower(name) }
func keyTargetID(id string) string { return "exposure/target/" + id }
func keyTargetIn(network, ip string) string {
	return "exposure/target-in/" + network + "/" + ip
}

func keyNodesOf(suffix string) string { return "exposure/load-balancer-interfaces/" + suffix }

// maxDoc bounds a document that is decoded here.
const maxDoc = 4 << 20

// Index is the reach.Index of what joins the adapters: load balancers by DNS name, their
// interfaces and their targets. It decodes nothing for others.
func Index(_ string, a *triad.Asset) (decoded any, keys []string, err error) {
	if len(a.Doc) == 0 || len(a.Doc) > maxDoc {
		return nil, nil, nil
	}
	switch a.Kind {
	case "LoadBalancer":
		var lb balancer
		if err := json.Unmarshal(a.Doc, &lb); err != nil {
			return nil, nil, fmt.Errorf("decoding %s: %w", a.ID, err)
		}
		if lb.DNSName != "" {
			keys = append(keys, keyFront(lb.DNSName))
		}
	case "TargetGroup":
		var g struct {
			TargetType, VPCID        string
			TargetHealthDescriptions []struct {
				Target struct{ ID, AvailabilityZone string }
			}
		}
		if err := json.Unmarshal(a.Doc, &g); err != nil {
			return nil, nil, fmt.Errorf("decoding %s: %w", a.ID, err)
		}
		for _, t := range g.TargetHealthDescriptions {
			if zone := t.Target.AvailabilityZone; g.TargetType == "ip" && g.VPCID != "" {
				keys = append(keys, keyTargetIn(g.VPCID, t.Target.ID))
				if zone != "" && zone != "all" {
					continue // the same address elsewhere is another thing
				}
			}
			keys = append(keys, keyTargetID(t.Target.ID))
		}
	case "NetworkInterface":
		if !bytes.Contains(a.Doc, []byte(`"ELB `)) {
			return nil, nil, nil
		}
		var ni struct {
			Description string
		}
		if err := json.Unmarshal(a.Doc, &ni); err != nil {
			return nil, nil, fmt.Errorf("decoding %s: %w", a.ID, err)
		}
		if suffix, ok := strings.CutPrefix(ni.Description, "ELB "); ok {
			keys = append(keys, keyNodesOf(suffix))
		}
	}
	return nil, keys, nil
}

// balancer is what of a load balancer's document is read here.
type balancer struct {
	DNSName string
	Type    string
	Scheme  string
}

// arrival says how a packet that took a way through the cloud comes to its target: with the
// client's address, or with that of the last load balancer on the way.
type arrival struct {
	sources reach.AddrSet
	// client reports that the target sees the client's own address.
	client bool
	group  string // ARN of the last target group
	front  string // DNS name of the last load balancer
	// doubt says why it is not known whether the target sees sources or other.
	doubt *triad.Unread
	other reach.AddrSet
}

func arrivalOf(v reach.View, r reach.Result) arrival {
	a := arrival{sources: sourcesOf(r), client: true}
	if r.Verdict == reach.Unknown {
		// What was not read may be a load balancer, and whose addresses it sends is not
		// known: only who lets in nobody at all stops it.
		a.sources = reach.AllAddresses
	}
	arn := ""
	for _, h := range r.Path {
		switch h.Type {
		case "load-balancer":
			arn = h.ID
		case "target-group":
			a.group = h.ID
		}
	}
	if arn == "" {
		return a
	}
	lb := reach.Share(v, "reach-balancer", arn, func(v reach.View) sender { return senderOf(v, arn) })
	a.front = lb.DNSName
	own := lb.addresses
	if lb.Type == "network" {
		var kept bool
		if kept, a.doubt = preserves(v, a.group); kept {
			a.other = own
			return a
		}
		a.other = a.sources
	}
	if a.client = false; r.Verdict != reach.Unknown {
		a.sources = own
	}
	return a
}

// sender is a load balancer as its targets see it.
type sender struct {
	balancer
	addresses reach.AddrSet
}

func senderOf(v reach.View, arn string) (s sender) {
	for _, row := range v.Rows(arn) {
		if row.Asset != nil && json.Unmarshal(row.Asset.Doc, &s.balancer) == nil {
			break
		}
	}
	s.addresses = balancerAddresses(v, arn)
	return s
}

// preserves reports whether a network load balancer's targets see the client's address.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html#client-ip-preservation
func preserves(v reach.View, group string) (kept bool, doubt *triad.Unread) {
	var g struct {
		Protocol   string
		TargetType string
		Attributes *[]struct{ Key, Value string }
	}
	scope := ""
	for _, row := range v.Rows(group) {
		if row.Asset != nil && json.Unmarshal(row.Asset.Doc, &g) == nil {
			scope = row.Scope
			break
		}
	}
	switch g.Protocol {
	case "UDP", "TCP_UDP", "QUIC", "TCP_QUIC":
		return true, nil
	}
	if g.Attributes != nil {
		for _, a := range *g.Attributes {
			if a.Key == "preserve_client_ip.enabled" {
				return a.Value == "true", nil
			}
		}
	} else if s := v.Section(scope, "elbv2-describe-target-group-attributes"); s.Status == triad.SectionUnread {
		doubt = &triad.Unread{Scope: scope, Section: s.Name, Reason: s.Reason}
	}
	return g.TargetType == "instance", doubt
}

// balancerAddresses are those from which a load balancer sends: its interfaces', else, where
// none is known, all of its subnets'.
func balancerAddresses(v reach.View, arn string) reach.AddrSet {
	_, suffix, _ := strings.Cut(arn, ":loadbalancer/")
	var all []netip.Addr
	for _, row := range v.Rows(keyNodesOf(suffix)) {
		var ni struct {
			PrivateIPAddresses []struct {
				PrivateIPAddress string `json:"PrivateIpAddress"`
			} `json:"PrivateIpAddresses"`
			PrivateIPAddress string `json:"PrivateIpAddress"`
			IPv6Addresses    []struct {
				IPv6Address string `json:"Ipv6Address"`
			} `json:"Ipv6Addresses"`
		}
		if row.Asset == nil || json.Unmarshal(row.Asset.Doc, &ni) != nil {
			continue
		}
		list := []string{ni.PrivateIPAddress}
		for _, x := range ni.PrivateIPAddresses {
			list = append(list, x.PrivateIPAddress)
		}
		for _, x := range ni.IPv6Addresses {
			list = append(list, x.IPv6Address)
		}
		for _, s := range list {
			if ip, err := netip.ParseAddr(s); err == nil {
				all = append(all, ip)
			}
		}
	}
	if len(all) > 0 {
		return reach.Addresses(all...)
	}
	var lb struct {
		AvailabilityZones []struct{ SubnetID string }
	}
	var prefixes []netip.Prefix
	for _, row := range v.Rows(arn) {
		if row.Asset == nil || json.Unmarshal(row.Asset.Doc, &lb) != nil {
			continue
		}
		for _, z := range lb.AvailabilityZones {
			prefixes = append(prefixes, subnetPrefixes(v, z.SubnetID)...)
		}
	}
	return reach.Prefixes(prefixes...)
}

func subnetPrefixes(v reach.View, id string) []netip.Prefix {
	var all []netip.Prefix
	for _, row := range v.Rows(id) {
		var s struct{ CidrBlock string }
		if row.Asset == nil || json.Unmarshal(row.Asset.Doc, &s) != nil {
			continue
		}
		if p, err := netip.ParsePrefix(s.CidrBlock); err == nil {
			all = append(all, p)
		}
	}
	return all
}
