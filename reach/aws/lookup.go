package aws

import (
	"net/netip"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// engine answers one question. It only reads.
type engine struct {
	v reach.View
	// named are the IP protocol numbers that a filter on the way treats apart, for questions
	// about any protocol.
	named [256]bool
}

// found is the outcome of a look-up. Doc nil and unread nil: there surely is no such thing.
// Unread says why doc, or its absence, cannot be relied on.
type found[T any] struct {
	doc    *T
	row    *reach.Row
	unread *triad.Unread
}

// evidence says where the document was read.
func (f found[T]) evidence(detail string) *triad.Evidence {
	if f.row == nil {
		return nil
	}
	return &triad.Evidence{Source: f.row.Asset.Section, Detail: detail, Scope: f.row.Scope}
}

// find returns the first row of a kind under a key. Where there is none, the section of the
// scope decides whether that is certain.
func find[T any](e *engine, key, scope, section string) found[T] {
	f := first[T](e, key)
	if f.doc == nil && f.unread == nil {
		f.unread = e.absent(scope, section)
	}
	return f
}

func first[T any](e *engine, key string) (f found[T]) {
	for _, r := range e.v.Rows(key) {
		doc, ok := r.Decoded.(*T)
		if !ok {
			continue
		}
		g := found[T]{doc, r, e.doubt(r)}
		if g.unread == nil {
			return g
		}
		if f.doc == nil {
			f = g
		}
	}
	return f
}

// all returns every row of a kind under a key.
func all[T any](e *engine, key string) (out []found[T]) {
	for _, r := range e.v.Rows(key) {
		if doc, ok := r.Decoded.(*T); ok {
			out = append(out, found[T]{doc, r, e.doubt(r)})
		}
	}
	return out
}

// doubt says why a row cannot be relied on: it could not be decoded, or its section was not
// read lately, so that the row is the last known one.
func (e *engine) doubt(r *reach.Row) *triad.Unread {
	if r.Err != nil {
		return &triad.Unread{Scope: r.Scope, Section: r.Asset.Section, Reason: r.Err.Error()}
	}
	return e.unread(r.Scope, r.Asset.Section)
}

// unread says why a section does not tell everything; nil when it does, or when its service
// was not collected on purpose.
func (e *engine) unread(scope, section string) *triad.Unread {
	s := e.v.Section(scope, section)
	switch s.Status {
	case triad.SectionComplete, triad.SectionAbsent:
		return nil
	case triad.SectionUnread:
		return &triad.Unread{Scope: scope, Section: section, Reason: s.Reason}
	}
	return &triad.Unread{Scope: scope, Section: section, Reason: "it was never collected"}
}

// absent says why something that was not found may exist nevertheless; nil when it does not.
func (e *engine) absent(scope, section string) *triad.Unread {
	if u := e.unread(scope, section); u != nil {
		return u
	}
	for _, r := range e.v.Rows(keyBroken(scope, section)) {
		if r.Err != nil {
			return &triad.Unread{Scope: scope, Section: section, Reason: r.Err.Error()}
		}
	}
	return nil
}

// elsewhere is the scope of another account or region where that is known.
func elsewhere(scope, account, region string) string {
	if account == "" || region == "" {
		return scope
	}
	return "aws/" + account + "/" + region
}

// point is an interface and one address of it: where packets begin or end.
type point struct {
	found[networkInterface]
	addr netip.Addr
	// addrs are the addresses that it may send from: addr, or the subnet's range for a load
	// balancer node whose interface is not known.
	addrs reach.AddrSet
	scope string
	// assumed: it has a public address that is not known.
	assumed bool
}

// text names its address for people.
func (p point) text() string {
	if p.addr.IsValid() {
		return p.addr.String()
	}
	return "an address in " + p.addrs.String()
}

func newPoint(n found[networkInterface], a netip.Addr) point {
	return point{found: n, addr: a, addrs: reach.Addresses(a), scope: n.row.Scope}
}

// interfacesAt returns the interfaces that hold a private or IPv6 address, in one VPC or,
// with vpc empty, in any. The interface's own row goes before what an instance says of it.
func (e *engine) interfacesAt(vpc string, a netip.Addr) []found[networkInterface] {
	key := keyIP(a)
	if vpc != "" {
		key = keyVPCIP(vpc, a)
	}
	out := e.interfaces(key, func(n *networkInterface) bool {
		return n.holds(a) && (vpc == "" || n.VPC == vpc)
	})
	if len(out) > 0 {
		return out
	}
	// Delegated prefixes are /28 and /80.
	bits := 28
	if a.Is6() {
		bits = 80
	}
	if p, err := a.Prefix(bits); err == nil {
		return e.interfaces(keyPrefix(vpc, p), func(n *networkInterface) bool {
			return n.holds(a) && (vpc == "" || n.VPC == vpc)
		})
	}
	return nil
}

// interfaces returns the interfaces under a key that match.
func (e *engine) interfaces(key string, match func(*networkInterface) bool) (out []found[networkInterface]) {
	seen := map[string]bool{}
	add := func(n *networkInterface, r *reach.Row) {
		if match(n) && !seen[n.ID] {
			seen[n.ID] = true
			out = append(out, found[networkInterface]{n, r, e.doubt(r)})
		}
	}
	rows := e.v.Rows(key)
	for _, r := range rows {
		if n, ok := r.Decoded.(*networkInterface); ok {
			add(n, r)
		}
	}
	for _, r := range rows {
		if i, ok := r.Decoded.(*instance); ok {
			for _, n := range i.Interfaces {
				add(n, r)
			}
		}
	}
	return out
}

// instanceInterfaces returns the interfaces of an instance, the primary one first.
func (e *engine) instanceInterfaces(id string) []found[networkInterface] {
	out := e.interfaces(keyInstanceInterfaces(id), func(n *networkInterface) bool { return n.instance == id })
	for i, n := range out {
		if n.doc.Attachment != nil && n.doc.Attachment.DeviceIndex == 0 && i > 0 {
			out[0], out[i] = out[i], out[0]
			break
		}
	}
	return out
}

// subnetOf returns the subnet of a VPC that holds an address.
func (e *engine) subnetOf(scope, vpc string, a netip.Addr) found[subnet] {
	var doubt *triad.Unread
	for _, s := range all[subnet](e, keySubnets(vpc)) {
		if within(s.doc.prefixes, a) {
			return s
		}
		if s.unread != nil {
			doubt = s.unread
		}
	}
	if doubt == nil {
		doubt = e.absent(scope, sectionSubnets)
	}
	return found[subnet]{unread: doubt}
}

// aclOf returns the network ACL of a subnet: its own, else the VPC's default.
func (e *engine) aclOf(scope, vpc, subnet string) found[networkACL] {
	if f := first[networkACL](e, keySubnetACL(subnet)); f.doc != nil {
		return f
	}
	f := find[networkACL](e, keyDefaultACL(vpc), scope, sectionACLs)
	if f.doc != nil && f.unread == nil {
		f.unread = e.absent(scope, sectionACLs)
	}
	return f
}

// tableOf returns the route table of a subnet: its own, else the VPC's main one.
func (e *engine) tableOf(scope, vpc, subnet string) found[routeTable] {
	if f := first[routeTable](e, keySubnetTable(subnet)); f.doc != nil {
		return f
	}
	f := find[routeTable](e, keyMainTable(vpc), scope, sectionRouteTables)
	if f.doc != nil && f.unread == nil {
		f.unread = e.absent(scope, sectionRouteTables)
	}
	return f
}

// prefixList returns a prefix list with its entries, or why they are not known.
func (e *engine) prefixList(scope, id string) found[prefixListDoc] {
	f := first[prefixListDoc](e, id)
	switch {
	case f.doc != nil && f.doc.known:
	case f.doc != nil:
		if f.unread = e.unread(f.row.Scope, sectionPrefixEntries); f.unread == nil {
			f.unread = &triad.Unread{Scope: f.row.Scope, Section: sectionPrefixEntries, Reason: "the entries of " + id + " were not read"}
		}
	case f.unread == nil:
		if f.unread = e.absent(scope, sectionPrefixLists); f.unread == nil {
			if f.unread = e.absent(scope, sectionAWSPrefixLists); f.unread == nil {
				f.unread = &triad.Unread{Scope: scope, Section: sectionPrefixLists, Reason: id + " is not among the prefix lists that were read"}
			}
		}
	}
	return f
}

// scopes returns the scopes that report a VPC.
func (e *engine) scopes() (out []string) {
	for _, r := range e.v.Rows(keyVPCs) {
		if len(out) == 0 || out[len(out)-1] != r.Scope { // rows come ordered by scope
			out = append(out, r.Scope)
		}
	}
	return out
}

// nowhere says why a thing that no scope has may exist nevertheless.
func (e *engine) nowhere(section string) *triad.Unread {
	scopes := e.scopes()
	for _, s := range scopes {
		if u := e.absent(s, section); u != nil {
			return u
		}
	}
	if len(scopes) == 0 {
		return &triad.Unread{Section: section, Reason: "no VPC of any account was read"}
	}
	return nil
}
