// Package reach decides who can reach what, over interval sets of addresses and ports.
//
// Here are the algebra (address and port sets), the words (Flow, Result) and the Estate:
// the rows that collectors reported, indexed by key, read through a View that records what
// was read. The adapters (reach/aws, reach/kubernetes, reach/docker) each know one
// provider's documents; reach/exposure joins them into the ways from the internet to a
// container, host or function.
package reach
