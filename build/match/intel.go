package match

import (
	"fmt"
	"strings"

	"github.com/triad-security/triad/build/advisory"
)

// EPSSThreshold is the probability from which EPSS alone counts as a public proof of concept.
//
// EPSS estimates the chance of exploitation in the next 30 days; it observes nothing, so it
// never makes a vulnerability actively exploited. Published exploit code is among the inputs
// of its model, and a score this high is not reached without it, so where no exploit is named
// by anybody else it stands for one. Below, a score ranks within an outcome and nothing more.
const EPSSThreshold = 0.9

// intel is what the feeds say of one vulnerability, over all CVE ids it goes by.
type intel struct {
	kev        *advisory.KEV
	epss       advisory.EPSS
	enrichment *advisory.Enrichment
	hint       advisory.Hint
}

// intelOf gathers it. Of several CVEs the worst of each counts.
func intelOf(g *advisory.Generation, ids []string) (in intel, err error) {
	for _, id := range ids {
		if !advisory.IsCVE(id) {
			break // CVEs come first
		}
		if k, ok, err := g.KEV(id); err != nil {
			return in, err
		} else if ok && in.kev == nil {
			in.kev = &k
		}
		if e, ok, err := g.EPSS(id); err != nil {
			return in, err
		} else if ok && e.Score > in.epss.Score {
			in.epss = e
		}
		if e, ok, err := g.Enrichment(id); err != nil {
			return in, err
		} else if ok {
			in.enrich(e)
		}
		if h, ok, err := g.Hint(id); err != nil {
			return in, err
		} else if ok && in.hint.Vector == "" && len(in.hint.Exploits) == 0 {
			in.hint = h
		}
	}
	return in, nil
}

var exploitationRank = map[string]int{"none": 1, "poc": 2, "active": 3}

func (in *intel) enrich(e advisory.Enrichment) {
	if in.enrichment == nil {
		in.enrichment = &e
		return
	}
	if exploitationRank[e.Exploitation] > exploitationRank[in.enrichment.Exploitation] {
		in.enrichment.Exploitation, in.enrichment.Date = e.Exploitation, e.Date
	}
	if e.Automatable == "yes" || in.enrichment.Automatable == "" {
		in.enrichment.Automatable = e.Automatable
	}
	if in.enrichment.Vector == "" {
		in.enrichment.Vector = e.Vector
	}
}

// exploitation is SSVC's decision point, and after which source.
func (in *intel) exploitation(ids, exploits []string) (value, basis string) {
	exploits = append(exploits, in.hint.Exploits...)
	for _, id := range ids {
		if strings.HasPrefix(id, "MAL-") {
			return "active", id + ": the package itself is malware"
		}
	}
	e := in.enrichment
	switch {
	case in.kev != nil:
		return "active", "in CISA KEV since " + in.kev.Added
	case e != nil && e.Exploitation == "active":
		return "active", "CISA vulnrichment says active (" + e.Date + ")"
	case e != nil && e.Exploitation == "poc":
		return "public-poc", "CISA vulnrichment says poc (" + e.Date + ")"
	case len(exploits) > 0:
		return "public-poc", "published exploit: " + exploits[0]
	case in.epss.Score >= EPSSThreshold:
		return "public-poc", fmt.Sprintf("EPSS %.3f, at or above %.1f", in.epss.Score, EPSSThreshold)
	case e != nil && e.Exploitation == "none":
		return "none", "not in CISA KEV; CISA vulnrichment says none (" + e.Date + ")"
	}
	return "none", "neither in CISA KEV nor a public proof of concept known"
}

// automatable is SSVC's decision point, and after which source.
func (in *intel) automatable(c advisory.CVSS, scored bool) (value, basis string) {
	if e := in.enrichment; e != nil && e.Automatable != "" {
		return e.Automatable, "CISA vulnrichment says " + e.Automatable + " (" + e.Date + ")"
	}
	switch {
	case !scored:
		return "no", "unknown, taken as no: no CVSS vector and no assessment by CISA vulnrichment"
	case c.Version == "2.0":
		return "no", "unknown, taken as no: CVSS 2.0 does not say whether a user must take part"
	case c.Automatable && c.Version == "4.0":
		return "yes", "AV:N/AC:L/AT:N/PR:N/UI:N in " + c.Vector
	case c.Automatable:
		return "yes", "AV:N/AC:L/PR:N/UI:N in " + c.Vector
	}
	return "no", "needs a position, luck, privileges or a user: " + c.Vector
}
