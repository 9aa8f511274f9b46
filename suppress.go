package triad

import "time"

// SuppressionKind says by what a finding is set aside.
type SuppressionKind string

// The suppression kinds.
const (
	SuppressedByIgnore SuppressionKind = "ignore" // an entry of an ignore file
	SuppressedByVEX    SuppressionKind = "vex"    // a statement of a VEX document
	SuppressedByFilter SuppressionKind = "filter" // what the caller asked not to see, such as --ignore-unfixed
)

// Suppression says why a finding does not count, who says so, and until when.
type Suppression struct {
	Kind SuppressionKind `json:"kind"`
	// Source is where that stands: the file and line of an entry, the VEX file and its
	// document's ID, or the flag.
	Source string `json:"source"`
	Reason string `json:"reason"`
	// Status and Justification are VEX's: not_affected or fixed, and why.
	Status        string     `json:"status,omitempty"`
	Justification string     `json:"justification,omitempty"`
	Owner         string     `json:"owner,omitempty"`
	Expires       *time.Time `json:"expires,omitempty"`
}

// Suppressed is a finding that was set aside: it is kept, so that people see what they do
// not see. Exactly one of Vulnerability and Finding is set.
type Suppressed struct {
	Suppression   Suppression    `json:"suppression"`
	Vulnerability *Vulnerability `json:"vulnerability,omitempty"`
	Finding       *Finding       `json:"finding,omitempty"`
}

// VEXStatement is what a VEX document says of a vulnerability in a product.
type VEXStatement struct {
	// Status is OpenVEX's: not_affected, affected, fixed, under_investigation.
	Status string `json:"status"`
	// Justification is OpenVEX's, of not_affected.
	Justification string `json:"justification,omitempty"`
	// Detail is the statement's own words: impact, action or notes.
	Detail string     `json:"detail,omitempty"`
	Source string     `json:"source"`
	At     *time.Time `json:"at,omitempty"`
}
