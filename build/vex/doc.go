// Package vex reads what suppliers say of vulnerabilities in their products: OpenVEX,
// CycloneDX and CSAF documents (Vulnerability Exploitability eXchange, CISA's minimum
// requirements of April 2023), and holds their statements against what was found.
//
// A statement counts where it names the scanned artifact, or the package, or the package in
// the artifact; one about another product does nothing. The newest that counts wins.
package vex
