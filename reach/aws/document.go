package aws

import (
	"net/netip"
	"strings"

	"github.com/triad-security/triad/reach"
)

// The documents, reduced to what decides. Field names are the API's own.

type group struct {
	GroupID string `json:"GroupId"`
}

type publicIP struct {
	PublicIP string `json:"PublicIp"`
}

type privateIP struct {
	PrivateIPAddress string    `json:"PrivateIpAddress"`
	Primary          bool      `json:"Primary"`
	Association      *publicIP `json:"Association"`
}

// networkInterface is an elastic network interface, of describe-network-interfaces or inside
// an instance.
type networkInterface struct {
	ID                 string      `json:"NetworkInterfaceId"`
	VPC                string      `json:"VpcId"`
	Subnet             string      `json:"SubnetId"`
	Type               string      `json:"InterfaceType"`
	Description        string      `json:"Description"`
	RequesterID        string      `json:"RequesterId"`
	Groups             []group     `json:"Groups"`
	PrivateIPAddress   string      `json:"PrivateIpAddress"`
	Association        *publicIP   `json:"Association"`
	PrivateIPAddresses []privateIP `json:"PrivateIpAddresses"`
	IPv6Addresses      []struct {
		IPv6Address string `json:"Ipv6Address"`
	} `json:"Ipv6Addresses"`
	IPv4Prefixes []struct {
		Prefix string `json:"Ipv4Prefix"`
	} `json:"Ipv4Prefixes"`
	IPv6Prefixes []struct {
		Prefix string `json:"Ipv6Prefix"`
	} `json:"Ipv6Prefixes"`
	SourceDestCheck *bool `json:"SourceDestCheck"`
	Attachment      *struct {
		InstanceID      string `json:"InstanceId"`
		InstanceOwnerID string `json:"InstanceOwnerId"`
		DeviceIndex     int    `json:"DeviceIndex"`
	} `json:"Attachment"`

	// Decoded once.
	instance string                    // the instance it is attached to
	private  []netip.Addr              // primary first, then secondary, then IPv6
	public   map[netip.Addr]netip.Addr // private → public IPv4
	prefixes []netip.Prefix            // delegated
	balancer string                    // "app/name/id" for an interface of a load balancer
}

func (n *networkInterface) decode() {
	if n.Attachment != nil {
		n.instance = n.Attachment.InstanceID
	}
	add := func(ip string, assoc *publicIP) {
		a, err := netip.ParseAddr(ip)
		if err != nil {
			return
		}
		known := false
		for _, p := range n.private {
			known = known || p == a
		}
		if !known {
			n.private = append(n.private, a)
		}
		if assoc != nil {
			if p, err := netip.ParseAddr(assoc.PublicIP); err == nil {
				if n.public == nil {
					n.public = map[netip.Addr]netip.Addr{}
				}
				n.public[a] = p
			}
		}
	}
	add(n.PrivateIPAddress, n.Association)
	for _, p := range n.PrivateIPAddresses {
		add(p.PrivateIPAddress, p.Association)
	}
	for _, p := range n.IPv6Addresses {
		add(p.IPv6Address, nil)
	}
	for _, p := range n.IPv4Prefixes {
		if x, err := netip.ParsePrefix(p.Prefix); err == nil {
			n.prefixes = append(n.prefixes, x.Masked())
		}
	}
	for _, p := range n.IPv6Prefixes {
		if x, err := netip.ParsePrefix(p.Prefix); err == nil {
			n.prefixes = append(n.prefixes, x.Masked())
		}
	}
	if rest, ok := strings.CutPrefix(n.Description, "ELB "); ok && n.instance == "" {
		n.balancer = rest
	}
}

func (n *networkInterface) groups() []string {
	out := make([]string, len(n.Groups))
	for i, g := range n.Groups {
		out[i] = g.GroupID
	}
	return out
}

