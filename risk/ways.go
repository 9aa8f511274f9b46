package risk

import (
	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// Ways are the questions that risk asks of reachability; package reach/exposure answers
// them, cmd and server wire it. Each reads the estate through the view alone, so that its
// answer can be kept until a row that it read changes. A nil function's answer is unknown.
type Ways struct {
	// Container grades the best way from the internet to a port of a container. Port zero
	// asks about a container that listens on nothing: what stops everybody.
	Container func(v reach.View, container, protocol string, port int) reach.Result
	// Function grades the best way from the internet to invoking a function.
	Function func(v reach.View, function string) reach.Result
	// Host grades the best way from the internet to a port of a machine; port zero to any.
	Host func(v reach.View, host, protocol string, port int) reach.Result
	// DataStore grades the best way from the internet to a data store's endpoint.
	DataStore func(v reach.View, dataStore string) reach.Result
	// Connect says whether a container, function or host can connect to a data store's endpoint.
	Connect func(v reach.View, from, dataStore string) reach.Result
	// Ports lists further ports of a container that somebody points at without the
	// container declaring them: published by Docker, targeted by a service. May be nil.
	Ports func(v reach.View, container string) []triad.Listen
}

func notWired(what string) reach.Result {
	return reach.Result{
		Verdict: reach.Unknown, Exposure: triad.ExposureUnknown,
		Unread: []triad.Unread{{Section: what, Reason: "no reachability engine is wired for " + what}},
	}
}

func (w Ways) container(v reach.View, container, protocol string, port int) reach.Result {
	if w.Container == nil {
		return notWired("containers")
	}
	return graded(w.Container(v, container, protocol, port))
}

func (w Ways) function(v reach.View, function string) reach.Result {
	if w.Function == nil {
		return notWired("functions")
	}
	return graded(w.Function(v, function))
}

func (w Ways) host(v reach.View, host, protocol string, port int) reach.Result {
	if w.Host == nil {
		return notWired("hosts")
	}
	return graded(w.Host(v, host, protocol, port))
}

func (w Ways) dataStore(v reach.View, id string) reach.Result {
	if w.DataStore == nil {
		return notWired("data stores")
	}
	return graded(w.DataStore(v, id))
}

// graded fills an exposure that the verdict already decides.
func graded(r reach.Result) reach.Result {
	if r.Exposure != "" {
		return r
	}
	switch {
	case r.Verdict == reach.Blocked:
		r.Exposure = triad.ExposureSmall
	case r.Verdict == reach.Reachable && len(r.Sources) > 0:
		r.Exposure = triad.ExposureControlled
	case r.Verdict == reach.Reachable:
		r.Exposure = triad.ExposureOpen
	default:
		r.Exposure = triad.ExposureUnknown
	}
	return r
}

// openness orders exposures, the most exposed first. A proven way outranks an unknown one.
func openness(x triad.Exposure) int {
	switch x {
	case triad.ExposureOpen:
		return 0
	case triad.ExposureUnknown:
		return 1
	case triad.ExposureControlled:
		return 2
	}
	return 3
}
