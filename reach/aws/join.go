package aws

import (
	"net/netip"

	"github.com/triad-security/triad"
)

// peering goes through a VPC peering connection, which leads to the other VPC's own
// addresses and no further.
func (e *engine) peering(w *way, at place, id string, dst netip.Addr, step func(bool, string, *triad.Unread)) {
	f := find[peeringConnection](e, id, at.scope, sectionPeerings)
	h := triad.Hop{Type: "peering-connection", ID: id, Evidence: f.evidence("")}
	if f.doc == nil {
		step(false, "the route leads to "+id+", which is not there", f.unread)
		return
	}
	far := f.doc.Accepter
	if far.VPC == at.vpc {
		far = f.doc.Requester
	}
	scope := elsewhere(at.scope, far.Owner, far.Region)
	v := find[vpc](e, far.VPC, scope, sectionVPCs)
	switch {
	case f.doc.Status.Code != "active" && f.doc.Status.Code != "":
		step(false, "the route leads to "+id+", which is "+f.doc.Status.Code, f.unread)
		return
	case len(far.prefixes) > 0 && !within(far.prefixes, dst),
		len(far.prefixes) == 0 && v.doc != nil && !v.doc.contains(dst):
		step(false, "the route leads to "+id+", but "+dst.String()+" is not in "+far.VPC+" and peering leads no further", f.unread)
		return
	}
	step(true, "", nil)
	h.Evidence = f.evidence("to " + far.VPC)
	w.then(func(t *trace) { t.gate(h, true, f.unread) })
	d, ok := e.enter(w, scope, far.VPC, dst, "")
	if !ok {
		return
	}
	e.arrive(w, scope, far.VPC, dst)
	src := at.source.addr
	back := place{scope: scope, vpc: far.VPC, subnet: d}
	w.then(func(t *trace) {
		t.answerRoute(back, src, id, func(r *route) bool { return r.Peering == id })
	})
}

// answerRoute asks whether the answer finds its way back from a subnet.
func (t *trace) answerRoute(at place, src netip.Addr, through string, match func(*route) bool) {
	if t.q.protocol != tcp || !src.IsValid() {
		return
	}
	table := t.e.tableOf(at.scope, at.vpc, at.subnet.doc.ID)
	h := triad.Hop{Type: "route"}
	if table.doc == nil {
		t.answerGate(h, false, orUnread(table.unread, at.scope, sectionRouteTables, "no route table of subnet "+at.subnet.doc.ID+" is among those that were read"))
		return
	}
	r := t.e.lookup(table, src)
	h.ID, h.Evidence = table.doc.ID, table.evidence(r.detail())
	h.Reason = "no route of " + table.doc.ID + " leads back to " + src.String() + " through " + through
	t.answerGate(h, r.route != nil && !r.route.blackhole() && match(r.route), r.unread)
}

// transit goes through a transit gateway: the attachment of the source's VPC, which needs a
// subnet in the source's zone; the table with which that is associated; the attachment of
// the VPC to which the table leads, and that VPC's own table of the attachment's subnet.
func (e *engine) transit(w *way, at place, id string, dst netip.Addr, depth int, step func(bool, string, *triad.Unread)) {
	from := find[transitAttachment](e, keyAttachment(id, at.vpc), at.scope, sectionAttachments)
	if from.doc == nil {
		step(false, "the VPC has no attachment to "+id, from.unread)
		return
	}
	entry, unread, ok := e.attachmentSubnet(from, at.subnet.doc.Zone, true)
	if !ok {
		step(false, "the attachment "+from.doc.ID+" to "+id+" has no subnet in the zone "+at.subnet.doc.Zone+" of "+at.subnet.doc.ID, unread)
		return
	}
	if !from.doc.available() {
		step(false, "the attachment "+from.doc.ID+" to "+id+" is "+from.doc.State, from.unread)
		return
	}
	step(true, "", unread)
	// What goes to the gateway meets the list of the attachment's subnet inbound. In that very
	// subnet it meets both directions of its list, and what comes from the gateway none.
	// https://docs.aws.amazon.com/vpc/latest/tgw/tgw-nacls.html
	if entry != "" {
		b := entering(at.scope, at.vpc, entry)
		if entry == at.subnet.doc.ID && depth == 0 {
			w.besideTransit, b.back = true, false
		}
		w.then(func(t *trace) { t.aclPass(b) })
	}
	gateway := triad.Hop{Type: "transit-gateway", ID: id, Evidence: from.evidence("attachment " + from.doc.ID)}
	w.then(func(t *trace) { t.hop(gateway.Type, gateway.ID, gateway.Evidence) })
	to, hop, u := e.transitRoute(from, dst)
	w.doubt(u)
	w.then(func(t *trace) { t.gate(hop, to.doc != nil, u) })
	if to.doc == nil {
		return
	}
	if to.doc.network() == "" {
		w.stop("transit-gateway", id, "", &triad.Unread{Scope: at.scope, Section: sectionAttachments, Reason: "what lies behind the " + to.doc.ResourceType + " attachment " + to.doc.ID + " is not in the estate"})
		return
	}
	across, unread := e.groupsAcross(at.scope, id, from, to)
	w.groups, w.transit = w.groups && across, true
	if unread != nil {
		w.acrossDoubt = unread
	}
	e.fromTransit(w, at, id, to, dst, depth)
}

