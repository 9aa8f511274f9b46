package triad

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Limits of a report, or of one part of a larger one. They bound what a hostile or broken
// collector can cost; real reports stay far below.
const (
	MaxParts      = 10_000
	MaxSections   = 10_000
	MaxRows       = 5_000_000 // of all kinds, in one part
	MaxKeyBytes   = 16 << 10  // of an asset's ID, or the Key of another row
	MaxDocBytes   = 8 << 20   // of one row's raw document or properties
	MaxNameBytes  = 512       // of a tenant, scope, collector or section name
	MaxNoteBytes  = 4 << 10   // of a reason or note
	MaxAliases    = 4096      // of one asset or finding
	maxScopeDepth = 32
)

// Validate reports the first reason why r is not a report that can be applied, as an Error
// with CodeInvalid. It looks at shape and size only, never at what a store already holds.
func (r *Report) Validate() error {
	for _, v := range []struct{ what, value string }{
		{"tenant", r.Tenant}, {"scope", r.Scope}, {"collector", r.Collector},
	} {
		if err := validName(v.what, v.value); err != nil {
			return err
		}
	}
	switch {
	case strings.Count(r.Scope, "/") >= maxScopeDepth:
		return Errorf(CodeInvalid, "report: scope has more than %d parts", maxScopeDepth)
	case r.Revision <= 0:
		return Errorf(CodeInvalid, "report of %s: revision %d: it must be above zero", r.Scope, r.Revision)
	case r.Base < 0 || r.Base >= r.Revision:
		return Errorf(CodeInvalid, "report of %s: base %d: it must be below revision %d", r.Scope, r.Base, r.Revision)
	case r.Parts < 0 || r.Parts > MaxParts || r.Part < 0 || r.Part > r.Parts || r.Part == 0 && r.Parts != 0:
		return Errorf(CodeInvalid, "report of %s: part %d of %d: parts count from 1 to at most %d", r.Scope, r.Part, r.Parts, MaxParts)
	case len(r.Sections) > MaxSections:
		return Errorf(CodeInvalid, "report of %s: %d sections, more than %d", r.Scope, len(r.Sections), MaxSections)
	case r.rows() > MaxRows:
		return Errorf(CodeInvalid, "report of %s: %d rows, more than %d: send it in parts", r.Scope, r.rows(), MaxRows)
	case r.Base == 0 && len(r.Removed) > 0:
		return Errorf(CodeInvalid, "report of %s: a full report names removed rows: absence says it already", r.Scope)
	}
	sections, err := r.validSections()
	if err != nil {
		return err
	}
	return r.validRows(sections)
}

func (r *Report) rows() int {
	return len(r.Assets) + len(r.Relations) + len(r.Packages) + len(r.Findings) + len(r.Removed)
}

func (r *Report) validSections() (map[string]SectionStatus, error) {
	sections := make(map[string]SectionStatus, len(r.Sections))
	for _, s := range r.Sections {
		if err := validName("section", s.Name); err != nil {
			return nil, err
		}
		if _, twice := sections[s.Name]; twice {
			return nil, Errorf(CodeInvalid, "report of %s: section %s is listed twice", r.Scope, s.Name)
		}
		switch s.Status {
		case SectionComplete, SectionAbsent:
		case SectionUnread:
			if s.Reason == "" {
				return nil, Errorf(CodeInvalid, "report of %s: section %s is unread and no reason is given", r.Scope, s.Name)
			}
		default:
			return nil, Errorf(CodeInvalid, "report of %s: section %s has unknown status %.40q", r.Scope, s.Name, s.Status)
		}
		if len(s.Reason) > MaxNoteBytes {
			return nil, Errorf(CodeInvalid, "report of %s: the reason of section %s has %d bytes, more than %d", r.Scope, s.Name, len(s.Reason), MaxNoteBytes)
		}
		sections[s.Name] = s.Status
	}
	return sections, nil
}

// validRows checks each row's key, section and documents.
func (r *Report) validRows(sections map[string]SectionStatus) error {
	check := func(kind RowKind, key, section string, docs ...json.RawMessage) error {
		status, listed := sections[section]
		switch {
		case key == "" || len(key) > MaxKeyBytes:
			return Errorf(CodeInvalid, "report of %s: %s key of %d bytes: it must have 1 to %d", r.Scope, kind, len(key), MaxKeyBytes)
		case !listed:
			return Errorf(CodeInvalid, "report of %s: %s %.200q is of section %.100q, which the report does not list", r.Scope, kind, key, section)
		case status == SectionAbsent:
			return Errorf(CodeInvalid, "report of %s: %s %.200q is of section %s, which was not collected", r.Scope, kind, key, section)
		}
		for _, doc := range docs {
			switch {
			case len(doc) == 0:
			case len(doc) > MaxDocBytes:
				return Errorf(CodeInvalid, "report of %s: a document of %s %.200q has %d bytes, more than %d", r.Scope, kind, key, len(doc), MaxDocBytes)
			case !utf8.Valid(doc) || !json.Valid(doc):
				return Errorf(CodeInvalid, "report of %s: a document of %s %.200q is not JSON in UTF-8", r.Scope, kind, key)
			}
		}
		return nil
	}
	for i := range r.Assets {
		a := &r.Assets[i]
		if err := check(RowAsset, a.ID, a.Section, a.Props, a.Doc); err != nil {
			return err
		}
		if a.Type == "" || len(a.Aliases) > MaxAliases {
			return Errorf(CodeInvalid, "report of %s: asset %.200q has no type, or more than %d aliases", r.Scope, a.ID, MaxAliases)
		}
	}
	for i := range r.Relations {
		rel := &r.Relations[i]
		if rel.From == "" || rel.To == "" || rel.Type == "" {
			return Errorf(CodeInvalid, "report of %s: relation %.200q lacks an end or a type", r.Scope, rel.Key())
		}
		if err := check(RowRelation, rel.Key(), rel.Section, rel.Props); err != nil {
			return err
		}
	}
	for i := range r.Packages {
		p := &r.Packages[i]
		if p.Name == "" {
			return Errorf(CodeInvalid, "report of %s: package %.200q has no name", r.Scope, p.Key())
		}
		if err := check(RowPackage, p.Key(), p.Section); err != nil {
			return err
		}
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Kind == "" || f.ID == "" || len(f.Aliases) > MaxAliases {
			return Errorf(CodeInvalid, "report of %s: finding %.200q has no kind or id, or more than %d aliases", r.Scope, f.Key(), MaxAliases)
		}
		if err := check(RowFinding, f.Key(), f.Section); err != nil {
			return err
		}
	}
	for _, ref := range r.Removed {
		switch ref.Kind {
		case RowAsset, RowRelation, RowPackage, RowFinding:
		default:
			return Errorf(CodeInvalid, "report of %s: a removed row has unknown kind %.40q", r.Scope, ref.Kind)
		}
		if err := check(ref.Kind, ref.Key, ref.Section); err != nil {
			return err
		}
	}
	return nil
}

func validName(what, value string) error {
	switch {
	case value == "":
		return Errorf(CodeInvalid, "report: %s is empty", what)
	case len(value) > MaxNameBytes:
		return Errorf(CodeInvalid, "report: %s has %d bytes, more than %d", what, len(value), MaxNameBytes)
	case !utf8.ValidString(value):
		return Errorf(CodeInvalid, "report: %s is not UTF-8", what)
	case strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return Errorf(CodeInvalid, "report: %s %.100q contains control characters", what, value)
	}
	return nil
}
