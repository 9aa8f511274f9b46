package mototest

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Network loads VPCs, subnets, gateways, groups, lists and tables.
func (l *Loader) Network(ctx context.Context) {
	c := ec2.NewFromConfig(l.cfg)
	l.vpcs(ctx, c)
	l.groups(ctx, c)
	l.gateways(ctx, c)
	l.networkACLs(ctx, c)
	l.routes(ctx, c)
}

func (l *Loader) vpcs(ctx context.Context, c *ec2.Client) {
	var vpcs ec2.DescribeVpcsOutput
	l.read("ec2-describe-vpcs", &vpcs)
	for _, v := range vpcs.Vpcs {
		out, err := c.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: v.CidrBlock, TagSpecifications: tagged(ec2types.ResourceTypeVpc, v.Tags)})
		l.must(err, *v.VpcId)
		l.IDs[*v.VpcId] = *out.Vpc.VpcId
	}
	var subnets ec2.DescribeSubnetsOutput
	l.read("ec2-describe-subnets", &subnets)
	for _, s := range subnets.Subnets {
		out, err := c.CreateSubnet(ctx, &ec2.CreateSubnetInput{
			VpcId: s.VpcId, CidrBlock: s.CidrBlock, AvailabilityZone: s.AvailabilityZone,
			TagSpecifications: tagged(ec2types.ResourceTypeSubnet, s.Tags),
		})
		l.must(err, *s.SubnetId)
		l.IDs[*s.SubnetId] = *out.Subnet.SubnetId
		if sdk.ToBool(s.MapPublicIpOnLaunch) {
			_, err = c.ModifySubnetAttribute(ctx, &ec2.ModifySubnetAttributeInput{
				SubnetId: out.Subnet.SubnetId, MapPublicIpOnLaunch: &ec2types.AttributeBooleanValue{Value: sdk.Bool(true)},
			})
			l.must(err, *s.SubnetId)
		}
	}
}

func (l *Loader) groups(ctx context.Context, c *ec2.Client) {
	var groups ec2.DescribeSecurityGroupsOutput
	l.read("ec2-describe-security-groups", &groups)
	for _, g := range groups.SecurityGroups {
		if *g.GroupName == "default" {
			out, err := c.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: []ec2types.Filter{
				{Name: sdk.String("vpc-id"), Values: []string{*g.VpcId}}, {Name: sdk.String("group-name"), Values: []string{"default"}},
			}})
			l.must(err, *g.GroupId)
			l.IDs[*g.GroupId] = *out.SecurityGroups[0].GroupId
			continue
		}
		out, err := c.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
			GroupName: g.GroupName, Description: g.Description, VpcId: g.VpcId,
			TagSpecifications: tagged(ec2types.ResourceTypeSecurityGroup, g.Tags),
		})
		l.must(err, *g.GroupId)
		l.IDs[*g.GroupId] = *out.GroupId
	}
	groups = ec2.DescribeSecurityGroupsOutput{}
	l.read("ec2-describe-security-groups", &groups) // again: rules name other groups
	for _, g := range groups.SecurityGroups {
		if *g.GroupName == "default" || len(g.IpPermissions) == 0 {
			continue // as the server makes it; every group may send anything
		}
		_, err := c.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: g.GroupId, IpPermissions: g.IpPermissions})
		l.must(err, *g.GroupId)
	}
}

func (l *Loader) gateways(ctx context.Context, c *ec2.Client) {
	var igws ec2.DescribeInternetGatewaysOutput
	l.read("ec2-describe-internet-gateways", &igws)
	for _, g := range igws.InternetGateways {
		out, err := c.CreateInternetGateway(ctx, &ec2.CreateInternetGatewayInput{TagSpecifications: tagged(ec2types.ResourceTypeInternetGateway, g.Tags)})
		l.must(err, *g.InternetGatewayId)
		l.IDs[*g.InternetGatewayId] = *out.InternetGateway.InternetGatewayId
		for _, at := range g.Attachments {
			_, err := c.AttachInternetGateway(ctx, &ec2.AttachInternetGatewayInput{InternetGatewayId: out.InternetGateway.InternetGatewayId, VpcId: at.VpcId})
			l.must(err, *g.InternetGatewayId)
		}
	}
	var nats ec2.DescribeNatGatewaysOutput
	l.read("ec2-describe-nat-gateways", &nats)
	for _, n := range nats.NatGateways {
		var allocation *string
		for _, a := range n.NatGatewayAddresses {
			allocation = l.allocate(ctx, c, a.PublicIp)
			l.IDs[*a.AllocationId] = *allocation
		}
		out, err := c.CreateNatGateway(ctx, &ec2.CreateNatGatewayInput{SubnetId: n.SubnetId, AllocationId: allocation})
		l.must(err, *n.NatGatewayId)
		l.IDs[*n.NatGatewayId] = *out.NatGateway.NatGatewayId
	}
}

