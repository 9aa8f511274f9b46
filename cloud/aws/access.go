package aws

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/cloud/identity"
)

// principal is a role or user with the policies that speak of it.
type principal struct {
	identity.Principal
	policies identity.Policies
}

type policyRef struct{ PolicyName, PolicyArn string }

type inlinePolicy struct {
	PolicyName     string
	PolicyDocument json.RawMessage
}

// who reads a role's or user's policies once.
func (a *assembly) who(x *asset) *principal {
	if p := a.principals[x.ID]; p != nil {
		return p
	}
	var d struct {
		Arn, RoleName, RoleId, UserName, UserId string
		RolePolicyList, UserPolicyList          []inlinePolicy
		AttachedManagedPolicies                 []policyRef
		GroupList                               []string
		PermissionsBoundary                     struct{ PermissionsBoundaryArn string }
	}
	p := &principal{}
	a.principals[x.ID] = p
	if err := x.decode(&d); err != nil {
		p.policies.IdentityUnread = "its policies cannot be read: " + err.Error()
	}
	p.Principal = identity.Principal{
		ARN: x.ID, Account: a.scope.account, ID: d.RoleId + d.UserId, Name: d.RoleName + d.UserName,
		User: x.Kind == "User", Tags: x.Tags,
	}
	of := " of " + strings.ToLower(x.Kind) + " " + p.Name
	a.inline(p, append(d.RolePolicyList, d.UserPolicyList...), of)
	a.attached(p, d.AttachedManagedPolicies, of)
	for _, name := range d.GroupList {
		g := a.group(name)
		if g == nil {
			p.policies.IdentityUnread = "its group " + name + " was not read"
			continue
		}
		var gd struct {
			GroupPolicyList         []inlinePolicy
			AttachedManagedPolicies []policyRef
		}
		if err := g.decode(&gd); err != nil {
			p.policies.IdentityUnread = "its group " + name + " cannot be read: " + err.Error()
			continue
		}
		a.inline(p, gd.GroupPolicyList, " of group "+name)
		a.attached(p, gd.AttachedManagedPolicies, " of group "+name)
	}
	if arn := d.PermissionsBoundary.PermissionsBoundaryArn; arn != "" {
		boundary, err := a.managedPolicy(arn)
		if err != nil {
			p.policies.BoundaryUnread = "its permissions boundary: " + err.Error()
		}
		p.policies.Boundary = boundary
	}
	return p
}

func (a *assembly) inline(p *principal, list []inlinePolicy, of string) {
	for _, in := range list {
		policy, err := identity.Parse("inline policy "+in.PolicyName+of, in.PolicyDocument)
		if err != nil {
			p.policies.IdentityUnread = err.Error()
			continue
		}
		p.policies.Identity = append(p.policies.Identity, policy)
	}
}

func (a *assembly) attached(p *principal, list []policyRef, of string) {
	for _, ref := range list {
		policy, err := a.managedPolicy(ref.PolicyArn)
		if err != nil {
			p.policies.IdentityUnread = err.Error()
			continue
		}
		named := *policy
		named.Name += of
		p.policies.Identity = append(p.policies.Identity, &named)
	}
}

func (a *assembly) group(name string) *asset {
	for _, x := range a.order {
		if x.Kind == "Group" && text(x.doc, "GroupName") == name {
			return x
		}
	}
	return nil
}

// managedPolicy reads the default version of a managed policy.
func (a *assembly) managedPolicy(arn string) (*identity.Policy, error) {
	if p, ok := a.managedPolicies[arn]; ok {
		return p.policy, p.err
	}
	policy, err := func() (*identity.Policy, error) {
		x := a.assets[arn]
		if x == nil {
			return nil, fmt.Errorf("the managed policy %s was not read", arn)
		}
		var d struct {
			PolicyVersionList []struct {
				Document         json.RawMessage
				IsDefaultVersion bool
			}
		}
		if err := x.decode(&d); err != nil {
			return nil, fmt.Errorf("reading the managed policy %s: %w", arn, err)
		}
		for _, v := range d.PolicyVersionList {
			if v.IsDefaultVersion {
				return identity.Parse("managed policy "+text(x.doc, "PolicyName"), v.Document)
			}
		}
		return nil, fmt.Errorf("the default version of the managed policy %s was not read", arn)
	}()
	a.managedPolicies[arn] = parsedPolicy{policy, err}
	return policy, err
}

type parsedPolicy struct {
	policy *identity.Policy
	err    error
}

// people lists the roles and users.
func (a *assembly) people() []*asset {
	var out []*asset
	for _, x := range a.order {
		if x.Kind == "Role" || x.Kind == "User" {
			out = append(out, x)
		}
	}
	return out
}

