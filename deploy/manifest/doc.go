// Package manifest judges how workloads are set up. A Workload is the same for a Kubernetes
// pod template and a Docker container, live or on file, so that each check is written once.
// Check runs the policy rules, Takeover lists what lets a process inside take over its host,
// Registries says which registries are trusted, and the Mask functions keep secrets out of
// documents.
package manifest
