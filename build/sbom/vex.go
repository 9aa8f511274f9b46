package sbom

import (
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/triad-security/triad"
)

// setAside makes entries with an analysis of the vulnerabilities that were set aside. What a
// supplier says is its state; what people accept stays exploitable, with will_not_fix as
// their response: that is a decision, not a fact about the product. What only a filter of
// this run left out is an entry as any other.
func setAside(all []triad.Suppressed, refs map[string]string, at time.Time) []cdx.Vulnerability {
	var out []cdx.Vulnerability
	used := map[string]bool{}
	for _, s := range all {
		v := s.Vulnerability
		if v == nil {
			continue
		}
		ref := refs[key(v.PURL, v.Path, v.Package, v.Version)]
		if ref == "" {
			continue
		}
		e := vulnerability(*v)
		// A second entry of the same advisory: its packages have another state.
		e.BOMRef = "vulnerability:" + v.ID + "#" + ref
		if used[e.BOMRef] {
			continue
		}
		used[e.BOMRef] = true
		status := cdx.VulnerabilityStatusAffected
		if s.Suppression.Kind != triad.SuppressedByFilter {
			if e.Analysis = analysis(s.Suppression); e.Analysis.State != cdx.IASExploitable {
				status = cdx.VulnerabilityStatusNotAffected
			}
			e.Analysis.LastUpdated = at.UTC().Format(time.RFC3339)
		}
		*e.Affects = []cdx.Affects{{Ref: ref, Range: &[]cdx.AffectedVersions{{Version: v.Version, Status: status}}}}
		out = append(out, *e)
	}
	return out
}

// justifications are CycloneDX's for OpenVEX's.
var justifications = map[string]cdx.ImpactAnalysisJustification{
	"component_not_present": cdx.IAJRequiresDependency, "vulnerable_code_not_present": cdx.IAJCodeNotPresent,
	"vulnerable_code_not_in_execute_path":               cdx.IAJCodeNotReachable,
	"vulnerable_code_cannot_be_controlled_by_adversary": cdx.IAJRequiresEnvironment,
	"inline_mitigations_already_exist":                  cdx.IAJProtectedByMitigatingControl,
}

func analysis(s triad.Suppression) *cdx.VulnerabilityAnalysis {
	a := &cdx.VulnerabilityAnalysis{State: cdx.IASExploitable, Detail: strings.TrimSpace(s.Reason + " (" + s.Source + ")")}
	switch {
	case s.Kind != triad.SuppressedByVEX:
		a.Response = &[]cdx.ImpactAnalysisResponse{cdx.IARWillNotFix}
		if s.Expires != nil {
			a.Detail += " until " + s.Expires.UTC().Format(time.DateOnly)
		}
	case s.Status == "fixed":
		a.State = cdx.IASResolved
	default:
		a.State, a.Justification = cdx.IASNotAffected, justifications[s.Justification]
	}
	return a
}

// stated is the analysis of a vulnerability of which a supplier says something else than that
// it does not count; nil where nobody does.
func stated(v triad.Vulnerability) *cdx.VulnerabilityAnalysis {
	if v.VEX == nil {
		return nil
	}
	a := &cdx.VulnerabilityAnalysis{State: cdx.IASInTriage, Detail: strings.TrimSpace(v.VEX.Detail + " (" + v.VEX.Source + ")")}
	if v.VEX.Status == "affected" {
		a.State = cdx.IASExploitable
	}
	return a
}
