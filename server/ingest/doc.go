// Package ingest takes reports from collectors onto the durable stream and applies them to
// the store.
//
// Accept validates a report, refuses a delta that stands on the wrong revision, and returns
// when the report is on stable storage. Work, on any number of replicas, applies what was
// accepted and wakes whoever follows the change log.
package ingest
