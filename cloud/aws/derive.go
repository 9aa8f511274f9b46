package aws

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/cloud/identity"
)

// Sections of what is derived from several calls. Each is unread when one of its calls is, so
// that nothing derived is deleted for want of an input.
const (
	sectionInstanceRoles = "instance-roles"
	sectionRoleChains    = "role-chains"
)

// accessSection is the section of the can-access relations of one service's stores.
func accessSection(storeCall string) string { return "access-" + serviceOf(storeCall) }

// derive adds names, aliases, typed properties, relations and findings.
func (a *assembly) derive(r *triad.Report) {
	for _, x := range a.order {
		var err error
		switch x.Kind {
		case "Instance":
			err = a.instance(r, x)
		case "Function":
			err = a.function(r, x)
		case "Role", "User":
			err = a.identity(x)
		case "Bucket":
			err = a.bucket(r, x)
		case "DBInstance", "DBCluster":
			err = a.database(r, x)
		case "RedshiftCluster":
			err = a.redshift(r, x)
		case "Table":
			err = x.props("data-store/1", triad.DataStoreProps{Engine: "dynamodb", Classification: x.Tags[classification]})
		case "Cluster":
			err = a.cluster(r, x)
		case "Repository":
			if uri := text(x.doc, "repositoryUri"); uri != "" {
				x.Aliases = append(x.Aliases, uri)
			}
		}
		if err != nil {
			a.fail(x.Section, errors.Join(errors.New("deriving from "+x.ID), err))
		}
		if x.Name == "" {
			x.Name = x.ID
		}
	}
	a.accesses(r)
	a.roleChains(r)
}

// classification is the tag that says how sensitive a store's data is.
const classification = "data-classification"

func (x *asset) props(schema string, v any) error {
	raw, err := marshal(v)
	x.Schema, x.Props = schema, raw
	return err
}

// decode reads the fields of a document that a typed view names.
func (x *asset) decode(v any) error {
	raw, err := marshal(x.doc)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, v)
}

func (a *assembly) instance(r *triad.Report, x *asset) error {
	x.Aliases = append(x.Aliases, "aws-instance:"+x.ID, a.arn("ec2", "instance/"+x.ID))
	var d struct {
		PrivateDnsName   string
		PlatformDetails  string
		PrivateIpAddress string
		PublicIpAddress  string
		State            struct{ Name string }
		MetadataOptions  *struct {
			HttpTokens              string
			HttpEndpoint            string
			HttpPutResponseHopLimit int
		}
		NetworkInterfaces []struct {
			PrivateIpAddresses []struct {
				PrivateIpAddress string
				Association      struct{ PublicIp string }
			}
			Ipv6Addresses []struct{ Ipv6Address string }
		}
		IamInstanceProfile struct{ Arn string }
	}
	if err := x.decode(&d); err != nil {
		return err
	}
	p := triad.HostProps{Hostname: d.PrivateDnsName, OS: d.PlatformDetails}
	add := func(address string) {
		if address != "" && !slices.Contains(p.Addresses, address) {
			p.Addresses = append(p.Addresses, address)
		}
	}
	add(d.PrivateIpAddress)
	add(d.PublicIpAddress)
	for _, ni := range d.NetworkInterfaces {
		for _, ip := range ni.PrivateIpAddresses {
			add(ip.PrivateIpAddress)
			add(ip.Association.PublicIp)
		}
		for _, ip := range ni.Ipv6Addresses {
			add(ip.Ipv6Address)
		}
	}
	if m := d.MetadataOptions; m != nil {
		p.MetadataTokens, p.MetadataHopLimit, p.MetadataOff = m.HttpTokens, m.HttpPutResponseHopLimit, m.HttpEndpoint == "disabled"
		if m.HttpTokens == "optional" && !p.MetadataOff && d.State.Name != "terminated" {
			r.Findings = append(r.Findings, triad.Finding{
				Kind: triad.FindingMisconfiguration, ID: "metadata-v1", Asset: x.ID, Section: x.Section, Severity: "medium",
				Title:    "The instance metadata service answers requests without a session token (IMDSv1)",
				Evidence: []triad.Evidence{{Source: x.Section, Detail: "MetadataOptions.HttpTokens is optional"}},
				Fix:      "aws ec2 modify-instance-metadata-options --instance-id " + x.ID + " --http-tokens required",
			})
		}
	}
	if profile := d.IamInstanceProfile.Arn; profile != "" {
		a.instanceRole(r, x, profile)
	}
	return x.props("host/1", p)
}

