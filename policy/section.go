package policy

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
)

// Sections that a Subject's Unread may name. Any other name counts as all that a scan reads of
// content, so that nothing is called clean for want of a word.
const (
	SectionPackages          = "packages"
	SectionVulnerabilities   = "vulnerabilities"
	SectionMalware           = "malware"
	SectionSecrets           = "secrets"
	SectionCode              = "code"
	SectionMisconfigurations = "misconfigurations"
	SectionConfig            = "config"     // the image's configuration: user, labels, environment, age
	SectionAge               = "age"        // when the image was built, where only that is not known
	SectionBase              = "base"       // which image it was built from
	SectionRegistry          = "registry"   // the registry standard
	SectionSignature         = "signature"  // signatures and attestations
	SectionAdvisories        = "advisories" // how old the advisories are
	SectionDecisions         = "decisions"  // what the live estate says
)

var contentSections = []string{
	SectionPackages, SectionVulnerabilities, SectionMalware, SectionSecrets, SectionCode, SectionMisconfigurations,
}

// variables are those of expressions, with the sections that each stands on.
var variables = map[string][]string{
	"artifact": nil, "image": nil, "registry": nil, "signature": nil, "freshness": nil, "workload": nil, "object": nil, "unread": nil, "now": nil,
	"packages":          {SectionPackages},
	"vulnerabilities":   {SectionPackages, SectionVulnerabilities},
	"malware":           {SectionMalware},
	"secrets":           {SectionSecrets},
	"code":              {SectionCode},
	"misconfigurations": {SectionMisconfigurations},
}

// fields are those that stand on a section of their own, by type and name.
var fields = map[string]map[string]string{
	"policy.Image": {
		"created": SectionAge, "age_days": SectionAge, "user": SectionConfig, "labels": SectionConfig, "env": SectionConfig,
		"exposed": SectionConfig, "os": SectionConfig, "architecture": SectionConfig, "base": SectionBase,
	},
	"policy.Vulnerability": {
		"decision": SectionDecisions, "exposure": SectionDecisions, "in_use": SectionDecisions,
		"runs_as": SectionDecisions, "added": SectionDecisions,
	},
	"policy.Freshness": {"advisories_age": SectionAdvisories},
	"policy.Registry": {
		"name": SectionRegistry, "official": SectionRegistry, "state": SectionRegistry, "owner": SectionRegistry, "refusal": SectionRegistry,
		"agreed": SectionRegistry, "base_allowed": SectionBase,
	},
	"policy.Signature": {
		"present": SectionSignature, "verified": SectionSignature, "identity": SectionSignature, "issuer": SectionSignature,
		"key": SectionSignature, "refusal": SectionSignature, "attestations": SectionSignature,
	},
}

// reads lists the sections that a checked expression reads. A comprehension's variable that
// has the name of a section's counts as the section: rather too many than one too few.
func reads(checked *cel.Ast) []string {
	tree := checked.NativeRep()
	found := map[string]bool{}
	for _, e := range ast.MatchDescendants(ast.NavigateAST(tree), ast.AllMatcher()) {
		switch e.Kind() {
		case ast.IdentKind:
			for _, s := range variables[e.AsIdent()] {
				found[s] = true
			}
		case ast.SelectKind:
			s := e.AsSelect()
			typ := tree.GetType(s.Operand().ID())
			if typ == nil {
				break
			}
			if section := fields[typ.TypeName()][s.FieldName()]; section != "" {
				found[section] = true
			}
		}
	}
	return sorted(found)
}

// unknowns are the attributes that a section's absence makes unknown. item is the rule's own
// variable, empty where it has none.
func unknowns(section, item string) (patterns []*cel.AttributePatternType) {
	for name, sections := range variables {
		if slices.Contains(sections, section) {
			patterns = append(patterns, cel.AttributePattern(name))
		}
	}
	variableOf := map[string]string{"policy.Image": "image", "policy.Freshness": "freshness", "policy.Vulnerability": item, "policy.Registry": "registry", "policy.Signature": "signature"}
	for typ, names := range fields {
		for field, of := range names {
			if of == section && variableOf[typ] != "" {
				patterns = append(patterns, cel.AttributePattern(variableOf[typ]).QualString(field))
			}
		}
	}
	if section == SectionDecisions { // in a comprehension its variable has no name to go by
		patterns = append(patterns, cel.AttributePattern("vulnerabilities"))
	}
	return patterns
}

// Affected says which known sections an unread one stands for.
func Affected(section string) []string {
	switch section {
	case SectionPackages:
		return []string{SectionPackages, SectionVulnerabilities}
	case SectionConfig:
		return []string{SectionConfig, SectionAge}
	case SectionVulnerabilities, SectionMalware, SectionSecrets, SectionCode, SectionMisconfigurations, SectionAge, SectionBase,
		SectionRegistry, SectionSignature, SectionAdvisories, SectionDecisions:
		return []string{section}
	}
	return contentSections
}
