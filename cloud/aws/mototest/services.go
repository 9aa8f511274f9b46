package mototest

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
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

// Cluster loads the EKS cluster.
func (l *Loader) Cluster(ctx context.Context) {
	var d struct {
		Cluster struct {
			Name, Version, RoleArn string
			Identity               struct{ OIDC struct{ Issuer string } }
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
	out, err := eks.NewFromConfig(l.cfg).CreateCluster(ctx, &eks.CreateClusterInput{
		Name: &d.Cluster.Name, Version: &d.Cluster.Version, RoleArn: &d.Cluster.RoleArn, Tags: d.Cluster.Tags,
		ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: v.SubnetIds, EndpointPublicAccess: &v.EndpointPublicAccess, PublicAccessCidrs: v.PublicAccessCidrs},
	})
	l.must(err, d.Cluster.Name)
	const scheme = "https://" // trust policies name the issuer without
	if was := strings.TrimPrefix(d.Cluster.Identity.OIDC.Issuer, scheme); was != "" {
		l.IDs[was] = strings.TrimPrefix(*out.Cluster.Identity.Oidc.Issuer, scheme)
	}
}
