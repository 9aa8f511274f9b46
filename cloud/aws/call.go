package aws

import (
	"strings"

	"github.com/triad-security/triad"
)

// need says what it means that a call's output is not there.
type need int

const (
	// extra calls add detail only: without them nothing is unknown.
	extra need = iota
	// service calls belong to a service that is either collected whole or not at all:
	// unread when another call of the service was read, else not collected.
	service
	// core calls (EC2, VPC, ELBv2, IAM) are always wanted.
	core
)

// call is one row: what becomes of one list in the output of one operation. The section and
// the file (with .json) bear its name. An operation with several lists has several rows.
//
// A row either makes assets (id set) or folds its output into the documents of assets that
// another row made (into set).
type call struct {
	name string
	need need
	// list is the way to the elements, lists on the way flattened: "Reservations.Instances".
	// A call that is made once per thing (keyed) may also be one object whose values are the
	// calls' outputs.
	list  string
	keyed bool

	// id is the field that holds the asset's ID, alternatives separated by |; or, with braces,
	// a template over the element's fields, {partition}, {region} and {account}.
	id   string
	typ  triad.AssetType
	kind string
	// label is the field with the name that people use.
	label string
	// tags is the field with the tags: a list of Key and Value, or an object.
	tags string

	// into is the key in the owner's document. The output is one object keyed by the owner's
	// ID, or by the owner's field owner.by; or with list set, a list whose elements name their
	// owner in the field each.
	into  string
	owner owner
	each  string
	// take is the field of the keyed value that is folded; empty is the whole value. With
	// lacking, it may not be there.
	take    string
	lacking bool
	// every says that each owner that it accepts must have an entry; without it an owner that
	// has none is one whose call answered "there is none".
	every func(id string) bool
}

// owner names the assets that a folding row adds to.
type owner struct {
	call string
	kind string
	by   string
}

func all(string) bool { return true }

// hasRules: only an application load balancer's listener has rules.
func hasRules(listenerARN string) bool { return strings.Contains(listenerARN, ":listener/app/") }

// serviceOf is the service part of a call's name.
func serviceOf(name string) string {
	s, _, _ := strings.Cut(name, "-")
	return s
}

const (
	callInstances   = "ec2-describe-instances"
	callInterfaces  = "ec2-describe-network-interfaces"
	callIAM         = "iam-get-account-authorization-details"
	callBuckets     = "s3api-list-buckets"
	callPolicy      = "s3api-get-bucket-policy"
	callBlock       = "s3api-get-public-access-block"
	callACL         = "s3api-get-bucket-acl"
	callAccountS3   = "s3control-get-public-access-block"
	callFunctions   = "lambda-list-functions"
	callRDS         = "rds-describe-db-instances"
	callRDSClusters = "rds-describe-db-clusters"
	callRedshift    = "redshift-describe-clusters"
	callWarehouseIn = "redshift-describe-cluster-subnet-groups"
	callCaller      = "sts-get-caller-identity"
	callTables      = "dynamodb-describe-table"
	callClusters    = "eks-describe-cluster"
)

var (
	targetGroup  = owner{call: "elbv2-describe-target-groups", kind: "TargetGroup"}
	loadBalancer = owner{call: "elbv2-describe-load-balancers", kind: "LoadBalancer"}
	listener     = owner{call: "elbv2-describe-listeners", kind: "Listener"}
	prefixList   = owner{call: "ec2-describe-managed-prefix-lists", kind: "ManagedPrefixList"}
	transitTable = owner{call: "ec2-describe-transit-gateway-route-tables", kind: "TransitGatewayRouteTable"}
	function     = owner{call: callFunctions, kind: "Function", by: "FunctionName"}
	bucket       = owner{call: callBuckets, kind: "Bucket", by: "Name"}
)

