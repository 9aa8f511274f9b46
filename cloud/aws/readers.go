package aws

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	transport "github.com/aws/smithy-go/endpoints"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// reader makes one call of the table live.
type reader struct {
	call string
	// after is the call whose output lists the owners that this one is made for: the strings,
	// or the elements' field, at list. only leaves some out.
	after, list, field string
	only               func(id string) bool
	// none are the error codes, separated by |, by which the API says that an owner has none.
	none string
	// flat is the list to join the owners' outputs into; empty keeps them keyed by owner.
	flat string
	read func(ctx context.Context, s *session, owner string) (map[string]any, error)
}

type clients struct {
	ec2      *ec2.Client
	elb      *elb.Client
	iam      *iam.Client
	eks      *eks.Client
	ecr      *ecr.Client
	lambda   *lambda.Client
	rds      *rds.Client
	redshift *redshift.Client
	dynamodb *dynamodb.Client
	s3       *s3.Client
	account  *s3control.Client
	sts      *sts.Client
}

func newClients(cfg sdk.Config, o Options) clients {
	return clients{
		ec2: ec2.NewFromConfig(cfg), elb: elb.NewFromConfig(cfg), iam: iam.NewFromConfig(cfg), eks: eks.NewFromConfig(cfg),
		ecr: ecr.NewFromConfig(cfg), lambda: lambda.NewFromConfig(cfg), rds: rds.NewFromConfig(cfg), redshift: redshift.NewFromConfig(cfg),
		dynamodb: dynamodb.NewFromConfig(cfg), sts: sts.NewFromConfig(cfg),
		// An override is one host for all buckets and accounts.
		s3: s3.NewFromConfig(cfg, func(opt *s3.Options) { opt.UsePathStyle = o.Endpoint != "" }),
		account: s3control.NewFromConfig(cfg, func(opt *s3control.Options) {
			if u, err := url.Parse(o.Endpoint); err == nil && o.Endpoint != "" {
				opt.EndpointResolverV2 = oneHost{*u}
			}
		}),
	}
}

// oneHost is an endpoint without the account in its host name.
type oneHost struct{ url url.URL }

func (h oneHost) ResolveEndpoint(context.Context, s3control.EndpointParameters) (transport.Endpoint, error) {
	return transport.Endpoint{URI: h.url}, nil
}

// one is a call without pages.
func one[O any](out *O, err error) (map[string]any, error) {
	if err != nil {
		return nil, err
	}
	return document(out, false), nil
}

// paged is a reader of a call with pages and without owner.
func paged[O, F any](call string, p func(clients) paginator[O, F]) reader {
	return reader{call: call, read: func(ctx context.Context, s *session, _ string) (map[string]any, error) {
		return pages(ctx, p(s.clients), call == "ecr-describe-repositories")
	}}
}

