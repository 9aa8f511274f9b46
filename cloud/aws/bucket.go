package aws

import (
	"encoding/json"
	"fmt"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/cloud/identity"
)

// bucketPolicy is a bucket's own policy, nil where it has none, and why it could not be read.
func (a *assembly) bucketPolicy(x *asset) (*identity.Policy, string) {
	if x.Kind != "Bucket" {
		return nil, ""
	}
	raw, ok := x.doc["Policy"]
	if !ok {
		if why := a.subUnread(callPolicy, x); why != "" {
			return nil, "the bucket's policy was not read: " + why
		}
		return nil, ""
	}
	policy, err := identity.Parse("the policy of bucket "+x.Name, raw)
	if err != nil {
		return nil, err.Error()
	}
	return policy, ""
}

// block is the configuration of S3 Block Public Access.
type block struct {
	IgnorePublicAcls, RestrictPublicBuckets bool
}

// blocks joins the bucket's and the account's blocks; unread says what is not known of them.
// An account-wide block that nobody collected is taken as none.
func (a *assembly) blocks(x *asset) (b block, unread string) {
	if raw, ok := x.doc["PublicAccessBlock"]; ok {
		if err := json.Unmarshal(raw, &b); err != nil {
			unread = "the bucket's public access block cannot be read: " + err.Error()
		}
	} else if why := a.subUnread(callBlock, x); why != "" {
		unread = "the bucket's public access block was not read: " + why
	}
	if account := a.assets["aws-account:"+a.scope.account]; account != nil && account.doc["PublicAccessBlockConfiguration"] != nil {
		var whole block
		if err := json.Unmarshal(account.doc["PublicAccessBlockConfiguration"], &whole); err != nil {
			unread = "the account's public access block cannot be read: " + err.Error()
		}
		b.IgnorePublicAcls = b.IgnorePublicAcls || whole.IgnorePublicAcls
		b.RestrictPublicBuckets = b.RestrictPublicBuckets || whole.RestrictPublicBuckets
	} else if len(a.unread[callAccountS3]) > 0 {
		unread = "the account's public access block was not read: " + a.unread[callAccountS3][0]
	}
	return b, unread
}

// bucket decides who on the internet may use a bucket. Public says that everybody may read all
// of it; what is public in part is a finding only, as the rest still needs protection.
func (a *assembly) bucket(r *triad.Report, x *asset) error {
	p := triad.DataStoreProps{Engine: "s3", Classification: x.Tags[classification]}
	policy, unread := a.bucketPolicy(x)
	block, blockUnread := a.blocks(x)
	anybody := identity.Policies{Resource: policy, ResourceUnread: unread}
	object := identity.Request{
		Principal: identity.Anonymous, Action: "s3:GetObject", Resource: x.ID + "/*",
		Context: identity.Context{ResourceAccount: a.scope.account, Now: a.now},
	}
	whole, part := anybody.MayAll(object), identity.Result{}
	for _, action := range []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"} {
		one := object
		if one.Action = action; action == "s3:ListBucket" {
			one.Resource = x.ID
		}
		if got := anybody.May(one); got.Truth > part.Truth {
			part = got
			part.By = append([]string{action}, got.By...)
		}
	}
	how := ""
	switch {
	case block.RestrictPublicBuckets:
	case part.Truth == identity.No:
	case blockUnread != "":
		p.PublicUnknown = blockUnread
	case part.Truth == identity.Unknown:
		p.PublicUnknown = part.Unknown
	default:
		p.Public = whole.Truth == identity.Yes
		how = fmt.Sprintf("%v", part.By)
	}
	if grant := publicGrant(x); grant != "" && !block.IgnorePublicAcls {
		if blockUnread != "" {
			p.PublicUnknown = blockUnread
		} else {
			// An access control list on the bucket lets list or write it, not read its objects.
			how = grant
		}
	}
	if how != "" {
		severity := "high"
		if p.Classification == "public" {
			severity = "low"
		}
		r.Findings = append(r.Findings, triad.Finding{
			Kind: triad.FindingMisconfiguration, ID: "public-bucket", Asset: x.ID, Section: x.Section, Severity: severity,
			Title:    "Anybody on the internet may use the bucket",
			Evidence: []triad.Evidence{{Source: callPolicy, Detail: how}},
			Fix:      "turn on S3 Block Public Access for the bucket, or keep the statement to named principals",
		})
	}
	return x.props("data-store/1", p)
}

// publicGrant finds a grant of the bucket's access control list to everybody.
func publicGrant(x *asset) string {
	var grants []struct {
		Grantee    struct{ URI string }
		Permission string
	}
	if json.Unmarshal(x.doc["Grants"], &grants) != nil {
		return ""
	}
	for _, g := range grants {
		switch g.Grantee.URI {
		case "http://acs.amazonaws.com/groups/global/AllUsers", "http://acs.amazonaws.com/groups/global/AuthenticatedUsers":
			return "the access control list grants " + g.Permission + " to " + g.Grantee.URI
		}
	}
	return ""
}
