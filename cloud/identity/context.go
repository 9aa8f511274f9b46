package identity

import (
	"strings"
	"time"
)

// Principal is who asks.
type Principal struct {
	// ARN of the role or user; empty for somebody anonymous on the internet.
	ARN     string
	Account string
	ID      string // the unique ID, AROA… or AIDA…
	Name    string
	User    bool // an IAM user, not a role
	Tags    map[string]string
}

// Anonymous is anybody on the internet, without credentials.
var Anonymous = Principal{}

func (p Principal) anonymous() bool { return p.ARN == "" }

// Context is what is known of the request beside principal, action and resource.
type Context struct {
	Region string
	// ResourceAccount owns the resource. ResourceTags are its tags; nil when they were not read.
	ResourceAccount string
	ResourceTags    map[string]string
	Now             time.Time
}

// known says what is known of a condition key's value in a request.
type known int

const (
	isUnknown known = iota
	isKnown
	isAbsent // the request does not carry the key
	isFree   // whoever asks chooses the value
)

// value looks a condition key up. Keys are compared without regard to case, as AWS does.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func (c Context) value(p Principal, key string) (string, known) {
	lower := strings.ToLower(key)
	if name, ok := strings.CutPrefix(lower, "aws:principaltag/"); ok {
		if p.anonymous() {
			return "", isAbsent
		}
		return tagValue(p.Tags, name)
	}
	if name, ok := strings.CutPrefix(lower, "aws:resourcetag/"); ok {
		if c.ResourceTags == nil {
			return "", isUnknown
		}
		return tagValue(c.ResourceTags, name)
	}
	switch lower {
	case "aws:principalarn":
		return orAbsent(p.ARN)
	case "aws:principalaccount":
		return orAbsent(p.Account)
	case "aws:principaltype":
		switch {
		case p.anonymous():
			return "Anonymous", isKnown
		case p.User:
			return "User", isKnown
		}
		return "AssumedRole", isKnown
	case "aws:username":
		if p.User {
			return p.Name, isKnown
		}
		return "", isAbsent
	case "aws:userid":
		switch {
		case p.anonymous():
			return "anonymous", isKnown
		case p.ID == "":
			return "", isUnknown
		case p.User:
			return p.ID, isKnown
		}
		return p.ID + ":" + freshRun, isKnown // role ID and the session's name
	case "aws:securetransport":
		return "true", isKnown // who wants the data speaks TLS
	case "aws:requestedregion":
		if c.Region == "" {
			return "", isUnknown
		}
		return c.Region, isKnown
	case "aws:resourceaccount", "s3:resourceaccount":
		if c.ResourceAccount == "" {
			return "", isUnknown
		}
		return c.ResourceAccount, isKnown
	case "aws:currenttime":
		if c.Now.IsZero() {
			return "", isUnknown
		}
		return c.Now.UTC().Format(time.RFC3339), isKnown
	case "aws:principalisawsservice", "aws:viaawsservice":
		return "false", isKnown
	case "aws:calledvia", "aws:calledviafirst", "aws:calledvialast", "aws:principalservicename", "aws:principalservicenameslist",
		"aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths":
		return "", isAbsent // only in requests that a service makes
	case "aws:multifactorauthpresent", "aws:multifactorauthage":
		if p.User {
			return "", isUnknown
		}
		return "", isAbsent // a workload's role is taken up without a second factor
	case "aws:principalorgid", "aws:principalorgpaths", "aws:sourcevpc", "aws:sourcevpce", "aws:vpcsourceip", "aws:sourcevpcarn":
		if p.anonymous() {
			return "", isAbsent
		}
		return "", isUnknown
	case "aws:useragent", "aws:referer", "aws:tagkeys",
		"s3:prefix", "s3:delimiter", "s3:max-keys", "s3:versionid", "s3:tlsversion", "s3:authtype", "s3:signatureversion",
		"sts:rolesessionname", "sts:sourceidentity", "redshift:dbuser", "redshift:dbname", "redshift:durationseconds", "dynamodb:select", "dynamodb:returnvalues":
		return "", isFree
	}
	if strings.HasPrefix(lower, "s3:x-amz-") || strings.HasPrefix(lower, "aws:requesttag/") || strings.HasPrefix(lower, "s3:requestobjecttag") {
		return "", isFree
	}
	return "", isUnknown
}

func orAbsent(s string) (string, known) {
	if s == "" {
		return "", isAbsent
	}
	return s, isKnown
}

func tagValue(tags map[string]string, name string) (string, known) {
	for k, v := range tags {
		if strings.EqualFold(k, name) {
			return v, isKnown
		}
	}
	return "", isAbsent
}

// substitute puts the values of policy variables such as ${aws:PrincipalTag/team} into a
// pattern. open names a variable whose value is not known; it then stands as *. ok is false
// where a variable has no value: such a pattern matches nothing.
func (c Context) substitute(p Principal, pattern string) (out, open string, ok bool) {
	if !strings.Contains(pattern, "${") {
		return pattern, "", true
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(pattern, "${")
		b.WriteString(before)
		if !found {
			return b.String(), open, true
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			b.WriteString("${" + rest)
			return b.String(), open, true
		}
		pattern = after
		key, fallback, hasFallback := strings.Cut(name, ",")
		key = strings.TrimSpace(key)
		switch key {
		case "*", "?", "$": // the characters themselves; as patterns they cover themselves and more
			b.WriteString(key)
			if key != "$" {
				open = "${" + key + "}"
			}
			continue
		}
		v, state := c.value(p, key)
		switch {
		case state == isKnown:
			b.WriteString(v)
		case state == isAbsent && hasFallback:
			b.WriteString(strings.Trim(strings.TrimSpace(fallback), "'"))
		case state == isAbsent:
			return "", "", false
		default:
			b.WriteByte('*')
			open = "${" + name + "}"
		}
	}
}
