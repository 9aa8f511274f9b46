// Package record is the part of the durable record that SQLite and PostgreSQL share: it
// applies reports, writes the change log and keeps decisions, in SQL that both speak.
//
// Packages sqlite and postgres open a database, bring its schema up and hand it to a Store
// here together with a Dialect, which holds the few hot statements that differ.
// docs/store.md has the schema and what each statement must keep true.
package record