// accesses relates identities to the data stores that they may use.
func (a *assembly) accesses(r *triad.Report) {
	people := a.people()
	for _, x := range a.order {
		ways := a.ways(x)
		if x.Type != triad.TypeDataStore || ways == nil {
			continue
		}
		ctx := identity.Context{Region: a.scope.region, ResourceAccount: a.scope.account, Now: a.now}
		if x.Kind != "Bucket" || a.subUnread("s3api-get-bucket-tagging", x) == "" {
			ctx.ResourceTags = x.Tags
			if ctx.ResourceTags == nil {
				ctx.ResourceTags = map[string]string{}
			}
		}
		policy, unread := a.bucketPolicy(x)
		if block, why := a.blocks(x); policy != nil && !block.RestrictPublicBuckets && why == "" {
			policy = policy.WithoutPublic(ctx) // what anybody may do gives nobody more
		}
		for _, person := range people {
			who := a.who(person)
			ps := a.narrow(who, x.Kind, ways)
			ps.Resource, ps.ResourceUnread = policy, unread
			if len(ps.Identity) == 0 && ps.IdentityUnread == "" && policy == nil && unread == "" {
				continue
			}
			access, by, ok := ps.Access(who.Principal, ctx, ways)
			if !ok {
				continue
			}
			props, err := marshal(access)
			if err != nil {
				continue
			}
			rel := triad.Relation{From: person.ID, Type: triad.RelCanAccess, To: x.ID, Section: accessSection(x.Section), Props: props}
			for _, statement := range by {
				source := callIAM
				if policy != nil && strings.HasPrefix(statement, policy.Name) {
					source = callPolicy
				}
				rel.Evidence = append(rel.Evidence, triad.Evidence{Source: source, Detail: "allowed by " + statement})
			}
			if access.Unknown != "" {
				rel.Evidence = append(rel.Evidence, triad.Evidence{Source: callIAM, Detail: "not known: " + access.Unknown})
			}
			r.Relations = append(r.Relations, rel)
		}
	}
}

// narrow keeps, per kind of store, the statements of a principal that speak of it.
func (a *assembly) narrow(who *principal, kind string, ways []identity.Way) identity.Policies {
	key := kind + " " + who.ARN
	if kind == "DBInstance" || kind == "DBCluster" {
		return who.policies // its ways differ from store to store
	}
	ps, ok := a.narrowed[key]
	if !ok {
		ps = who.policies.Narrow(ways)
		a.narrowed[key] = ps
	}
	return ps
}

var assume = []identity.Way{{Action: "sts:AssumeRole"}}

// roleChains relates identities to the roles that they may assume.
func (a *assembly) roleChains(r *triad.Report) {
	people := a.people()
	for _, role := range people {
		if role.Kind != "Role" {
			continue
		}
		unread := ""
		trust, err := identity.Parse("the trust policy of role "+role.Name, role.doc["AssumeRolePolicyDocument"])
		if err != nil {
			unread = err.Error()
		} else if !slices.ContainsFunc(trust.Statements, namesPrincipal) {
			continue
		}
		for _, person := range people {
			if person == role {
				continue
			}
			who := a.who(person)
			ps := a.narrow(who, role.Kind, assume)
			ps.Resource, ps.ResourceUnread = trust, unread
			tags := role.Tags
			if tags == nil {
				tags = map[string]string{}
			}
			got := ps.May(identity.Request{
				Principal: who.Principal, Action: "sts:AssumeRole", Resource: role.ID, Trust: true,
				Context: identity.Context{Region: a.scope.region, ResourceAccount: a.scope.account, ResourceTags: tags, Now: a.now},
			})
			if got.Truth == identity.No {
				continue
			}
			rel := triad.Relation{From: person.ID, Type: triad.RelAssumes, To: role.ID, Section: sectionRoleChains}
			for _, statement := range got.By {
				rel.Evidence = append(rel.Evidence, triad.Evidence{Source: callIAM, Detail: "allowed by " + statement})
			}
			if got.Unknown != "" {
				rel.Evidence = append(rel.Evidence, triad.Evidence{Source: callIAM, Detail: "not known: " + got.Unknown})
				if rel.Props, err = marshal(triad.Trust{Type: "principal", Principal: person.ID, Unknown: got.Unknown}); err != nil {
					continue
				}
			}
			r.Relations = append(r.Relations, rel)
		}
	}
}

// namesPrincipal: the statement lets in principals of an account, not only services or tokens.
func namesPrincipal(s identity.Statement) bool {
	return s.Unknown != "" || s.Allow && (s.NotPrincipal != nil || s.Principal != nil && (s.Principal.Everyone || len(s.Principal.AWS) > 0))
}
