package identity

import (
	"slices"
	"strings"

	"github.com/triad-security/triad"
)

// Policies are all that decide for one principal and one resource.
type Policies struct {
	// Identity: the principal's inline and attached policies and those of its groups.
	Identity []*Policy
	// Boundary is the permissions boundary; nil is none.
	Boundary *Policy
	// Resource is the resource's own policy or the role's trust policy; nil is none.
	Resource *Policy
	// The reasons why one of these could not be read; what is missing may allow or deny.
	IdentityUnread, BoundaryUnread, ResourceUnread string
}

// Result is a verdict and what it stands on.
type Result struct {
	Truth Truth
	// Unknown says why the verdict is not known.
	Unknown string
	// By names the statements that allow, or the one that denies.
	By []string
}

// Request is one action on one resource.
type Request struct {
	Principal Principal
	Action    string
	// Resource is a whole ARN; where it stands for many, its open parts are fresh.
	Resource string
	Context  Context
	// Trust: the resource is a role whose trust policy alone may let its own account's
	// principals ask, and always must agree.
	Trust bool
}

// evaluate decides one request within one account.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func (ps Policies) evaluate(r Request) Result {
	deny := result{}
	for _, p := range ps.Identity {
		deny.add(r.side(p, true, false))
	}
	deny.add(r.side(ps.Boundary, true, false))
	deny.add(r.side(ps.Resource, true, true))
	if deny.t == Yes {
		return Result{Truth: No, By: deny.by}
	}
	var own result
	for _, p := range ps.Identity {
		own.add(r.side(p, false, false))
	}
	own.unread(ps.IdentityUnread)
	var bound result
	if ps.Boundary == nil {
		bound.t = Yes
	} else {
		bound.add(r.side(ps.Boundary, false, false))
	}
	if ps.BoundaryUnread != "" {
		bound = result{t: Unknown, why: ps.BoundaryUnread}
	}
	direct, everyone, delegated := r.grants(ps.Resource)
	if r.Trust {
		delegated.unread(ps.ResourceUnread)
		own = own.and(delegated)
	}
	if r.Principal.anonymous() {
		own = result{}
	}
	// A grant to a role by its ARN is still under the role's boundary; one to a user or to
	// everybody is not.
	if !r.Principal.User {
		direct = direct.and(bound)
	}
	allow := own.and(bound).or(direct).or(everyone)
	// A policy that could not be read may allow more, or deny.
	allow.unread(ps.ResourceUnread)
	deny.unread(ps.ResourceUnread)
	deny.unread(ps.IdentityUnread)
	deny.unread(ps.BoundaryUnread)
	switch {
	case allow.t == No:
		return Result{Truth: No}
	case allow.t == Yes && deny.t == No:
		return Result{Truth: Yes, By: allow.by}
	}
	why := allow.why
	if allow.t == Yes || why == "" {
		why = deny.why
	}
	return Result{Truth: Unknown, Unknown: why, By: allow.by}
}

// result is a verdict under way.
type result struct {
	t   Truth
	why string
	by  []string
}

func (a *result) add(b result) { *a = a.or(b) }

func (a *result) unread(why string) {
	if why != "" {
		*a = a.or(result{t: Unknown, why: why})
	}
}

func (a result) or(b result) result {
	switch {
	case a.t > b.t:
		return a
	case b.t > a.t:
		return b
	}
	out := result{t: a.t, why: a.why, by: slices.Concat(a.by, b.by)}
	if out.why == "" {
		out.why = b.why
	}
	return out
}

func (a result) and(b result) result {
	switch {
	case a.t < b.t:
		return a
	case b.t < a.t:
		return b
	}
	out := result{t: a.t, why: a.why, by: slices.Concat(a.by, b.by)}
	if out.why == "" {
		out.why = b.why
	}
	return out
}

// side collects a policy's allowing or denying statements that match the request.
func (r *Request) side(p *Policy, deny, resourcePolicy bool) result {
	var out result
	if p == nil {
		return out
	}
	for i := range p.Statements {
		s := &p.Statements[i]
		if deny && !s.Deny || !deny && !s.Allow {
			continue
		}
		t, why := r.matches(s, deny)
		if resourcePolicy && t > No {
			who, whyNot := r.isPrincipal(s)
			if who = max(who, No); who < t {
				t, why = who, whyNot
			}
		}
		out.add(result{t, why, []string{s.label(p)}})
	}
	if out.t == No {
		out.by = nil
	}
	return out
}

