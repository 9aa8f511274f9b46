package reach

import "github.com/triad-security/triad"

// Verdict of a reachability question.
type Verdict string

// The verdicts. Unknown means that something on the way could not be read.
const (
	Reachable Verdict = "reachable"
	Blocked   Verdict = "blocked"
	Unknown   Verdict = "unknown"
)

// Result is one way from a source to a destination, open or stopped.
type Result struct {
	Verdict Verdict `json:"verdict"`
	// Path holds the hops in the packet's order: all of them when reachable, those before
	// the blocking hop when blocked.
	Path      []triad.Hop `json:"path"`
	BlockedBy *triad.Hop  `json:"blocked_by"`
	// AlsoBlockedBy are further stops that are just as true.
	AlsoBlockedBy []triad.Hop    `json:"also_blocked_by,omitempty"`
	Unread        []triad.Unread `json:"unread"`
	// Exposure grades a way from the internet: open, controlled, small or unknown.
	Exposure triad.Exposure `json:"exposure,omitempty"`
	// Sources are the internet addresses that get through, as CIDRs, when not all do.
	Sources []string `json:"sources,omitempty"`
	// Port is the port at the entrance of the way (the load balancer's listener, the
	// published port, the node port).
	Port int `json:"port,omitempty"`
}
