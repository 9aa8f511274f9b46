package identity

import (
	"slices"
	"strings"

	"github.com/triad-security/triad"
)

// Trusts reads who may become a role out of its trust policy. Conditions that cannot be
// decided for all who ask are named in Unknown; account is the role's own.
func Trusts(p *Policy, account string) []triad.Trust {
	var out []triad.Trust
	doubt := ""
	for _, s := range p.Statements {
		if !s.Deny {
			continue
		}
		if s.Principal != nil && s.Principal.Everyone && len(s.Conditions) == 0 && s.Unknown == "" && s.actionMatches("sts:AssumeRole") && s.actionMatches(webIdentity) {
			return nil
		}
		doubt = "a Deny of the trust policy is not evaluated"
	}
	for i := range p.Statements {
		s := &p.Statements[i]
		if !s.Allow {
			continue
		}
		if s.NotPrincipal != nil {
			out = append(out, triad.Trust{Type: "principal", Principal: "*", Unknown: "the trust policy uses NotPrincipal"})
			continue
		}
		if s.Principal != nil {
			out = append(out, s.trusts(account)...)
		}
	}
	for i := range out {
		if out[i].Unknown == "" {
			out[i].Unknown = doubt
		}
	}
	return out
}

const webIdentity = "sts:AssumeRoleWithWebIdentity"

func (s *Statement) trusts(account string) []triad.Trust {
	var out []triad.Trust
	add := func(kind, principal string, subjects []string, unknown string) {
		if s.Unknown != "" {
			unknown = s.Unknown
		}
		out = append(out, triad.Trust{Type: kind, Principal: principal, Subjects: subjects, Unknown: unknown})
	}
	if s.actionMatches("sts:AssumeRole") {
		for _, name := range s.Principal.Service {
			if unknown, ok := serviceConditions(s.Conditions, account); ok {
				add("service", name, nil, unknown)
			}
		}
		principals := s.Principal.AWS
		if s.Principal.Everyone {
			principals = []string{"*"}
		}
		for _, name := range principals {
			add("principal", name, nil, firstCondition(s.Conditions))
		}
	}
	for _, name := range s.Principal.Federated {
		_, issuer, isOIDC := strings.Cut(name, ":oidc-provider/")
		switch {
		case isOIDC && s.actionMatches(webIdentity):
			if subjects, unknown, ok := subjects(s.Conditions, issuer); ok {
				add("oidc", issuer, subjects, unknown)
			}
		case !isOIDC && strings.Contains(name, ":saml-provider/") && s.actionMatches("sts:AssumeRoleWithSAML"):
			add("saml", name, nil, firstCondition(s.Conditions))
		case !isOIDC && s.actionMatches(webIdentity):
			add("oidc", name, nil, firstCondition(s.Conditions))
		}
	}
	return out
}

func firstCondition(conditions []Condition) string {
	for _, c := range conditions {
		return notEvaluated(c)
	}
	return ""
}

func notEvaluated(c Condition) string {
	return "the condition " + c.Operator + " on " + c.Key + " is not evaluated"
}

// serviceConditions: a service that acts for the role's own account says so.
func serviceConditions(conditions []Condition, account string) (unknown string, ok bool) {
	for _, c := range conditions {
		op := strings.ToLower(c.Operator)
		if strings.EqualFold(c.Key, "aws:SourceAccount") && (op == "stringequals" || op == "stringlike") {
			if !slices.ContainsFunc(c.Values, func(v string) bool { return triad.MatchPattern(v, account) }) {
				return "", false
			}
			continue
		}
		unknown = notEvaluated(c)
	}
	return unknown, true
}

// subjects reads the patterns for the token's subject. ok is false where no token can fit.
func subjects(conditions []Condition, issuer string) (patterns []string, unknown string, ok bool) {
	for _, c := range conditions {
		op := strings.ToLower(c.Operator)
		op = strings.TrimPrefix(strings.TrimPrefix(op, "forallvalues:"), "foranyvalue:")
		op = strings.TrimSuffix(op, "ifexists")
		like := op == "stringlike"
		if op != "stringequals" && !like {
			unknown = notEvaluated(c)
			continue
		}
		switch {
		case strings.EqualFold(c.Key, issuer+":sub"):
			var found []string
			for _, v := range c.Values {
				// StringEquals takes * and ? for themselves, and no subject has them.
				if like || !strings.ContainsAny(v, "*?") {
					found = append(found, v)
				}
			}
			if patterns != nil { // two conditions: both must hold
				found = both(patterns, found)
			}
			if len(found) == 0 {
				return nil, "", false
			}
			patterns = found
		case strings.EqualFold(c.Key, issuer+":aud"):
			// The audience that Amazon EKS puts into the tokens of service accounts.
			if !slices.ContainsFunc(c.Values, func(v string) bool { return triad.MatchPattern(v, "sts.amazonaws.com") }) {
				unknown = "the audience " + strings.Join(c.Values, ", ") + " is not the usual sts.amazonaws.com"
			}
		default:
			unknown = notEvaluated(c)
		}
	}
	return patterns, unknown, true
}

// both is the overlap of two lists of patterns.
func both(a, b []string) []string {
	var out []string
	for _, x := range a {
		for _, y := range b {
			found, _ := witnesses(x, y) // subjects are short: at most a few wildcards
			for _, w := range found {
				out = appendNew(out, generalize(w))
			}
		}
	}
	return out
}