// calls is the table. Owners stand before the rows that fold into them.
var calls = []call{
	{name: callCaller, need: extra, id: "aws-account:{account}", typ: triad.TypeConfig, kind: "Account", label: "Account"},

	{name: callInstances, need: core, list: "Reservations.Instances", id: "InstanceId", typ: triad.TypeHost, kind: "Instance", tags: "Tags"},
	{name: callInterfaces, need: core, list: "NetworkInterfaces", id: "NetworkInterfaceId", typ: triad.TypeNetworkInterface, kind: "NetworkInterface", label: "Description", tags: "TagSet"},
	{name: "ec2-describe-security-groups", need: core, list: "SecurityGroups", id: "GroupId", typ: triad.TypeSecurityGroup, kind: "SecurityGroup", label: "GroupName", tags: "Tags"},
	{name: "ec2-describe-network-acls", need: core, list: "NetworkAcls", id: "NetworkAclId", typ: triad.TypeNetworkACL, kind: "NetworkAcl", tags: "Tags"},
	{name: "ec2-describe-subnets", need: core, list: "Subnets", id: "SubnetId", typ: triad.TypeSubnet, kind: "Subnet", tags: "Tags"},
	{name: "ec2-describe-vpcs", need: core, list: "Vpcs", id: "VpcId", typ: triad.TypeNetwork, kind: "Vpc", tags: "Tags"},
	{name: "ec2-describe-route-tables", need: core, list: "RouteTables", id: "RouteTableId", typ: triad.TypeRouteTable, kind: "RouteTable", tags: "Tags"},
	{name: "ec2-describe-internet-gateways", need: core, list: "InternetGateways", id: "InternetGatewayId", typ: triad.TypeGateway, kind: "InternetGateway", tags: "Tags"},
	{name: "ec2-describe-nat-gateways", need: core, list: "NatGateways", id: "NatGatewayId", typ: triad.TypeGateway, kind: "NatGateway", tags: "Tags"},
	{name: "ec2-describe-egress-only-internet-gateways", need: core, list: "EgressOnlyInternetGateways", id: "EgressOnlyInternetGatewayId", typ: triad.TypeGateway, kind: "EgressOnlyInternetGateway", tags: "Tags"},
	{name: "ec2-describe-addresses", need: core, list: "Addresses", id: "AllocationId|PublicIp", typ: triad.TypeAddress, kind: "Address", label: "PublicIp", tags: "Tags"},
	{name: "ec2-describe-managed-prefix-lists", need: core, list: "PrefixLists", id: "PrefixListId", typ: triad.TypePrefixList, kind: "ManagedPrefixList", label: "PrefixListName", tags: "Tags"},
	{name: "ec2-describe-prefix-lists", need: extra, list: "PrefixLists", id: "PrefixListId", typ: triad.TypePrefixList, kind: "ManagedPrefixList", label: "PrefixListName"},
	{name: "ec2-get-managed-prefix-list-entries", need: core, into: "Entries", owner: prefixList, take: "Entries", every: all},
	{name: "ec2-describe-transit-gateways", need: core, list: "TransitGateways", id: "TransitGatewayId", typ: triad.TypeGateway, kind: "TransitGateway", tags: "Tags"},
	{name: "ec2-describe-transit-gateway-attachments", need: core, list: "TransitGatewayAttachments", id: "TransitGatewayAttachmentId", typ: triad.TypeGateway, kind: "TransitGatewayAttachment", tags: "Tags"},
	{name: "ec2-describe-transit-gateway-vpc-attachments", need: core, list: "TransitGatewayVpcAttachments", id: "TransitGatewayAttachmentId", typ: triad.TypeGateway, kind: "TransitGatewayAttachment", tags: "Tags"},
	{name: "ec2-describe-transit-gateway-route-tables", need: core, list: "TransitGatewayRouteTables", id: "TransitGatewayRouteTableId", typ: triad.TypeRouteTable, kind: "TransitGatewayRouteTable", tags: "Tags"},
	{name: "ec2-search-transit-gateway-routes", need: core, into: "Routes", owner: transitTable, take: "Routes", every: all},
	{name: "ec2-get-transit-gateway-route-table-propagations", need: core, into: "Propagations", owner: transitTable, take: "TransitGatewayRouteTablePropagations", every: all},
	{name: "ec2-get-transit-gateway-route-table-associations", need: extra, into: "Associations", owner: transitTable, take: "Associations", every: all},
	{name: "ec2-describe-vpc-peering-connections", need: core, list: "VpcPeeringConnections", id: "VpcPeeringConnectionId", typ: triad.TypeGateway, kind: "VpcPeeringConnection", tags: "Tags"},
	{name: "ec2-describe-vpc-endpoints", need: core, list: "VpcEndpoints", id: "VpcEndpointId", typ: triad.TypeGateway, kind: "VpcEndpoint", label: "ServiceName", tags: "Tags"},
	{name: "ec2-describe-vpn-gateways", need: extra, list: "VpnGateways", id: "VpnGatewayId", typ: triad.TypeGateway, kind: "VpnGateway", tags: "Tags"},
	{name: "ec2-describe-vpn-connections", need: extra, list: "VpnConnections", id: "VpnConnectionId", typ: triad.TypeGateway, kind: "VpnConnection", tags: "Tags"},
	{name: "ec2-describe-customer-gateways", need: extra, list: "CustomerGateways", id: "CustomerGatewayId", typ: triad.TypeGateway, kind: "CustomerGateway", tags: "Tags"},

	{name: "elbv2-describe-load-balancers", need: core, list: "LoadBalancers", id: "LoadBalancerArn", typ: triad.TypeLoadBalancer, kind: "LoadBalancer", label: "LoadBalancerName"},
	{name: "elbv2-describe-load-balancer-attributes", need: extra, into: "Attributes", owner: loadBalancer, take: "Attributes", every: all},
	{name: "elbv2-describe-listeners", need: core, list: "Listeners", id: "ListenerArn", typ: triad.TypeListener, kind: "Listener"},
	{name: "elbv2-describe-rules", need: core, into: "Rules", owner: listener, take: "Rules", every: hasRules},
	{name: "elbv2-describe-target-groups", need: core, list: "TargetGroups", id: "TargetGroupArn", typ: triad.TypeTargetGroup, kind: "TargetGroup", label: "TargetGroupName"},
	{name: "elbv2-describe-target-group-attributes", need: extra, into: "Attributes", owner: targetGroup, take: "Attributes", every: all},
	{name: "elbv2-describe-target-health", need: core, into: "TargetHealthDescriptions", owner: targetGroup, take: "TargetHealthDescriptions", every: all},
	{name: "elbv2-describe-tags", need: extra, list: "TagDescriptions", into: "Tags", owner: owner{}, each: "ResourceArn", take: "Tags"},

	{name: callIAM, need: core, list: "RoleDetailList", id: "Arn", typ: triad.TypeIdentity, kind: "Role", label: "RoleName", tags: "Tags"},
	{name: callIAM, need: core, list: "UserDetailList", id: "Arn", typ: triad.TypeIdentity, kind: "User", label: "UserName", tags: "Tags"},
	{name: callIAM, need: core, list: "GroupDetailList", id: "Arn", typ: triad.TypeIdentity, kind: "Group", label: "GroupName"},
	{name: callIAM, need: core, list: "Policies", id: "Arn", typ: triad.TypePolicy, kind: "ManagedPolicy", label: "PolicyName"},

	{name: callClusters, need: service, list: "cluster", keyed: true, id: "arn", typ: triad.TypeCluster, kind: "Cluster", label: "name", tags: "tags"},
	{name: "eks-describe-addon", need: extra, list: "addon", keyed: true, id: "addonArn", typ: triad.TypeConfig, kind: "Addon", label: "addonName", tags: "tags"},
	{name: "ecr-describe-repositories", need: service, list: "repositories", id: "repositoryArn", typ: triad.TypeRepository, kind: "Repository", label: "repositoryName"},

	{name: callFunctions, need: service, list: "Functions", id: "FunctionArn", typ: triad.TypeFunction, kind: "Function", label: "FunctionName"},
	{name: "lambda-get-function-url-config", need: service, into: "UrlConfig", owner: function},
	{name: "lambda-get-policy", need: service, into: "Policy", owner: function, take: "Policy"},
	{name: "lambda-list-event-source-mappings", need: service, list: "EventSourceMappings", into: "EventSourceMappings", owner: function, each: "FunctionArn"},
	{name: "lambda-list-tags", need: extra, into: "Tags", owner: function, take: "Tags", lacking: true},

	{name: callRDS, need: service, list: "DBInstances", id: "DBInstanceArn", typ: triad.TypeDataStore, kind: "DBInstance", label: "DBInstanceIdentifier", tags: "TagList"},
	{name: callRDSClusters, need: extra, list: "DBClusters", id: "DBClusterArn", typ: triad.TypeDataStore, kind: "DBCluster", label: "DBClusterIdentifier", tags: "TagList"},
	{name: callRedshift, need: service, list: "Clusters", id: "arn:{partition}:redshift:{region}:{account}:cluster:{ClusterIdentifier}", typ: triad.TypeDataStore, kind: "RedshiftCluster", label: "ClusterIdentifier", tags: "Tags"},
	{name: callWarehouseIn, need: extra, list: "ClusterSubnetGroups", id: "arn:{partition}:redshift:{region}:{account}:subnetgroup:{ClusterSubnetGroupName}", typ: triad.TypeConfig, kind: "ClusterSubnetGroup", label: "ClusterSubnetGroupName", tags: "Tags"},
	{name: callTables, need: service, list: "Table", keyed: true, id: "TableArn", typ: triad.TypeDataStore, kind: "Table", label: "TableName", tags: "Tags"},

	{name: callBuckets, need: service, list: "Buckets", id: "arn:{partition}:s3:::{Name}", typ: triad.TypeDataStore, kind: "Bucket", label: "Name"},
	{name: callPolicy, need: service, into: "Policy", owner: bucket, take: "Policy"},
	{name: "s3api-get-bucket-policy-status", need: extra, into: "PolicyStatus", owner: bucket, take: "PolicyStatus"},
	{name: callBlock, need: service, into: "PublicAccessBlock", owner: bucket, take: "PublicAccessBlockConfiguration"},
	{name: "s3api-get-bucket-tagging", need: service, into: "Tags", owner: bucket, take: "TagSet"},
	{name: "s3api-get-bucket-location", need: extra, into: "LocationConstraint", owner: bucket, take: "LocationConstraint", lacking: true},
	{name: callACL, need: extra, into: "Grants", owner: bucket, take: "Grants"},
	{name: callAccountS3, need: extra, id: "aws-account:{account}", typ: triad.TypeConfig, kind: "Account"},
}
