package trust

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/triad-security/triad"
)

// Kinds of attestation that have a short name.
const (
	KindSBOM       = "sbom" // CycloneDX or SPDX
	KindVuln       = "vuln"
	KindProvenance = "provenance"
	KindVEX        = "vex"
)

// provenance predicates that are read beside the one that is written.
const provenancePrefix = "https://slsa.dev/provenance/"

// predicateTypes returns the predicate types that a kind means.
func predicateTypes(kind string) ([]string, error) {
	switch kind {
	case KindSBOM:
		return []string{PredicateCycloneDX, PredicateSPDX}, nil
	case KindVuln:
		return []string{PredicateVuln}, nil
	case KindProvenance:
		return []string{provenancePrefix}, nil
	case KindVEX:
		return []string{PredicateOpenVEX}, nil
	}
	if strings.Contains(kind, ":") {
		return []string{kind}, nil
	}
	return nil, triad.Errorf(triad.CodeInvalid, "%s is no kind of attestation: give %s, %s, %s, %s or the URI of a predicate type", clip(kind), KindSBOM, KindVuln, KindProvenance, KindVEX)
}

// isKind reports whether a predicate type is one of those that a kind means. Versioned ones
// (…/v1, CycloneDX's …/bom/v1.6) are of the kind too.
func isKind(predicateType, kind string) bool {
	types, err := predicateTypes(kind)
	if err != nil {
		return false
	}
	for _, t := range types {
		if predicateType == t || strings.HasPrefix(predicateType, strings.TrimSuffix(t, "/")+"/") {
			return true
		}
	}
	return false
}

// madeAt is when a predicate says it was made; zero where it does not.
func madeAt(predicateType string, predicate json.RawMessage) time.Time {
	var p struct {
		Metadata struct {
			Timestamp      time.Time `json:"timestamp"`      // CycloneDX
			ScanFinishedOn time.Time `json:"scanFinishedOn"` // vuln
		} `json:"metadata"`
		CreationInfo struct {
			Created time.Time `json:"created"` // SPDX 2
		} `json:"creationInfo"`
		RunDetails struct {
			Metadata struct {
				FinishedOn time.Time `json:"finishedOn"`
				StartedOn  time.Time `json:"startedOn"`
			} `json:"metadata"`
		} `json:"runDetails"` // SLSA v1
		Timestamp time.Time `json:"timestamp"` // OpenVEX
	}
	if json.Unmarshal(predicate, &p) != nil {
		return time.Time{}
	}
	var t time.Time
	switch {
	case predicateType == PredicateVuln:
		t = p.Metadata.ScanFinishedOn
	case isKind(predicateType, KindSBOM):
		if t = p.Metadata.Timestamp; t.IsZero() {
			t = p.CreationInfo.Created
		}
	case isKind(predicateType, KindProvenance):
		if t = p.RunDetails.Metadata.FinishedOn; t.IsZero() {
			t = p.RunDetails.Metadata.StartedOn
		}
	case predicateType == PredicateOpenVEX:
		t = p.Timestamp
	}
	return t.UTC()
}

// builderOf is who a provenance says built the image: SLSA v1, else v0.2.
func builderOf(predicate json.RawMessage) string {
	var p struct {
		RunDetails struct {
			Builder struct {
				ID string `json:"id"`
			} `json:"builder"`
		} `json:"runDetails"`
		Builder struct {
			ID string `json:"id"`
		} `json:"builder"`
	}
	if json.Unmarshal(predicate, &p) != nil {
		return ""
	}
	if p.RunDetails.Builder.ID != "" {
		return p.RunDetails.Builder.ID
	}
	return p.Builder.ID
}
