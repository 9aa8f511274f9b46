// Package advisory keeps the advisory database: OSV records of every ecosystem, and what is
// known of a CVE from CISA's KEV catalogue, FIRST's EPSS and CISA's vulnrichment.
//
// Import builds one immutable generation file from folders in the feeds' own layouts, Update
// fetches the same over HTTP; many processes read a generation at once through DB, without
// loading it. docs/advisories.md has the formats, limits and semantics.
package advisory
