package registry

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/triad-security/triad"
)

// Access is who may do what with a registry.
type Access string

// The states of access.
const (
	Open     Access = "open"      // pushed to and pulled from
	ReadOnly Access = "read-only" // pulled from: what is there stays in use, nothing new comes
	Closed   Access = "closed"    // nothing may run from it
)

// Standard is what was agreed of the registries, read from registry.yaml.
type Standard struct {
	Entries []Entry
}

// Entry is the agreement on one registry or repository.
type Entry struct {
	Name  Name
	Owner string
	// Official registries are those that images may run from.
	Official bool
	Access   Access
	// Agreed is when; Until when it must be looked at again, zero for never.
	Agreed, Until time.Time
	Signature     Signature
	// MaxAge is how old an image may be, by its creation; zero for any age.
	MaxAge time.Duration
	// Bases are the repositories that base images may come from; empty for any.
	Bases []Name
}

// Signature is what an image's signature must show.
type Signature struct {
	Required   bool       `json:"required"`
	Keys       []string   `json:"keys,omitempty"` // files of public keys
	Identities []Identity `json:"identities,omitempty"`
	// Attestations that must be there too: sbom, vuln, provenance, or a predicate type.
	Attestations []string `json:"attestations,omitempty"`
}

// Identity is that of a keyless signature's certificate.
type Identity struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
}

// file is registry.yaml. Trusted is the short form: official, nothing else agreed.
type file struct {
	Trusted    []string    `json:"trusted"`
	Registries []fileEntry `json:"registries"`
}

type fileEntry struct {
	Name      string    `json:"name"`
	Owner     string    `json:"owner"`
	Official  bool      `json:"official"`
	Access    Access    `json:"access"`
	Agreed    string    `json:"agreed"`
	Review    string    `json:"review"` // how long the agreement holds: 365d
	Signature Signature `json:"signature"`
	MaxAge    string    `json:"max_age"`
	Bases     []string  `json:"bases"`
}

// Limits of registry.yaml.
const (
	maxFile    = 4 << 20
	maxEntries = 10_000
)

// Parse reads a registry standard. Every entry that is official needs an owner and the date
// of the agreement.
func Parse(data []byte) (*Standard, error) {
	if len(data) > maxFile {
		return nil, triad.Errorf(triad.CodeInvalid, "the registry standard is larger than %d bytes", maxFile)
	}
	var f file
	if err := yaml.UnmarshalStrict(data, &f); err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "it is no registry standard: %w", err)
	}
	if len(f.Registries)+len(f.Trusted) > maxEntries {
		return nil, triad.Errorf(triad.CodeInvalid, "the registry standard has more than %d entries", maxEntries)
	}
	s := &Standard{}
	for _, n := range f.Trusted {
		name, err := ParseName(n)
		if err != nil {
			return nil, fmt.Errorf("trusted: %w", err)
		}
		s.Entries = append(s.Entries, Entry{Name: name, Official: true, Access: Open})
	}
	for i := range f.Registries {
		e, err := f.Registries[i].entry()
		if err != nil {
			return nil, fmt.Errorf("registries[%d] %s: %w", i, f.Registries[i].Name, err)
		}
		for _, other := range s.Entries {
			if other.Name == e.Name {
				return nil, triad.Errorf(triad.CodeInvalid, "registries[%d]: %s is there twice", i, e.Name)
			}
		}
		s.Entries = append(s.Entries, e)
	}
	return s, nil
}

func (f *fileEntry) entry() (e Entry, err error) {
	if e.Name, err = ParseName(f.Name); err != nil {
		return e, err
	}
	e.Owner, e.Official, e.Access, e.Signature = f.Owner, f.Official, f.Access, f.Signature
	switch e.Access {
	case "":
		e.Access = Open
	case Open, ReadOnly, Closed:
	default:
		return e, triad.Errorf(triad.CodeInvalid, "access %q is none of open, read-only, closed", f.Access)
	}
	if f.Agreed != "" {
		if e.Agreed, err = time.Parse(time.DateOnly, f.Agreed); err != nil {
			return e, triad.Errorf(triad.CodeInvalid, "agreed %q is no date like 2026-03-01", f.Agreed)
		}
	}
	if e.Official && (e.Owner == "" || e.Agreed.IsZero()) {
		return e, triad.Errorf(triad.CodeInvalid, "an official registry needs an owner and the date on which its standard was agreed")
	}
	if f.Review != "" {
		d, err := days(f.Review)
		if err != nil || e.Agreed.IsZero() {
			return e, triad.Errorf(triad.CodeInvalid, "review %q needs the date of the agreement, and a time like 365d", f.Review)
		}
		e.Until = e.Agreed.Add(d)
	}
	if f.MaxAge != "" {
		if e.MaxAge, err = days(f.MaxAge); err != nil {
			return e, triad.Errorf(triad.CodeInvalid, "max_age %q is no time like 90d", f.MaxAge)
		}
	}
	for _, b := range f.Bases {
		name, err := ParseName(b)
		if err != nil {
			return e, fmt.Errorf("bases: %w", err)
		}
		e.Bases = append(e.Bases, name)
	}
	for _, id := range e.Signature.Identities {
		if id.Issuer == "" || id.Subject == "" {
			return e, triad.Errorf(triad.CodeInvalid, "an identity needs both issuer and subject")
		}
	}
	return e, nil
}

// days reads "90d", or what time.ParseDuration reads; it must be positive.
func days(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if n, ok := strings.CutSuffix(text, "d"); ok {
		var count int
		count, err = strconv.Atoi(n)
		if count > 100*366 {
			count = 0
		}
		d = time.Duration(count) * 24 * time.Hour
	}
	if err != nil || d <= 0 {
		return 0, triad.Errorf(triad.CodeInvalid, "%q is no time", text)
	}
	return d, nil
}

// Of finds the entry that says most exactly what an image reference comes under.
func (s *Standard) Of(reference string) (e Entry, listed bool, err error) {
	repository, err := Repository(reference)
	if err != nil {
		return Entry{}, false, err
	}
	for _, candidate := range s.Entries {
		if candidate.Name.Covers(repository) && (!listed || candidate.Name.closer(e.Name)) {
			e, listed = candidate, true
		}
	}
	return e, listed, nil
}

// Refuses says why images of the entry may not run at a time; "" when they may.
func (e *Entry) Refuses(now time.Time) string {
	switch {
	case e.Access == Closed:
		return e.Name.String() + " is closed"
	case !e.Official:
		return e.Name.String() + " is known and not official"
	case !e.Until.IsZero() && now.After(e.Until):
		return fmt.Sprintf("the agreement on %s was to be looked at again by %s; its owner is %s", e.Name, e.Until.Format(time.DateOnly), e.Owner)
	}
	return ""
}

// AllowsBase reports whether an image may stand on a base image.
func (e *Entry) AllowsBase(reference string) (bool, error) {
	if len(e.Bases) == 0 {
		return true, nil
	}
	repository, err := Repository(reference)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(e.Bases, func(n Name) bool { return n.Covers(repository) }), nil
}

// Trusted are the names of the entries that images may run from at a time.
func (s *Standard) Trusted(now time.Time) []string {
	var names []string
	for i := range s.Entries {
		if e := &s.Entries[i]; e.Refuses(now) == "" {
			names = append(names, e.Name.String())
		}
	}
	return names
}
