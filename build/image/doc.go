// Package image opens container images and reads their layers.
//
// Sources: a docker save archive, an OCI layout (folder or archive), a registry, a Docker
// daemon. Walk streams one layer's tar once and never unpacks it to disk; Tree lays layers
// over each other (whiteouts, opaque folders, links); Cache keeps what was learned of a
// layer under its diff ID. Everything read here is hostile: Limits bounds it.
package image
