package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/advisory"
	"github.com/triad-security/triad/build/scan"
	"github.com/triad-security/triad/policy"
	"github.com/triad-security/triad/policy/registry"
	"github.com/triad-security/triad/server/datadir"
)

// gateSubject is what guardrails decide on: the scan, and what else is known of the artifact.
func (a *app) gateSubject(ctx context.Context, g *gateFlags, r *scanned) (*policy.Subject, error) {
	s := scanSubject(r.Result)
	s.Now = time.Now()
	if c := s.Image.Created; c.Year() > 1980 { // reproducible builds write the epoch, or nothing
		s.Image.AgeDays = s.Now.Sub(c).Hours() / 24
	} else if s.Artifact.Type == scan.ArtifactImage && !s.IsUnread(policy.SectionConfig) {
		s.Unread = append(s.Unread, policy.Unread{Section: policy.SectionAge, Reason: "the image does not say when it was built"})
	}
	s.Freshness.ScanAge = max(0, s.Now.Sub(r.made))
	unread := func(section, reason string) {
		s.Unread = append(s.Unread, policy.Unread{Section: section, Reason: reason})
	}
	if !r.here {
		unread(policy.SectionAdvisories, "a scan that was made before does not say how old its advisories are")
	} else if age, err := a.advisoriesAge(s.Now); err != nil {
		unread(policy.SectionAdvisories, err.Error())
	} else {
		s.Freshness.AdvisoriesAge = age
	}
	if s.Artifact.Type != scan.ArtifactImage {
		return s, nil
	}
	entry, reason, err := g.standing(a, s)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		unread(policy.SectionRegistry, reason)
	}
	if reason, err = a.signature(ctx, g, entry, s); err != nil {
		return nil, err
	}
	if reason != "" {
		unread(policy.SectionSignature, reason)
	}
	return s, nil
}

// advisoriesAge is how long ago the newest advisory was written: a mirror that has stood still
// shows it too.
func (a *app) advisoriesAge(now time.Time) (time.Duration, error) {
	db, err := advisory.Open(datadir.Dir(a.data).Advisories())
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close() }()
	status, err := db.Status()
	if err != nil {
		return 0, err
	}
	var newest time.Time
	for _, e := range status.Ecosystems {
		t := e.Newest
		if t.IsZero() {
			t = e.Imported
		}
		if t.After(newest) {
			newest = t
		}
	}
	if newest.IsZero() {
		return 0, errors.New("the advisories do not say how old they are")
	}
	return max(0, now.Sub(newest)), nil
}

// scanSubject turns a scan into a subject. What the scan does not say it looked at is unread.
func scanSubject(r *scan.Result) *policy.Subject {
	s := &policy.Subject{Artifact: policy.Artifact{Type: r.Artifact.Type, Name: r.Artifact.Name}}
	for _, p := range r.Packages {
		s.Packages = append(s.Packages, policy.NewPackage(p.Package))
	}
	for _, v := range r.Vulnerabilities {
		s.Vulnerabilities = append(s.Vulnerabilities, policy.NewVulnerability(v.Vulnerability))
	}
	for _, x := range []struct {
		from []triad.Finding
		to   *[]policy.Finding
	}{{r.Malware, &s.Malware}, {r.Secrets, &s.Secrets}, {r.Code, &s.Code}, {r.Misconfigurations, &s.Misconfigurations}} {
		for _, f := range x.from {
			*x.to = append(*x.to, policy.NewFinding(f))
		}
	}
	// A VEX statement sets a finding aside for everybody. What an ignore file or a filter took
	// out of a scan is the author's own choice: it stands before the gate, whose way out is an
	// exception that somebody owns.
	for _, x := range r.Suppressed {
		switch {
		case x.Suppression.Kind == triad.SuppressedByVEX:
		case x.Vulnerability != nil:
			s.Vulnerabilities = append(s.Vulnerabilities, policy.NewVulnerability(x.Vulnerability.Vulnerability))
		case x.Finding != nil:
			if to := findingsOf(s, x.Finding.Kind); to != nil {
				*to = append(*to, policy.NewFinding(*x.Finding))
			}
		}
	}
	for _, u := range r.Unread {
		s.Unread = append(s.Unread, policy.Unread(u))
	}
	for _, section := range []string{
		policy.SectionPackages, policy.SectionVulnerabilities, policy.SectionSecrets, policy.SectionMalware, policy.SectionCode, policy.SectionMisconfigurations,
	} {
		if !slices.Contains(r.Scanned, section) && !slices.ContainsFunc(r.Unread, func(u triad.Unread) bool { return u.Section == section }) {
			s.Unread = append(s.Unread, policy.Unread{Section: section, Reason: notScanned(r, section)})
		}
	}
	if r.Artifact.Type == scan.ArtifactImage {
		s.Image = gateImage(r)
		if c := r.Config(); c != nil {
			configured(&s.Image, c)
		} else {
			s.Unread = append(s.Unread, policy.Unread{Section: policy.SectionConfig, Reason: "the scan does not hold the image's configuration"})
		}
		if b := r.Artifact.Base; b != nil {
			s.Image.Base = b.Name
		} else {
			s.Unread = append(s.Unread, policy.Unread{Section: policy.SectionBase, Reason: "no image that was scanned, and nothing that was given, says on which base it stands"})
		}
	}
	return s
}

func findingsOf(s *policy.Subject, k triad.FindingKind) *[]policy.Finding {
	switch k {
	case triad.FindingMalware:
		return &s.Malware
	case triad.FindingSecret:
		return &s.Secrets
	case triad.FindingCode:
		return &s.Code
	case triad.FindingMisconfiguration:
		return &s.Misconfigurations
	}
	return nil
}

func notScanned(r *scan.Result, section string) string {
	if r.Artifact.Type == scan.ArtifactSBOM || len(r.Scanned) == 0 {
		return "the scan does not say that it looked for " + section
	}
	return "the scan did not look for " + section
}

// configured takes what guardrails may ask of an image's configuration. Of the environment only
// the names: values may be secrets.
func configured(i *policy.Image, c *v1.ConfigFile) {
	i.User, i.Labels, i.Created = c.Config.User, c.Config.Labels, c.Created.Time
	for _, e := range c.Config.Env {
		name, _, _ := strings.Cut(e, "=")
		i.Env = append(i.Env, name)
	}
	for port := range c.Config.ExposedPorts {
		i.Exposed = append(i.Exposed, port)
	}
	slices.Sort(i.Exposed)
}

// gateImage names the image by the reference grammar: what a prefix looks like does not count.
func gateImage(r *scan.Result) policy.Image {
	i := policy.Image{Ref: r.Artifact.Name, Digest: r.Artifact.Digest, OS: r.Artifact.OS, Architecture: r.Artifact.Architecture}
	for _, l := range r.Artifact.Layers {
		i.Layers = append(i.Layers, l.DiffID)
	}
	for _, text := range append([]string{r.Artifact.Name}, r.Artifact.Refs...) {
		repository, err := registry.Repository(text)
		if err != nil {
			continue
		}
		i.Ref, i.Repository = text, repository
		i.Registry, _, _ = strings.Cut(repository, "/")
		if tag, err := name.NewTag(text, name.WeakValidation); err == nil {
			i.Tag = tag.TagStr()
		}
		break
	}
	return i
}
