package report

import (
	"encoding/json"
	"io"

	"github.com/triad-security/triad"
)

// maxBaseline bounds an earlier result, in bytes.
const maxBaseline = 256 << 20

// Baseline is an earlier result that a document is compared with.
type Baseline struct {
	Vulnerabilities []triad.Vulnerability `json:"vulnerabilities"`
	Secrets         []triad.Finding       `json:"secrets"`
	Malware         []triad.Finding       `json:"malware"`
	Code            []triad.Finding       `json:"code"`
	Misconfigured   []triad.Finding       `json:"misconfigurations"`
}

// ReadBaseline reads what `triad scan --format json` wrote.
func ReadBaseline(r io.Reader) (*Baseline, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBaseline+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxBaseline {
		return nil, triad.Errorf(triad.CodeInvalid, "larger than %d bytes", maxBaseline)
	}
	var b struct {
		Artifact *json.RawMessage `json:"artifact"`
		Baseline
	}
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "not a result of triad scan --format json: %w", err)
	}
	if b.Artifact == nil {
		return nil, triad.Errorf(triad.CodeInvalid, "not a result of triad scan --format json: it has no artifact")
	}
	return &b.Baseline, nil
}

// Difference is how a document differs from a baseline. What only changed its version or its
// line is neither new nor gone.
type Difference struct {
	NewVulnerabilities, FixedVulnerabilities []triad.Vulnerability
	NewFindings, FixedFindings               []triad.Finding
}

// New counts what is new, Fixed what is gone.
func (d *Difference) New() int { return len(d.NewVulnerabilities) + len(d.NewFindings) }

// Fixed counts what is gone.
func (d *Difference) Fixed() int { return len(d.FixedVulnerabilities) + len(d.FixedFindings) }

// Compare says what is new in a document and what is gone. What is set aside in it is neither.
func (b *Baseline) Compare(d *Document) *Difference {
	diff := &Difference{}
	before, now := map[string]bool{}, map[string]bool{}
	for _, v := range b.Vulnerabilities {
		before[vulnerabilityKey(v)] = true
	}
	old := b.findings()
	for _, f := range old {
		before[findingKey(f)] = true
	}
	for _, s := range d.Suppressed {
		if s.Vulnerability != nil {
			now[vulnerabilityKey(*s.Vulnerability)] = true
		} else if s.Finding != nil {
			now[findingKey(*s.Finding)] = true
		}
	}
	for _, v := range d.Vulnerabilities {
		k := vulnerabilityKey(v)
		if now[k] = true; !before[k] {
			diff.NewVulnerabilities = append(diff.NewVulnerabilities, v)
		}
	}
	for _, f := range d.Findings {
		k := findingKey(f)
		if now[k] = true; !before[k] {
			diff.NewFindings = append(diff.NewFindings, f)
		}
	}
	// What was not looked at now is not known to be gone.
	for _, v := range b.Vulnerabilities {
		if k := vulnerabilityKey(v); !now[k] && !d.coreUnread() {
			now[k] = true
			diff.FixedVulnerabilities = append(diff.FixedVulnerabilities, v)
		}
	}
	for _, f := range old {
		if k := findingKey(f); !now[k] && !d.IsUnread(sectionOf(f.Kind)) {
			now[k] = true
			diff.FixedFindings = append(diff.FixedFindings, f)
		}
	}
	return diff
}

func (b *Baseline) findings() []triad.Finding {
	var all []triad.Finding
	for _, list := range [][]triad.Finding{b.Malware, b.Secrets, b.Code, b.Misconfigured} {
		all = append(all, list...)
	}
	return all
}

func vulnerabilityKey(v triad.Vulnerability) string {
	return "vulnerability\x00" + v.ID + "\x00" + v.Package + "\x00" + v.Path
}

func findingKey(f triad.Finding) string {
	return string(f.Kind) + "\x00" + f.ID + "\x00" + f.Path + "\x00" + f.Detail
}

func sectionOf(kind triad.FindingKind) string {
	for _, k := range kinds {
		if k.kind == kind {
			return k.section
		}
	}
	return string(kind)
}