// grants collects what a resource policy allows: to the principal itself, to everybody, or to
// its account, which leaves it to the account's identity policies. The first two are also
// part of the third.
func (r *Request) grants(p *Policy) (direct, everyone, delegated result) {
	if p == nil {
		return
	}
	for i := range p.Statements {
		s := &p.Statements[i]
		if !s.Allow {
			continue
		}
		t, why := r.matches(s, false)
		if t == No {
			continue
		}
		one := result{t, why, []string{s.label(p)}}
		who, whyNot := r.isPrincipal(s)
		if who < one.t {
			one.t, one.why = who, whyNot
		}
		switch {
		case one.t == No:
			continue
		case s.Principal != nil && s.Principal.Everyone:
			everyone.add(one)
		case !r.onlyAccount(s):
			direct.add(one)
		}
		delegated.add(one)
	}
	return direct, everyone, delegated
}

// label names a statement for people.
func (s *Statement) label(p *Policy) string {
	if s.Sid != "" {
		return p.Name + ", statement " + s.Sid
	}
	return p.Name
}

// matches reports whether a statement speaks of the request, its principal aside.
func (r *Request) matches(s *Statement, deny bool) (Truth, string) {
	switch {
	case s.NotActions != nil:
		if matchesAction(s.NotActions, r.Action) {
			return No, ""
		}
	case !matchesAction(s.Actions, r.Action):
		return No, ""
	}
	t, why := r.matchesResource(s)
	if t == No {
		return No, ""
	}
	held, reason := r.Context.holds(r.Principal, s, deny)
	if held < t {
		t, why = held, reason
	}
	if t == Yes && s.Unknown != "" {
		t, why = Unknown, s.Unknown
	}
	return t, why
}

func (r *Request) matchesResource(s *Statement) (Truth, string) {
	patterns, not := s.Resources, false
	if s.NotResources != nil {
		patterns, not = s.NotResources, true
	} else if patterns == nil {
		return Yes, "" // a trust policy
	}
	best, why := No, ""
	for _, pattern := range patterns {
		out, open, ok := r.Context.substitute(r.Principal, pattern)
		if !ok || !triad.MatchPattern(out, r.Resource) {
			continue
		}
		if open == "" {
			best, why = Yes, ""
			break
		}
		best, why = Unknown, "the resource of a statement depends on "+open
	}
	if not {
		return best.not(), why
	}
	return best, why
}

// isPrincipal reports whether a resource policy's statement speaks of the principal. For a
// Deny, naming the account speaks of everybody in it.
func (r *Request) isPrincipal(s *Statement) (Truth, string) {
	if s.NotPrincipal != nil {
		t, why := r.among(s.NotPrincipal)
		if t == Yes && !r.Principal.User && !r.Principal.anonymous() {
			// The session's own ARN would have to be listed as well, and is not known.
			return Unknown, "NotPrincipal names the role, but whether also its session is not known"
		}
		return t.not(), why
	}
	if s.Principal == nil {
		return No, ""
	}
	return r.among(s.Principal)
}

func (r *Request) among(ps *Principals) (Truth, string) {
	if ps.Everyone {
		return Yes, ""
	}
	if r.Principal.anonymous() {
		return No, ""
	}
	best, why := No, ""
	for _, name := range ps.AWS {
		switch {
		case name == r.Principal.ARN, name == r.Principal.ID && name != "", r.isAccount(name):
			return Yes, ""
		case r.isSession(name):
			best, why = Unknown, "it names one session of the role"
		}
	}
	if len(ps.Canonical) > 0 && best == No {
		best, why = Unknown, "it names an account by its canonical ID"
	}
	return best, why
}

// onlyAccount: the statement names the principal's account, and nothing nearer to it.
func (r *Request) onlyAccount(s *Statement) bool {
	if s.Principal == nil || s.Principal.Everyone || r.Principal.anonymous() {
		return false
	}
	found := false
	for _, name := range s.Principal.AWS {
		if name == r.Principal.ARN || name == r.Principal.ID && name != "" {
			return false
		}
		found = found || r.isAccount(name)
	}
	return found
}

func (r *Request) isAccount(name string) bool {
	if r.Principal.Account == "" {
		return false
	}
	rest, isARN := strings.CutPrefix(name, "arn:")
	if !isARN {
		return name == r.Principal.Account
	}
	_, rest, _ = strings.Cut(rest, ":")
	return rest == "iam::"+r.Principal.Account+":root"
}

// isSession: arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION of the role.
func (r *Request) isSession(name string) bool {
	return !r.Principal.User && strings.Contains(name, ":sts::"+r.Principal.Account+":assumed-role/"+r.Principal.Name+"/")
}
