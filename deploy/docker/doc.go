// Package docker reads a Docker engine into a report: its host, containers, images and, on
// the machine itself, the processes in each container with what they load and where they
// listen. It reads the engine's API (Live) or a folder of `docker inspect` output (Dir).
//
// A container has two rows of kind DockerContainer: the workload, triad.DockerID(host, id),
// and below it the container, ContainerID(host, id), which the workload contains and which is
// owned by it. Findings hang on the workload; images, listeners and processes on the container.
package docker
