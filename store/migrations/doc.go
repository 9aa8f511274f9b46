// Package migrations holds the numbered schema changes of the store.
//
// One set of files serves SQLite and PostgreSQL: the common subset of both. A released
// file is never edited; a change of the schema is a new file with the next number.
// docs/store.md says how to add one.
package migrations
