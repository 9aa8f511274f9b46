package aws

import (
	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// asked is what a question asks of one protocol.
type asked struct {
	protocol int
	ports    reach.PortSet
	sports   reach.PortSet // the client's ports
	every    bool          // all ports must get through, else one is enough
}

// trace follows packets of one protocol from a source, filter by filter. What surely gets
// through and what may get through are kept apart; where they differ, something was unread.
//
// The answer of TCP is followed at the same time: each stateless filter on the way is asked
// for the other direction too.
type trace struct {
	e      *engine
	q      asked
	client reach.AddrSet // addresses of the far end, as the filters of this leg see them

	sure, maybe         reach.Traffic // by destination port and client address
	backSure, backMaybe reach.Traffic // the answer, by the client's port and address

	path      []triad.Hop
	stops     []triad.Hop
	backStops []triad.Hop
	unread    []triad.Unread
	lastBack  triad.Hop

	// sources are the internet addresses that got through before an address translation.
	sources *reach.AddrSet
	// earlier is the part of the answer's way behind an address translation.
	earlierBackDoubt bool
	login            bool
	entrance         int // the port at which packets enter, when a load balancer changes it
	chain            []balancerStep
	network          string // the VPC in which the destination must be; empty for any
	depth            int
}

func newTrace(e *engine, q asked, client reach.AddrSet) *trace {
	all := reach.NewTraffic(q.ports, client)
	back := reach.NewTraffic(q.sports, client)
	return &trace{e: e, q: q, client: client, sure: all, maybe: all, backSure: back, backMaybe: back}
}

// fork returns a copy that goes its own way from here.
func (t *trace) fork() *trace {
	c := *t
	c.path = t.path[:len(t.path):len(t.path)]
	c.stops = t.stops[:len(t.stops):len(t.stops)]
	c.backStops = t.backStops[:len(t.backStops):len(t.backStops)]
	c.unread = t.unread[:len(t.unread):len(t.unread)]
	return &c
}

func (t *trace) stopped() bool { return len(t.stops) > 0 }

// through returns the client addresses for which the traffic meets the question.
func (t *trace) through(x reach.Traffic) reach.AddrSet {
	if t.q.every {
		return x.Every(t.q.ports).Intersect(t.client)
	}
	return x.Some()
}

// hop adds a step that lets everything through.
func (t *trace) hop(typ, id string, ev *triad.Evidence) {
	if !t.stopped() {
		t.path = append(t.path, triad.Hop{Type: typ, ID: id, Evidence: ev})
	}
}

// filter passes the traffic through a filter that surely lets sure through and may let maybe
// through. The hop's Reason is used only when it blocks.
func (t *trace) filter(h triad.Hop, sure, maybe reach.Traffic, unread *triad.Unread) {
	alone := maybe.Intersect(reach.NewTraffic(t.q.ports, t.client))
	switch {
	case t.stopped():
		if t.through(alone).Empty() {
			t.stop(h)
		}
		return
	case t.through(t.maybe.Intersect(maybe)).Empty():
		t.stop(h)
		t.sure, t.maybe = reach.Traffic{}, reach.Traffic{}
		return
	}
	t.sure, t.maybe = t.sure.Intersect(sure), t.maybe.Intersect(maybe)
	if unread != nil {
		t.unread = append(t.unread, *unread)
	}
	h.Reason = ""
	t.path = append(t.path, h)
}

func (t *trace) stop(h triad.Hop) {
	for _, s := range t.stops {
		if s.Type == h.Type && s.ID == h.ID {
			return
		}
	}
	t.stops = append(t.stops, h)
}

// answer passes TCP's answer through a stateless filter.
func (t *trace) answer(h triad.Hop, sure, maybe reach.Traffic, unread *triad.Unread) {
	if t.q.protocol != tcp {
		return
	}
	t.lastBack = h
	alone := maybe.Intersect(reach.NewTraffic(t.q.sports, t.client))
	switch {
	case len(t.backStops) > 0:
		if alone.Empty() {
			t.backStops = append(t.backStops, h)
		}
		return
	case t.backMaybe.Intersect(maybe).Empty():
		t.backStops = append(t.backStops, h)
		t.backSure, t.backMaybe = reach.Traffic{}, reach.Traffic{}
		return
	}
	t.backSure, t.backMaybe = t.backSure.Intersect(sure), t.backMaybe.Intersect(maybe)
	if unread != nil {
		t.unread = append(t.unread, *unread)
	}
}

// answerGate is answer for a step that lets all through, nothing, or nobody knows.
func (t *trace) answerGate(h triad.Hop, open bool, unread *triad.Unread) {
	sure, maybe := gate(open, unread)
	t.answer(h, sure, maybe, unread)
}

// gate passes the traffic through a step that lets all of it through, nothing, or, with
// unread set, nobody knows.
func (t *trace) gate(h triad.Hop, open bool, unread *triad.Unread) {
	sure, maybe := gate(open, unread)
	t.filter(h, sure, maybe, unread)
}

func gate(open bool, unread *triad.Unread) (sure, maybe reach.Traffic) {
	switch {
	case unread != nil:
		return reach.Traffic{}, reach.AllTraffic
	case open:
		return reach.AllTraffic, reach.AllTraffic
	}
	return reach.Traffic{}, reach.Traffic{}
}

// translate goes on with another client address and other client ports, as behind a NAT
// gateway, and with other destination ports when ports is not nil.
func (t *trace) translate(client reach.AddrSet, sports reach.PortSet, ports *reach.PortSet) {
	t.settle()
	sure, maybe := t.sure, t.maybe
	t.client, t.q.sports = client, sports
	if ports != nil {
		t.q.ports = *ports
		t.sure, t.maybe = reach.Traffic{}, reach.Traffic{}
		if !sure.Empty() {
			t.sure = reach.NewTraffic(*ports, client)
		}
		if !maybe.Empty() {
			t.maybe = reach.NewTraffic(*ports, client)
		}
	} else {
		t.sure = reach.NewTraffic(sure.Ports(), client)
		t.maybe = reach.NewTraffic(maybe.Ports(), client)
	}
	back := reach.NewTraffic(sports, client)
	t.backSure, t.backMaybe = back, back
}

// settle closes the account of the answer's way and of the sources before a translation.
func (t *trace) settle() {
	sure, maybe := t.addresses()
	if maybe.Empty() && !t.stopped() && len(t.backStops) == 0 {
		h := t.lastBack
		t.backStops = append(t.backStops, h)
	}
	if sure.Empty() && !maybe.Empty() {
		t.earlierBackDoubt = true
	}
	if t.sources == nil {
		t.sources = &sure
	}
}

// addresses returns the client addresses that surely, and that perhaps, get through and get
// their answer.
func (t *trace) addresses() (sure, maybe reach.AddrSet) {
	sure, maybe = t.through(t.sure), t.through(t.maybe)
	if t.q.protocol == tcp {
		sure = sure.Intersect(t.backSure.Some())
		maybe = maybe.Intersect(t.backMaybe.Some())
	}
	return sure, maybe
}

func (t *trace) verdict() reach.Verdict {
	sure, maybe := t.addresses()
	switch {
	case t.stopped() || len(t.backStops) > 0 || maybe.Empty():
		return reach.Blocked
	case sure.Empty() || t.earlierBackDoubt:
		return reach.Unknown
	}
	return reach.Reachable
}

// result is the outcome of a finished trace.
func (t *trace) result() reach.Result {
	r := reach.Result{Verdict: t.verdict(), Path: t.path, Unread: []triad.Unread{}, Port: t.entrance}
	if r.Path == nil {
		r.Path = []triad.Hop{}
	}
	switch r.Verdict {
	case reach.Blocked:
		stops := t.stops
		for _, s := range t.backStops {
			s.Reason = "the answer is stopped: " + s.Reason
			stops = append(stops[:len(stops):len(stops)], s)
		}
		if len(stops) == 0 { // each filter lets somebody through, all together nobody
			h := t.lastBack
			h.Reason = "no address that gets in gets its answer back: " + h.Reason
			stops = []triad.Hop{h}
		}
		r.BlockedBy = &stops[0]
		r.AlsoBlockedBy = stops[1:]
	case reach.Unknown:
		r.Unread = dedupe(t.unread)
	}
	return r
}

func dedupe(list []triad.Unread) []triad.Unread {
	out := []triad.Unread{}
next:
	for _, u := range list {
		for _, o := range out {
			if o == u {
				continue next
			}
		}
		out = append(out, u)
	}
	return out
}

// better reports whether a is further than b: reachable, then unknown, then blocked.
func better(a, b *trace) bool { return rank(a.verdict()) > rank(b.verdict()) }

func rank(v reach.Verdict) int {
	switch v {
	case reach.Reachable:
		return 2
	case reach.Unknown:
		return 1
	}
	return 0
}
