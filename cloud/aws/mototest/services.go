package mototest

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// IAM loads roles, their inline and attached policies and their instance profiles.
func (l *Loader) IAM(ctx context.Context) {
	c := iam.NewFromConfig(l.cfg)
	var d struct {
		RoleDetailList []struct {
			RoleName                 string
			AssumeRolePolicyDocument json.RawMessage
			InstanceProfileList      []struct{ InstanceProfileName string }
			RolePolicyList           []struct {
				PolicyName     string
				PolicyDocument json.RawMessage
			}
			AttachedManagedPolicies []struct{ PolicyArn string }
		}
	}
	l.read("iam-get-account-authorization-details", &d)
	for _, r := range d.RoleDetailList {
		_, err := c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &r.RoleName, AssumeRolePolicyDocument: sdk.String(string(r.AssumeRolePolicyDocument))})
		l.must(err, r.RoleName)
		for _, p := range r.RolePolicyList {
			_, err := c.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &r.RoleName, PolicyName: &p.PolicyName, PolicyDocument: sdk.String(string(p.PolicyDocument))})
			l.must(err, p.PolicyName)
		}
		for _, p := range r.AttachedManagedPolicies {
			_, err := c.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: &r.RoleName, PolicyArn: &p.PolicyArn})
			l.must(err, p.PolicyArn)
		}
		for _, p := range r.InstanceProfileList {
			_, err := c.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: &p.InstanceProfileName})
			l.must(err, p.InstanceProfileName)
			_, err = c.AddRoleToInstanceProfile(ctx, &iam.AddRoleToInstanceProfileInput{InstanceProfileName: &p.InstanceProfileName, RoleName: &r.RoleName})
			l.must(err, p.InstanceProfileName)
		}
	}
}

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

// Balancers loads load balancers, target groups, targets, listeners and rules.
func (l *Loader) Balancers(ctx context.Context) {
	c := elb.NewFromConfig(l.cfg)
	var lbs elb.DescribeLoadBalancersOutput
	l.read("elbv2-describe-load-balancers", &lbs)
	for _, lb := range lbs.LoadBalancers {
		in := &elb.CreateLoadBalancerInput{Name: lb.LoadBalancerName, Type: lb.Type, Scheme: lb.Scheme, SecurityGroups: lb.SecurityGroups}
		for _, z := range lb.AvailabilityZones {
			in.Subnets = append(in.Subnets, *z.SubnetId)
		}
		out, err := c.CreateLoadBalancer(ctx, in)
		l.must(err, *lb.LoadBalancerArn)
		l.IDs[*lb.LoadBalancerArn] = *out.LoadBalancers[0].LoadBalancerArn
		l.IDs[*lb.DNSName] = *out.LoadBalancers[0].DNSName
	}
	var tgs elb.DescribeTargetGroupsOutput
	l.read("elbv2-describe-target-groups", &tgs)
	for _, tg := range tgs.TargetGroups {
		out, err := c.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{
			Name: tg.TargetGroupName, Protocol: tg.Protocol, Port: tg.Port, VpcId: tg.VpcId, TargetType: tg.TargetType,
		})
		l.must(err, *tg.TargetGroupArn)
		l.IDs[*tg.TargetGroupArn] = *out.TargetGroups[0].TargetGroupArn
	}
	var health map[string]struct {
		TargetHealthDescriptions []struct{ Target elbtypes.TargetDescription }
	}
	l.read("elbv2-describe-target-health", &health)
	for arn, h := range health {
		in := &elb.RegisterTargetsInput{TargetGroupArn: &arn}
		for _, d := range h.TargetHealthDescriptions {
			in.Targets = append(in.Targets, d.Target)
		}
		_, err := c.RegisterTargets(ctx, in)
		l.must(err, arn)
	}
	certificate, err := iam.NewFromConfig(l.cfg).UploadServerCertificate(ctx, &iam.UploadServerCertificateInput{
		ServerCertificateName: sdk.String("test"), CertificateBody: sdk.String("none"), PrivateKey: sdk.String("none"),
	})
	l.must(err, "a certificate")
	var listeners elb.DescribeListenersOutput
	l.read("elbv2-describe-listeners", &listeners)
	for _, li := range listeners.Listeners {
		for i := range li.Certificates {
			li.Certificates[i].CertificateArn = certificate.ServerCertificateMetadata.Arn
		}
		out, err := c.CreateListener(ctx, &elb.CreateListenerInput{
			LoadBalancerArn: li.LoadBalancerArn, Port: li.Port, Protocol: li.Protocol, Certificates: li.Certificates, DefaultActions: li.DefaultActions,
		})
		l.must(err, *li.ListenerArn)
		l.IDs[*li.ListenerArn] = *out.Listeners[0].ListenerArn
	}
	var rules map[string]elb.DescribeRulesOutput
	l.read("elbv2-describe-rules", &rules)
	for arn, of := range rules {
		for n, rule := range of.Rules {
			if sdk.ToBool(rule.IsDefault) {
				continue
			}
			for i := range rule.Conditions {
				rule.Conditions[i].Values = nil // said again in the condition's own configuration
			}
			_, err := c.CreateRule(ctx, &elb.CreateRuleInput{ListenerArn: &arn, Priority: sdk.Int32(int32(n + 1)), Conditions: rule.Conditions, Actions: rule.Actions})
			l.must(err, *rule.RuleArn)
		}
	}
}

