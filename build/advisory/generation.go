package advisory

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/triad-security/triad"
)

// A generation file is a header, segments, a table of contents in JSON and a footer:
//
//	header  "TRIADADV", format u32, zero u32
//	footer  offset of the contents u64, their length u64, their CRC-32C u32, "TRIADEND"
const (
	magic      = "TRIADADV"
	endMagic   = "TRIADEND"
	format     = 2 // 2: Go's imports and custom ranges
	headerSize = 16
	footerSize = 28
	maxContent = 64 << 20
)

// Names of segments beside osv/NAME and hints/NAME.
const (
	segmentKEV    = "kev"
	segmentEPSS   = "epss"
	segmentEnrich = "vulnrichment"
	segmentHints  = "hints" // all hints/NAME in one
)

// Contents is a generation's table of contents.
type Contents struct {
	Format   int       `json:"format"`
	Revision string    `json:"revision"`
	Created  time.Time `json:"created"`
	Segments []Segment `json:"segments"`
}

// Segment describes one part of a generation and where it came from.
type Segment struct {
	Name   string `json:"name"` // osv/Debian, kev, epss, vulnrichment
	Offset int64  `json:"offset"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	// Families are the ecosystems that an OSV segment speaks of, and the releases of each.
	Families map[string][]string `json:"families,omitempty"`
	Records  int                 `json:"records"`
	// Withdrawn is how many of the records are withdrawn.
	Withdrawn int `json:"withdrawn,omitempty"`
	// NotAdvisories counts bug fix and enhancement errata, which are left out.
	NotAdvisories int   `json:"not_advisories,omitempty"`
	Skipped       Skips `json:"skipped"`
	// Newest is the date of the newest record, Version what the feed calls its own version.
	Newest   time.Time `json:"newest,omitzero"`
	Version  string    `json:"version,omitempty"`
	Imported time.Time `json:"imported"`
}

// Skips counts what could not be used, and names the first few.
type Skips struct {
	Count int    `json:"count"`
	First []Skip `json:"first,omitempty"`
}

// Skip is one entry that could not be used.
type Skip struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

const maxNamedSkips = 20

func (s *Skips) add(name string, reason error) {
	s.Count++
	if len(s.First) < maxNamedSkips {
		s.First = append(s.First, Skip{clip(name, 200), clip(reason.Error(), 300)})
	}
}

// Generation is one immutable state of the advisories, safe for concurrent use.
type Generation struct {
	Contents
	f      *file
	info   os.FileInfo
	osv    []osvSegment
	tables map[string]*table
}

type osvSegment struct {
	*table
	families map[string][]string
}

func openGeneration(path string) (g *Generation, err error) {
	opened, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f := &file{File: opened}
	defer func() {
		if err != nil {
			f.Close()
			err = fmt.Errorf("opening the advisory database %s: %w", path, err)
		}
	}()
	g = &Generation{f: f, tables: map[string]*table{}}
	if g.info, err = f.Stat(); err != nil {
		return nil, err
	}
	f.mem = mapFile(opened, g.info.Size())
	if err := g.readContents(); err != nil {
		return nil, err
	}
	for _, s := range g.Segments {
		if s.Offset < headerSize || s.Size < 0 || s.Size > g.info.Size()-s.Offset {
			return nil, errDamaged
		}
		t, err := openTable(io.NewSectionReader(f, s.Offset, s.Size))
		if err != nil {
			return nil, fmt.Errorf("segment %s: %w", s.Name, err)
		}
		if strings.HasPrefix(s.Name, "osv/") {
			g.osv = append(g.osv, osvSegment{t, s.Families})
		} else {
			g.tables[s.Name] = t
		}
	}
	return g, nil
}

func (g *Generation) readContents() error {
	var head [headerSize]byte
	var foot [footerSize]byte
	size := g.info.Size()
	if size < headerSize+footerSize {
		return errDamaged
	}
	if _, err := g.f.ReadAt(head[:], 0); err != nil {
		return err
	}
	if string(head[:8]) != magic {
		return errDamaged
	}
	if v := binary.LittleEndian.Uint32(head[8:]); v != format {
		return triad.Errorf(triad.CodeConflict, "it has format %d and this program reads format %d: run `triad db update` or `triad db import`", v, format)
	}
	if _, err := g.f.ReadAt(foot[:], size-footerSize); err != nil {
		return err
	}
	offset, length := binary.LittleEndian.Uint64(foot[:]), binary.LittleEndian.Uint64(foot[8:])
	if string(foot[20:]) != endMagic || length > maxContent || offset > uint64(size) || offset+length > uint64(size)-footerSize {
		return errDamaged
	}
	b := make([]byte, length)
	if _, err := g.f.ReadAt(b, int64(offset)); err != nil {
		return err
	}
	if checksum(b) != binary.LittleEndian.Uint32(foot[16:]) {
		return errDamaged
	}
	return json.Unmarshal(b, &g.Contents)
}

// Hit is one record that names a package.
type Hit struct {
	Affected
	record, versions pointer
	segment          *table
	imports          string // encoded
}

// Record reads the record.
func (h *Hit) Record() (*Record, error) {
	b, err := h.segment.read(h.record)
	if err != nil {
		return nil, err
	}
	r := reader{s: text(b)}
	out := r.record()
	if r.bad {
		return nil, errDamaged
	}
	return out, nil
}

// HasVersions reports whether the record lists versions.
func (h *Hit) HasVersions() bool { return h.versions.length > 0 }

// Functions says which Go packages and functions the record names for the package.
func (h *Hit) Functions() ([]GoPackage, error) {
	r := reader{s: h.imports}
	out := r.imports()
	return out, r.err()
}

// List reads the list of affected versions.
func (h *Hit) List() ([]string, error) {
	if !h.HasVersions() {
		return nil, nil
	}
	b, err := h.segment.read(h.versions)
	if err != nil {
		return nil, err
	}
	r := reader{s: text(b)}
	out := r.strings()
	if r.bad {
		return nil, errDamaged
	}
	return out, nil
}

// Has reports whether records of the family were imported, and whether any is of the release.
func (g *Generation) Has(family, release string) (known, knownRelease bool) {
	for _, s := range g.osv {
		releases, ok := s.families[family]
		known = known || ok
		knownRelease = knownRelease || slices.Contains(releases, release)
	}
	return known, knownRelease
}

// Feed describes the segment of a feed: kev, epss or vulnrichment.
func (g *Generation) Feed(name string) (Segment, bool) {
	for _, s := range g.Segments {
		if s.Name == name {
			return s, true
		}
	}
	return Segment{}, false
}

// Lookup finds the records that name a package in an ecosystem that accept takes. Versions
// are not compared. Withdrawn records are among them, and a record can come twice where two
// folders held it.
func (g *Generation) Lookup(family, name string, accept func(ecosystem string) bool) ([]Hit, error) {
	var hits []Hit
	k := key(family, name)
	for _, s := range g.osv {
		if _, ok := s.families[family]; !ok {
			continue
		}
		v, err := s.get(k)
		if err != nil {
			return nil, err
		}
		r := reader{s: v}
		if v == "" {
			continue
		}
		for range r.count() {
			ecosystem, postings := r.string(), r.string()
			if !accept(ecosystem) {
				continue
			}
			n := 0
			for p := (reader{s: postings}); p.s != "" && !p.bad; n++ {
				p.string()
			}
			hits = slices.Grow(hits, n)
			for p := (reader{s: postings}); p.s != "" && !p.bad; {
				one := reader{s: p.string()}
				h := Hit{segment: s.table, record: one.pointer()}
				h.Ecosystem, h.Name, h.Ranges, h.versions = ecosystem, name, one.ranges(), one.pointer()
				h.Severity, h.Word, h.Custom, h.imports = one.severities(), one.string(), one.ranges(), one.string()
				if one.bad || p.bad {
					return nil, errDamaged
				}
				hits = append(hits, h)
			}
		}
		if r.bad {
			return nil, errDamaged
		}
	}
	return hits, nil
}

// value reads what a table has of a CVE.
func (g *Generation) value(segment, cve string) (reader, bool, error) {
	t := g.tables[segment]
	if t == nil {
		return reader{}, false, nil
	}
	v, err := t.get(cve)
	return reader{s: v}, v != "", err
}

// KEV looks a CVE up in CISA's catalogue.
func (g *Generation) KEV(cve string) (e KEV, ok bool, err error) {
	r, ok, err := g.value(segmentKEV, cve)
	if !ok || err != nil {
		return e, false, err
	}
	e = KEV{CVE: cve, Added: r.string(), Ransomware: r.uint() != 0}
	return e, true, r.err()
}

// EPSS looks up a CVE's score.
func (g *Generation) EPSS(cve string) (e EPSS, ok bool, err error) {
	r, ok, err := g.value(segmentEPSS, cve)
	if !ok || err != nil {
		return e, false, err
	}
	e = EPSS{CVE: cve, Score: math.Float64frombits(r.uint()), Percentile: math.Float64frombits(r.uint())}
	return e, true, r.err()
}

// Enrichment looks up what vulnrichment says of a CVE.
func (g *Generation) Enrichment(cve string) (e Enrichment, ok bool, err error) {
	r, ok, err := g.value(segmentEnrich, cve)
	if !ok || err != nil {
		return e, false, err
	}
	e = Enrichment{CVE: cve, Exploitation: r.string(), Automatable: r.string(), TechnicalImpact: r.string(), Date: r.string(), Vector: r.string()}
	return e, true, r.err()
}

// Hint looks up what the OSV records of any ecosystem say of a CVE.
func (g *Generation) Hint(cve string) (h Hint, ok bool, err error) {
	r, ok, err := g.value(segmentHints, cve)
	if !ok || err != nil {
		return h, false, err
	}
	h = r.hint()
	return h, true, r.err()
}

func (r *reader) err() error {
	if r.bad {
		return errDamaged
	}
	return nil
}

func (g *Generation) verify() error {
	for _, s := range g.Segments {
		sum := sha256.New()
		if _, err := io.Copy(sum, io.NewSectionReader(g.f, s.Offset, s.Size)); err != nil {
			return err
		}
		if hex.EncodeToString(sum.Sum(nil)) != s.SHA256 {
			return fmt.Errorf("segment %s: %w", s.Name, errDamaged)
		}
	}
	return nil
}
