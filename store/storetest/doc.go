// Package storetest holds the promises of triad.Store as tests that every implementation
// runs: sections, deltas, parts, order and repeats, the change log, decisions, crashes.
//
// Run takes a function that opens an empty store. Postgres starts a real server of its own.
package storetest