// Functions loads Lambda functions, their URLs and policies.
func (l *Loader) Functions(ctx context.Context) {
	c := lambda.NewFromConfig(l.cfg)
	var code bytes.Buffer
	z := zip.NewWriter(&code)
	_, err := z.Create("index.js")
	l.must(err, "code")
	l.must(z.Close(), "code")
	var d lambda.ListFunctionsOutput
	l.read("lambda-list-functions", &d)
	for _, f := range d.Functions {
		_, err := c.CreateFunction(ctx, &lambda.CreateFunctionInput{
			FunctionName: f.FunctionName, Runtime: f.Runtime, Role: f.Role, Handler: f.Handler,
			Code: &lambdatypes.FunctionCode{ZipFile: code.Bytes()},
		})
		l.must(err, *f.FunctionName)
	}
	var urls map[string]lambda.GetFunctionUrlConfigOutput
	l.read("lambda-get-function-url-config", &urls)
	for name, u := range urls {
		out, err := c.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{FunctionName: &name, AuthType: u.AuthType})
		l.must(err, name)
		l.IDs[*u.FunctionUrl] = *out.FunctionUrl
	}
	var policies map[string]struct{ Policy string }
	l.read("lambda-get-policy", &policies)
	for name, p := range policies {
		var doc struct {
			Statement []struct{ Sid, Principal, Action string }
		}
		l.must(json.Unmarshal([]byte(p.Policy), &doc), name)
		for _, s := range doc.Statement {
			in := &lambda.AddPermissionInput{FunctionName: &name, StatementId: &s.Sid, Principal: &s.Principal, Action: &s.Action}
			if strings.HasSuffix(s.Action, "Url") {
				in.FunctionUrlAuthType = lambdatypes.FunctionUrlAuthTypeNone
			} else {
				in.InvokedViaFunctionUrl = sdk.Bool(true)
			}
			_, err := c.AddPermission(ctx, in)
			l.must(err, name)
		}
	}
}

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
	for _, w := range d.Clusters {
		in := &redshift.CreateClusterInput{
			ClusterIdentifier: w.ClusterIdentifier, NodeType: w.NodeType, MasterUsername: w.MasterUsername, MasterUserPassword: sdk.String("Not1password"),
			DBName: w.DBName, PubliclyAccessible: w.PubliclyAccessible, Tags: w.Tags, Port: w.Endpoint.Port, ClusterType: sdk.String("single-node"),
		}
		for _, g := range w.VpcSecurityGroups {
			in.VpcSecurityGroupIds = append(in.VpcSecurityGroupIds, *g.VpcSecurityGroupId)
		}
		_, err := c.CreateCluster(ctx, in)
		l.must(err, *w.ClusterIdentifier)
	}
}

// Cluster loads the EKS cluster.
func (l *Loader) Cluster(ctx context.Context) {
	var d struct {
		Cluster struct {
			Name, Version, RoleArn string
			ResourcesVpcConfig     struct {
				SubnetIds            []string
				EndpointPublicAccess bool
				PublicAccessCidrs    []string
			}
			Tags map[string]string
		}
	}
	if !l.read("eks-describe-cluster", &d) {
		return
	}
	v := d.Cluster.ResourcesVpcConfig
	_, err := eks.NewFromConfig(l.cfg).CreateCluster(ctx, &eks.CreateClusterInput{
		Name: &d.Cluster.Name, Version: &d.Cluster.Version, RoleArn: &d.Cluster.RoleArn, Tags: d.Cluster.Tags,
		ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: v.SubnetIds, EndpointPublicAccess: &v.EndpointPublicAccess, PublicAccessCidrs: v.PublicAccessCidrs},
	})
	l.must(err, d.Cluster.Name)
}
