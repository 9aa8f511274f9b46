// Package trust makes and checks trusted images: signatures and attestations (bill of
// materials, vulnerability scan, provenance) that cosign accepts, and those that cosign made.
// It writes both forms in use: sigstore bundles as OCI 1.1 referrers (with the referrers tag
// for registries without that API) and the sha256-….sig and .att tags before them. Promote
// takes an image to an official registry by digest, all or nothing.
package trust
