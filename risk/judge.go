package risk

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/risk/decision"
	"github.com/triad-security/triad/risk/graph"
)

// state is all that is known of one subject; its decisions are made of it on demand.
type state struct {
	Subject subject
	Impact  *impact
	Judged  []judged
	// Unscanned are the images that it runs and whose packages nobody listed.
	Unscanned []string
}

// judged is one finding of a subject.
type judged struct {
	ID       string // the decision's
	Vulns    []*triad.Vulnerability
	Findings []triad.Finding
	Way      *way
	Use      use
	UseText  string
	Note     string // how the image was joined, when not by digest
	Exploit  string
	Auto     string
	Outcome  triad.Outcome
	Row      int
}

// judge computes a subject's state; nil when the asset is no subject of its own.
func (e *Engine) judge(c *graph.Context, id string) *state {
	s, ok := e.subject(c, id)
	if !ok || !e.wanted(id) {
		return nil
	}
	st := &state{Subject: s}
	var all []can
	switch {
	case s.Function != nil:
		all = append(all, e.functionCan(c, id, *s.Function))
	case s.Host != nil:
		all = append(all, e.hostCan(c, s.Host.ID))
	}
	for _, m := range s.Members {
		all = append(all, e.memberCan(c, m))
	}
	i := human(all, s.Tier, s.TierOf)
	if s.Store != nil {
		i = storeImpact(*s.Store)
	}
	if e.options.Importance != nil {
		if value, reason := e.options.Importance(s.Ref); value != "" {
			i.Value, i.Reason = value, join("; ", reason, i.Reason)
		}
	}
	st.Impact = &i
	f := folder{e: e, c: c, s: &st.Subject, ways: map[string]*way{}, byID: map[string]*judged{}}
	f.vulnerabilities()
	f.misconfigurations()
	st.Judged, st.Unscanned = f.done(i.Value), sorted(f.unscanned)
	return st
}

// folder gathers a subject's findings, one per CVE or rule.
type folder struct {
	e    *Engine
	c    *graph.Context
	s    *subject
	ways map[string]*way // by which processes' ports count; "" is any port
	byID map[string]*judged

	unscanned []string
	scanned   []string // assets whose scans speak of what the subject runs
}

func (f *folder) vulnerabilities() {
	switch s := f.s; {
	case s.Function != nil:
		found := f.e.functionScans(f.c, s.Ref.ID, *s.Function)
		for _, asset := range found {
			f.scan(asset, nil, "")
		}
		if len(found) == 0 {
			f.unscanned = append(f.unscanned, s.Ref.ID)
		}
	case s.Host != nil:
		for _, asset := range f.e.scans(f.c, s.Host.IDs) {
			f.scan(asset, []member{{ID: s.Host.ID, Name: s.Host.Name}}, "")
		}
	default:
		groups := map[[2]string][]member{}
		var order [][2]string
		for _, m := range s.Members {
			k := [2]string{m.Image, m.Reference}
			if groups[k] == nil {
				order = append(order, k)
			}
			groups[k] = append(groups[k], m)
		}
		for _, k := range order {
			found := f.e.image(f.c, k[0], k[1])
			if len(found.Assets) == 0 {
				f.unscanned = append(f.unscanned, cmp.Or(k[1], k[0]))
			}
			note := ""
			if found.ByReference {
				note = "the scan was joined by the image's name and tag, not by digest: " + k[1]
			}
			for _, asset := range found.Assets {
				f.scan(asset, groups[k], note)
			}
		}
	}
}

// scan adds the vulnerabilities of one scanned asset that the members run.
func (f *folder) scan(asset string, members []member, note string) {
	f.scanned = append(f.scanned, asset)
	f.c.Note(packagesKey(asset))
	m := f.e.matched[asset]
	if m == nil {
		return
	}
	lists := make([]listeners, len(members))
	observed := false
	for i, x := range members {
		lists[i] = f.e.listeners(f.c, x.ID, f.s.Host == nil)
		observed = observed || len(lists[i].Processes) > 0
	}
	for _, v := range m.vulns {
		by := make([]loaded, len(members))
		if observed {
			for i := range members {
				by[i] = lists[i].loads(v.files)
			}
		}
		w := f.way(members, lists, by, observed)
		used, text := usage(lists, by)
		f.add(v.Vulnerability, w, used, text, note)
	}
}

