package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/openvex/go-vex/pkg/vex"
	packageurl "github.com/package-url/packageurl-go"

	"github.com/triad-security/triad"
)

// OpenVEX writes what is known of the vulnerabilities of an artifact as an OpenVEX 0.2.0
// document, for people to go on with. It claims no more than was said: a match of an advisory
// is under investigation until somebody says otherwise, also where none of the vulnerable
// functions is linked in, which the notes say; what a supplier stated stays as stated; what
// people accepted is affected, with their reason as the action.
func OpenVEX(w io.Writer, d *Document) error {
	doc := vex.New()
	at := d.At.UTC()
	doc.Timestamp, doc.Tooling, doc.Author, doc.AuthorRole = &at, strings.TrimSpace(d.Tool.Name+" "+d.Tool.Version), d.Tool.Name, "Scanner"
	b := &vexBuilder{product: vexProduct(d.Artifact)}
	for i := range d.Vulnerabilities {
		b.found(d.Vulnerabilities[i])
	}
	for _, s := range d.Suppressed {
		switch v := s.Vulnerability; {
		case v == nil:
		case s.Suppression.Kind == triad.SuppressedByFilter:
			b.found(*v)
		case s.Suppression.Kind == triad.SuppressedByVEX:
			st := vex.Statement{Status: vex.Status(s.Suppression.Status), StatusNotes: "stated by " + s.Suppression.Source}
			if st.Status == vex.StatusNotAffected {
				st.Justification, st.ImpactStatement = vex.Justification(s.Suppression.Justification), s.Suppression.Reason
				if !st.Justification.Valid() {
					st.Justification = ""
				}
			}
			b.add(*v, st)
		default:
			action := "accepted: " + s.Suppression.Reason
			if s.Suppression.Expires != nil {
				action += " (until " + s.Suppression.Expires.UTC().Format("2006-01-02") + ")"
			}
			b.add(*v, vex.Statement{Status: vex.StatusAffected, ActionStatement: action, StatusNotes: strings.TrimSpace(s.Suppression.Source + " " + s.Suppression.Owner)})
		}
	}
	doc.Statements = b.statements
	if doc.Statements == nil {
		doc.Statements = []vex.Statement{}
	}
	if _, err := doc.GenerateCanonicalID(); err != nil {
		return fmt.Errorf("naming the OpenVEX document: %w", err)
	}
	return doc.ToJSON(w)
}

// vexProduct names the artifact: an image by its package URL and digest. What has no name
// that others know has none, and its packages are the products.
func vexProduct(a Artifact) *vex.Component {
	if a.Type != "image" {
		return nil
	}
	c := &vex.Component{ID: ImagePURL(a.Name, a.Digest)}
	if hash, ok := strings.CutPrefix(a.Digest, "sha256:"); ok {
		c.Hashes = map[vex.Algorithm]vex.Hash{vex.SHA256: vex.Hash(hash)}
	}
	return c
}

// ImagePURL is an image's package URL, after the type "oci" of the package URL specification.
func ImagePURL(ref, digest string) string {
	ref, _, _ = strings.Cut(ref, "@")
	tag := ""
	if i := strings.LastIndexByte(ref, ':'); i > strings.LastIndexByte(ref, '/') {
		ref, tag = ref[:i], ref[i+1:]
	}
	q := map[string]string{}
	if strings.Contains(ref, "/") {
		q["repository_url"] = ref
	}
	if tag != "" {
		q["tag"] = tag
	}
	name := strings.ToLower(ref[strings.LastIndexByte(ref, '/')+1:])
	return packageurl.NewPackageURL("oci", "", name, digest, packageurl.QualifiersFromMap(q), "").ToString()
}

type vexBuilder struct {
	product    *vex.Component
	statements []vex.Statement
	index      map[string]int
}

func (b *vexBuilder) found(v triad.Vulnerability) {
	st := vex.Statement{Status: vex.StatusUnderInvestigation}
	switch {
	case v.VEX != nil && v.VEX.Status == Affected:
		st.Status, st.StatusNotes = vex.StatusAffected, "stated by "+v.VEX.Source
		if st.ActionStatement = v.VEX.Detail; st.ActionStatement == "" {
			st.ActionStatement = remedy(v)
		}
	case v.VEX != nil:
		st.StatusNotes = "stated by " + v.VEX.Source
	case v.Linked != nil && !*v.Linked:
		st.StatusNotes = "None of the functions that the advisory names is linked into the program; confirm to state not_affected, vulnerable_code_not_present."
	case v.Fixed != "":
		st.StatusNotes = fmt.Sprintf("The advisory covers %s %s. %s", v.Package, v.Version, remedy(v))
	default:
		st.StatusNotes = fmt.Sprintf("The advisory covers %s %s; no fixed version is known.", v.Package, v.Version)
	}
	b.add(v, st)
}

// Affected is the status of OpenVEX by which a supplier says that there is something to do.
const Affected = "affected"

// add joins statements that say the same of several packages.
func (b *vexBuilder) add(v triad.Vulnerability, st vex.Statement) {
	id := v.PURL
	if id == "" {
		id = v.Package + "@" + v.Version
	}
	part := vex.Component{ID: id}
	if v.PURL != "" {
		part.Identifiers = map[vex.IdentifierType]string{vex.PURL: v.PURL}
	}
	key := strings.Join([]string{v.ID, string(st.Status), string(st.Justification), st.StatusNotes, st.ImpactStatement, st.ActionStatement}, "\x00")
	if b.index == nil {
		b.index = map[string]int{}
	}
	i, ok := b.index[key]
	if !ok {
		i = len(b.statements)
		b.index[key] = i
		st.Vulnerability = vex.Vulnerability{Name: vex.VulnerabilityID(v.ID), ID: advisoryURL(v.ID)}
		for _, a := range v.Aliases {
			st.Vulnerability.Aliases = append(st.Vulnerability.Aliases, vex.VulnerabilityID(a))
		}
		if b.product != nil {
			st.Products = []vex.Product{{Component: *b.product}}
		}
		b.statements = append(b.statements, st)
	}
	at := &b.statements[i]
	if b.product == nil {
		if !slices.ContainsFunc(at.Products, func(p vex.Product) bool { return p.ID == id }) {
			at.Products = append(at.Products, vex.Product{Component: part})
		}
		return
	}
	p := &at.Products[0]
	if !slices.ContainsFunc(p.Subcomponents, func(s vex.Subcomponent) bool { return s.ID == id }) {
		p.Subcomponents = append(p.Subcomponents, vex.Subcomponent{Component: part})
	}
}
