// Package kubernetes knows how packets reach a pod: by its own address, a node port, a host
// port, the host's network, a load balancer in front of a Service, or an Ingress whose
// controller may stand in the cluster or in the cloud; and which NetworkPolicies let them
// in and out. It reads the API objects as kubectl prints them, through a reach.View, and
// leaves the way through the cloud up to the node or the pod's address to reach/exposure.
package kubernetes
