package record

import (
	"context"
	"database/sql"
)

// Dialect holds what differs between the databases: locking and bulk statements. All run
// inside the Store's transaction.
type Dialect interface {
	// Lock is appended to a select whose row the transaction keeps locked.
	Lock() string
	// Find calls fn for each of the rows that exist, in any order, with its document if doc.
	Find(ctx context.Context, tx *Tx, tenant, scope string, ids []ID, doc bool, fn func(ID, Stored)) error
	// Put inserts rows or replaces them.
	Put(ctx context.Context, tx *Tx, tenant, scope string, rows []Row) error
	// Delete removes rows.
	Delete(ctx context.Context, tx *Tx, tenant, scope string, ids []ID) error
	// Log inserts change log entries.
	Log(ctx context.Context, tx *Tx, tenant string, entries []Entry) error
}

// ID names a row within a scope, with the section that says it.
type ID struct{ Section, Kind, Key string }

// Stored is what is known of a row in the store without reading its document.
type Stored struct {
	Hash     string
	Revision int64 // of the report that last wrote it
	Hidden   bool
	Doc      string // only where asked for
}

// Tx is a writing transaction, with its connection for what database/sql has no words for.
type Tx struct {
	*sql.Tx
	Conn *sql.Conn
}

// Row is a row to be written. New says that no row has its ID yet. Type, Asset, Ecosystem,
// Name and Source repeat fields of the document by which rows are looked up.
type Row struct {
	ID
	Stored
	Type, Asset, Ecosystem, Name, Source string
	New                                  bool
}

// Entry is one entry of the change log; an empty Before or After is none.
type Entry struct {
	Seq, At          int64 // At in unix milliseconds
	Scope, Kind, Key string
	Before, After    string
	Cause            string
}
