// Package postgres keeps the durable record in PostgreSQL, for installations of more than
// one machine. The schema and the statements are those of SQLite; only the bulk ones differ.
//
// A tenant's change log is one locked counter: sequence numbers appear in the order of
// commits, so a reader that has seen one has seen all before it.
package postgres
