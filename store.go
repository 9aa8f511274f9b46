package triad

import (
	"context"
	"time"
)

// DefaultTenant owns every row until more tenants are made.
const DefaultTenant = "default"

// Store is the durable record of the estate. SQLite and PostgreSQL implement it;
// store/storetest holds the promises that both keep.
type Store interface {
	// Apply applies a report, or one part of it, in one transaction that also writes the
	// change log. It returns ErrWrongBase for a delta on another revision than the scope's.
	// Applying a report again changes nothing.
	Apply(ctx context.Context, r *Report) (Applied, error)

	// Estate calls fn for every row of the tenant, sections included, as of one change log
	// position, which it returns. The Row is valid during the call only.
	Estate(ctx context.Context, tenant string, fn func(Row) error) (position int64, err error)
	// Changes returns up to limit changes after a position, in order.
	Changes(ctx context.Context, tenant string, after int64, limit int) ([]Change, error)
	// Position is the last change's Seq.
	Position(ctx context.Context, tenant string) (int64, error)
	// Scopes lists what has reported, by scope.
	Scopes(ctx context.Context, tenant string) ([]ScopeState, error)
	// Scope is one scope's state; ErrNotFound when it never reported.
	Scope(ctx context.Context, tenant, scope string) (ScopeState, error)
	// Packages calls fn for every package row of one asset.
	Packages(ctx context.Context, tenant, asset string, fn func(Package) error) error
	// PackagesNamed calls fn for every package row of any asset whose name or source package
	// has the name, as LookupName compares them, in no order.
	PackagesNamed(ctx context.Context, tenant, name string, fn func(Package) error) error

	// SaveDecisions writes decisions and removes others in one transaction, with the change
	// log, and moves the risk engine's position. Cause goes into the log. A decision that
	// equals the stored one writes nothing.
	SaveDecisions(ctx context.Context, tenant string, position int64, cause func(Decision) string, put []Decision, remove []string) error
	// DecisionsPosition is the position of the last SaveDecisions.
	DecisionsPosition(ctx context.Context, tenant string) (int64, error)
	Decisions(ctx context.Context, tenant string, f DecisionFilter) ([]Decision, error)
	// CountDecisions counts what a filter selects, by outcome; Limit and Offset do not matter.
	CountDecisions(ctx context.Context, tenant string, f DecisionFilter) (map[Outcome]int, error)
	Decision(ctx context.Context, tenant, id string) (Decision, error) // ErrNotFound
	// History lists the changes of one row, oldest first: a decision's by its ID, an asset's by its ID.
	History(ctx context.Context, tenant string, kind RowKind, key string) ([]Change, error)

	// PutToken stores a token's SHA-256; Token finds it. Expired ones are not found.
	PutToken(ctx context.Context, t Token) error
	Token(ctx context.Context, hash string, now time.Time) (Token, error)

	Close() error
}

// DecisionFilter selects decisions. Zero fields select all. Results come ranked: outcome,
// then EPSS, then in use, then CVSS, then ID.
type DecisionFilter struct {
	Outcomes []Outcome
	Exposure []Exposure
	Kind     FindingKind
	Asset    string // asset ID
	Text     string // part of a finding's ID, alias or asset name; letter case does not matter
	Limit    int
	Offset   int
}

// Token is an access token. The secret itself is never stored.
type Token struct {
	Tenant  string    `json:"tenant"`
	Hash    string    `json:"hash"` // hex SHA-256 of the secret
	Name    string    `json:"name"`
	Role    string    `json:"role"`             // admin, viewer, collector
	Scopes  []string  `json:"scopes,omitempty"` // a collector's own scopes; prefix match on whole segments
	Expires time.Time `json:"expires"`
}

// Bus carries reports durably from whoever accepts them to the worker that applies them.
type Bus interface {
	// Publish returns when the message is on stable storage. A message with an id already
	// published lately is accepted and dropped.
	Publish(ctx context.Context, stream, id string, data []byte) error
	// Consume hands each message to fn until ctx ends; several consumers of one stream share
	// it. An error redelivers the message; after a bounded number of tries, or at once for an
	// error that wraps ErrPoison, it goes to the dead-letter stream.
	Consume(ctx context.Context, stream string, fn func(ctx context.Context, data []byte) error) error
	// Notify wakes every Listen of the topic, at most once and without storage.
	Notify(topic string, data []byte) error
	Listen(ctx context.Context, topic string) (<-chan []byte, error)
	// DeadLetters lists what could not be handled, newest first.
	DeadLetters(ctx context.Context, limit int) ([]DeadLetter, error)
	Close() error
}

// DeadLetter is a message that could not be handled.
type DeadLetter struct {
	Stream string    `json:"stream"`
	Seq    uint64    `json:"seq"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
	Size   int       `json:"size"`
	Data   []byte    `json:"data,omitempty"`
}

// Matcher finds the known vulnerabilities of packages. Revision changes with the advisories.
type Matcher interface {
	// Match takes all packages of one asset, or some of several.
	Match(ctx context.Context, packages []Package) ([]Vulnerability, error)
	Revision() string
	// Changed says what differs between an earlier revision and the present one. ok is false
	// where that is not known: anything may.
	Changed(since string) (c AdvisoryChange, ok bool)
}

// AdvisoryChange is what differs between two revisions of the advisories.
type AdvisoryChange struct {
	// Packages are the names, as advisories write them, of packages of which some advisory
	// is new, changed or gone.
	Packages []string
	// IDs are the CVEs of which something else is known: score, exploitation.
	IDs []string
}
