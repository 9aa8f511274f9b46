package vex

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/triad-security/triad"
)

// openVEX is a document of OpenVEX 0.2.0 or 0.0.x, alone or as the predicate of an in-toto
// statement, whose subjects are then the products of statements that name none.
type openVEX struct {
	ID         string             `json:"@id"`
	Timestamp  *time.Time         `json:"timestamp"`
	Updated    *time.Time         `json:"last_updated"`
	Statements []openVEXStatement `json:"statements"`

	Predicate *openVEX `json:"predicate"`
	Subject   []struct {
		Name   string            `json:"name"`
		Digest map[string]string `json:"digest"`
	} `json:"subject"`
}

type openVEXStatement struct {
	ID            string             `json:"@id"`
	Vulnerability openVEXName        `json:"vulnerability"`
	Timestamp     *time.Time         `json:"timestamp"`
	Updated       *time.Time         `json:"last_updated"`
	Products      []openVEXComponent `json:"products"`
	Subcomponents []openVEXComponent `json:"subcomponents"` // 0.0.x has them here
	Status        string             `json:"status"`
	Notes         string             `json:"status_notes"`
	Justification string             `json:"justification"`
	Impact        string             `json:"impact_statement"`
	Action        string             `json:"action_statement"`
}

// openVEXName is an object; in 0.0.x it was the name alone.
type openVEXName struct {
	ID      string   `json:"@id"`
	Name    string   `json:"name"`
	Aliases []string `json:"aliases"`
}

func (n *openVEXName) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &n.Name)
	}
	type plain openVEXName
	return json.Unmarshal(data, (*plain)(n))
}

// openVEXComponent is an object; in 0.0.x it was the identifier alone.
type openVEXComponent struct {
	ID            string             `json:"@id"`
	Identifiers   map[string]string  `json:"identifiers"`
	Hashes        map[string]string  `json:"hashes"`
	Subcomponents []openVEXComponent `json:"subcomponents"`
}

func (c *openVEXComponent) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &c.ID)
	}
	type plain openVEXComponent
	return json.Unmarshal(data, (*plain)(c))
}

func (c *openVEXComponent) component() component {
	out := newComponent(c.ID, c.Identifiers["purl"])
	for algorithm, value := range c.Hashes {
		out.hash(algorithm, value)
	}
	return out
}

func (s *Set) openvex(name string, data []byte) error {
	var doc openVEX
	if err := json.Unmarshal(data, &doc); err != nil {
		return err
	}
	var subjects []openVEXComponent
	for _, subject := range doc.Subject {
		subjects = append(subjects, openVEXComponent{ID: subject.Name, Hashes: subject.Digest})
	}
	if doc.Predicate != nil {
		doc = *doc.Predicate
	}
	source := name
	if doc.ID != "" {
		source += " " + doc.ID
	}
	for i, one := range doc.Statements {
		if err := s.openvexStatement(source, &doc, one, subjects); err != nil {
			return fmt.Errorf("statement %d (%s): %w", i+1, one.Vulnerability.Name, err)
		}
	}
	return nil
}

func (s *Set) openvexStatement(source string, doc *openVEX, one openVEXStatement, subjects []openVEXComponent) error {
	switch {
	case one.Vulnerability.Name == "" && one.Vulnerability.ID == "":
		return fmt.Errorf("it names no vulnerability")
	case !slices.Contains(statuses, one.Status):
		return fmt.Errorf("status %q is none of %s", one.Status, strings.Join(statuses, ", "))
	case one.Justification != "" && !slices.Contains(justifications, one.Justification):
		return fmt.Errorf("justification %q is none of %s", one.Justification, strings.Join(justifications, ", "))
	case one.Status == NotAffected && one.Justification == "" && one.Impact == "":
		return fmt.Errorf("not_affected needs a justification or an impact_statement")
	}
	at := one.Updated
	for _, t := range []*time.Time{one.Timestamp, doc.Updated, doc.Timestamp} {
		if at == nil {
			at = t
		}
	}
	if len(one.Products) == 0 {
		one.Products = subjects
	}
	if len(one.Products) == 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s: the statement on %s names no product and has no effect", source, one.Vulnerability.Name))
	}
	detail := one.Impact
	if one.Status == Affected {
		detail = one.Action
	}
	if detail == "" {
		detail = one.Notes
	}
	ids := append([]string{one.Vulnerability.Name, one.Vulnerability.ID}, one.Vulnerability.Aliases...)
	for _, p := range one.Products {
		st := statement{product: p.component(), VEXStatement: triad.VEXStatement{Status: one.Status, Justification: one.Justification, Detail: detail, Source: source, At: at}}
		parts := p.Subcomponents
		if len(parts) == 0 {
			parts = one.Subcomponents
		}
		for _, sub := range parts {
			st.parts = append(st.parts, sub.component())
		}
		if err := s.add(ids, st); err != nil {
			return err
		}
	}
	return nil
}
