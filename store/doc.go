// Package store opens the durable record of the estate: a SQLite file, or PostgreSQL.
//
// Both keep the promises of triad.Store, which storetest holds as one suite. The SQL that
// they share is in internal/record, the schema in migrations; docs/store.md explains both.
package store