// holds reports whether the address belongs to the interface.
func (n *networkInterface) holds(a netip.Addr) bool {
	for _, p := range n.private {
		if p == a {
			return true
		}
	}
	for _, p := range n.prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// instance is one instance of describe-instances.
type instance struct {
	ID    string `json:"InstanceId"`
	State struct {
		Name string `json:"Name"`
	} `json:"State"`
	Interfaces []*networkInterface `json:"NetworkInterfaces"`
}

// permission is one IpPermission of a security group.
type permission struct {
	Protocol string `json:"IpProtocol"` // tcp, udp, icmp, icmpv6, a number, or -1
	FromPort *int   `json:"FromPort"`
	ToPort   *int   `json:"ToPort"`
	IPRanges []struct {
		CIDR string `json:"CidrIp"`
	} `json:"IpRanges"`
	IPv6Ranges []struct {
		CIDR string `json:"CidrIpv6"`
	} `json:"Ipv6Ranges"`
	PrefixLists []struct {
		ID string `json:"PrefixListId"`
	} `json:"PrefixListIds"`
	Pairs []group `json:"UserIdGroupPairs"`

	// Decoded once.
	protocol int // IP protocol number, -1 for all
	ports    reach.PortSet
	addrs    reach.AddrSet
	ranges   []netip.Prefix
}

// securityGroup is one group of describe-security-groups.
type securityGroup struct {
	ID      string       `json:"GroupId"`
	VPC     string       `json:"VpcId"`
	Ingress []permission `json:"IpPermissions"`
	Egress  []permission `json:"IpPermissionsEgress"`
}

// aclEntry is one rule of a network ACL.
type aclEntry struct {
	CIDR     string `json:"CidrBlock"`
	IPv6CIDR string `json:"Ipv6CidrBlock"`
	Egress   bool   `json:"Egress"`
	Protocol string `json:"Protocol"`
	Action   string `json:"RuleAction"`
	Number   int    `json:"RuleNumber"`
	Ports    *struct {
		From int `json:"From"`
		To   int `json:"To"`
	} `json:"PortRange"`
	ICMP *struct {
		Type int `json:"Type"`
		Code int `json:"Code"`
	} `json:"IcmpTypeCode"`

	// Decoded once.
	protocol int
	ports    reach.PortSet
	prefix   netip.Prefix
	addrs    reach.AddrSet
}

// networkACL is one list of describe-network-acls; Entries are in the order of evaluation.
type networkACL struct {
	ID           string     `json:"NetworkAclId"`
	VPC          string     `json:"VpcId"`
	Default      bool       `json:"IsDefault"`
	Entries      []aclEntry `json:"Entries"`
	Associations []struct {
		Subnet string `json:"SubnetId"`
	} `json:"Associations"`
}

type subnet struct {
	ID       string `json:"SubnetId"`
	VPC      string `json:"VpcId"`
	Zone     string `json:"AvailabilityZone"`
	ZoneID   string `json:"AvailabilityZoneId"`
	CIDR     string `json:"CidrBlock"`
	IPv6CIDR []struct {
		CIDR  string `json:"Ipv6CidrBlock"`
		State struct {
			State string `json:"State"`
		} `json:"Ipv6CidrBlockState"`
	} `json:"Ipv6CidrBlockAssociationSet"`

	prefixes []netip.Prefix
}

type vpc struct {
	ID    string `json:"VpcId"`
	CIDR  string `json:"CidrBlock"`
	CIDRs []struct {
		CIDR  string `json:"CidrBlock"`
		State struct {
			State string `json:"State"`
		} `json:"CidrBlockState"`
	} `json:"CidrBlockAssociationSet"`
	IPv6CIDRs []struct {
		CIDR  string `json:"Ipv6CidrBlock"`
		State struct {
			State string `json:"State"`
		} `json:"Ipv6CidrBlockState"`
	} `json:"Ipv6CidrBlockAssociationSet"`

	prefixes []netip.Prefix
}

func (v *vpc) contains(a netip.Addr) bool { return within(v.prefixes, a) }

func within(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// route is one route of a route table.
type route struct {
	CIDR         string `json:"DestinationCidrBlock"`
	IPv6CIDR     string `json:"DestinationIpv6CidrBlock"`
	PrefixList   string `json:"DestinationPrefixListId"`
	State        string `json:"State"`
	Origin       string `json:"Origin"`
	Gateway      string `json:"GatewayId"` // local, igw-, vgw-, vpce-
	NAT          string `json:"NatGatewayId"`
	EgressOnly   string `json:"EgressOnlyInternetGatewayId"`
	Transit      string `json:"TransitGatewayId"`
	Peering      string `json:"VpcPeeringConnectionId"`
	Instance     string `json:"InstanceId"`
	Interface    string `json:"NetworkInterfaceId"`
	LocalGateway string `json:"LocalGatewayId"`
	Carrier      string `json:"CarrierGatewayId"`
	CoreNetwork  string `json:"CoreNetworkArn"`

	prefix netip.Prefix
}

type routeTable struct {
	ID           string  `json:"RouteTableId"`
	VPC          string  `json:"VpcId"`
	Routes       []route `json:"Routes"`
	Associations []struct {
		Main    bool   `json:"Main"`
		Subnet  string `json:"SubnetId"`
		Gateway string `json:"GatewayId"`
		State   struct {
			State string `json:"State"`
		} `json:"AssociationState"`
	} `json:"Associations"`
}

type internetGateway struct {
	ID          string `json:"InternetGatewayId"`
	Attachments []struct {
		State string `json:"State"`
		VPC   string `json:"VpcId"`
	} `json:"Attachments"`
}

func (g *internetGateway) attachedTo(vpc string) bool {
	for _, a := range g.Attachments {
		if a.VPC == vpc && (a.State == "available" || a.State == "attached" || a.State == "") {
			return true
		}
	}
	return false
}

type egressOnlyGateway struct {
	ID string `json:"EgressOnlyInternetGatewayId"`
}

type natGateway struct {
	ID           string `json:"NatGatewayId"`
	VPC          string `json:"VpcId"`
	Subnet       string `json:"SubnetId"`
	State        string `json:"State"`
	Connectivity string `json:"ConnectivityType"` // public or private
	Addresses    []struct {
		Interface string `json:"NetworkInterfaceId"`
		PrivateIP string `json:"PrivateIp"`
		PublicIP  string `json:"PublicIp"`
	} `json:"NatGatewayAddresses"`
}