// fromTransit leaves a transit gateway into a VPC.
func (e *engine) fromTransit(w *way, at place, id string, to found[transitAttachment], dst netip.Addr, depth int) {
	scope, vpcID := to.row.Scope, to.doc.network()
	v := find[vpc](e, vpcID, scope, sectionVPCs)
	if v.row != nil {
		scope = v.row.Scope
	}
	exit, unread, _ := e.attachmentSubnet(to, at.subnet.doc.Zone, false)
	s := find[subnet](e, exit, scope, sectionSubnets)
	inside := v.doc != nil && v.doc.contains(dst)
	if !inside {
		// Through the VPC to somewhere else: its gateways, by the attachment subnet's table.
		if s.doc == nil {
			w.stop("transit-gateway", id, "", orUnread(s.unread, scope, sectionSubnets, "the subnet of attachment "+to.doc.ID+" is not among those that were read"))
			return
		}
		w.then(func(t *trace) { t.aclPass(leaving(scope, vpcID, exit, dst)) })
		src := at.source
		e.onward(w, place{scope, vpcID, s, src}, dst, depth+1)
		return
	}
	if unread != nil {
		w.stop("transit-gateway", id, "", unread)
	}
	beside := exit
	d := e.subnetOf(scope, vpcID, dst)
	if exit != "" && d.doc != nil && d.doc.ID != exit {
		w.then(func(t *trace) { t.aclPass(leaving(scope, vpcID, exit, dst)) })
		beside = ""
	}
	d, ok := e.enter(w, scope, vpcID, dst, beside)
	if !ok {
		return
	}
	e.arrive(w, scope, vpcID, dst)
	src, back := at.source.addr, place{scope: scope, vpc: vpcID, subnet: d}
	w.then(func(t *trace) {
		if beside != "" { // the answer meets both directions of the list
			b := entering(scope, vpcID, beside)
			b.forth = false
			t.aclPass(b)
			b = leaving(scope, vpcID, beside, dst)
			b.forth = false
			t.aclPass(b)
		}
		t.answerTransit(back, src, id, to)
	})
}

// answerTransit asks whether the answer finds its way back through a transit gateway.
func (t *trace) answerTransit(at place, src netip.Addr, id string, from found[transitAttachment]) {
	if t.q.protocol != tcp || !src.IsValid() {
		return
	}
	t.answerRoute(at, src, id, func(r *route) bool { return r.Transit == id })
	_, unread, ok := t.e.attachmentSubnet(from, at.subnet.doc.Zone, true)
	if !ok {
		h := triad.Hop{Type: "route", Evidence: from.evidence("")}
		if table := t.e.tableOf(at.scope, at.vpc, at.subnet.doc.ID); table.doc != nil {
			h.ID = table.doc.ID
		}
		h.Reason = "the attachment " + from.doc.ID + " has no subnet in the zone " + at.subnet.doc.Zone + " of " + at.subnet.doc.ID
		t.answerGate(h, false, unread)
		return
	}
	to, hop, u := t.e.transitRoute(from, src)
	if u == nil {
		u = unread
	}
	t.answerGate(hop, to.doc != nil, u)
}

