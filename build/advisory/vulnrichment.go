package advisory

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// maxCVERecordBytes bounds one CVE record; the largest known are near 1 MB.
const maxCVERecordBytes = 16 << 20

// Enrichment is what CISA's vulnrichment says of a CVE.
type Enrichment struct {
	CVE string
	// SSVC decision points, in lower case: exploitation none, poc, active; automatable yes, no;
	// empty where it does not say.
	Exploitation, Automatable, TechnicalImpact string
	// Date of the SSVC assessment, YYYY-MM-DD.
	Date string
	// Vector is the CVSS vector of the CVE's own authority, else of an authorized publisher; the
	// best by CVSS.Better.
	Vector string
}

type cveMetric struct {
	V40   *cveVector `json:"cvssV4_0"`
	V31   *cveVector `json:"cvssV3_1"`
	V30   *cveVector `json:"cvssV3_0"`
	V2    *cveVector `json:"cvssV2_0"`
	Other *struct {
		Type    string          `json:"type"`
		Content json.RawMessage `json:"content"`
	} `json:"other"`
}

type cveVector struct {
	Vector string `json:"vectorString"`
}

// ParseVulnrichment reads one CVE record (CVE JSON 5.x) with CISA's container in it
// (https://github.com/cisagov/vulnrichment).
func ParseVulnrichment(data []byte) (Enrichment, error) {
	var e Enrichment
	if len(data) > maxCVERecordBytes {
		return e, fmt.Errorf("record is larger than %d MiB", maxCVERecordBytes>>20)
	}
	var doc struct {
		Meta struct {
			ID    string `json:"cveId"`
			State string `json:"state"`
		} `json:"cveMetadata"`
		Containers struct {
			CNA struct {
				Metrics []cveMetric `json:"metrics"`
			} `json:"cna"`
			ADP []struct {
				Provider struct {
					ShortName string `json:"shortName"`
				} `json:"providerMetadata"`
				Metrics []cveMetric `json:"metrics"`
			} `json:"adp"`
		} `json:"containers"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return e, err
	}
	if !IsCVE(doc.Meta.ID) || len(doc.Meta.ID) > maxIDLength {
		return e, fmt.Errorf("cveMetadata.cveId %q is no CVE id", clip(doc.Meta.ID, 40))
	}
	e.CVE = doc.Meta.ID
	if doc.Meta.State == "REJECTED" {
		return e, errors.New("the CVE is rejected")
	}
	best := bestVector(doc.Containers.CNA.Metrics)
	for _, adp := range doc.Containers.ADP {
		if best.Vector == "" {
			best = bestVector(adp.Metrics)
		}
		for _, m := range adp.Metrics {
			if m.Other == nil || !strings.EqualFold(m.Other.Type, "ssvc") {
				continue
			}
			if err := e.ssvc(m.Other.Content); err != nil {
				return e, fmt.Errorf("SSVC of %s: %w", clip(adp.Provider.ShortName, 40), err)
			}
		}
	}
	e.Vector = best.Vector
	return e, nil
}

// ssvc reads the decision points, a list of one-key objects.
func (e *Enrichment) ssvc(raw json.RawMessage) error {
	var content struct {
		Options   []map[string]string `json:"options"`
		Timestamp string              `json:"timestamp"`
	}
	if err := json.Unmarshal(raw, &content); err != nil {
		return err
	}
	for _, option := range content.Options {
		for name, value := range option {
			value = strings.ToLower(strings.TrimSpace(value))
			switch strings.ToLower(name) {
			case "exploitation":
				switch value {
				case "none", "poc", "active":
					e.Exploitation = value
				case "public poc":
					e.Exploitation = "poc"
				default:
					return fmt.Errorf("exploitation %q is unknown", clip(value, 40))
				}
			case "automatable":
				if value != "yes" && value != "no" {
					return fmt.Errorf("automatable %q is unknown", clip(value, 40))
				}
				e.Automatable = value
			case "technical impact":
				e.TechnicalImpact = clip(value, 16)
			}
		}
	}
	e.Date = clip(content.Timestamp, 10)
	return nil
}

func bestVector(metrics []cveMetric) CVSS {
	var best CVSS
	for _, m := range metrics {
		for _, v := range []*cveVector{m.V40, m.V31, m.V30, m.V2} {
			if v == nil {
				continue
			}
			if c, ok := ParseCVSS(v.Vector); ok && (best.Vector == "" || c.Better(best)) {
				best = c
			}
		}
	}
	return best
}
