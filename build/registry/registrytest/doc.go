// Package registrytest starts registries for tests: Debian's docker-registry, which is the
// registry that most people run and knows no referrers API, and go-containerregistry's own,
// which does. Both listen on loopback, where clients speak plain HTTP by themselves, keep
// what they hold in a folder of the test, and end with it.
package registrytest
