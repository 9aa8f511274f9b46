//go:build !unix

package advisory

import "sync"

var locks sync.Map // of *sync.Mutex by path

// lock keeps other importers of this process away; these systems have no advisory file lock
// in the standard library.
func lock(dir string) (unlock func(), err error) { return lockNamed(dir, "lock") }

func lockNamed(dir, name string) (unlock func(), err error) {
	m, _ := locks.LoadOrStore(dir+"/"+name, new(sync.Mutex))
	m.(*sync.Mutex).Lock()
	return m.(*sync.Mutex).Unlock, nil
}
