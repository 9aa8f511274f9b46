package mototest

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	redshifttypes "github.com/aws/aws-sdk-go-v2/service/redshift/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Stores loads S3 buckets with policies, blocks and tags, RDS instances and Redshift clusters.
func (l *Loader) Stores(ctx context.Context) {
	c := s3.NewFromConfig(l.cfg, func(o *s3.Options) { o.UsePathStyle = true })
	var buckets struct{ Buckets []struct{ Name string } }
	l.read("s3api-list-buckets", &buckets)
	var policies map[string]struct{ Policy string }
	l.read("s3api-get-bucket-policy", &policies)
	var blocks map[string]struct {
		PublicAccessBlockConfiguration *s3types.PublicAccessBlockConfiguration
	}
	l.read("s3api-get-public-access-block", &blocks)
	var tags map[string]struct{ TagSet []s3types.Tag }
	l.read("s3api-get-bucket-tagging", &tags)
	for _, b := range buckets.Buckets {
		_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &b.Name})
		l.must(err, b.Name)
		if p, ok := policies[b.Name]; ok {
			_, err := c.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &b.Name, Policy: &p.Policy})
			l.must(err, b.Name)
		}
		if t, ok := tags[b.Name]; ok {
			_, err := c.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: &b.Name, Tagging: &s3types.Tagging{TagSet: t.TagSet}})
			l.must(err, b.Name)
		}
		if p, ok := blocks[b.Name]; ok {
			_, err := c.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: &b.Name, PublicAccessBlockConfiguration: p.PublicAccessBlockConfiguration})
			l.must(err, b.Name)
		}
	}
	l.databases(ctx)
	l.warehouses(ctx)
}

func (l *Loader) databases(ctx context.Context) {
	c := rds.NewFromConfig(l.cfg)
	var d rds.DescribeDBInstancesOutput
	l.read("rds-describe-db-instances", &d)
	for _, db := range d.DBInstances {
		g := db.DBSubnetGroup
		in := &rds.CreateDBSubnetGroupInput{DBSubnetGroupName: g.DBSubnetGroupName, DBSubnetGroupDescription: g.DBSubnetGroupDescription}
		for _, s := range g.Subnets {
			in.SubnetIds = append(in.SubnetIds, *s.SubnetIdentifier)
		}
		_, err := c.CreateDBSubnetGroup(ctx, in)
		l.must(err, *g.DBSubnetGroupName)
		create := &rds.CreateDBInstanceInput{
			DBInstanceIdentifier: db.DBInstanceIdentifier, DBInstanceClass: db.DBInstanceClass, Engine: db.Engine, EngineVersion: db.EngineVersion,
			MasterUsername: db.MasterUsername, MasterUserPassword: sdk.String("not-a-password"), AllocatedStorage: db.AllocatedStorage,
			DBSubnetGroupName: g.DBSubnetGroupName, AvailabilityZone: db.AvailabilityZone, PubliclyAccessible: db.PubliclyAccessible, Tags: db.TagList,
			Port: db.Endpoint.Port, EnableIAMDatabaseAuthentication: db.IAMDatabaseAuthenticationEnabled,
		}
		for _, g := range db.VpcSecurityGroups {
			create.VpcSecurityGroupIds = append(create.VpcSecurityGroupIds, *g.VpcSecurityGroupId)
		}
		_, err = c.CreateDBInstance(ctx, create)
		l.must(err, *db.DBInstanceIdentifier)
	}
}

func (l *Loader) warehouses(ctx context.Context) {
	c := redshift.NewFromConfig(l.cfg)
	var d redshift.DescribeClustersOutput
	l.read("redshift-describe-clusters", &d)
	l.warehouseSubnets(ctx, c, d.Clusters)
	for _, w := range d.Clusters {
		in := &redshift.CreateClusterInput{
			ClusterIdentifier: w.ClusterIdentifier, NodeType: w.NodeType, MasterUsername: w.MasterUsername, MasterUserPassword: sdk.String("Not1password"),
			DBName: w.DBName, ClusterSubnetGroupName: w.ClusterSubnetGroupName, AvailabilityZone: w.AvailabilityZone, PubliclyAccessible: w.PubliclyAccessible, Tags: w.Tags, Port: w.Endpoint.Port, ClusterType: sdk.String("single-node"),
		}
		for _, g := range w.VpcSecurityGroups {
			in.VpcSecurityGroupIds = append(in.VpcSecurityGroupIds, *g.VpcSecurityGroupId)
		}
		_, err := c.CreateCluster(ctx, in)
		l.must(err, *w.ClusterIdentifier)
	}
}

// warehouseSubnets makes the subnet groups that the clusters name, of the subnets in which the
// dump's interfaces have their nodes' addresses. The server puts a cluster into no VPC otherwise.
func (l *Loader) warehouseSubnets(ctx context.Context, c *redshift.Client, clusters []redshifttypes.Cluster) {
	var interfaces ec2.DescribeNetworkInterfacesOutput
	l.read("ec2-describe-network-interfaces", &interfaces)
	groups := map[string][]string{}
	for _, w := range clusters {
		for _, n := range w.ClusterNodes {
			for _, ni := range interfaces.NetworkInterfaces {
				if name := sdk.ToString(w.ClusterSubnetGroupName); name != "" && sdk.ToString(n.PrivateIPAddress) == *ni.PrivateIpAddress {
					groups[name] = append(groups[name], *ni.SubnetId)
				}
			}
		}
	}
	for name, subnets := range groups {
		_, err := c.CreateClusterSubnetGroup(ctx, &redshift.CreateClusterSubnetGroupInput{
			ClusterSubnetGroupName: &name, Description: &name, SubnetIds: subnets,
		})
		l.must(err, name)
	}
}
