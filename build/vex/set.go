package vex

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/triad-security/triad"
)

// Bounds on a document from outside.
const (
	maxBytes      = 128 << 20
	maxStatements = 1_000_000
	maxDepth      = 64 // branches of a CSAF product tree
)

// The statuses, in OpenVEX's words.
const (
	NotAffected        = "not_affected"
	Affected           = "affected"
	Fixed              = "fixed"
	UnderInvestigation = "under_investigation"
)

var statuses = []string{NotAffected, Affected, Fixed, UnderInvestigation}

// justifications of not_affected, in OpenVEX's words.
var justifications = []string{
	"component_not_present", "vulnerable_code_not_present", "vulnerable_code_not_in_execute_path",
	"vulnerable_code_cannot_be_controlled_by_adversary", "inline_mitigations_already_exist",
}

// Set holds the statements of some documents.
type Set struct {
	byID map[string][]*statement
	n    int
	// Warnings say what of the documents can have no effect.
	Warnings []string
}

// statement is one product's, whatever the format.
type statement struct {
	product component
	parts   []component // of the product; none: the product as a whole
	triad.VEXStatement
	order int // of two of one moment the later read wins
}

// Len is how many statements there are, counted by vulnerability and product.
func (s *Set) Len() int { return s.n }

// Read adds the statements of a file.
func (s *Set) Read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading the VEX document: %w", err)
	}
	defer func() { _ = f.Close() }()
	return s.Parse(path, f)
}

// Parse adds the statements of a document of any of the formats; name is the file's.
func (s *Set) Parse(name string, r io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	if len(data) > maxBytes {
		return triad.Errorf(triad.CodeInvalid, "%s is larger than %d bytes", name, maxBytes)
	}
	data = bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), " \t\r\n")
	if bytes.HasPrefix(data, []byte("<")) {
		return s.wrap(name, s.cyclonedx(name, data))
	}
	var head struct {
		Context   json.RawMessage `json:"@context"`
		Format    string          `json:"bomFormat"`
		Predicate string          `json:"predicateType"`
		Document  *struct {
			Version string `json:"csaf_version"`
		} `json:"document"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return triad.Errorf(triad.CodeInvalid, "%s is no VEX document: %w", name, err)
	}
	switch {
	case head.Format == "CycloneDX":
		err = s.cyclonedx(name, data)
	case head.Document != nil && head.Document.Version != "":
		err = s.csaf(name, data)
	case bytes.Contains(head.Context, []byte("openvex")), strings.Contains(head.Predicate, "openvex"):
		err = s.openvex(name, data)
	default:
		return triad.Errorf(triad.CodeInvalid, "%s is no VEX document: neither OpenVEX (@context), CycloneDX (bomFormat) nor CSAF (document.csaf_version)", name)
	}
	return s.wrap(name, err)
}

func (s *Set) wrap(name string, err error) error {
	if err == nil {
		return nil
	}
	return triad.Errorf(triad.CodeInvalid, "the VEX document %s: %w", name, err)
}

func (s *Set) add(ids []string, st statement) error {
	if s.n++; s.n > maxStatements {
		return fmt.Errorf("more than %d statements", maxStatements)
	}
	if s.byID == nil {
		s.byID = map[string][]*statement{}
	}
	st.order = s.n
	seen := map[string]bool{}
	for _, id := range ids {
		id = advisory(id)
		if id != "" && !seen[id] {
			seen[id] = true
			s.byID[id] = append(s.byID[id], &st)
		}
	}
	return nil
}

// advisory is the identifier in a name or in the address of an advisory.
func advisory(id string) string {
	return strings.ToUpper(strings.TrimSpace(id[strings.LastIndexByte(id, '/')+1:]))
}

// Product is what was scanned.
type Product struct {
	// Names are what it is called: references of an image, a folder's or component's name.
	Names []string
	// Digests are all it is known by, sha256:….
	Digests []string
	// PURL is its own, where its bill of materials says one.
	PURL string
	// Packages are those in it: a statement may name one that contains the vulnerable one.
	Packages []triad.Package
}

// Statement returns the newest statement on a vulnerability in a product; nil where none counts.
func (s *Set) Statement(p *Product, v triad.Vulnerability) *triad.VEXStatement {
	var best *statement
	for _, id := range append([]string{v.ID, v.Advisory}, v.Aliases...) {
		for _, st := range s.byID[advisory(id)] {
			if st != best && (best == nil || st.newer(best)) && st.counts(p, v) {
				best = st
			}
		}
	}
	if best == nil {
		return nil
	}
	found := best.VEXStatement
	return &found
}

func (st *statement) newer(than *statement) bool {
	a, b := moment(st.At), moment(than.At)
	if a.Equal(b) {
		return st.order > than.order
	}
	return a.After(b)
}

func moment(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// counts says whether a statement is about a vulnerability's package in a product.
func (st *statement) counts(p *Product, v triad.Vulnerability) bool {
	inPart := func(c component) bool { return c.isPackage(v.PURL, p.source(v)) }
	if st.product.isArtifact(p) {
		return len(st.parts) == 0 || slices.ContainsFunc(st.parts, inPart)
	}
	if len(st.parts) == 0 {
		return inPart(st.product)
	}
	if !slices.ContainsFunc(st.parts, inPart) {
		return false
	}
	// The product is a package, and the vulnerable one is inside it.
	return slices.ContainsFunc(p.Packages, func(outer triad.Package) bool {
		return st.product.isPackage(outer.PURL, outer) && contains(outer.Path, v.Path)
	})
}

// source finds the package of a vulnerability, for the source package that it knows.
func (p *Product) source(v triad.Vulnerability) triad.Package {
	for _, q := range p.Packages {
		if q.PURL == v.PURL && q.Path == v.Path {
			return q
		}
	}
	return triad.Package{}
}

// contains says whether what is at one path is inside what is at the other: the same
// program, an archive in an archive, a module below a module.
func contains(outer, inner string) bool {
	if outer == "" || inner == "" {
		return false
	}
	if outer == inner || strings.HasPrefix(inner, outer+"!") {
		return true
	}
	dir := outer[:strings.LastIndexByte(outer, '/')+1]
	return dir != "" && strings.HasPrefix(inner, dir+"node_modules/")
}

// Apply says what becomes of a vulnerability: it is set aside where a supplier says that the
// product is not affected or that it is fixed; else what is said of it is to be shown with it.
func (s *Set) Apply(p *Product, v *triad.Vulnerability) *triad.Suppression {
	st := s.Statement(p, *v)
	if st == nil {
		return nil
	}
	if st.Status != NotAffected && st.Status != Fixed {
		v.VEX = st
		return nil
	}
	reason := st.Detail
	switch {
	case reason != "":
	case st.Justification != "":
		reason = strings.ReplaceAll(st.Justification, "_", " ")
	default:
		reason = strings.ReplaceAll(st.Status, "_", " ")
	}
	return &triad.Suppression{Kind: triad.SuppressedByVEX, Source: st.Source, Reason: reason, Status: st.Status, Justification: st.Justification}
}
