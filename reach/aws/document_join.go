package aws

import (
	"net/netip"

	"github.com/triad-security/triad/reach"
)

// What joins networks: transit gateways, peering, endpoints, elastic addresses, prefix lists.

type transitGateway struct {
	ID      string `json:"TransitGatewayId"`
	Options struct {
		GroupReferences string `json:"SecurityGroupReferencingSupport"`
	} `json:"Options"`
}

// transitAttachment joins describe-transit-gateway-attachments with
// describe-transit-gateway-vpc-attachments.
type transitAttachment struct {
	ID           string   `json:"TransitGatewayAttachmentId"`
	Gateway      string   `json:"TransitGatewayId"`
	ResourceID   string   `json:"ResourceId"`
	ResourceType string   `json:"ResourceType"`
	VPC          string   `json:"VpcId"`
	Subnets      []string `json:"SubnetIds"`
	State        string   `json:"State"`
	Association  *struct {
		Table string `json:"TransitGatewayRouteTableId"`
		State string `json:"State"`
	} `json:"Association"`
	Options *struct {
		GroupReferences string `json:"SecurityGroupReferencingSupport"`
	} `json:"Options"`
}

// network is the VPC at the attachment's other end; empty for VPN, peering and others.
func (t *transitAttachment) network() string {
	if t.VPC != "" {
		return t.VPC
	}
	if t.ResourceType == "vpc" {
		return t.ResourceID
	}
	return ""
}

func (t *transitAttachment) available() bool {
	return t.State == "available" || t.State == "modifying" || t.State == ""
}

type transitRoute struct {
	CIDR        string `json:"DestinationCidrBlock"`
	PrefixList  string `json:"PrefixListId"`
	State       string `json:"State"`
	Type        string `json:"Type"`
	Attachments []struct {
		ID           string `json:"TransitGatewayAttachmentId"`
		ResourceType string `json:"ResourceType"`
	} `json:"TransitGatewayAttachments"`

	prefix netip.Prefix
}

type transitTable struct {
	ID           string          `json:"TransitGatewayRouteTableId"`
	Gateway      string          `json:"TransitGatewayId"`
	Routes       *[]transitRoute `json:"Routes"`
	Propagations *[]struct {
		Attachment string `json:"TransitGatewayAttachmentId"`
		State      string `json:"State"`
	} `json:"Propagations"`
	Associations *[]struct {
		Attachment string `json:"TransitGatewayAttachmentId"`
		State      string `json:"State"`
	} `json:"Associations"`
}

type peeringSide struct {
	VPC    string `json:"VpcId"`
	Owner  string `json:"OwnerId"`
	Region string `json:"Region"`
	CIDR   string `json:"CidrBlock"`
	CIDRs  []struct {
		CIDR string `json:"CidrBlock"`
	} `json:"CidrBlockSet"`
	IPv6CIDRs []struct {
		CIDR string `json:"Ipv6CidrBlock"`
	} `json:"Ipv6CidrBlockSet"`

	prefixes []netip.Prefix
}

type peeringConnection struct {
	ID        string      `json:"VpcPeeringConnectionId"`
	Accepter  peeringSide `json:"AccepterVpcInfo"`
	Requester peeringSide `json:"RequesterVpcInfo"`
	Status    struct {
		Code string `json:"Code"`
	} `json:"Status"`
}

type vpcEndpoint struct {
	ID      string `json:"VpcEndpointId"`
	Type    string `json:"VpcEndpointType"` // Gateway, Interface, GatewayLoadBalancer
	Service string `json:"ServiceName"`
	VPC     string `json:"VpcId"`
	State   string `json:"State"`
}

// elasticIP is an address of describe-addresses.
type elasticIP struct {
	Allocation string `json:"AllocationId"`
	PublicIP   string `json:"PublicIp"`
	Interface  string `json:"NetworkInterfaceId"`
}

// prefixListDoc is a managed prefix list, with Cidrs (describe-prefix-lists) or Entries.
type prefixListDoc struct {
	ID      string    `json:"PrefixListId"`
	Name    string    `json:"PrefixListName"`
	CIDRs   *[]string `json:"Cidrs"`
	Entries *[]struct {
		CIDR string `json:"Cidr"`
	} `json:"Entries"`

	prefixes []netip.Prefix
	addrs    reach.AddrSet
	known    bool // the entries were read
}
