// Package estate generates estates of any size for benchmarks: AWS accounts, each with a
// VPC, load balancers, databases and a Kubernetes cluster on its instances, in the same
// provider documents that collectors keep, and images with packages.
//
// Everything follows from the numbers asked for, so that two runs measure the same estate.
package estate