// allocate makes the dump's public address an elastic one of the account; left to itself the
// server chooses loopback addresses.
func (l *Loader) allocate(ctx context.Context, c *ec2.Client, ip *string) *string {
	l.t.Helper()
	address, err := c.AllocateAddress(ctx, &ec2.AllocateAddressInput{Domain: ec2types.DomainTypeVpc, Address: ip})
	l.must(err, *ip)
	return address.AllocationId
}

func (l *Loader) networkACLs(ctx context.Context, c *ec2.Client) {
	var acls ec2.DescribeNetworkAclsOutput
	l.read("ec2-describe-network-acls", &acls)
	for _, a := range acls.NetworkAcls {
		if sdk.ToBool(a.IsDefault) {
			out, err := c.DescribeNetworkAcls(ctx, &ec2.DescribeNetworkAclsInput{Filters: []ec2types.Filter{
				{Name: sdk.String("vpc-id"), Values: []string{*a.VpcId}}, {Name: sdk.String("default"), Values: []string{"true"}},
			}})
			l.must(err, *a.NetworkAclId)
			l.IDs[*a.NetworkAclId] = *out.NetworkAcls[0].NetworkAclId
			continue
		}
		out, err := c.CreateNetworkAcl(ctx, &ec2.CreateNetworkAclInput{VpcId: a.VpcId, TagSpecifications: tagged(ec2types.ResourceTypeNetworkAcl, a.Tags)})
		l.must(err, *a.NetworkAclId)
		id := out.NetworkAcl.NetworkAclId
		l.IDs[*a.NetworkAclId] = *id
		for _, e := range a.Entries {
			if *e.RuleNumber == 32767 {
				continue // every list ends with it
			}
			_, err := c.CreateNetworkAclEntry(ctx, &ec2.CreateNetworkAclEntryInput{
				NetworkAclId: id, CidrBlock: e.CidrBlock, Egress: e.Egress, Protocol: e.Protocol,
				RuleAction: e.RuleAction, RuleNumber: e.RuleNumber, PortRange: e.PortRange,
			})
			l.must(err, *a.NetworkAclId)
		}
		for _, as := range a.Associations {
			now, err := c.DescribeNetworkAcls(ctx, &ec2.DescribeNetworkAclsInput{Filters: []ec2types.Filter{
				{Name: sdk.String("association.subnet-id"), Values: []string{*as.SubnetId}},
			}})
			l.must(err, *as.SubnetId)
			for _, have := range now.NetworkAcls[0].Associations {
				if *have.SubnetId == *as.SubnetId {
					_, err := c.ReplaceNetworkAclAssociation(ctx, &ec2.ReplaceNetworkAclAssociationInput{AssociationId: have.NetworkAclAssociationId, NetworkAclId: id})
					l.must(err, *as.SubnetId)
				}
			}
		}
	}
}

func (l *Loader) routes(ctx context.Context, c *ec2.Client) {
	var tables ec2.DescribeRouteTablesOutput
	l.read("ec2-describe-route-tables", &tables)
	for _, table := range tables.RouteTables {
		main := false
		for _, as := range table.Associations {
			main = main || sdk.ToBool(as.Main)
		}
		var id *string
		if main {
			out, err := c.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: []ec2types.Filter{
				{Name: sdk.String("vpc-id"), Values: []string{*table.VpcId}}, {Name: sdk.String("association.main"), Values: []string{"true"}},
			}})
			l.must(err, *table.RouteTableId)
			id = out.RouteTables[0].RouteTableId
		} else {
			out, err := c.CreateRouteTable(ctx, &ec2.CreateRouteTableInput{VpcId: table.VpcId})
			l.must(err, *table.RouteTableId)
			id = out.RouteTable.RouteTableId
		}
		l.IDs[*table.RouteTableId] = *id
		if len(table.Tags) > 0 {
			_, err := c.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{*id}, Tags: table.Tags})
			l.must(err, *table.RouteTableId)
		}
		for _, r := range table.Routes {
			if r.Origin == ec2types.RouteOriginCreateRouteTable {
				continue
			}
			_, err := c.CreateRoute(ctx, &ec2.CreateRouteInput{
				RouteTableId: id, DestinationCidrBlock: r.DestinationCidrBlock, GatewayId: r.GatewayId, NatGatewayId: r.NatGatewayId,
			})
			l.must(err, *table.RouteTableId)
		}
		for _, as := range table.Associations {
			if as.SubnetId != nil {
				_, err := c.AssociateRouteTable(ctx, &ec2.AssociateRouteTableInput{RouteTableId: id, SubnetId: as.SubnetId})
				l.must(err, *table.RouteTableId)
			}
		}
	}
}
