// Package workload reads what runs on this Linux machine from its /proc: processes, the files
// that they load as code, and the sockets on which they accept traffic, for one container, or
// for the whole host. Everything there is written by whoever runs here: reads are bounded,
// and processes may vanish or change between two of them.
package workload
