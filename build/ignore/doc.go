// Package ignore reads the files in which people list the findings that they accept:
// .triadignore, and those of Trivy and Grype, so that people can move.
//
// An entry says which findings it is of, why, who says so and until when. What it covers is
// set aside and stays in the result; an entry that has expired, or that has a field which is
// not understood, covers nothing and is reported.
package ignore