// way returns the best way to the ports that expose a package.
func (f *folder) way(members []member, lists []listeners, by []loaded, observed bool) *way {
	if f.s.Function != nil {
		return f.anyWay()
	}
	var key strings.Builder
	for i, m := range members {
		key.WriteString(m.ID)
		if observed && by[i].exact {
			fmt.Fprint(&key, by[i].by)
		}
		key.WriteByte('|')
	}
	if w := f.ways[key.String()]; w != nil {
		return w
	}
	var targets []target
	for i, m := range members {
		targets = append(targets, memberTargets(m, lists[i].ports(by[i]))...)
	}
	w := bestWay(targets, f.grade)
	f.ways[key.String()] = w
	return w
}

func (f *folder) grade(t target) *way {
	if f.s.Host != nil {
		return f.e.hostWay(f.c, t)
	}
	return f.e.containerWay(f.c, t)
}

// anyWay returns the best way to the subject by any port.
func (f *folder) anyWay() *way {
	if w := f.ways[""]; w != nil {
		return w
	}
	f.ways[""] = f.readAnyWay()
	return f.ways[""]
}

func (f *folder) readAnyWay() *way {
	e, c, s := f.e, f.c, f.s
	switch {
	case s.Function != nil:
		w := &way{Result: e.options.Ways.function(c, s.Ref.ID), Member: lastSegment(s.Ref.Name)}
		if w.Exposure != triad.ExposureSmall {
			w.Port, w.Protocol = 443, "tcp"
		}
		return w
	case s.Store != nil:
		if s.Store.Port == 0 {
			return publicStore(*s.Store)
		}
		return &way{Result: e.storeWay(c, s.Ref.ID), Port: s.Store.Port, Protocol: "tcp", Member: s.Store.Name}
	}
	members := s.Members
	if s.Host != nil {
		members = []member{{ID: s.Host.ID, Name: s.Host.Name}}
	}
	var targets []target
	for _, m := range members {
		l := e.listeners(c, m.ID, s.Host == nil)
		targets = append(targets, memberTargets(m, l.Ports)...)
	}
	if w := bestWay(targets, f.grade); w != nil {
		return w
	}
	return &way{Result: small(triad.Hop{Type: string(s.Ref.Type), ID: s.Ref.ID, Reason: "nothing of it runs that the network could reach"})}
}

// usage says whether any of the members has loaded the package.
func usage(lists []listeners, by []loaded) (use, string) {
	used, text := useUnknown, ""
	for i, b := range by {
		switch b.use {
		case useYes:
			p := lists[i].Processes[b.by[0]]
			return useYes, "process " + cmp.Or(p.Exe, p.ID) + " has loaded " + b.file
		case useNo:
			used, text = useNo, "none of the processes seen has loaded it; the ports of all of them count, for another may start"
		}
	}
	return used, text
}

// add folds one vulnerable package into its CVE's finding.
func (f *folder) add(v *triad.Vulnerability, w *way, used use, text, note string) {
	j := f.byID[v.ID]
	if j == nil {
		j = &judged{ID: decisionID(f.e.options.Tenant, f.s.Ref, triad.FindingVulnerability, v.ID), Way: w, Use: used, UseText: text, Note: note}
		f.byID[v.ID] = j
	}
	if !slices.ContainsFunc(j.Vulns, func(x *triad.Vulnerability) bool {
		return x.PURL == v.PURL && x.Path == v.Path && x.Package == v.Package && x.Version == v.Version
	}) {
		j.Vulns = append(j.Vulns, v)
	}
	if better(w, j.Way) {
		j.Way = w
	}
	if used > j.Use {
		j.Use, j.UseText = used, text
	}
}

// done decides every finding and returns them ordered by decision ID.
func (f *folder) done(impact string) []judged {
	list := make([]judged, 0, len(f.byID))
	for _, j := range f.byID {
		if len(j.Vulns) > 0 {
			slices.SortFunc(j.Vulns, compareVulnerabilities)
			j.Exploit, j.Auto = "none", "no"
			for _, v := range j.Vulns {
				j.Exploit = higherExploitation(j.Exploit, v.Exploitation)
				if v.Automatable == "yes" {
					j.Auto = "yes"
				}
			}
		}
		// The inputs are all from the table's own values, so it has a row.
		j.Outcome, j.Row, _ = decision.Decide(j.Exploit, j.Way.Exposure, j.Auto, impact)
		list = append(list, *j)
	}
	slices.SortFunc(list, func(a, b judged) int { return strings.Compare(a.ID, b.ID) })
	return list
}

func higherExploitation(a, b string) string {
	order := []string{"none", "public-poc", "active"}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}
