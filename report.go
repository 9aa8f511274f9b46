package triad

import "time"

// SectionStatus says whether a section was read whole.
type SectionStatus string

// The section states.
const (
	SectionComplete SectionStatus = "complete"
	SectionUnread   SectionStatus = "unread"
	// SectionAbsent: nothing of this service was given to the collector. It is reported and
	// makes no verdict unknown.
	SectionAbsent SectionStatus = "not-collected"
)

// Section is one API call or kind of a report. Absence deletes only inside a complete section.
type Section struct {
	Name   string        `json:"name"`
	Status SectionStatus `json:"status"`
	Reason string        `json:"reason,omitempty"`
}

// Report is what a collector saw of one scope at one time.
type Report struct {
	Tenant string `json:"tenant"`
	// Scope is what the report speaks for and owns: aws/ACCOUNT/REGION, kubernetes/CLUSTER,
	// docker/HOST, image/DIGEST, function/ARN, host/MACHINE-ID.
	Scope     string    `json:"scope"`
	Collector string    `json:"collector"` // name and version
	Taken     time.Time `json:"taken"`
	// Revision grows with every report of a scope; unix microseconds of the moment the
	// collection began unless the collector counts itself.
	Revision int64 `json:"revision"`
	// Base is zero for a full report, else the revision on which this delta stands.
	Base int64 `json:"base,omitempty"`
	// Part and Parts number the pieces of a large report from 1; all carry one Revision and
	// take effect together when the last has come. Zero for a report in one piece.
	Part  int `json:"part,omitempty"`
	Parts int `json:"parts,omitempty"`

	Sections  []Section  `json:"sections"`
	Assets    []Asset    `json:"assets,omitempty"`
	Relations []Relation `json:"relations,omitempty"`
	Packages  []Package  `json:"packages,omitempty"`
	Findings  []Finding  `json:"findings,omitempty"`
	// Removed rows, in a delta only.
	Removed []RowRef `json:"removed,omitempty"`
	// Notes are said to the person who runs the collector: "cluster name inferred from …".
	Notes []string `json:"notes,omitempty"`
}

// RowKind is the kind of a row that a scope owns.
type RowKind string

// The row kinds.
const (
	RowAsset    RowKind = "asset"
	RowRelation RowKind = "relation"
	RowPackage  RowKind = "package"
	RowFinding  RowKind = "finding"
	RowSection  RowKind = "section"  // key is the section's name; in changes only
	RowDecision RowKind = "decision" // key is the decision's ID; in changes only
)

// RowRef names a row within a scope: an asset's ID, or the Key of the others.
type RowRef struct {
	Kind    RowKind `json:"kind"`
	Key     string  `json:"key"`
	Section string  `json:"section,omitempty"`
}