// readers are the live side of the table in call.go.
var readers = []reader{
	paged(callInstances, func(c clients) paginator[ec2.DescribeInstancesOutput, ec2.Options] {
		return ec2.NewDescribeInstancesPaginator(c.ec2, &ec2.DescribeInstancesInput{})
	}),
	paged(callInterfaces, func(c clients) paginator[ec2.DescribeNetworkInterfacesOutput, ec2.Options] {
		return ec2.NewDescribeNetworkInterfacesPaginator(c.ec2, &ec2.DescribeNetworkInterfacesInput{})
	}),
	paged("ec2-describe-security-groups", func(c clients) paginator[ec2.DescribeSecurityGroupsOutput, ec2.Options] {
		return ec2.NewDescribeSecurityGroupsPaginator(c.ec2, &ec2.DescribeSecurityGroupsInput{})
	}),
	paged("ec2-describe-network-acls", func(c clients) paginator[ec2.DescribeNetworkAclsOutput, ec2.Options] {
		return ec2.NewDescribeNetworkAclsPaginator(c.ec2, &ec2.DescribeNetworkAclsInput{})
	}),
	paged("ec2-describe-subnets", func(c clients) paginator[ec2.DescribeSubnetsOutput, ec2.Options] {
		return ec2.NewDescribeSubnetsPaginator(c.ec2, &ec2.DescribeSubnetsInput{})
	}),
	paged("ec2-describe-vpcs", func(c clients) paginator[ec2.DescribeVpcsOutput, ec2.Options] {
		return ec2.NewDescribeVpcsPaginator(c.ec2, &ec2.DescribeVpcsInput{})
	}),
	paged("ec2-describe-route-tables", func(c clients) paginator[ec2.DescribeRouteTablesOutput, ec2.Options] {
		return ec2.NewDescribeRouteTablesPaginator(c.ec2, &ec2.DescribeRouteTablesInput{})
	}),
	paged("ec2-describe-internet-gateways", func(c clients) paginator[ec2.DescribeInternetGatewaysOutput, ec2.Options] {
		return ec2.NewDescribeInternetGatewaysPaginator(c.ec2, &ec2.DescribeInternetGatewaysInput{})
	}),
	paged("ec2-describe-nat-gateways", func(c clients) paginator[ec2.DescribeNatGatewaysOutput, ec2.Options] {
		return ec2.NewDescribeNatGatewaysPaginator(c.ec2, &ec2.DescribeNatGatewaysInput{})
	}),
	paged("ec2-describe-egress-only-internet-gateways", func(c clients) paginator[ec2.DescribeEgressOnlyInternetGatewaysOutput, ec2.Options] {
		return ec2.NewDescribeEgressOnlyInternetGatewaysPaginator(c.ec2, &ec2.DescribeEgressOnlyInternetGatewaysInput{})
	}),
	{call: "ec2-describe-addresses", read: func(ctx context.Context, s *session, _ string) (map[string]any, error) {
		return one(s.clients.ec2.DescribeAddresses(ctx, nil))
	}},
	paged("ec2-describe-managed-prefix-lists", func(c clients) paginator[ec2.DescribeManagedPrefixListsOutput, ec2.Options] {
		return ec2.NewDescribeManagedPrefixListsPaginator(c.ec2, &ec2.DescribeManagedPrefixListsInput{})
	}),
	paged("ec2-describe-prefix-lists", func(c clients) paginator[ec2.DescribePrefixListsOutput, ec2.Options] {
		return ec2.NewDescribePrefixListsPaginator(c.ec2, &ec2.DescribePrefixListsInput{})
	}),
	{
		call: "ec2-get-managed-prefix-list-entries", after: "ec2-describe-managed-prefix-lists", list: "PrefixLists", field: "PrefixListId",
		read: func(ctx context.Context, s *session, id string) (map[string]any, error) {
			return pages(ctx, ec2.NewGetManagedPrefixListEntriesPaginator(s.clients.ec2, &ec2.GetManagedPrefixListEntriesInput{PrefixListId: &id}), false)
		},
	},
	paged("ec2-describe-transit-gateways", func(c clients) paginator[ec2.DescribeTransitGatewaysOutput, ec2.Options] {
		return ec2.NewDescribeTransitGatewaysPaginator(c.ec2, &ec2.DescribeTransitGatewaysInput{})
	}),
	paged("ec2-describe-transit-gateway-attachments", func(c clients) paginator[ec2.DescribeTransitGatewayAttachmentsOutput, ec2.Options] {
		return ec2.NewDescribeTransitGatewayAttachmentsPaginator(c.ec2, &ec2.DescribeTransitGatewayAttachmentsInput{})
	}),
	paged("ec2-describe-transit-gateway-vpc-attachments", func(c clients) paginator[ec2.DescribeTransitGatewayVpcAttachmentsOutput, ec2.Options] {
		return ec2.NewDescribeTransitGatewayVpcAttachmentsPaginator(c.ec2, &ec2.DescribeTransitGatewayVpcAttachmentsInput{})
	}),
	paged("ec2-describe-transit-gateway-route-tables", func(c clients) paginator[ec2.DescribeTransitGatewayRouteTablesOutput, ec2.Options] {
		return ec2.NewDescribeTransitGatewayRouteTablesPaginator(c.ec2, &ec2.DescribeTransitGatewayRouteTablesInput{})
	}),
	{
		call: "ec2-search-transit-gateway-routes", after: transitTable.call, list: "TransitGatewayRouteTables", field: "TransitGatewayRouteTableId",
		read: func(ctx context.Context, s *session, id string) (map[string]any, error) {
			// The operation wants a filter; these two types are all there are.
			return pages(ctx, ec2.NewSearchTransitGatewayRoutesPaginator(s.clients.ec2, &ec2.SearchTransitGatewayRoutesInput{
				TransitGatewayRouteTableId: &id,
				Filters:                    []ec2types.Filter{{Name: sdk.String("type"), Values: []string{"static", "propagated"}}},
			}), false)
		},
	},
	{
		call: "ec2-get-transit-gateway-route-table-propagations", after: transitTable.call, list: "TransitGatewayRouteTables", field: "TransitGatewayRouteTableId",
		read: func(ctx context.Context, s *session, id string) (map[string]any, error) {
			return pages(ctx, ec2.NewGetTransitGatewayRouteTablePropagationsPaginator(s.clients.ec2, &ec2.GetTransitGatewayRouteTablePropagationsInput{TransitGatewayRouteTableId: &id}), false)
		},
	},
	{
		call: "ec2-get-transit-gateway-route-table-associations", after: transitTable.call, list: "TransitGatewayRouteTables", field: "TransitGatewayRouteTableId",
		read: func(ctx context.Context, s *session, id string) (map[string]any, error) {
			return pages(ctx, ec2.NewGetTransitGatewayRouteTableAssociationsPaginator(s.clients.ec2, &ec2.GetTransitGatewayRouteTableAssociationsInput{TransitGatewayRouteTableId: &id}), false)
		},
	},
	paged("ec2-describe-vpc-peering-connections", func(c clients) paginator[ec2.DescribeVpcPeeringConnectionsOutput, ec2.Options] {
		return ec2.NewDescribeVpcPeeringConnectionsPaginator(c.ec2, &ec2.DescribeVpcPeeringConnectionsInput{})
	}),
	paged("ec2-describe-vpc-endpoints", func(c clients) paginator[ec2.DescribeVpcEndpointsOutput, ec2.Options] {
		return ec2.NewDescribeVpcEndpointsPaginator(c.ec2, &ec2.DescribeVpcEndpointsInput{})
	}),
	{call: "ec2-describe-vpn-gateways", read: func(ctx context.Context, s *session, _ string) (map[string]any, error) {
		return one(s.clients.ec2.DescribeVpnGateways(ctx, nil))
	}},
	{call: "ec2-describe-vpn-connections", read: func(ctx context.Context, s *session, _ string) (map[string]any, error) {
		return one(s.clients.ec2.DescribeVpnConnections(ctx, nil))
	}},
	{call: "ec2-describe-customer-gateways", read: func(ctx context.Context, s *session, _ string) (map[string]any, error) {
		return one(s.clients.ec2.DescribeCustomerGateways(ctx, nil))
	}},

	paged(loadBalancer.call, func(c clients) paginator[elb.DescribeLoadBalancersOutput, elb.Options] {
		return elb.NewDescribeLoadBalancersPaginator(c.elb, &elb.DescribeLoadBalancersInput{})
	}),
	{
		call: "elbv2-describe-load-balancer-attributes", after: loadBalancer.call, list: "LoadBalancers", field: "LoadBalancerArn",
		read: func(ctx context.Context, s *session, arn string) (map[string]any, error) {
			return one(s.clients.elb.DescribeLoadBalancerAttributes(ctx, &elb.DescribeLoadBalancerAttributesInput{LoadBalancerArn: &arn}))
		},
	},
	{
		call: listener.call, after: loadBalancer.call, list: "LoadBalancers", field: "LoadBalancerArn", flat: "Listeners",
		read: func(ctx context.Context, s *session, arn string) (map[string]any, error) {
			return pages(ctx, elb.NewDescribeListenersPaginator(s.clients.elb, &elb.DescribeListenersInput{LoadBalancerArn: &arn}), false)
		},
	},
	{
		call: "elbv2-describe-rules", after: listener.call, list: "Listeners", field: "ListenerArn", only: hasRules,
		read: func(ctx context.Context, s *session, arn string) (map[string]any, error) {
			return pages(ctx, elb.NewDescribeRulesPaginator(s.clients.elb, &elb.DescribeRulesInput{ListenerArn: &arn}), false)
		},
	},
	paged(targetGroup.call, func(c clients) paginator[elb.DescribeTargetGroupsOutput, elb.Options] {
		return elb.NewDescribeTargetGroupsPaginator(c.elb, &elb.DescribeTargetGroupsInput{})
	}),
	{
		call: "elbv2-describe-target-group-attributes", after: targetGroup.call, list: "TargetGroups", field: "TargetGroupArn",
		read: func(ctx context.Context, s *session, arn string) (map[string]any, error) {
			return one(s.clients.elb.DescribeTargetGroupAttributes(ctx, &elb.DescribeTargetGroupAttributesInput{TargetGroupArn: &arn}))
		},
	},
	{
		call: "elbv2-describe-target-health", after: targetGroup.call, list: "TargetGroups", field: "TargetGroupArn",
		read: func(ctx context.Context, s *session, arn string) (map[string]any, error) {
			return one(s.clients.elb.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &arn}))
		},
	},
	{
		call: "elbv2-describe-tags", after: loadBalancer.call, list: "LoadBalancers", field: "LoadBalancerArn", flat: "TagDescriptions",
		read: func(ctx context.Context, s *session, arn string) (map[string]any, error) {
			return one(s.clients.elb.DescribeTags(ctx, &elb.DescribeTagsInput{ResourceArns: []string{arn}}))
		},
	},

	paged(callIAM, func(c clients) paginator[iam.GetAccountAuthorizationDetailsOutput, iam.Options] {
		return iam.NewGetAccountAuthorizationDetailsPaginator(c.iam, &iam.GetAccountAuthorizationDetailsInput{})
	}),

	{call: callClusters, read: readClusters},
	{call: "eks-describe-addon", read: readAddons},
	paged("ecr-describe-repositories", func(c clients) paginator[ecr.DescribeRepositoriesOutput, ecr.Options] {
		return ecr.NewDescribeRepositoriesPaginator(c.ecr, &ecr.DescribeRepositoriesInput{})
	}),

	paged(callFunctions, func(c clients) paginator[lambda.ListFunctionsOutput, lambda.Options] {
		return lambda.NewListFunctionsPaginator(c.lambda, &lambda.ListFunctionsInput{})
	}),
	{
		call: "lambda-get-function-url-config", after: callFunctions, list: "Functions", field: "FunctionName", none: "ResourceNotFoundException",
		read: func(ctx context.Context, s *session, name string) (map[string]any, error) {
			return one(s.clients.lambda.GetFunctionUrlConfig(ctx, &lambda.GetFunctionUrlConfigInput{FunctionName: &name}))
		},
	},
	{
		call: "lambda-get-policy", after: callFunctions, list: "Functions", field: "FunctionName", none: "ResourceNotFoundException",
		read: func(ctx context.Context, s *session, name string) (map[string]any, error) {
			return one(s.clients.lambda.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: &name}))
		},
	},
	paged("lambda-list-event-source-mappings", func(c clients) paginator[lambda.ListEventSourceMappingsOutput, lambda.Options] {
		return lambda.NewListEventSourceMappingsPaginator(c.lambda, &lambda.ListEventSourceMappingsInput{})
	}),
	{
		call: "lambda-list-tags", after: callFunctions, list: "Functions", field: "FunctionName",
		read: func(ctx context.Context, s *session, name string) (map[string]any, error) {
			arn := "arn:" + s.scope.partition() + ":lambda:" + s.scope.region + ":" + s.scope.account + ":function:" + name
			return one(s.clients.lambda.ListTags(ctx, &lambda.ListTagsInput{Resource: &arn}))
		},
	},

	paged(callRDS, func(c clients) paginator[rds.DescribeDBInstancesOutput, rds.Options] {
		return rds.NewDescribeDBInstancesPaginator(c.rds, &rds.DescribeDBInstancesInput{})
	}),
	paged(callRDSClusters, func(c clients) paginator[rds.DescribeDBClustersOutput, rds.Options] {
		return rds.NewDescribeDBClustersPaginator(c.rds, &rds.DescribeDBClustersInput{})
	}),
	paged(callRedshift, func(c clients) paginator[redshift.DescribeClustersOutput, redshift.Options] {
		return redshift.NewDescribeClustersPaginator(c.redshift, &redshift.DescribeClustersInput{})
	}),
	paged(callWarehouseIn, func(c clients) paginator[redshift.DescribeClusterSubnetGroupsOutput, redshift.Options] {
		return redshift.NewDescribeClusterSubnetGroupsPaginator(c.redshift, &redshift.DescribeClusterSubnetGroupsInput{})
	}),
	{call: callTables, read: readTables},

	{call: callBuckets, read: func(ctx context.Context, s *session, _ string) (map[string]any, error) {
		return one(s.clients.s3.ListBuckets(ctx, nil))
	}},
	{
		call: callPolicy, after: callBuckets, list: "Buckets", field: "Name", none: "NoSuchBucketPolicy",
		read: func(ctx context.Context, s *session, name string) (map[string]any, error) {
			return one(s.clients.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &name}, s.inRegionOf(ctx, name)))
		},
	},
	{
		call: "s3api-get-bucket-policy-status", after: callBuckets, list: "Buckets", field: "Name", none: "NoSuchBucketPolicy",
		read: func(ctx context.Context, s *session, name string) (map[string]any, error) {
			return one(s.clients.s3.GetBucketPolicyStatus(ctx, &s3.GetBucketPolicyStatusInput{Bucket: &name}, s.inRegionOf(ctx, name)))
		},
	},
	{
		call: callBlock, after: callBuckets, list: "Buckets", field: "Name", none: "NoSuchPublicAccessBlockConfiguration",
		read: func(ctx context.Context, s *session, name string) (map[string]any, error) {
			return one(s.clients.s3.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &name}, s.inRegionOf(ctx, name)))
		},
	},
	{
		call: "s3api-get-bucket-tagging", after: callBuckets, list: "Buckets", field: "Name", none: "NoSuchTagSet",
		read: func(ctx context.Context, s *session, name string) (map[string]any, error) {
			return one(s.clients.s3.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: &name}, s.inRegionOf(ctx, name)))
		},
	},
	{
		call: "s3api-get-bucket-location", after: callBuckets, list: "Buckets", field: "Name",
		read: func(ctx context.Context, s *session, name string) (map[string]any, error) {
			return one(s.clients.s3.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: &name}))
		},
	},
	{
		call: callACL, after: callBuckets, list: "Buckets", field: "Name",
		read: func(ctx context.Context, s *session, name string) (map[string]any, error) {
			return one(s.clients.s3.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: &name}, s.inRegionOf(ctx, name)))
		},
	},
	{call: callAccountS3, read: readAccountBlock},
}

