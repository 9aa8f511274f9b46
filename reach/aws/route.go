package aws

import (
	"net/netip"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// hopped is the outcome of a look-up in a route table.
type hopped struct {
	route  *route // nil: no route
	prefix netip.Prefix
	unread *triad.Unread // the outcome is not sure
}

func (h hopped) detail() string {
	switch {
	case h.route == nil:
		return "no route"
	case h.route.PrefixList != "":
		return h.route.PrefixList + " (" + h.prefix.String() + ") to " + h.route.target()
	}
	return h.prefix.String() + " to " + h.route.target()
}

// target is the ID of where a route leads.
func (r *route) target() string {
	for _, id := range []string{
		r.Gateway, r.NAT, r.EgressOnly, r.Transit, r.Peering, r.Interface, r.Instance,
		r.LocalGateway, r.Carrier, r.CoreNetwork,
	} {
		if id != "" {
			return id
		}
	}
	return "nowhere"
}

func (r *route) blackhole() bool { return r.State == "blackhole" }

// propagated routes yield to static ones of the same length.
func (r *route) propagated() bool { return r.Origin == "EnableVgwRoutePropagation" }

// lookup finds the route to an address: the longest prefix, a static route before a
// propagated one, a CIDR before a prefix list.
func (e *engine) lookup(t found[routeTable], a netip.Addr) hopped {
	h := hopped{unread: t.unread}
	var doubtful *triad.Unread
	for i := range t.doc.Routes {
		r := &t.doc.Routes[i]
		if r.PrefixList == "" {
			if r.prefix.IsValid() && r.prefix.Contains(a) && h.shorter(r, r.prefix) {
				h.route, h.prefix = r, r.prefix
			}
			continue
		}
		list := e.prefixList(t.row.Scope, r.PrefixList)
		if list.unread != nil {
			doubtful = list.unread
			if isEndpoint(r.Gateway) {
				// Another route, if there is one, leads to the same service.
				doubtful = nil
				if h.route == nil && h.unread == nil {
					h.unread = list.unread
				}
			}
			continue
		}
		for _, p := range list.doc.prefixes {
			if p.Contains(a) && h.shorter(r, p) {
				h.route, h.prefix = r, p
			}
		}
	}
	if h.route != nil {
		h.unread = t.unread
	}
	if doubtful != nil && h.unread == nil {
		h.unread = doubtful
	}
	return h
}

func (h hopped) shorter(r *route, p netip.Prefix) bool {
	switch {
	case h.route == nil || p.Bits() > h.prefix.Bits():
		return true
	case p.Bits() < h.prefix.Bits():
		return false
	}
	return h.route.propagated() && !r.propagated()
}

func isEndpoint(id string) bool { return len(id) > 5 && id[:5] == "vpce-" }

// leadingTo returns the addresses for which a table's best route goes to a target, and one
// such route to show. Routes by prefix lists that were not read are left out.
func (e *engine) leadingTo(t found[routeTable], ask reach.AddrSet, match func(*route) bool) (reach.AddrSet, *route, netip.Prefix) {
	var lead reach.AddrSet
	var shown *route
	var shownPrefix netip.Prefix
	rest := ask
	for bits := 128; bits >= 0 && !rest.Empty(); bits-- {
		for _, propagated := range []bool{false, true} {
			for i := range t.doc.Routes {
				r := &t.doc.Routes[i]
				if r.propagated() != propagated {
					continue
				}
				prefixes := []netip.Prefix{r.prefix}
				if r.PrefixList != "" {
					list := e.prefixList(t.row.Scope, r.PrefixList)
					if list.unread != nil {
						continue
					}
					prefixes = list.doc.prefixes
				}
				for _, p := range prefixes {
					if !p.IsValid() || p.Bits() != bits {
						continue
					}
					hit := rest.Intersect(reach.Prefixes(p))
					if hit.Empty() {
						continue
					}
					rest = rest.Subtract(hit)
					if match(r) {
						lead = lead.Union(hit)
						if shown == nil {
							shown, shownPrefix = r, p
						}
					}
				}
			}
		}
	}
	return lead, shown, shownPrefix
}

// transitLookup finds where a transit gateway route table sends an address: the attachment,
// or a blackhole (blackhole true). Static routes go before propagated ones of the same length.
type transitHop struct {
	attachment string
	blackhole  bool
	prefix     netip.Prefix
	unread     *triad.Unread
}

func (e *engine) transitLookup(t found[transitTable], a netip.Addr) transitHop {
	h := transitHop{unread: t.unread}
	best, static := -1, false
	scope := t.row.Scope
	take := func(p netip.Prefix, isStatic bool) bool {
		if !p.IsValid() || !p.Contains(a) || p.Bits() < best || p.Bits() == best && (static || !isStatic) {
			return false
		}
		best, static, h.prefix = p.Bits(), isStatic, p
		return true
	}
	if t.doc.Routes == nil {
		h.unread = e.folded(t.row, sectionTransitRoutes, "the routes of "+t.doc.ID)
	} else {
		for i := range *t.doc.Routes {
			r := &(*t.doc.Routes)[i]
			prefixes := []netip.Prefix{r.prefix}
			if r.PrefixList != "" && r.CIDR == "" {
				list := e.prefixList(scope, r.PrefixList)
				if list.unread != nil {
					h.unread = list.unread
					continue
				}
				prefixes = list.doc.prefixes
			}
			for _, p := range prefixes {
				if take(p, r.Type != "propagated") {
					h.blackhole = r.State == "blackhole" || len(r.Attachments) == 0
					h.attachment = ""
					if len(r.Attachments) > 0 {
						h.attachment = r.Attachments[0].ID
					}
				}
			}
		}
	}
	if t.doc.Propagations == nil {
		if h.unread == nil {
			h.unread = e.folded(t.row, sectionPropagations, "the propagations of "+t.doc.ID)
		}
		return h
	}
	for _, p := range *t.doc.Propagations {
		if p.State != "enabled" && p.State != "" {
			continue
		}
		at := e.attachment(scope, p.Attachment)
		if at.doc == nil || at.doc.network() == "" || !at.doc.available() {
			continue // VPN, peering and Direct Connect propagate what only a full list of routes tells
		}
		v := find[vpc](e, at.doc.network(), scope, sectionVPCs)
		if v.doc == nil {
			continue
		}
		for _, x := range v.doc.prefixes {
			if take(x, false) {
				h.attachment, h.blackhole = at.doc.ID, false
			}
		}
	}
	return h
}

// folded says why a part that another call adds to a document is not there.
func (e *engine) folded(r *reach.Row, section, what string) *triad.Unread {
	if u := e.unread(r.Scope, section); u != nil {
		return u
	}
	return &triad.Unread{Scope: r.Scope, Section: section, Reason: what + " were not read"}
}

func (e *engine) attachment(scope, id string) found[transitAttachment] {
	return find[transitAttachment](e, id, scope, sectionAttachments)
}
