// Package registry walks a registry: its catalogue and tags page by page, politely, and scans
// the images that nobody has scanned yet.
//
// What is visited is noted as the walk goes, so that a broken one is taken up where it ended.
// Everything that a registry says is hostile: pages that never end, names that are none.
package registry