// inRegionOf makes a request to the region that a bucket is in: another one only redirects.
func (s *session) inRegionOf(ctx context.Context, bucket string) func(*s3.Options) {
	s.mu.Lock()
	region, asked := s.regions[bucket]
	s.mu.Unlock()
	if !asked {
		region = s.cfg.Region
		if out, err := s.clients.s3.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: &bucket}); err == nil {
			switch region = string(out.LocationConstraint); region {
			case "": // the first region has no name here
				region = "us-east-1"
			case "EU": // the old name
				region = "eu-west-1"
			}
		}
		s.mu.Lock()
		s.regions[bucket] = region
		s.mu.Unlock()
	}
	return func(o *s3.Options) { o.Region = region }
}

func readAccountBlock(ctx context.Context, s *session, _ string) (map[string]any, error) {
	if s.o.Endpoint != "" {
		ctx = smithyhttp.DisableEndpointHostPrefix(ctx, true)
	}
	doc, err := one(s.clients.account.GetPublicAccessBlock(ctx, &s3control.GetPublicAccessBlockInput{AccountId: &s.scope.account}))
	if code(err) == "NoSuchPublicAccessBlockConfiguration" {
		return map[string]any{}, nil
	}
	return doc, err
}

func readClusters(ctx context.Context, s *session, _ string) (map[string]any, error) {
	names, err := pages(ctx, eks.NewListClustersPaginator(s.clients.eks, &eks.ListClustersInput{}), true)
	docs := map[string]any{}
	errs := []error{err}
	for _, name := range texts(names, "clusters") {
		out, err := s.clients.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name})
		if err != nil {
			errs = append(errs, fmt.Errorf("for %s: %s", name, reason(err)))
			continue
		}
		docs[name] = document(out, true)
	}
	return docs, errors.Join(errs...)
}

