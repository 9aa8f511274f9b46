// Package triad is the vocabulary of Triad: assets, relations, findings, reports, changes and
// decisions, and the small interfaces Store, Bus and Matcher.
//
// Everybody speaks it, it speaks to nobody: plain types on the standard library alone.
// Collectors write Reports; the Store applies them and keeps the change log; risk turns
// the estate into Decisions.
package triad
