package identity

import (
	"slices"
	"strings"
)

// maxWitnesses bounds how many resources stand for a store's.
const maxWitnesses = 4096

// May decides whether the principal may do the action on at least one resource that the
// pattern covers, such as arn:aws:s3:::media/*.
//
// For each resource pattern of the policies the overlap with the asked one is stood for by one
// witness, as general as that overlap, and the request is evaluated for it.
func (ps Policies) May(r Request) Result {
	best := Result{}
	for _, w := range ps.witnesses(r) {
		one := r
		one.Resource = w
		got := ps.evaluate(one)
		switch {
		case got.Truth == Yes:
			return got
		case got.Truth > best.Truth || best.By == nil && got.Truth == best.Truth:
			best = got
		}
	}
	return best
}

// MayAll decides for the resource that the pattern stands for as a whole: what holds for part
// of it only is a No.
func (ps Policies) MayAll(r Request) Result {
	r.Resource = strings.ReplaceAll(r.Resource, "*", string(fresh))
	return ps.evaluate(r)
}

func (ps Policies) witnesses(r Request) []string {
	pattern := r.Resource
	out := []string{strings.ReplaceAll(pattern, "*", string(fresh))}
	seen := map[string]bool{out[0]: true}
	add := func(a, b string) {
		if w, ok := witness(a, b); ok && !seen[w] && len(out) < maxWitnesses {
			seen[w] = true
			out = append(out, w)
		}
	}
	policies := slices.Concat(ps.Identity, []*Policy{ps.Boundary, ps.Resource})
	var spared []string // what denials except
	for _, p := range policies {
		if p == nil {
			continue
		}
		for i := range p.Statements {
			s := &p.Statements[i]
			if s.NotActions == nil && !matchesAction(s.Actions, r.Action) {
				continue
			}
			for _, resource := range s.Resources {
				if resource, _, ok := r.Context.substitute(r.Principal, resource); ok && s.Allow {
					add(resource, pattern)
				}
			}
			if s.Deny {
				spared = append(spared, s.NotResources...)
			}
		}
	}
	for _, w := range slices.Clone(out) {
		general := strings.ReplaceAll(w, string(fresh), "*")
		for _, resource := range spared {
			if resource, _, ok := r.Context.substitute(r.Principal, resource); ok {
				add(resource, general)
			}
		}
	}
	return out
}

// WithoutPublic leaves out of a resource policy the statements that allow anybody at all, so
// that what remains tells what a principal may do beyond that.
func (p *Policy) WithoutPublic(ctx Context) *Policy {
	out := &Policy{Name: p.Name}
	for i := range p.Statements {
		s := &p.Statements[i]
		public := s.Allow && !s.Deny && s.Unknown == "" && s.Principal != nil && s.Principal.Everyone
		if public {
			held, _ := ctx.holds(Anonymous, s, false)
			public = held == Yes
		}
		if !public {
			out.Statements = append(out.Statements, *s)
		}
	}
	return out
}
