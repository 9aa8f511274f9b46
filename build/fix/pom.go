package fix

import (
	"bytes"
	"encoding/xml"
	"strings"
)

// element is a text of a pom.xml with its place.
type element struct {
	path       string // project/properties/x
	text       string
	start, end int
}

// elements reads the texts of an XML document, bounded in depth.
func elements(data []byte) (all []element) {
	dec := xml.NewDecoder(bytes.NewReader(data))
	dec.Strict = true
	var names []string
	start := 0
	for {
		before := int(dec.InputOffset())
		t, err := dec.Token()
		if err != nil {
			return all
		}
		switch t := t.(type) {
		case xml.StartElement:
			if names = append(names, t.Name.Local); len(names) > 64 {
				return all
			}
			start = int(dec.InputOffset())
			all = append(all, element{path: strings.Join(names, "/"), start: -1})
		case xml.EndElement:
			if start >= 0 {
				all = append(all, element{strings.Join(names, "/"), string(data[start:before]), start, before})
			}
			names, start = names[:len(names)-1], -1
		}
	}
}

// pom changes the version of a dependency in a pom.xml, or of the property that gives it.
func pom(p *Patch, bump Bump) (found bool, left *Left) {
	group, artifact, ok := strings.Cut(bump.Package, ":")
	if !ok {
		return false, nil
	}
	all := elements(p.data)
	properties := map[string]element{}
	for _, e := range all {
		if name, ok := strings.CutPrefix(e.path, "project/properties/"); ok && e.start >= 0 {
			properties[name] = e
		}
	}
	var g, a, v element
	for _, e := range all {
		if !strings.HasSuffix(e.path, "/dependency") && !strings.Contains(e.path, "/dependency/") {
			continue
		}
		_, inner, _ := cutLast(e.path, "/dependency")
		switch {
		case inner == "" && e.start < 0:
			g, a, v = element{}, element{}, element{}
		case e.start < 0:
		case inner == "/groupId":
			g = e
		case inner == "/artifactId":
			a = e
		case inner == "/version":
			v = e
		}
		if strings.TrimSpace(g.text) != group || strings.TrimSpace(a.text) != artifact || v.text == "" {
			continue
		}
		found = true
		text := strings.TrimSpace(v.text)
		if name, ok := strings.CutPrefix(text, "${"); ok {
			property, known := properties[strings.TrimSuffix(name, "}")]
			if !known {
				return true, &Left{bump.Package, bump.To, "its version is " + text + ", which this pom.xml does not set", ""}
			}
			v, text = property, strings.TrimSpace(property.text)
		}
		if strings.ContainsAny(text, "[](),${}") {
			return true, &Left{bump.Package, bump.To, "pom.xml asks for " + text + ": set it to " + bump.To, ""}
		}
		at := v.start + strings.Index(v.text, text)
		p.Add(Edit{at, at + len(text), bump.To}, bump.Package+" "+bump.To)
		g = element{}
	}
	return found, nil
}
