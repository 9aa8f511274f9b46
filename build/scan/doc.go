// Package scan turns an artifact into its packages, their known vulnerabilities and what
// inspectors find in its files: an image, a folder, a bill of materials.
//
// A layer's files are looked at as they stream by (analyser), what they say is kept as the
// layer's record and depends on that layer alone; merge lays the records over each other.
// Result is what the scan command prints, and makes the report that a store keeps.
package scan
