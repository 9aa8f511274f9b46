// Package origin says which image another was built from. It keeps an index of every image
// that was scanned, by the chain of its layers (OCI's ChainID): the longest known chain that
// an image's layers begin with is its base, found at a cost that does not grow with the
// index. Where no base is known, nothing is claimed.
package origin