// attachmentSubnet picks the subnet of an attachment in a zone; with must false any other
// will do. Without a list of subnets it is not known.
func (e *engine) attachmentSubnet(a found[transitAttachment], zone string, must bool) (string, *triad.Unread, bool) {
	if len(a.doc.Subnets) == 0 {
		u := e.unread(a.row.Scope, sectionVPCAttachments)
		return "", orUnread(u, a.row.Scope, sectionVPCAttachments, "the subnets of "+a.doc.ID+" were not read"), true
	}
	var doubt *triad.Unread
	for _, id := range a.doc.Subnets {
		s := find[subnet](e, id, a.row.Scope, sectionSubnets)
		switch {
		case s.doc != nil && s.doc.Zone == zone:
			return id, a.unread, true
		case s.doc == nil:
			doubt = orUnread(s.unread, a.row.Scope, sectionSubnets, "subnet "+id+" of "+a.doc.ID+" is not among those that were read")
		}
	}
	if must {
		return "", doubt, doubt != nil
	}
	return a.doc.Subnets[0], a.unread, true
}

// transitRoute finds the attachment to which the table of another attachment sends an
// address. The hop is the table, with the reason when it sends it nowhere.
func (e *engine) transitRoute(from found[transitAttachment], dst netip.Addr) (to found[transitAttachment], hop triad.Hop, unread *triad.Unread) {
	scope := from.row.Scope
	hop = triad.Hop{Type: "route"}
	a := from.doc.Association
	if a == nil || a.Table == "" || a.State != "associated" && a.State != "" {
		hop.ID, hop.Evidence = from.doc.ID, from.evidence("")
		hop.Reason = "the attachment " + from.doc.ID + " is associated with no route table"
		if unread = from.unread; unread == nil {
			unread = e.unread(scope, sectionAttachments)
		}
		return to, hop, unread
	}
	hop.ID = a.Table
	table := find[transitTable](e, a.Table, scope, sectionTransitTables)
	if table.doc == nil {
		return to, hop, orUnread(table.unread, scope, sectionTransitTables, a.Table+" is not among the tables that were read")
	}
	h := e.transitLookup(table, dst)
	detail := h.prefix.String() + " to " + h.attachment
	switch {
	case h.attachment == "" && !h.blackhole:
		hop.Evidence, hop.Reason = table.evidence("no route"), "no route of "+a.Table+" leads to "+dst.String()
		return to, hop, h.unread
	case h.blackhole:
		hop.Evidence, hop.Reason = table.evidence(h.prefix.String()+" blackhole"), "the route "+h.prefix.String()+" of "+a.Table+" is a blackhole"
		return to, hop, h.unread
	}
	hop.Evidence = table.evidence(detail)
	to = e.attachment(scope, h.attachment)
	switch {
	case to.doc == nil:
		hop.Reason = "the attachment " + h.attachment + " is gone"
		return to, hop, orUnread(to.unread, scope, sectionAttachments, h.attachment+" is not among the attachments that were read")
	case h.unread == nil:
		h.unread = to.unread
	}
	if !to.doc.available() {
		hop.Reason = "the attachment " + to.doc.ID + " is " + to.doc.State
		return found[transitAttachment]{}, hop, h.unread
	}
	return to, hop, h.unread
}

// groupsAcross reports whether references to security groups hold across a transit gateway.
// https://docs.aws.amazon.com/vpc/latest/tgw/tgw-vpc-attachments.html
func (e *engine) groupsAcross(scope, id string, a, b found[transitAttachment]) (bool, *triad.Unread) {
	g := find[transitGateway](e, id, scope, sectionTransits)
	if g.doc == nil || g.doc.Options.GroupReferences != "enable" {
		return false, g.unread
	}
	for _, x := range []found[transitAttachment]{a, b} {
		if x.doc.Options != nil && x.doc.Options.GroupReferences == "disable" {
			return false, g.unread
		}
	}
	return true, g.unread
}
