package scan

import (
	"bytes"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"fmt"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/image"
	"github.com/triad-security/triad/build/inspect"
	"github.com/triad-security/triad/build/sbom"
)

// kind of evidence.
type kind string

const (
	kindRelease  kind = "os-release"
	kindDpkg     kind = "deb"
	kindDpkgList kind = "deb-files" // which files a deb brought
	kindApk      kind = "apk"
	kindRPM      kind = "rpm"
	kindGo       kind = "golang"
	kindNPM      kind = "npm"
	kindPython   kind = "pypi"
	kindPyFiles  kind = "pypi-files" // RECORD, top_level.txt
	kindJava     kind = "maven"
)

// evidence is what one file of a layer says, by itself.
type evidence struct {
	Kind     kind
	Text     string // os-release
	Packages []found
	Code     *goCode  // golang: its functions; nil where it does not say
	Files    []string // deb-files, pypi-files: loadable files, names as there
	Owns     owns     // deb-files, pypi-files: every file that the package brought
}

// found is a package before the merge: no release, no layer, no resolved links.
type found struct {
	Name, Version         string
	Source, SourceVersion string
	Arch                  string
	Epoch                 int
	Module, Vendor        string // rpm: its module's label, who built it
	Dev                   bool
	Inner                 string   // path inside a nested archive
	Files                 []string // apk, rpm
	Owns                  owns     // apk, rpm: every file that it brought
}

func (f found) key() string { return f.Name + "\x00" + f.Version + "\x00" + f.Arch + "\x00" + f.Inner }

// record is what a layer says, and what could not be read of it. It depends on the layer alone.
type record struct {
	layer    *image.Layer
	Evidence []evidence // Entry.Evidence counts from 1
	Unread   []triad.Unread
}

func (r *record) encode() ([]byte, error) {
	b := image.AppendLayer(nil, r.layer)
	w := bytes.NewBuffer(b)
	if err := gob.NewEncoder(w).Encode(r); err != nil {
		return nil, fmt.Errorf("layer record: %w", err)
	}
	return w.Bytes(), nil
}

func decodeRecord(b []byte) (*record, error) {
	layer, rest, err := image.DecodeLayer(b)
	if err != nil {
		return nil, err
	}
	r := &record{}
	if err := gob.NewDecoder(bytes.NewReader(rest)).Decode(r); err != nil {
		return nil, fmt.Errorf("layer record: %w", err)
	}
	r.layer = layer
	return r, nil
}

// at returns the evidence of an entry.
func (r *record) at(e image.Entry) *evidence {
	if r == nil || e.Evidence <= 0 || int(e.Evidence) > len(r.Evidence) {
		return nil
	}
	return &r.Evidence[e.Evidence-1]
}

// merged is what the layers of an image come to, kept so that the same image again needs
// no layer's record. It depends on the layers, their order and the inspectors, nothing else.
type merged struct {
	Packages []Package
	Layers   []int // of each package: which layer brought it
	Distro   sbom.Distro
	Unread   []triad.Unread
	Sizes    []int64
	// Findings are the inspectors', without the asset; FindingLayers says which layer has each.
	Findings      []triad.Finding
	FindingLayers []int
	Code          map[string]*goCode // by path of the program
}

// mergedKey names a stack of layers, as inspectors see it, in the cache.
func mergedKey(layers []triad.Layer, inspectors []inspect.Inspector) string {
	h := sha256.New()
	h.Write([]byte("merged\n"))
	for _, l := range layers {
		h.Write([]byte(l.DiffID + "\n"))
	}
	for _, in := range inspectors {
		fmt.Fprintf(h, "%s\n%q\n", in.Section(), in.Key())
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

func (m *merged) encode() ([]byte, error) {
	var w bytes.Buffer
	if err := gob.NewEncoder(&w).Encode(m); err != nil {
		return nil, fmt.Errorf("image record: %w", err)
	}
	return w.Bytes(), nil
}

func decodeMerged(b []byte, layers int) (*merged, bool) {
	m := &merged{}
	err := gob.NewDecoder(bytes.NewReader(b)).Decode(m)
	if err != nil || len(m.Layers) != len(m.Packages) || len(m.Sizes) != layers || len(m.FindingLayers) != len(m.Findings) {
		return nil, false
	}
	return m, true
}
