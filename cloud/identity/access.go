package identity

import (
	"slices"
	"strings"

	"github.com/triad-security/triad"
)

// Way is one way into a data store: an action on resources of the store, together with one of
// the needs where there are any.
type Way struct {
	Action   string
	Resource string // pattern
	Read     bool
	Write    bool
	Needs    []Need
}

// Need is a further action that a way takes.
type Need struct {
	Action   string
	Resource string
	// Doubt says why the way is not certain even where the need is met.
	Doubt string
}

// Access decides what a principal can do with a store, way by way. It returns false when all
// ways are a certain No. The evidence names the statements that grant.
func (ps Policies) Access(p Principal, ctx Context, ways []Way) (triad.Access, []string, bool) {
	var sure, open triad.Access
	var sureBy, openBy []string
	for _, way := range ways {
		got, actions := ps.way(p, ctx, way)
		into, by := &sure, &sureBy
		switch got.Truth {
		case No:
			continue
		case Unknown:
			into, by = &open, &openBy
			if open.Unknown == "" {
				open.Unknown = got.Unknown
			}
		}
		into.Read, into.Write = into.Read || way.Read, into.Write || way.Write
		into.Actions = appendNew(into.Actions, actions...)
		*by = appendNew(*by, got.By...)
	}
	// What is certain stands, unless it moves no data and the open part might.
	if sure.Actions != nil && (sure.Read || sure.Write || !open.Read && !open.Write) {
		return sure, sureBy, true
	}
	return open, openBy, open.Actions != nil
}

func (ps Policies) way(p Principal, ctx Context, way Way) (Result, []string) {
	got := ps.May(Request{Principal: p, Action: way.Action, Resource: way.Resource, Context: ctx})
	actions := []string{way.Action}
	if got.Truth == No || way.Needs == nil {
		return got, actions
	}
	best, with := Result{}, ""
	for _, need := range way.Needs {
		// A need is another service's resource, so the store's own policy says nothing of it.
		rest := ps
		rest.Resource, rest.ResourceUnread = nil, ""
		r := rest.May(Request{Principal: p, Action: need.Action, Resource: need.Resource, Context: Context{Region: ctx.Region, Now: ctx.Now}})
		if r.Truth == Yes && need.Doubt != "" {
			r.Truth, r.Unknown = Unknown, need.Doubt
		}
		if r.Truth > best.Truth {
			best, with = r, need.Action
		}
	}
	by := slices.Concat(got.By, best.By)
	if best.Truth < got.Truth {
		got = best
	}
	got.By = by
	return got, append(actions, with)
}

// Narrow keeps only the statements that speak of one of the actions, so that many stores can
// be asked about quickly.
func (ps Policies) Narrow(ways []Way) Policies {
	keep := func(p *Policy) *Policy {
		if p == nil {
			return nil
		}
		out := &Policy{Name: p.Name}
		for _, s := range p.Statements {
			if slices.ContainsFunc(ways, func(w Way) bool { return s.speaksOf(w) }) {
				out.Statements = append(out.Statements, s)
			}
		}
		return out
	}
	out := ps
	out.Identity = nil
	for _, p := range ps.Identity {
		if p = keep(p); len(p.Statements) > 0 {
			out.Identity = append(out.Identity, p)
		}
	}
	out.Boundary = keep(ps.Boundary)
	return out
}

func (s *Statement) speaksOf(w Way) bool {
	if s.actionMatches(w.Action) {
		return true
	}
	return slices.ContainsFunc(w.Needs, func(n Need) bool { return s.actionMatches(n.Action) })
}

func (s *Statement) actionMatches(action string) bool {
	if s.NotActions != nil {
		return !matchesAction(s.NotActions, action)
	}
	return matchesAction(s.Actions, action)
}

func appendNew(list []string, more ...string) []string {
	for _, s := range more {
		if s != "" && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// Admin reports whether the policies allow everything, without condition and boundary.
func (ps Policies) Admin() bool {
	if ps.Boundary != nil || ps.BoundaryUnread != "" {
		return false
	}
	for _, p := range ps.Identity {
		for _, s := range p.Statements {
			if s.Allow && !s.Deny && s.Unknown == "" && len(s.Conditions) == 0 &&
				slices.Contains(s.Resources, "*") && slices.ContainsFunc(s.Actions, everything) {
				return true
			}
		}
	}
	return false
}

func everything(action string) bool { return strings.Trim(action, "*") == "" || action == "*:*" }
