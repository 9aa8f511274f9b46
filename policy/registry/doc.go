// Package registry is the registry standard: which registries are official, who owns each,
// what was agreed of it and until when, and what its images need.
//
// Names follow the grammar of image references, never string prefixes: a registry's name
// covers its own repositories and nothing else. Build, deploy and the gate read one standard.
package registry
