package identity

import "slices"

// Bounds of what stands for a store's resources; beyond them a No becomes Unknown.
const (
	maxWitnesses = 256
	maxRounds    = 4
)

// May decides whether the principal may do the action on at least one resource that the
// pattern covers, such as arn:aws:s3:::media/*.
//
// The overlaps of the policies' resource patterns with the asked one are stood for by one
// witness each, and the request is evaluated for each.
func (ps Policies) May(r Request) Result {
	best := Result{}
	resources, tooMany := ps.resources(r)
	if tooMany {
		best = Result{Truth: Unknown, Unknown: "the resource patterns have too many wildcards"}
	}
	for _, w := range resources {
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
	r.Resource = instance(r.Resource)
	return ps.evaluate(r)
}

// resources lists the witnesses to evaluate a request for.
func (ps Policies) resources(r Request) (out []string, tooMany bool) {
	pattern := r.Resource
	out = []string{instance(pattern)}
	seen := map[string]bool{out[0]: true}
	add := func(a, b string) {
		found, many := witnesses(a, b)
		tooMany = tooMany || many
		for _, w := range found {
			w = instance(generalize(w)) // one run of fresh text is as good as two
			switch {
			case seen[w]:
			case len(out) >= maxWitnesses:
				tooMany = true
			default:
				seen[w] = true
				out = append(out, w)
			}
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
	// Several denials may each spare something: what all of them spare is their overlap, which
	// takes as many rounds as there are patterns.
	slices.Sort(spared)
	spared = slices.Compact(spared)
	from := 0
	for range min(len(spared), maxRounds) {
		round := out[from:]
		from = len(out)
		for _, w := range round {
			for _, resource := range spared {
				if resource, _, ok := r.Context.substitute(r.Principal, resource); ok {
					add(resource, generalize(w))
				}
			}
		}
	}
	tooMany = tooMany || len(spared) > maxRounds
	return out, tooMany
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
