// Package aws collects one account and region of Amazon Web Services into a report.
//
// A row of the table in call.go says for each API call where its output holds the things
// and what they become. The same rows read a folder of `aws <service> <operation>` output
// (FromDir) and the live API (Collect, which asks the SDK and builds the same documents).
// What could not be read leaves its section unread with the reason.
package aws
