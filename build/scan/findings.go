package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/image"
	"github.com/triad-security/triad/build/inspect"
)

// findings lays what inspectors found over each other, like the packages: a file that a later
// layer merely copied has its findings once, with the layer that brought them; what a later
// layer hides is still in the image, and the finding says so. contents is by layer, then by
// inspector.
func (m *merger) findings(out *merged, contents [][]*content, inspectors []inspect.Inspector) {
	type key struct {
		section, kind, id, path, detail string
		line                            int
	}
	seen := map[key]int{} // index of out.Findings
	shows := map[int]bool{}
	var owners *ownership
	for layer, all := range contents {
		for n, c := range all {
			if c == nil {
				continue
			}
			for _, f := range c.Findings {
				if f.UnlessOwned {
					if owners == nil {
						owners = m.ownership()
					}
					if f.NeedsPackages && len(owners.hashes) == 0 || owners.owned(m.file(f.Path, layer), layer, f.NeedsPackages) {
						continue
					}
				}
				visible := m.visible(m.file(f.Path, layer), layer)
				f.Section = inspectors[n].Section()
				f.Path = m.root + f.Path
				k := key{f.Section, string(f.Kind), f.ID, f.Path, f.Detail, f.Line}
				if at, ok := seen[k]; ok {
					shows[at] = shows[at] || visible
					continue
				}
				seen[k] = len(out.Findings)
				shows[len(out.Findings)] = visible
				out.Findings = append(out.Findings, f.Finding)
				out.FindingLayers = append(out.FindingLayers, layer)
			}
		}
	}
	for i := range out.Findings {
		if !shows[i] {
			f := &out.Findings[i]
			f.Evidence = append(slices.Clip(f.Evidence), triad.Evidence{Source: "layers", Detail: "hidden by a later layer; the file is still in the image"})
		}
	}
	order := make([]int, len(out.Findings))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := &out.Findings[i], &out.Findings[j]
		return cmp.Or(cmp.Compare(a.Section, b.Section), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.ID, b.ID))
	})
	findings, layers := make([]triad.Finding, len(order)), make([]int, len(order))
	for i, at := range order {
		findings[i], layers[i] = out.Findings[at], out.FindingLayers[at]
	}
	out.Findings, out.FindingLayers = findings, layers
}

// file is the layer's file in which a finding is: outer.jar of outer.jar!inner.class.
func (m *merger) file(name string, layer int) string {
	for file := name; ; {
		if _, ok := m.entry(file, layer); ok {
			return file
		}
		i := strings.LastIndexByte(file, '!')
		if i < 0 {
			return name
		}
		file = file[:i]
	}
}

// visible reports whether the merged image shows the file of this layer. Where layers are
// missing that is not known, and nothing is said.
func (m *merger) visible(name string, layer int) bool {
	if m.root == "" || !m.whole {
		return true
	}
	_, top, ok := m.tree.Lookup(name)
	return ok && top == layer
}

// place puts findings into the lists of their sections.
func (r *Result) place(findings ...triad.Finding) {
	for _, f := range findings {
		switch f.Section {
		case inspect.SectionSecrets:
			r.Secrets = append(r.Secrets, f)
		case inspect.SectionMalware:
			r.Malware = append(r.Malware, f)
		case inspect.SectionCode:
			r.Code = append(r.Code, f)
		default:
			r.Misconfigurations = append(r.Misconfigurations, f)
		}
	}
}

// looked notes which sections inspectors look at.
func (r *Result) looked(inspectors []inspect.Inspector) {
	for _, in := range inspectors {
		if !slices.Contains(r.Scanned, in.Section()) {
			r.Scanned = append(r.Scanned, in.Section())
		}
	}
}

// Add adds what somebody else found who looked for a section, such as insecure code.
func (r *Result) Add(section string, findings []triad.Finding, unread []triad.Unread) {
	if !slices.Contains(r.Scanned, section) {
		r.Scanned = append(r.Scanned, section)
	}
	r.place(findings...)
	r.Unread = append(r.Unread, unread...)
	r.own()
}

// own makes the findings the artifact's.
func (r *Result) own() {
	id := r.assetID()
	for _, list := range [][]triad.Finding{r.Secrets, r.Malware, r.Code, r.Misconfigurations} {
		for i := range list {
			list[i].Asset = id
		}
	}
}

// configure lets the inspectors that do so look at an image's config.
func (r *Result) configure(ctx context.Context, img *image.Image, inspectors []inspect.Inspector) {
	for _, in := range inspectors {
		c, ok := in.(inspect.Configurer)
		if !ok {
			continue
		}
		var found []triad.Finding
		err := guarded(func() (err error) { found, err = c.Config(ctx, img.Config); return err })
		if err != nil {
			r.Unread = append(r.Unread, triad.Unread{Section: in.Section(), Reason: fmt.Sprintf("the image's config: %v", err)})
		}
		for _, f := range found {
			f.Section = in.Section()
			r.place(f)
		}
	}
}

// unreadContent collects what inspectors could not look at. names is what stands before each
// reason, by layer; errs why a layer was not read to its end.
func unreadContent(inspectors []inspect.Inspector, reads []*layerRead, names []string) (unread []triad.Unread, whole bool) {
	whole = true
	for i, r := range reads {
		for n, in := range inspectors {
			say := func(reason string) {
				unread = append(unread, triad.Unread{Section: in.Section(), Reason: names[i] + reason})
			}
			c := r.content[n]
			if c != nil {
				for _, reason := range c.Unread {
					say(reason)
				}
				whole = whole && !c.passing
			}
			if r.missing(n) || c == nil {
				whole = false
				say(cmp.Or(r.err, errors.New("it was not read")).Error())
			}
		}
	}
	return unread, whole
}
