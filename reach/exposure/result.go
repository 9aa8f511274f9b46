package exposure

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// way is one way from the internet, open or stopped, while it is being put together.
type way struct {
	reach.Result
	// aside marks a way that nobody laid: the bare address of a pod that nothing outside
	// sends to. Why it is stopped is true, and says least.
	aside bool
	// rank orders ways that are equally open: what was meant as an entrance comes first.
	rank int
}

// maxAlso bounds the further stops that a result names.
const maxAlso = 24

// grade sets a result's exposure.
func grade(r *reach.Result) {
	switch r.Verdict {
	case reach.Reachable:
		// A login on the way makes it controlled without a list of sources.
		if r.Exposure != triad.ExposureControlled {
			r.Exposure = triad.ExposureOpen
		}
		if len(r.Sources) > 0 {
			r.Exposure = triad.ExposureControlled
		}
	case reach.Unknown:
		r.Exposure = triad.ExposureUnknown
	default:
		r.Exposure = triad.ExposureSmall
	}
	if r.Path == nil {
		r.Path = []triad.Hop{}
	}
	if r.Unread == nil {
		r.Unread = []triad.Unread{}
	}
}

// openness orders exposures: the more open, the higher. A listed source beats a way of which
// nothing is known to be open.
func openness(e triad.Exposure) int {
	switch e {
	case triad.ExposureOpen:
		return 3
	case triad.ExposureControlled:
		return 2
	case triad.ExposureUnknown:
		return 1
	}
	return 0
}

// best picks the most open way. When all are stopped it is the one that gets furthest among
// those that were laid; stops are what stands in the way at the target's own side, and speak
// when no way was laid at all. Unread makes a stopped result unknown.
func best(ways []way, stops []triad.Hop, unread []triad.Unread) reach.Result {
	for i := range ways {
		grade(&ways[i].Result)
	}
	slices.SortStableFunc(ways, func(a, b way) int {
		if c := cmp.Compare(openness(b.Exposure), openness(a.Exposure)); c != 0 {
			return c
		}
		if a.Verdict == reach.Blocked {
			if a.aside != b.aside {
				if a.aside {
					return 1
				}
				return -1
			}
			return cmp.Compare(len(b.Path), len(a.Path))
		}
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(len(a.Path), len(b.Path)))
	})
	if len(ways) > 0 && ways[0].Verdict != reach.Blocked {
		r := ways[0].Result
		r.BlockedBy, r.AlsoBlockedBy = nil, nil
		if r.Verdict == reach.Unknown {
			r.Unread = dedupe(slices.Concat(r.Unread, unread))
		} else {
			r.Unread = []triad.Unread{}
		}
		return r
	}
	r := reach.Result{Verdict: reach.Blocked}
	var all []triad.Hop
	if len(ways) > 0 && !ways[0].aside {
		r = ways[0].Result
		all = stopsOf(ways, stops)
	} else {
		all = append(slices.Clone(stops), stopsOf(ways, nil)...)
	}
	all = distinct(all)
	r.BlockedBy, r.AlsoBlockedBy = nil, nil
	if len(all) > 0 {
		r.BlockedBy, r.AlsoBlockedBy = &all[0], all[1:min(len(all), maxAlso)]
	}
	if len(unread) > 0 {
		r.Verdict = reach.Unknown
		r.Unread = dedupe(unread)
	}
	grade(&r)
	return r
}

// stopsOf are the stops of all ways, the first way's first, then others.
func stopsOf(ways []way, others []triad.Hop) []triad.Hop {
	var all []triad.Hop
	for i, w := range ways {
		if w.BlockedBy != nil {
			all = append(all, *w.BlockedBy)
		}
		all = append(all, w.AlsoBlockedBy...)
		if i == 0 {
			all = append(all, others...)
		}
	}
	if len(ways) == 0 {
		return others
	}
	return all
}

// certain makes a result unknown that rests on rows of a section that was not read lately:
// those of the hops of an open way, or of the stop of a closed one. Rows of such a section
// stay as they were last known.
func certain(v reach.View, r reach.Result) reach.Result {
	hops := r.Path
	if r.Verdict == reach.Blocked && r.BlockedBy != nil {
		hops = []triad.Hop{*r.BlockedBy}
	}
	for _, h := range hops {
		if h.Evidence == nil || h.Evidence.Scope == "" {
			continue
		}
		if s := v.Section(h.Evidence.Scope, h.Evidence.Source); s.Status == triad.SectionUnread {
			r.Unread = append(r.Unread, triad.Unread{Scope: h.Evidence.Scope, Section: s.Name, Reason: s.Reason})
			r.Verdict, r.Exposure = reach.Unknown, triad.ExposureUnknown
		}
	}
	r.Unread = dedupe(r.Unread)
	return r
}

func distinct(hops []triad.Hop) []triad.Hop {
	var out []triad.Hop
	for _, h := range hops {
		if !slices.ContainsFunc(out, func(o triad.Hop) bool { return o.Type == h.Type && o.ID == h.ID }) {
			out = append(out, h)
		}
	}
	return out
}

func dedupe(list []triad.Unread) []triad.Unread {
	out := []triad.Unread{}
	for _, u := range list {
		if !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	return out
}

func blocked(path []triad.Hop, by triad.Hop, also ...triad.Hop) reach.Result {
	return reach.Result{Verdict: reach.Blocked, Path: path, BlockedBy: &by, AlsoBlockedBy: also}
}

func unknown(path []triad.Hop, unread ...triad.Unread) reach.Result {
	return reach.Result{Verdict: reach.Unknown, Path: path, Unread: unread}
}

// sourcesOf are the internet addresses that a result lets in.
func sourcesOf(r reach.Result) reach.AddrSet {
	if len(r.Sources) == 0 {
		return reach.Internet
	}
	var list []netip.Prefix
	for _, s := range r.Sources {
		if p, err := netip.ParsePrefix(s); err == nil {
			list = append(list, p)
		}
	}
	return reach.Prefixes(list...)
}

// maxSources bounds the prefixes that a result lists.
const maxSources = 64

// restrict narrows a reachable result to the internet addresses in allowed.
func restrict(r *reach.Result, allowed reach.AddrSet) {
	left := sourcesOf(*r).Intersect(allowed)
	if len(r.Sources) == 0 && left.Open() {
		return
	}
	r.Sources = nil
	for _, p := range left.CIDRs(maxSources) {
		r.Sources = append(r.Sources, p.String())
	}
}

func join(path []triad.Hop, more ...triad.Hop) []triad.Hop {
	return slices.Concat(path, more)
}

func itoa(n int) string { return strconv.Itoa(n) }
