package vex

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/triad-security/triad"
)

// states are OpenVEX's statuses for CycloneDX's. What is a false positive does not affect.
var states = map[cdx.ImpactAnalysisState]string{
	cdx.IASResolved: Fixed, cdx.IASResolvedWithPedigree: Fixed, cdx.IASExploitable: Affected, cdx.IASInTriage: UnderInvestigation,
	cdx.IASFalsePositive: NotAffected, cdx.IASNotAffected: NotAffected,
}

// reasons are OpenVEX's justifications for CycloneDX's, after the mapping that CISA's
// "VEX Status Justifications" implies.
var reasons = map[cdx.ImpactAnalysisJustification]string{
	cdx.IAJCodeNotPresent: "vulnerable_code_not_present", cdx.IAJCodeNotReachable: "vulnerable_code_not_in_execute_path",
	cdx.IAJRequiresConfiguration: "vulnerable_code_cannot_be_controlled_by_adversary", cdx.IAJRequiresDependency: "component_not_present",
	cdx.IAJRequiresEnvironment: "vulnerable_code_cannot_be_controlled_by_adversary", cdx.IAJProtectedByCompiler: "inline_mitigations_already_exist",
	cdx.IAJProtectedAtRuntime: "inline_mitigations_already_exist", cdx.IAJProtectedAtPerimeter: "inline_mitigations_already_exist",
	cdx.IAJProtectedByMitigatingControl: "inline_mitigations_already_exist",
}

// cyclonedx reads the analyses of the vulnerabilities of a document. Each is about the
// components that it affects: of this document, or of another one that it links to, whose
// references are then package URLs.
func (s *Set) cyclonedx(name string, data []byte) error {
	format := cdx.BOMFileFormatJSON
	if bytes.HasPrefix(data, []byte("<")) {
		format = cdx.BOMFileFormatXML
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(data), format).Decode(&bom); err != nil {
		return err
	}
	if bom.Vulnerabilities == nil {
		return errors.New("it has no vulnerabilities, so that it says nothing of any")
	}
	source := name
	if bom.SerialNumber != "" {
		source += " " + bom.SerialNumber
	}
	var issued *time.Time
	root := component{}
	rootRef := ""
	refs := map[string]component{}
	if m := bom.Metadata; m != nil {
		issued = parseTime(m.Timestamp)
		if m.Component != nil {
			root, rootRef = cdxComponent(m.Component), m.Component.BOMRef
		}
	}
	if bom.Components != nil {
		if err := collect(*bom.Components, refs, 0); err != nil {
			return err
		}
	}
	for _, v := range *bom.Vulnerabilities {
		if v.Analysis == nil || v.Analysis.State == "" {
			continue
		}
		status, ok := states[v.Analysis.State]
		if !ok {
			return fmt.Errorf("%s: state %q is not one of CycloneDX's", v.ID, v.Analysis.State)
		}
		st := statement{VEXStatement: triad.VEXStatement{Status: status, Justification: reasons[v.Analysis.Justification], Detail: v.Analysis.Detail, Source: source, At: issued}}
		if v.Analysis.State == cdx.IASFalsePositive && st.Detail == "" {
			st.Detail = "false positive"
		}
		for _, t := range []string{v.Updated, v.Analysis.FirstIssued, v.Analysis.LastUpdated} {
			if at := parseTime(t); at != nil {
				st.At = at
			}
		}
		ids := []string{v.ID}
		if v.References != nil {
			for _, r := range *v.References {
				ids = append(ids, r.ID)
			}
		}
		if v.Affects == nil || len(*v.Affects) == 0 {
			s.Warnings = append(s.Warnings, fmt.Sprintf("%s: the analysis of %s names no component and has no effect", source, v.ID))
			continue
		}
		for _, a := range *v.Affects {
			if err := s.add(ids, affected(st, a.Ref, root, rootRef, refs)); err != nil {
				return err
			}
		}
	}
	return nil
}

// affected fills in which component a statement is about.
func affected(st statement, ref string, root component, rootRef string, refs map[string]component) statement {
	if cdx.IsBOMLink(ref) {
		if link, err := cdx.ParseBOMLink(ref); err == nil {
			ref = link.Reference()
		}
	}
	c, here := refs[ref]
	switch {
	case ref == rootRef && rootRef != "":
		st.product = root
	case !here:
		st.product = newComponent(ref) // of a linked document
	case root.empty():
		st.product = c
	default:
		st.product, st.parts = root, []component{c}
	}
	return st
}

func cdxComponent(c *cdx.Component) component {
	name := c.Name
	if c.Group != "" {
		name = c.Group + "/" + name
	}
	out := newComponent(name, c.PackageURL)
	if c.Version != "" && c.Type == cdx.ComponentTypeContainer {
		if bytes.HasPrefix([]byte(c.Version), []byte("sha256:")) {
			out.hash("sha256", c.Version)
		} else if _, tag := split(c.Name); tag == "" {
			out.id = name + ":" + c.Version
		}
	}
	if c.Hashes != nil {
		for _, h := range *c.Hashes {
			out.hash(string(h.Algorithm), h.Value)
		}
	}
	if c.Properties != nil {
		for _, p := range *c.Properties {
			switch p.Name {
			case "triad:config_digest", "triad:manifest_digest", "aquasecurity:trivy:ImageID":
				out.hash("sha256", p.Value)
			}
		}
	}
	return out
}

func collect(all []cdx.Component, refs map[string]component, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("components are nested deeper than %d", maxDepth)
	}
	for i := range all {
		c := &all[i]
		if c.BOMRef != "" {
			refs[c.BOMRef] = cdxComponent(c)
		}
		if c.Components != nil {
			if err := collect(*c.Components, refs, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func parseTime(s string) *time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return nil
	}
	return &t
}
