// Package apitest starts a real Kubernetes API server with its etcd for tests, on loopback,
// once in a test binary. Both are built from their modules in e2e/kubernetes and kept in the
// user's cache by version; building takes about ten CPU minutes, so tests only build them
// when TRIAD_TEST_APISERVER=build says so, and are skipped where they are not in the cache.
package apitest
