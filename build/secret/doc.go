// Package secret finds credentials in the files of a layer or folder and in an image's
// config: environment, labels, history.
//
// A cheap first pass looks for the fixed words that every kind of secret has near it; only
// around those do the detectors look, veles' and our own. What is found is masked at once:
// the clear text stays in this package.
package secret
