package scan

import (
	"io"

	"github.com/triad-security/triad/build/sbom"
)

// SBOM takes the packages from a bill of materials.
func SBOM(r io.Reader) (*Result, error) {
	d, err := sbom.Read(r)
	if err != nil {
		return nil, err
	}
	s := d.Subject
	a := Artifact{Type: ArtifactSBOM, Name: s.Name, Digest: s.Digest, ConfigDigest: s.ConfigDigest, ManifestDigest: s.ManifestDigest, CodeDigest: s.CodeDigest}
	switch s.Type {
	case sbom.SubjectImage:
		a.Type = ArtifactImage
		if s.Name != "" {
			a.Refs = []string{s.Name}
		}
	case sbom.SubjectFunction:
		a.Type = ArtifactFunction
	}
	result := newResult(a)
	packages := make([]Package, 0, len(d.Packages))
	for _, p := range d.Packages {
		packages = append(packages, Package{Package: p})
	}
	result.setPackages(packages, s.Distro)
	result.Unread = append(result.Unread, d.Unread...)
	return result, nil
}
