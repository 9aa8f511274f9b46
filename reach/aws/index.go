package aws

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/triad-security/triad"
)

// The sections that decisions read: one API call each.
const (
	sectionInstances      = "ec2-describe-instances"
	sectionInterfaces     = "ec2-describe-network-interfaces"
	sectionGroups         = "ec2-describe-security-groups"
	sectionACLs           = "ec2-describe-network-acls"
	sectionSubnets        = "ec2-describe-subnets"
	sectionVPCs           = "ec2-describe-vpcs"
	sectionRouteTables    = "ec2-describe-route-tables"
	sectionGateways       = "ec2-describe-internet-gateways"
	sectionNATs           = "ec2-describe-nat-gateways"
	sectionEgressOnly     = "ec2-describe-egress-only-internet-gateways"
	sectionPrefixLists    = "ec2-describe-managed-prefix-lists"
	sectionAWSPrefixLists = "ec2-describe-prefix-lists"
	sectionPrefixEntries  = "ec2-get-managed-prefix-list-entries"
	sectionTransits       = "ec2-describe-transit-gateways"
	sectionAttachments    = "ec2-describe-transit-gateway-attachments"
	sectionVPCAttachments = "ec2-describe-transit-gateway-vpc-attachments"
	sectionTransitTables  = "ec2-describe-transit-gateway-route-tables"
	sectionTransitRoutes  = "ec2-search-transit-gateway-routes"
	sectionPropagations   = "ec2-get-transit-gateway-route-table-propagations"
	sectionPeerings       = "ec2-describe-vpc-peering-connections"
	sectionEndpoints      = "ec2-describe-vpc-endpoints"
	sectionBalancers      = "elbv2-describe-load-balancers"
	sectionBalancerAttrs  = "elbv2-describe-load-balancer-attributes"
	sectionListeners      = "elbv2-describe-listeners"
	sectionRules          = "elbv2-describe-rules"
	sectionTargetGroups   = "elbv2-describe-target-groups"
	sectionTargetAttrs    = "elbv2-describe-target-group-attributes"
	sectionTargetHealth   = "elbv2-describe-target-health"
)

// Look-up keys beyond IDs.
func keyIP(a netip.Addr) string                { return "aws/ip/" + a.String() }
func keyVPCIP(vpc string, a netip.Addr) string { return "aws/ip/" + vpc + "/" + a.String() }
func keyPublic(a netip.Addr) string            { return "aws/public/" + a.String() }
func keyPrefix(vpc string, p netip.Prefix) string {
	return "aws/prefix/" + vpc + "/" + p.String()
}
func keyInstanceInterfaces(id string) string { return "aws/instance-interfaces/" + id }
func keyBalancerInterfaces(s string) string  { return "aws/balancer-interfaces/" + s }
func keyBalancer(suffix string) string       { return "aws/balancer/" + suffix }
func keySubnetACL(subnet string) string      { return "aws/acl/subnet/" + subnet }
func keyDefaultACL(vpc string) string        { return "aws/acl/default/" + vpc }
func keySubnetTable(subnet string) string    { return "aws/route-table/subnet/" + subnet }
func keyMainTable(vpc string) string         { return "aws/route-table/main/" + vpc }
func keyGatewayTable(gateway string) string  { return "aws/route-table/gateway/" + gateway }
func keySubnets(vpc string) string           { return "aws/subnets/" + vpc }
func keyGatewayOf(vpc string) string         { return "aws/internet-gateway/" + vpc }
func keyNATOf(eni string) string             { return "aws/nat-gateway/" + eni }
func keyAttachment(tgw, vpc string) string   { return "aws/attachment/" + tgw + "/" + vpc }
func keyListeners(balancer string) string    { return "aws/listeners/" + balancer }
func keyForwards(targetGroup string) string  { return "aws/forwards/" + targetGroup }
func keyTarget(id string) string             { return "aws/target/" + id }
func keyTargetIn(vpc, ip string) string      { return "aws/target-in/" + vpc + "/" + ip }
func keyElastic(a netip.Addr) string         { return "aws/elastic/" + a.String() }

// keyVPCs is the key of all VPCs; keyBroken of the rows of a section that could not be decoded.
const keyVPCs = "aws/vpcs"

func keyBroken(scope, section string) string { return "aws/broken/" + scope + "/" + section }

// Index is the reach.Index of AWS's network documents.
func Index(scope string, a *triad.Asset) (decoded any, keys []string, err error) {
	decode, ok := decoders[a.Kind]
	if !ok || !strings.HasPrefix(scope, "aws") {
		return nil, nil, nil
	}
	decoded, keys, err = decode(a.Doc)
	if err != nil {
		keys = append(keys, keyBroken(scope, a.Section))
		err = fmt.Errorf("decoding %s %s: %w", a.Kind, a.ID, err)
	}
	return decoded, keys, err
}

// decoders by Asset.Kind. A document that cannot be decoded whole yields what could be
// decoded and the error.
var decoders = map[string]func(json.RawMessage) (any, []string, error){
	"NetworkInterface":          decodeInterface,
	"Instance":                  decodeInstance,
	"SecurityGroup":             decodeGroup,
	"NetworkAcl":                decodeACL,
	"Subnet":                    decodeSubnet,
	"Vpc":                       decodeVPC,
	"RouteTable":                decodeTable,
	"InternetGateway":           decodeGateway,
	"EgressOnlyInternetGateway": plain[egressOnlyGateway],
	"NatGateway":                decodeNAT,
	"TransitGateway":            plain[transitGateway],
	"TransitGatewayAttachment":  decodeAttachment,
	"TransitGatewayRouteTable":  decodeTransitTable,
	"VpcPeeringConnection":      decodePeering,
	"VpcEndpoint":               plain[vpcEndpoint],
	"Address":                   decodeElastic,
	"ManagedPrefixList":         decodePrefixList,
	"PrefixList":                decodePrefixList,
	"LoadBalancer":              decodeBalancer,
	"Listener":                  decodeListener,
	"TargetGroup":               decodeTargetGroup,
}
