// Package worker runs gosec over one Go module; it is what build/code starts as a child.
//
// It is a program of its own, triad-code, because gosec brings tables that would cost every
// start of triad a quarter of a second and 18 MiB.
package worker
