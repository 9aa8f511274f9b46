package estate

import (
	"fmt"

	"github.com/triad-security/triad"
)

// calls are the sections of an account, all complete.
var calls = []string{
	"ec2-describe-instances", "ec2-describe-network-interfaces", "ec2-describe-security-groups", "ec2-describe-network-acls",
	"ec2-describe-subnets", "ec2-describe-vpcs", "ec2-describe-route-tables", "ec2-describe-internet-gateways", "ec2-describe-nat-gateways",
	"ec2-describe-egress-only-internet-gateways", "ec2-describe-addresses", "ec2-describe-managed-prefix-lists", "ec2-get-managed-prefix-list-entries",
	"ec2-describe-transit-gateways", "ec2-describe-transit-gateway-attachments", "ec2-describe-transit-gateway-vpc-attachments",
	"ec2-describe-transit-gateway-route-tables", "ec2-search-transit-gateway-routes", "ec2-describe-vpc-peering-connections", "ec2-describe-vpc-endpoints",
	"elbv2-describe-load-balancers", "elbv2-describe-listeners", "elbv2-describe-rules", "elbv2-describe-target-groups",
	"elbv2-describe-target-group-attributes", "elbv2-describe-target-health", "iam-get-account-authorization-details", "eks-describe-cluster", "eks-describe-addon",
	"rds-describe-db-instances", "s3api-list-buckets", "instance-roles", "role-chains", "access-s3api", "access-rds",
}

func (s Size) cellReports(n int) *cell {
	c := &cell{Size: s, n: n, account: account(n), cluster: fmt.Sprintf("cluster-%d", n)}
	c.aws = *report(Scope(n), calls...)
	c.k8s = *report("kubernetes/"+c.cluster, "namespaces", "nodes", "pods", "deployments", "services", "endpointslices", "ingresses", "networkpolicies", "serviceaccounts", "targetgroupbindings")
	c.network()
	c.stores()
	for i := range s.Nodes {
		c.instance(i)
	}
	c.kubernetes()
	return c
}

func (c *cell) put(t triad.AssetType, kind, section, id string, doc object) *triad.Asset {
	c.aws.Assets = append(c.aws.Assets, asset(t, kind, section, id, doc))
	return &c.aws.Assets[len(c.aws.Assets)-1]
}

func (c *cell) network() {
	vpc, public, private := id("vpc", c.n, 0), id("subnet", c.n, 0), id("subnet", c.n, 1)
	igw, nat := id("igw", c.n, 0), id("nat", c.n, 0)
	c.put(triad.TypeNetwork, "Vpc", "ec2-describe-vpcs", vpc, object{
		"VpcId": vpc, "CidrBlock": "10.0.0.0/16", "OwnerId": c.account, "State": "available",
		"CidrBlockAssociationSet": []object{{"CidrBlock": "10.0.0.0/16", "CidrBlockState": object{"State": "associated"}}},
	})
	for i, s := range []struct{ id, cidr string }{{public, "10.0.0.0/20"}, {private, "10.0.128.0/17"}} {
		c.put(triad.TypeSubnet, "Subnet", "ec2-describe-subnets", s.id, object{
			"SubnetId": s.id, "VpcId": vpc, "CidrBlock": s.cidr, "AvailabilityZone": region + "a", "OwnerId": c.account, "State": "available",
		})
		route := object{"DestinationCidrBlock": "0.0.0.0/0", "State": "active", "GatewayId": igw}
		if i == 1 {
			route = object{"DestinationCidrBlock": "0.0.0.0/0", "State": "active", "NatGatewayId": nat}
		}
		table := id("rtb", c.n, i)
		c.put(triad.TypeRouteTable, "RouteTable", "ec2-describe-route-tables", table, object{
			"RouteTableId": table, "VpcId": vpc, "OwnerId": c.account,
			"Associations": []object{{"RouteTableId": table, "SubnetId": s.id, "Main": false, "AssociationState": object{"State": "associated"}}},
			"Routes":       []object{{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}, route},
		})
	}
	acl := id("acl", c.n, 0)
	entries := []object{}
	for _, egress := range []bool{true, false} {
		entries = append(entries,
			object{"CidrBlock": "0.0.0.0/0", "Egress": egress, "Protocol": "-1", "RuleAction": "allow", "RuleNumber": 100},
			object{"CidrBlock": "0.0.0.0/0", "Egress": egress, "Protocol": "-1", "RuleAction": "deny", "RuleNumber": 32767})
	}
	c.put(triad.TypeNetworkACL, "NetworkAcl", "ec2-describe-network-acls", acl, object{
		"NetworkAclId": acl, "VpcId": vpc, "IsDefault": true, "Entries": entries, "OwnerId": c.account,
		"Associations": []object{{"NetworkAclId": acl, "SubnetId": public}, {"NetworkAclId": acl, "SubnetId": private}},
	})
	c.put(triad.TypeGateway, "InternetGateway", "ec2-describe-internet-gateways", igw, object{"InternetGatewayId": igw, "Attachments": []object{{"State": "available", "VpcId": vpc}}})
	c.put(triad.TypeGateway, "NatGateway", "ec2-describe-nat-gateways", nat, object{
		"NatGatewayId": nat, "State": "available", "SubnetId": public, "VpcId": vpc, "ConnectivityType": "public",
	})
	c.aws.Assets = append(c.aws.Assets,
		SecurityGroup(c.n, Group(c.n), Balancer(c.n), 8080), SecurityGroup(c.n, Balancer(c.n), "0.0.0.0/0", 443), SecurityGroup(c.n, id("sg", c.n, 3), "", 0))
}

