// Package graph computes values over an estate's rows and keeps them while the rows change.
//
// A computation reads rows through a Context, which notes the keys read and the other
// computations used. Touch says which keys changed; only computations that read one of them
// are repeated, and a repeated one whose value stays the same repeats nothing above it.
package graph