func readAddons(ctx context.Context, s *session, _ string) (map[string]any, error) {
	names, err := pages(ctx, eks.NewListClustersPaginator(s.clients.eks, &eks.ListClustersInput{}), true)
	docs := map[string]any{}
	errs := []error{err}
	for _, cluster := range texts(names, "clusters") {
		addons, err := pages(ctx, eks.NewListAddonsPaginator(s.clients.eks, &eks.ListAddonsInput{ClusterName: &cluster}), true)
		errs = append(errs, err)
		for _, addon := range texts(addons, "addons") {
			out, err := s.clients.eks.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: &cluster, AddonName: &addon})
			if err != nil {
				errs = append(errs, fmt.Errorf("for %s of %s: %s", addon, cluster, reason(err)))
				continue
			}
			docs[cluster+"/"+addon] = document(out, true)
		}
	}
	return docs, errors.Join(errs...)
}

func readTables(ctx context.Context, s *session, _ string) (map[string]any, error) {
	names, err := pages(ctx, dynamodb.NewListTablesPaginator(s.clients.dynamodb, &dynamodb.ListTablesInput{}), false)
	docs := map[string]any{}
	errs := []error{err}
	for _, name := range texts(names, "TableNames") {
		out, err := s.clients.dynamodb.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
		if err != nil {
			errs = append(errs, fmt.Errorf("for %s: %s", name, reason(err)))
			continue
		}
		doc := document(out, false)
		docs[name] = doc
		tags, err := one(s.clients.dynamodb.ListTagsOfResource(ctx, &dynamodb.ListTagsOfResourceInput{ResourceArn: out.Table.TableArn}))
		if err != nil {
			errs = append(errs, fmt.Errorf("for the tags of %s: %s", name, reason(err)))
		} else if table, ok := doc["Table"].(map[string]any); ok && tags["Tags"] != nil {
			table["Tags"] = tags["Tags"]
		}
	}
	return docs, errors.Join(errs...)
}

func texts(doc map[string]any, list string) []string {
	var out []string
	all, _ := doc[list].([]any)
	for _, v := range all {
		if s, ok := v.(string); ok && strings.TrimSpace(s) != "" {
			out = append(out, s)
		}
	}
	return out
}