// stores adds a database that nobody connects to, a bucket, and the role that reads it.
func (c *cell) stores() {
	db := fmt.Sprintf("arn:aws:rds:%s:%s:db:orders", region, c.account)
	a := c.put(triad.TypeDataStore, "DBInstance", "rds-describe-db-instances", db, object{"DBInstanceIdentifier": "orders"})
	a.Name, a.Schema, a.Props = "orders", "data-store/1", encode(triad.DataStoreProps{
		Engine: "postgres", Classification: "confidential", Port: 5432, Addresses: []string{"10.0.128.250"},
		Network: id("vpc", c.n, 0), SecurityGroups: []string{id("sg", c.n, 3)}, Subnets: []string{id("subnet", c.n, 1)},
	})
	eni := id("eni", c.n, 9000)
	c.put(triad.TypeNetworkInterface, "NetworkInterface", "ec2-describe-network-interfaces", eni, c.eni(eni, id("subnet", c.n, 1), "10.0.128.250", "", id("sg", c.n, 3), nil))
	bucket := "arn:aws:s3:::" + c.cluster
	a = c.put(triad.TypeDataStore, "Bucket", "s3api-list-buckets", bucket, object{"Name": c.cluster})
	a.Name, a.Schema, a.Props = c.cluster, "data-store/1", encode(triad.DataStoreProps{Engine: "s3", Classification: "restricted"})
	role := c.role()
	a = c.put(triad.TypeIdentity, "Role", "iam-get-account-authorization-details", role, object{"Arn": role})
	a.Schema, a.Props = "identity/1", encode(triad.IdentityProps{Provider: "aws", Trusts: []triad.Trust{{Type: "oidc", Principal: "oidc.example/id/" + c.cluster, Subjects: []string{"system:serviceaccount:ns-0:*"}}}})
	c.aws.Relations = append(c.aws.Relations, triad.Relation{
		From: role, Type: triad.RelCanAccess, To: bucket, Section: "access-s3api", Props: encode(triad.Access{Read: true, Actions: []string{"s3:GetObject"}}),
	})
}

func (c *cell) role() string { return "arn:aws:iam::" + c.account + ":role/data" }

func (c *cell) eni(eni, subnet, ip, public, group string, more []string) object {
	addresses := []object{{"Primary": true, "PrivateIpAddress": ip}}
	for _, m := range more {
		addresses = append(addresses, object{"Primary": false, "PrivateIpAddress": m})
	}
	o := object{
		"NetworkInterfaceId": eni, "SubnetId": subnet, "VpcId": id("vpc", c.n, 0), "PrivateIpAddress": ip, "PrivateIpAddresses": addresses,
		"Groups": []object{{"GroupId": group}}, "Status": "in-use", "InterfaceType": "interface", "OwnerId": c.account, "AvailabilityZone": region + "a",
	}
	if public != "" {
		o["Association"] = object{"PublicIp": public}
		addresses[0]["Association"] = object{"PublicIp": public}
	}
	return o
}

func nodeAddress(i int) string   { return fmt.Sprintf("10.0.128.%d", 10+i) }
func podAddress(pod int) string  { return fmt.Sprintf("10.0.%d.%d", 130+pod/200, 1+pod%200) }
func (c *cell) node(pod int) int { return pod % c.Nodes }

