package code

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
)

// The parts of SARIF 2.1.0 that a finding needs.
type (
	sarifLog struct {
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver     sarifComponent   `json:"driver"`
			Extensions []sarifComponent `json:"extensions"`
		} `json:"tool"`
		Invocations []struct {
			Successful    *bool `json:"executionSuccessful"`
			Notifications []struct {
				Level   string       `json:"level"`
				Message sarifMessage `json:"message"`
			} `json:"toolExecutionNotifications"`
		} `json:"invocations"`
		Artifacts []struct {
			Location sarifArtifact `json:"location"`
		} `json:"artifacts"`
		Bases   map[string]sarifArtifact `json:"originalUriBaseIds"`
		Results []sarifResult            `json:"results"`

		byID map[string]*sarifRule
	}
	sarifComponent struct {
		Name            string      `json:"name"`
		Version         string      `json:"version"`
		SemanticVersion string      `json:"semanticVersion"`
		Rules           []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID       string                  `json:"id"`
		Name     string                  `json:"name"`
		Short    sarifMessage            `json:"shortDescription"`
		Help     sarifMessage            `json:"help"`
		Messages map[string]sarifMessage `json:"messageStrings"`
		Default  struct {
			Level string `json:"level"`
		} `json:"defaultConfiguration"`
		Relationships []struct {
			Target sarifReference `json:"target"`
		} `json:"relationships"`
		Properties properties `json:"properties"`
	}
	sarifReference struct {
		ID        string `json:"id"`
		Index     *int   `json:"index"`
		Component struct {
			Name  string `json:"name"`
			Index *int   `json:"index"`
		} `json:"toolComponent"`
	}
	sarifMessage struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown"`
		ID       string `json:"id"`
	}
	sarifArtifact struct {
		URI   string `json:"uri"`
		Base  string `json:"uriBaseId"`
		Index *int   `json:"index"`
	}
	sarifResult struct {
		RuleID        string         `json:"ruleId"`
		RuleIndex     *int           `json:"ruleIndex"`
		Rule          sarifReference `json:"rule"`
		Level         string         `json:"level"`
		Kind          string         `json:"kind"`
		BaselineState string         `json:"baselineState"`
		Message       sarifMessage   `json:"message"`
		Locations     []struct {
			Physical struct {
				Artifact sarifArtifact `json:"artifactLocation"`
				Region   struct {
					StartLine int `json:"startLine"`
				} `json:"region"`
			} `json:"physicalLocation"`
		} `json:"locations"`
		Suppressions []struct {
			Status string `json:"status"`
		} `json:"suppressions"`
		Fingerprints map[string]string `json:"fingerprints"`
		Partial      map[string]string `json:"partialFingerprints"`
		Taxa         []sarifReference  `json:"taxa"`
		Properties   properties        `json:"properties"`
	}
	properties struct {
		// Severity is a number or a string with one.
		Severity json.RawMessage // security-severity
		Tags     []string
	}
)

// UnmarshalJSON takes what it knows and passes over what analysers put there otherwise.
func (p *properties) UnmarshalJSON(data []byte) error {
	var bag map[string]json.RawMessage
	if json.Unmarshal(data, &bag) != nil {
		return nil
	}
	p.Severity = bag["security-severity"]
	_ = json.Unmarshal(bag["tags"], &p.Tags)
	return nil
}

func (m sarifMessage) text() string {
	if m.Text != "" {
		return m.Text
	}
	return m.Markdown
}

// fingerprintOf is the analyser's own name for the result, which outlives a shift of lines:
// the first in the order of their names.
func fingerprintOf(r *sarifResult) string {
	for _, prints := range []map[string]string{r.Fingerprints, r.Partial} {
		for _, name := range slices.Sorted(maps.Keys(prints)) {
			return name + "=" + prints[name]
		}
	}
	return ""
}

func unescape(s string) (string, error) { return url.PathUnescape(s) }
