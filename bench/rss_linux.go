package main

import (
	"os"
	"syscall"
)

// peakRSS is the peak resident set of an ended process, in bytes.
func peakRSS(p *os.ProcessState) int64 {
	if u, ok := p.SysUsage().(*syscall.Rusage); ok {
		return u.Maxrss << 10 // KiB on Linux
	}
	return 0
}
