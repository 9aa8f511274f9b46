package vex

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/triad-security/triad"
)

// csaf documents are of OASIS' Common Security Advisory Framework 2.0; of them the parts
// that make the profile "VEX".
type csafDocument struct {
	Document struct {
		Tracking struct {
			ID      string     `json:"id"`
			Current *time.Time `json:"current_release_date"`
		} `json:"tracking"`
	} `json:"document"`
	Tree struct {
		Branches      []csafBranch       `json:"branches"`
		Names         []csafProduct      `json:"full_product_names"`
		Relationships []csafRelationship `json:"relationships"`
		Groups        []struct {
			ID       string   `json:"group_id"`
			Products []string `json:"product_ids"`
		} `json:"product_groups"`
	} `json:"product_tree"`
	Vulnerabilities []csafVulnerability `json:"vulnerabilities"`
}

type csafBranch struct {
	Branches []csafBranch `json:"branches"`
	Product  *csafProduct `json:"product"`
}

type csafProduct struct {
	ID     string `json:"product_id"`
	Helper struct {
		PURL   string `json:"purl"`
		Hashes []struct {
			File []struct {
				Algorithm string `json:"algorithm"`
				Value     string `json:"value"`
			} `json:"file_hashes"`
		} `json:"hashes"`
	} `json:"product_identification_helper"`
}

type csafRelationship struct {
	Name      csafProduct `json:"full_product_name"`
	Product   string      `json:"product_reference"`
	RelatesTo string      `json:"relates_to_product_reference"`
}

type csafVulnerability struct {
	CVE string `json:"cve"`
	IDs []struct {
		Text string `json:"text"`
	} `json:"ids"`
	Status  map[string][]string `json:"product_status"`
	Flags   []csafNote          `json:"flags"`
	Threats []csafNote          `json:"threats"`
	Fixes   []csafNote          `json:"remediations"`
}

// csafNote is a flag, threat or remediation: something said of some products.
type csafNote struct {
	Label    string   `json:"label"`
	Details  string   `json:"details"`
	Products []string `json:"product_ids"`
	Groups   []string `json:"group_ids"`
}

// csafStatuses in the order in which they are read: of two that contradict each other in one
// document the one that hides nothing wins.
var csafStatuses = []struct{ csaf, status string }{
	{"known_not_affected", NotAffected},
	{"fixed", Fixed},
	{"first_fixed", Fixed},
	{"under_investigation", UnderInvestigation},
	{"first_affected", Affected},
	{"last_affected", Affected},
	{"known_affected", Affected},
}

// csafProductOf is a product, or one as a part of another.
type csafProductOf struct{ product, part component }

func (s *Set) csaf(name string, data []byte) error {
	var doc csafDocument
	if err := json.Unmarshal(data, &doc); err != nil {
		return err
	}
	products := map[string]csafProductOf{}
	if err := csafTree(doc.Tree.Branches, products, 0); err != nil {
		return err
	}
	for _, p := range doc.Tree.Names {
		products[p.ID] = csafProductOf{product: p.component()}
	}
	for _, r := range doc.Tree.Relationships {
		part, whole := products[r.Product].product, products[r.RelatesTo].product
		switch {
		case whole.identified():
			products[r.Name.ID] = csafProductOf{whole, part}
		case part.exact():
			// Of a whole that nothing here identifies (a CPE of a distribution's repository)
			// only an exact version can be recognised.
			products[r.Name.ID] = csafProductOf{product: part}
		}
	}
	groups := map[string][]string{}
	for _, g := range doc.Tree.Groups {
		groups[g.ID] = g.Products
	}
	source := name
	if id := doc.Document.Tracking.ID; id != "" {
		source += " " + id
	}
	for _, v := range doc.Vulnerabilities {
		ids := []string{v.CVE}
		for _, id := range v.IDs {
			ids = append(ids, id.Text)
		}
		flags, threats := said(v.Flags, groups, true), said(append(v.Threats, v.Fixes...), groups, false)
		for _, say := range csafStatuses {
			for _, id := range v.Status[say.csaf] {
				p, ok := products[id]
				if !ok {
					continue // not identified by what an artifact can be recognised by
				}
				st := statement{product: p.product, VEXStatement: triad.VEXStatement{Status: say.status, Source: source, At: doc.Document.Tracking.Current, Detail: threats[id]}}
				if say.status == NotAffected {
					st.Justification = flags[id]
				}
				if !p.part.empty() {
					st.parts = []component{p.part}
				}
				if err := s.add(ids, st); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (p *csafProduct) component() component {
	c := newComponent(p.Helper.PURL)
	for _, h := range p.Helper.Hashes {
		for _, f := range h.File {
			c.hash(f.Algorithm, f.Value)
		}
	}
	return c
}

// identified says whether an artifact or package can be recognised by it.
func (c *component) identified() bool { return len(c.purls) > 0 || len(c.digests) > 0 }

// exact says whether it names a version.
func (c *component) exact() bool {
	for _, u := range c.purls {
		if u.Version == "" {
			return false
		}
	}
	return c.identified()
}

func csafTree(branches []csafBranch, products map[string]csafProductOf, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("the product tree is deeper than %d", maxDepth)
	}
	for _, b := range branches {
		if b.Product != nil {
			products[b.Product.ID] = csafProductOf{product: b.Product.component()}
		}
		if err := csafTree(b.Branches, products, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// said collects what notes say by product: their labels or their details.
func said(notes []csafNote, groups map[string][]string, labels bool) map[string]string {
	out := map[string]string{}
	for _, n := range notes {
		text := n.Details
		if labels {
			text = n.Label
		}
		for _, id := range n.Products {
			if out[id] == "" {
				out[id] = text
			}
		}
		for _, g := range n.Groups {
			for _, id := range groups[g] {
				if out[id] == "" {
					out[id] = text
				}
			}
		}
	}
	return out
}
