//go:build peers

// Package peers pins the programs that benchmarks run beside Triad, apart from what it builds with.
package peers

import _ "github.com/google/osv-scalibr/binary/scalibr"
