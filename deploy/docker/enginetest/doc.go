// Package enginetest starts a real Docker engine for tests, once in a test binary, with its
// own data, socket and network namespace, so that it touches no other engine and no rule of
// the machine's firewall. No registry is needed: Image makes images around a small program
// that is built on the spot, and Load hands them to the engine.
package enginetest