func (c *cell) instance(i int) {
	instance, eni := id("i", c.n, i), id("eni", c.n, i)
	var pods []string
	for p := range 2 * c.Deployments {
		if c.node(p) == i {
			pods = append(pods, podAddress(p))
		}
	}
	o := c.eni(eni, id("subnet", c.n, 1), nodeAddress(i), "", Group(c.n), pods)
	o["Attachment"] = object{"InstanceId": instance, "DeviceIndex": 0, "Status": "attached"}
	c.put(triad.TypeNetworkInterface, "NetworkInterface", "ec2-describe-network-interfaces", eni, o)
	a := c.put(triad.TypeHost, "Instance", "ec2-describe-instances", instance, object{
		"InstanceId": instance, "VpcId": id("vpc", c.n, 0), "SubnetId": id("subnet", c.n, 1), "PrivateIpAddress": nodeAddress(i), "State": object{"Name": "running"},
		"SecurityGroups": []object{{"GroupId": Group(c.n)}}, "NetworkInterfaces": []object{o},
		"Tags": []object{{"Key": "eks:cluster-name", "Value": c.cluster}},
	})
	a.Aliases, a.Tags = []string{"aws-instance:" + instance}, map[string]string{"eks:cluster-name": c.cluster, "tier": "production"}
	a.Schema, a.Props = "host/1", encode(triad.HostProps{MetadataTokens: "required", MetadataHopLimit: 1, Addresses: []string{nodeAddress(i)}})
}

// balancer adds a network load balancer of a deployment, with its listener, target group and interface.
func (c *cell) balancer(d int, pods []string) (hostname, group string) {
	name := fmt.Sprintf("k8s-lb-%d-%d", c.n, d)
	prefix := "arn:aws:elasticloadbalancing:" + region + ":" + c.account + ":"
	tail := fmt.Sprintf("%s/%016x", name, d+1)
	lb, listener, target := prefix+"loadbalancer/net/"+tail, prefix+"listener/net/"+tail+"/1", fmt.Sprintf("%stargetgroup/%s/%016x", prefix, name, d+1)
	hostname = fmt.Sprintf("%s-%016x.elb.%s.amazonaws.com", name, d+1, region)
	c.put(triad.TypeLoadBalancer, "LoadBalancer", "elbv2-describe-load-balancers", lb, object{
		"LoadBalancerArn": lb, "LoadBalancerName": name, "DNSName": hostname, "Scheme": "internet-facing", "Type": "network", "IpAddressType": "ipv4",
		"VpcId": id("vpc", c.n, 0), "State": object{"Code": "active"}, "SecurityGroups": []string{Balancer(c.n)},
		"AvailabilityZones": []object{{"SubnetId": id("subnet", c.n, 0), "ZoneName": region + "a", "LoadBalancerAddresses": []object{}}},
	})
	c.put(triad.TypeListener, "Listener", "elbv2-describe-listeners", listener, object{
		"ListenerArn": listener, "LoadBalancerArn": lb, "Port": 443, "Protocol": "TCP",
		"DefaultActions": []object{{"Type": "forward", "TargetGroupArn": target, "Order": 1}},
	})
	health := []object{}
	for _, p := range pods {
		health = append(health, object{"Target": object{"Id": p, "Port": 8080, "AvailabilityZone": region + "a"}, "TargetHealth": object{"State": "healthy"}})
	}
	c.put(triad.TypeTargetGroup, "TargetGroup", "elbv2-describe-target-groups", target, object{
		"TargetGroupArn": target, "TargetGroupName": name, "Protocol": "TCP", "Port": 8080, "VpcId": id("vpc", c.n, 0), "TargetType": "ip", "IpAddressType": "ipv4",
		"LoadBalancerArns": []string{lb}, "TargetHealthDescriptions": health, "Attributes": []object{{"Key": "preserve_client_ip.enabled", "Value": "false"}},
	})
	eni := id("eni", c.n, 1000+d)
	n := c.n*64 + d
	o := c.eni(eni, id("subnet", c.n, 0), fmt.Sprintf("10.0.%d.%d", 1+d/200, 20+d%200), fmt.Sprintf("52.%d.%d.%d", n>>16&255, n>>8&255, n&255), Balancer(c.n), nil)
	o["Description"], o["InterfaceType"] = "ELB net/"+tail, "network_load_balancer"
	c.put(triad.TypeNetworkInterface, "NetworkInterface", "ec2-describe-network-interfaces", eni, o)
	return hostname, target
}
