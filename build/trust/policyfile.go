package trust

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/triad-security/triad"
)

// PolicyFile is a policy as it is written down, in YAML or JSON. Keys and the trust root are
// files, relative to the folder of the policy.
type PolicyFile struct {
	Keys         []string          `json:"keys,omitempty"`
	Identities   []Identity        `json:"identities,omitempty"`
	TrustRoot    string            `json:"trust_root,omitempty"`
	RequireLog   bool              `json:"require_log,omitempty"`
	IgnoreLog    bool              `json:"ignore_log,omitempty"`
	IgnoreSCT    bool              `json:"ignore_sct,omitempty"`
	Attestations []RequirementFile `json:"attestations,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// RequirementFile is a Requirement as it is written down.
type RequirementFile struct {
	Kind    string `json:"kind"`
	MaxAge  string `json:"max_age,omitempty"` // 24h
	Builder string `json:"builder,omitempty"`
}

// ReadPolicy reads a policy and the files that it names.
func ReadPolicy(path string) (*Policy, error) {
	data, err := readFile(path, maxKeyFile)
	if err != nil {
		return nil, err
	}
	var f PolicyFile
	if err := yaml.UnmarshalStrict(data, &f); err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "%s is no trust policy: %w", path, err)
	}
	p, err := f.Policy(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// Policy reads the files that a policy names, relative to dir, and checks it.
func (f *PolicyFile) Policy(dir string) (*Policy, error) {
	p := &Policy{Identities: f.Identities, RequireLog: f.RequireLog, IgnoreLog: f.IgnoreLog, IgnoreSCT: f.IgnoreSCT, Annotations: f.Annotations}
	relative := func(path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(dir, path)
	}
	for _, path := range f.Keys {
		data, err := readFile(relative(path), maxKeyFile)
		if err != nil {
			return nil, err
		}
		keys, err := ReadPublicKeys(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		p.Keys = append(p.Keys, keys...)
	}
	if f.TrustRoot != "" {
		data, err := readFile(relative(f.TrustRoot), maxTrustRoot)
		if err != nil {
			return nil, err
		}
		if p.Root, err = ReadTrustRoot(data); err != nil {
			return nil, fmt.Errorf("%s: %w", f.TrustRoot, err)
		}
	}
	for _, r := range f.Attestations {
		requirement := Requirement{Kind: r.Kind, Builder: r.Builder}
		if r.MaxAge != "" {
			age, err := time.ParseDuration(r.MaxAge)
			if err != nil || age <= 0 {
				return nil, triad.Errorf(triad.CodeInvalid, "max_age %q of %s is no duration such as 24h", r.MaxAge, clip(r.Kind))
			}
			requirement.MaxAge = age
		}
		p.Attestations = append(p.Attestations, requirement)
	}
	return p, p.check()
}

// readFile reads a file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, triad.Errorf(triad.CodeInvalid, "%s has %d bytes; at most %d are read", path, info.Size(), limit)
	}
	return os.ReadFile(path)
}
