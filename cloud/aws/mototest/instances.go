package mototest

import (
	"context"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Instances loads EC2 instances with the primary interface's addresses, groups and metadata options.
func (l *Loader) Instances(ctx context.Context) {
	c := ec2.NewFromConfig(l.cfg)
	images, err := c.DescribeImages(ctx, &ec2.DescribeImagesInput{Owners: []string{"amazon"}})
	l.must(err, "images")
	var d ec2.DescribeInstancesOutput
	l.read("ec2-describe-instances", &d)
	for _, r := range d.Reservations {
		for _, i := range r.Instances {
			ni := i.NetworkInterfaces[0]
			in := &ec2.RunInstancesInput{
				ImageId: images.Images[0].ImageId, MinCount: sdk.Int32(1), MaxCount: sdk.Int32(1), InstanceType: i.InstanceType,
				SubnetId: i.SubnetId, PrivateIpAddress: i.PrivateIpAddress, TagSpecifications: tagged(ec2types.ResourceTypeInstance, i.Tags),
			}
			for _, g := range ni.Groups {
				in.SecurityGroupIds = append(in.SecurityGroupIds, *g.GroupId)
			}
			if m := i.MetadataOptions; m != nil {
				in.MetadataOptions = &ec2types.InstanceMetadataOptionsRequest{
					HttpEndpoint: m.HttpEndpoint, HttpTokens: m.HttpTokens, HttpPutResponseHopLimit: m.HttpPutResponseHopLimit,
				}
			}
			if i.IamInstanceProfile != nil {
				in.IamInstanceProfile = &ec2types.IamInstanceProfileSpecification{Arn: i.IamInstanceProfile.Arn}
			}
			out, err := c.RunInstances(ctx, in)
			l.must(err, *i.InstanceId)
			got := out.Instances[0]
			l.IDs[*i.InstanceId] = *got.InstanceId
			if len(got.NetworkInterfaces) > 0 {
				l.IDs[*ni.NetworkInterfaceId] = *got.NetworkInterfaces[0].NetworkInterfaceId
			}
			var more []string
			for _, ip := range ni.PrivateIpAddresses {
				if !sdk.ToBool(ip.Primary) {
					more = append(more, *ip.PrivateIpAddress)
				}
			}
			if len(more) > 0 && len(got.NetworkInterfaces) > 0 {
				_, err := c.AssignPrivateIpAddresses(ctx, &ec2.AssignPrivateIpAddressesInput{
					NetworkInterfaceId: got.NetworkInterfaces[0].NetworkInterfaceId, PrivateIpAddresses: more,
				})
				l.must(err, *i.InstanceId)
			}
			if ni.Association != nil {
				l.publicAddress(ctx, c, ni, *got.InstanceId)
			}
		}
	}
}

// publicAddress gives an instance its public address; the server chooses one that is not elastic.
func (l *Loader) publicAddress(ctx context.Context, c *ec2.Client, ni ec2types.InstanceNetworkInterface, instance string) {
	if sdk.ToString(ni.Association.IpOwnerId) != "amazon" {
		_, err := c.AssociateAddress(ctx, &ec2.AssociateAddressInput{AllocationId: l.allocate(ctx, c, ni.Association.PublicIp), InstanceId: &instance})
		l.must(err, *ni.Association.PublicIp)
		return
	}
	now, err := c.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{instance}})
	l.must(err, instance)
	if ip := now.Reservations[0].Instances[0].PublicIpAddress; ip != nil {
		l.IDs[*ni.Association.PublicIp] = *ip
	}
}

// Interfaces loads the network interfaces that a service makes for itself; the server makes
// those of instances and NAT gateways only. Who asked for one and its type cannot be said to it.
func (l *Loader) Interfaces(ctx context.Context) {
	c := ec2.NewFromConfig(l.cfg)
	var d ec2.DescribeNetworkInterfacesOutput
	l.read("ec2-describe-network-interfaces", &d)
	for _, ni := range d.NetworkInterfaces {
		if ni.InterfaceType == ec2types.NetworkInterfaceTypeNatGateway || l.loaded(*ni.NetworkInterfaceId) {
			continue
		}
		in := &ec2.CreateNetworkInterfaceInput{
			Description: sdk.String(l.describe(sdk.ToString(ni.Description))), SubnetId: ni.SubnetId, PrivateIpAddress: ni.PrivateIpAddress,
			TagSpecifications: tagged(ec2types.ResourceTypeNetworkInterface, ni.TagSet),
		}
		for _, g := range ni.Groups {
			in.Groups = append(in.Groups, *g.GroupId)
		}
		out, err := c.CreateNetworkInterface(ctx, in)
		l.must(err, *ni.NetworkInterfaceId)
		l.IDs[*ni.NetworkInterfaceId] = *out.NetworkInterface.NetworkInterfaceId
		if ni.Association == nil {
			continue
		}
		_, err = c.AssociateAddress(ctx, &ec2.AssociateAddressInput{
			AllocationId: l.allocate(ctx, c, ni.Association.PublicIp), NetworkInterfaceId: out.NetworkInterface.NetworkInterfaceId,
		})
		l.must(err, *ni.Association.PublicIp)
	}
}

// loaded says whether an id is one that the server gave: reading the dump replaces ids.
func (l *Loader) loaded(id string) bool {
	for _, have := range l.IDs {
		if have == id {
			return true
		}
	}
	return false
}

// describe names in an interface's description the load balancer whose it is, as AWS does:
// "ELB " and the end of its ARN.
func (l *Loader) describe(s string) string {
	const of = ":loadbalancer/"
	for was, is := range l.IDs {
		if _, end, ok := strings.Cut(was, of); ok && s == "ELB "+end {
			_, now, _ := strings.Cut(is, of)
			return "ELB " + now
		}
	}
	return s
}
