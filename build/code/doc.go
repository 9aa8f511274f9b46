// Package code finds insecure code: gosec for Go, in a child process that has no network and
// writes nothing, and whatever any other analyser says in SARIF.
//
// What could not be loaded is unread with its package and reason, never clean.
package code
