// Package sbom reads and writes software bills of materials in CycloneDX, and knows how
// packages are named: package URLs, and the ecosystems of OSV with their releases.
//
// Read takes JSON and XML of any tool; the component in the metadata says which image or
// function the document is of. Write makes CycloneDX 1.6.
package sbom
