//go:build !unix

package advisory

import "sync"

var importing sync.Mutex

// lock keeps other importers of this process away; these systems have no advisory file lock
// in the standard library.
func lock(string) (unlock func(), err error) {
	importing.Lock()
	return importing.Unlock, nil
}
