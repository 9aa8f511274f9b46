// Package kubernetes reads a cluster into a report: the objects themselves, the workload at
// the top of each pod's owners, its containers with their images and declared ports, and the
// identities they assume. It reads a live API server through client-go (Live) or a folder of
// `kubectl get -A -o yaml` output (Dir); both become one dump, and one function turns a dump
// into rows. A bare pod is its own workload: its row has the type workload and owned-by no one.
package kubernetes
