// Package match finds the known vulnerabilities of packages in the advisory database.
//
// A package is looked up by ecosystem and name, its version compared in that ecosystem's own
// order, records of one vulnerability are folded to one finding, and what is known of its
// exploitation is added. What could not be compared is returned beside the findings.
package match
