package triad

import (
	"encoding/json"
	"time"
)

// Row is one row of the estate: what one scope says of one thing. Doc is the JSON of an
// Asset, Relation, Package, Finding or Section, as Kind says.
type Row struct {
	Scope string          `json:"scope"`
	Kind  RowKind         `json:"kind"`
	Key   string          `json:"key"`
	Doc   json.RawMessage `json:"doc"`
}

// Change is one entry of the ordered change log. Seq has no gaps within a tenant and is
// assigned in the transaction that makes the change.
type Change struct {
	Seq   int64     `json:"seq"`
	At    time.Time `json:"at"`
	Scope string    `json:"scope,omitempty"`
	Kind  RowKind   `json:"kind"`
	Key   string    `json:"key"`
	// Before and After are the row's documents; nil when it did not, or does no longer, exist.
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
	// Cause is the report ("report aws/1/us-east-1@17…"), or for a decision the changes that
	// led to it ("change 812: asset sg-… of aws/1/us-east-1").
	Cause string `json:"cause"`
}

// ScopeState is what the store knows of a scope.
type ScopeState struct {
	Scope     string             `json:"scope"`
	Collector string             `json:"collector"`
	Revision  int64              `json:"revision"`
	Taken     time.Time          `json:"taken"`
	Sections  map[string]Section `json:"sections"`
}

// Applied says what applying a report did.
type Applied struct {
	// Complete is false while parts are missing.
	Complete bool  `json:"complete"`
	Added    int   `json:"added"`
	Changed  int   `json:"changed"`
	Removed  int   `json:"removed"`
	First    int64 `json:"first,omitempty"` // first and last change log entries written; zero when none
	Last     int64 `json:"last,omitempty"`
}