// instanceRole relates an instance to the role of its profile. Where the role is not known the
// relation leads to the profile, which no row is.
func (a *assembly) instanceRole(r *triad.Report, x *asset, profile string) {
	evidence := []triad.Evidence{{Source: x.Section, Detail: "IamInstanceProfile " + profile}}
	to := profile
	if role := a.profiles()[profile]; role != "" {
		to = role
		evidence = append(evidence, triad.Evidence{Source: callIAM, Detail: "InstanceProfileList of " + role})
	}
	r.Relations = append(r.Relations, triad.Relation{From: x.ID, Type: triad.RelAssumes, To: to, Section: sectionInstanceRoles, Evidence: evidence})
}

// profiles maps the ARNs of instance profiles to those of their roles.
func (a *assembly) profiles() map[string]string {
	if a.profileRoles != nil {
		return a.profileRoles
	}
	a.profileRoles = map[string]string{}
	for _, x := range a.order {
		if x.Kind != "Role" {
			continue
		}
		var list []struct{ Arn string }
		if json.Unmarshal(x.doc["InstanceProfileList"], &list) == nil {
			for _, p := range list {
				a.profileRoles[p.Arn] = x.ID
			}
		}
	}
	return a.profileRoles
}

func (a *assembly) function(r *triad.Report, x *asset) error {
	var d struct {
		FunctionName, Runtime, CodeSha256, Role string
		Code                                    struct{ ImageUri string }
	}
	if err := x.decode(&d); err != nil {
		return err
	}
	x.Name = a.scope.account + "/" + a.scope.region + "/" + d.FunctionName
	if d.Role != "" {
		r.Relations = append(r.Relations, triad.Relation{
			From: x.ID, Type: triad.RelAssumes, To: d.Role, Section: x.Section,
			Evidence: []triad.Evidence{{Source: x.Section, Detail: "Role " + d.Role}},
		})
	}
	return x.props("function/1", triad.FunctionProps{Runtime: d.Runtime, CodeDigest: d.CodeSha256, ImageRef: d.Code.ImageUri, Role: d.Role})
}

func (a *assembly) identity(x *asset) error {
	p := triad.IdentityProps{Provider: "aws"}
	who := a.who(x)
	p.Admin = who.policies.Admin()
	if raw := x.doc["AssumeRolePolicyDocument"]; raw != nil {
		trust, err := identity.Parse("the trust policy of role "+x.Name, raw)
		if err != nil {
			p.Trusts = []triad.Trust{{Type: "principal", Principal: "*", Unknown: err.Error()}}
		} else {
			p.Trusts = identity.Trusts(trust, a.scope.account)
		}
	}
	return x.props("identity/1", p)
}

func (a *assembly) cluster(r *triad.Report, x *asset) error {
	var d struct {
		ResourcesVpcConfig struct {
			EndpointPublicAccess bool
			PublicAccessCidrs    []string
		}
	}
	if err := x.decode(&d); err != nil {
		return err
	}
	if v := d.ResourcesVpcConfig; v.EndpointPublicAccess && slices.Contains(v.PublicAccessCidrs, "0.0.0.0/0") {
		r.Findings = append(r.Findings, triad.Finding{
			Kind: triad.FindingMisconfiguration, ID: "public-cluster-endpoint", Asset: x.ID, Section: x.Section, Severity: "medium",
			Title:    "The cluster's API server answers the whole internet",
			Evidence: []triad.Evidence{{Source: x.Section, Detail: "publicAccessCidrs " + strings.Join(v.PublicAccessCidrs, ", ")}},
			Fix:      "restrict publicAccessCidrs, or turn endpointPublicAccess off",
		})
	}
	return nil
}

func (a *assembly) arn(service, resource string) string {
	return "arn:" + a.scope.partition() + ":" + service + ":" + a.scope.region + ":" + a.scope.account + ":" + resource
}
