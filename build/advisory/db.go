package advisory

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/triad-security/triad"
)

// DB reads the advisory database of a folder. A generation that another process puts there is
// picked up at the next Use. It is safe for concurrent use.
type DB struct {
	path string
	mu   sync.Mutex
	cur  *lease
}

// lease counts who reads a generation; its file is closed after the last of them.
type lease struct {
	*Generation
	users atomic.Int64
}

func (l *lease) release() {
	if l.users.Add(-1) == 0 {
		l.f.Close()
	}
}

// ErrNone is returned by Open while there are no advisories.
var ErrNone = &triad.Error{Code: triad.CodeNotFound, Message: "there are no advisories yet: run `triad db update`, or `triad db import DIR`"}

// Open opens the database in dir. It reads the table of contents only.
func Open(dir string) (*DB, error) {
	db := &DB{path: filepath.Join(dir, fileName)}
	_, done, err := db.Use()
	if err != nil {
		return nil, err
	}
	done()
	return db, nil
}

// Use returns the current generation; done says that the caller reads it no more.
func (db *DB) Use() (g *Generation, done func(), err error) {
	info, statErr := os.Stat(db.path)
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.cur == nil || statErr == nil && !os.SameFile(info, db.cur.info) {
		g, err := openGeneration(db.path)
		switch {
		case err == nil:
			if db.cur != nil {
				db.cur.release()
			}
			db.cur = &lease{Generation: g}
			db.cur.users.Store(1)
		case db.cur == nil && errors.Is(err, os.ErrNotExist):
			return nil, nil, ErrNone
		case db.cur == nil:
			return nil, nil, err
			// Else the file of the earlier generation is still open and still right.
		}
	}
	l := db.cur
	l.users.Add(1)
	return l.Generation, sync.OnceFunc(l.release), nil
}

// Revision names the current advisories; it changes when they do.
func (db *DB) Revision() string {
	g, done, err := db.Use()
	if err != nil {
		return ""
	}
	defer done()
	return g.Revision
}

// Close closes the database; generations in use close with their last reader.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.cur != nil {
		db.cur.release()
		db.cur = nil
	}
	return nil
}

// Verify reads the whole generation and checks every segment's SHA-256.
func (db *DB) Verify() error {
	g, done, err := db.Use()
	if err != nil {
		return err
	}
	defer done()
	return g.verify()
}
