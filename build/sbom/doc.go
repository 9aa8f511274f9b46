// Package sbom reads and writes software bills of materials, CycloneDX and SPDX, and knows how
// packages are named: package URLs, and the ecosystems of OSV with their releases.
//
// Read takes CycloneDX in JSON and XML and SPDX in JSON, of any tool; the document says which
// image or function it is of. Write makes CycloneDX 1.6 with VEX, WriteSPDX SPDX 2.3.
package sbom
