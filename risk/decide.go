package risk

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/triad-security/triad"
)

// decisionID is short, and the same for the same finding on the same thing whatever IDs its
// provider gives it today: pods and containers come and go, the workload's name stays.
func decisionID(tenant string, ref triad.AssetRef, kind triad.FindingKind, finding string) string {
	h := sha256.New()
	for _, s := range []string{tenant, ref.Kind, ref.Name, string(kind), finding} {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// decision writes a judged finding out.
func (st *state) decision(j *judged) triad.Decision {
	w := j.Way
	d := triad.Decision{
		ID: j.ID, Asset: st.Subject.Ref, Outcome: j.Outcome, Exploitation: j.Exploit, Exposure: w.Exposure,
		Automatable: j.Auto, Impact: st.Impact.Value, Port: w.Port, Protocol: w.Protocol,
		Proof: w.Path, BlockedBy: w.BlockedBy, AlsoBlockedBy: w.AlsoBlockedBy, Sources: w.Sources,
		Unread: slices.Concat(w.Unread, st.Impact.Unread),
	}
	if w.Port == 0 {
		d.Protocol = ""
	}
	if d.Proof == nil {
		d.Proof = []triad.Hop{}
	}
	if w.Exposure == triad.ExposureOpen || w.Exposure == triad.ExposureControlled {
		d.BlockedBy, d.AlsoBlockedBy = nil, nil
	}
	if j.Use != useUnknown {
		used := j.Use == useYes
		d.InUse = &used
	}
	if len(j.Vulns) > 0 {
		fillVulnerability(&d, j)
	} else {
		fillFinding(&d, j)
	}
	d.Inputs = st.inputs(j)
	d.Fix = st.fix(j)
	d.Sentence = st.sentence(j)
	return d
}

func fillVulnerability(d *triad.Decision, j *judged) {
	aliases := []string{}
	for _, v := range j.Vulns {
		d.Packages = append(d.Packages, *v)
		aliases = append(aliases, v.Aliases...)
		d.EPSS, d.CVSS = max(d.EPSS, v.EPSS), max(d.CVSS, v.CVSS)
		if severity(v.Severity) > severity(d.Severity) || d.Severity == "" {
			d.Severity = v.Severity
		}
		d.Title = cmp.Or(d.Title, v.Summary)
	}
	d.Finding = triad.FindingRef{Kind: triad.FindingVulnerability, ID: j.Vulns[0].ID, Aliases: sorted(aliases)}
}

func fillFinding(d *triad.Decision, j *judged) {
	x := j.Findings[0]
	aliases := []string{}
	for _, f := range j.Findings {
		aliases = append(aliases, f.Aliases...)
		if severity(f.Severity) > severity(d.Severity) || d.Severity == "" {
			d.Severity = f.Severity
		}
	}
	d.Finding = triad.FindingRef{Kind: x.Kind, ID: x.ID, Aliases: sorted(aliases)}
	d.Title = x.Title
}

func severity(s string) int {
	return slices.Index([]string{"unknown", "low", "medium", "high", "critical"}, strings.ToLower(s))
}

// inputs explains each SSVC input.
func (st *state) inputs(j *judged) []triad.Input {
	w := j.Way
	exploitation := triad.Input{Name: "exploitation", Value: j.Exploit}
	automatable := triad.Input{Name: "automatable", Value: j.Auto}
	if len(j.Vulns) > 0 {
		v := decisive(j)
		exploitation.Reason = cmp.Or(v.ExploitationBasis, "neither in CISA KEV nor with a public exploit in the advisories")
		switch j.Exploit {
		case "active":
			exploitation.Change = "an advisory that takes the exploitation back"
		case "public-poc":
			exploitation.Change = "an entry in CISA KEV would make it active"
		default:
			exploitation.Change = "an entry in CISA KEV would make it active, a public exploit public-poc"
		}
		automatable.Reason = cmp.Or(v.AutomatableBasis, "from the CVSS vector "+v.Vector)
		automatable.Change = "another assessment by CISA vulnrichment or another CVSS vector"
	} else {
		exploitation.Reason = "severity " + cmp.Or(j.Findings[0].Severity, "unknown") + ": how to use it is " +
			map[string]string{"none": "not common knowledge", "public-poc": "well known"}[j.Exploit]
		automatable.Reason = "it takes a foothold first"
	}
	exposure := triad.Input{Name: "exposure", Value: string(w.Exposure), Reason: w.text(), Change: w.change()}
	if w.Basis != "" && w.Port > 0 {
		exposure.Reason += "; the port is " + string(w.Basis)
	}
	list := []triad.Input{exploitation, exposure, automatable, {Name: "impact", Value: st.Impact.Value, Reason: st.Impact.Reason, Change: st.Impact.Change}}
	inUse := triad.Input{Name: "in_use", Value: "unknown", Reason: "nobody saw what its processes load", Change: "a sensor or a look at its processes; it orders decisions of one outcome"}
	if j.Use == useYes {
		inUse.Value, inUse.Reason, inUse.Change = "true", j.UseText, "a restart that no longer loads it"
	} else if j.Use == useNo {
		inUse.Value, inUse.Reason, inUse.Change = "false", j.UseText, "a process that loads it"
	}
	if j.Note != "" {
		inUse.Reason = join("; ", inUse.Reason, j.Note)
	}
	list = append(list, inUse)
	return append(list, triad.Input{Name: "decision", Value: string(j.Outcome), Reason: "row " + itoa(j.Row) + " of SSVC's deployer table"})
}

// decisive is the vulnerable package that decides exploitation.
func decisive(j *judged) *triad.Vulnerability {
	for _, v := range j.Vulns {
		if v.Exploitation == j.Exploit {
			return v
		}
	}
	return j.Vulns[0]
}

// fix names what removes the finding, and for an open one the smallest thing that closes its way.
func (st *state) fix(j *judged) *triad.Fix {
	w := j.Way
	var f triad.Fix
	if len(j.Vulns) > 0 {
		var steps []string
		all := true
		for _, v := range j.Vulns {
			if v.Fixed == "" {
				all = false
				continue
			}
			f.Type, f.Version = "upgrade", cmp.Or(f.Version, v.Fixed)
			steps = append(steps, "upgrade "+v.Package+" "+v.Version+" to "+v.Fixed)
		}
		f.Detail = strings.Join(sorted(steps), ", ")
		if images := st.images(); len(images) > 0 && f.Detail != "" {
			f.Detail += " in " + strings.Join(images, ", ")
		}
		if !all {
			f.Detail = join("; ", f.Detail, "no fixed version is known for the rest")
		}
	} else {
		f.Type, f.Detail = "configure", j.Findings[0].Fix
	}
	if w.Exposure == triad.ExposureSmall {
		if f.Detail == "" {
			return nil
		}
		return &f
	}
	if c := w.closing(); c != "" {
		if f.Type == "" {
			f.Type = "close"
		}
		f.Detail = join("; until then ", f.Detail, c)
	}
	if f.Detail == "" {
		return nil
	}
	return &f
}

// images are the references of what the subject runs.
func (st *state) images() []string {
	var list []string
	for _, m := range st.Subject.Members {
		if m.Reference != "" {
			list = append(list, m.Reference)
		}
	}
	list = sorted(list)
	return list[:min(len(list), 4)]
}

// sentence is the reason in one sentence.
func (st *state) sentence(j *judged) string {
	parts := []string{upper(j.Way.text())}
	if len(j.Vulns) > 0 {
		switch j.Exploit {
		case "active":
			parts = append(parts, lower(cmp.Or(decisive(j).ExploitationBasis, "exploited in the wild")))
		case "public-poc":
			parts = append(parts, "a public exploit exists")
		default:
			parts = append(parts, "no exploit is known")
		}
	} else {
		parts = append(parts, lower(cmp.Or(j.Findings[0].Title, j.Findings[0].ID)))
	}
	if j.Use == useNo {
		parts = append(parts, "no process seen has loaded it")
	}
	reason, _, _ := strings.Cut(st.Impact.Reason, "; ")
	return strings.Join(append(parts, reason), "; ") + "."
}

// lower lowers a first letter that begins a word, not an abbreviation.
func lower(s string) string {
	if len(s) > 1 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'a' && s[1] <= 'z' {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
