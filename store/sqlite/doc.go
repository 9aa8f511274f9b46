// Package sqlite keeps the durable record in one SQLite file, for one machine.
//
// The file is in WAL mode and synced at every commit: what a call wrote is on disk when the
// call returns. One connection writes; others read snapshots beside it.
package sqlite
