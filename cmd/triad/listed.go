package main

import "github.com/triad-security/triad"

// listed is a decision as programs read it (docs/schema/explain.json): every key is there, null
// where it is not known.
type listed struct {
	triad.Decision
	// Port is that of the decision, null when it has none.
	Port *int `json:"port"`
}

func list(d triad.Decision) listed {
	l := listed{Decision: d}
	if d.Port != 0 {
		l.Port = &d.Port
	}
	if l.Finding.Aliases == nil {
		l.Finding.Aliases = []string{}
	}
	if l.Proof == nil {
		l.Proof = []triad.Hop{}
	}
	if l.Inputs == nil {
		l.Inputs = []triad.Input{}
	}
	return l
}

func listAll(decisions []triad.Decision) []listed {
	all := make([]listed, len(decisions))
	for i, d := range decisions {
		all[i] = list(d)
	}
	return all
}
