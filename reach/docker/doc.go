// Package docker knows how packets reach a container of a Docker engine that no cluster
// runs: by a published port and the address it is bound to, by its host's network, by an
// address of its own on the host's network, or through the container whose network it
// shares. It reads what `docker inspect` prints, through a reach.View, and leaves the way to
// the host up to reach/exposure.
package docker
