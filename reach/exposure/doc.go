// Package exposure joins the adapters of reach into answers: the best way from the internet
// to a container, a process on a host, a function or a data store, with every hop, or the
// stop that is most nearly open; and whether a workload's network lets it connect to a data
// store. docs/reach-kubernetes.md states the rules and what they assume.
package exposure
