// Package scantest writes images that try to break a scanner, as streams: nothing of them is
// ever whole in memory or on disk.
//
// Tests and benchmarks read them; Cases lists them with what a scan has to say.
package scantest
