package worker

import "syscall"

// limitAddresses bounds the address space of the worker and of each program that it starts.
// Go reserves more than it uses: half as much again.
func limitAddresses(memory int64) {
	limit := uint64(memory) + uint64(memory)/2 //nolint:gosec // it is positive
	_ = syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: limit, Max: limit})
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
}
