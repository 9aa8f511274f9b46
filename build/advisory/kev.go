package advisory

import (
	"encoding/json"
	"fmt"
	"io"
)

// maxKEVBytes bounds CISA's catalogue; it has 1.3 MB for 1,400 entries.
const maxKEVBytes = 256 << 20

// KEV is an entry of CISA's catalogue of known exploited vulnerabilities.
type KEV struct {
	CVE   string
	Added string // date, YYYY-MM-DD
	// Ransomware: known to be used in ransomware campaigns.
	Ransomware bool
}

// ParseKEV reads the catalogue's JSON form
// (https://www.cisa.gov/known-exploited-vulnerabilities-catalog). skip is told of each entry
// that cannot be used.
func ParseKEV(r io.Reader, skip func(name string, reason error)) (entries []KEV, version string, err error) {
	dec := json.NewDecoder(io.LimitReader(r, maxKEVBytes))
	var doc struct {
		Version string            `json:"catalogVersion"`
		Entries []json.RawMessage `json:"vulnerabilities"`
	}
	if err := dec.Decode(&doc); err != nil {
		return nil, "", fmt.Errorf("reading the KEV catalogue: %w", err)
	}
	if doc.Entries == nil {
		return nil, "", fmt.Errorf("reading the KEV catalogue: it has no list `vulnerabilities`")
	}
	for i, raw := range doc.Entries {
		var e struct {
			CVE        string `json:"cveID"`
			Added      string `json:"dateAdded"`
			Ransomware string `json:"knownRansomwareCampaignUse"`
		}
		name := fmt.Sprintf("vulnerabilities[%d]", i)
		switch err := json.Unmarshal(raw, &e); {
		case err != nil:
			skip(name, err)
		case !IsCVE(e.CVE) || len(e.CVE) > maxIDLength:
			skip(name, fmt.Errorf("cveID %q is no CVE id", clip(e.CVE, 40)))
		default:
			entries = append(entries, KEV{CVE: e.CVE, Added: clip(e.Added, 32), Ransomware: e.Ransomware == "Known"})
		}
	}
	return entries, clip(doc.Version, 64), nil
}
