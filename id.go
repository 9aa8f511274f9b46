package triad

import "strings"

// KubernetesID is the asset ID of an API object; namespace is empty for cluster-scoped ones.
// cluster is the UID of kube-system, else the name given or inferred.
func KubernetesID(cluster, kind, namespace, name string) string {
	if namespace == "" {
		return "k8s:" + cluster + "/" + kind + "/" + name
	}
	return "k8s:" + cluster + "/" + kind + "/" + namespace + "/" + name
}

// PodContainerID is the asset ID of one container of a pod.
func PodContainerID(cluster, namespace, pod, container string) string {
	return KubernetesID(cluster, "Pod", namespace, pod) + "#" + container
}

// DockerID is the asset ID of a Docker container; host is the scope's host name part.
func DockerID(host, containerID string) string { return "docker:" + host + "/" + containerID }

// HostID is the asset ID of a machine known by its /etc/machine-id or Docker engine ID.
func HostID(machine string) string { return "host:" + machine }

// ProcessID is the asset ID of a process of a container or host, by executable.
func ProcessID(owner, exe string) string { return owner + "#proc:" + exe }

// EndpointID is the asset ID that a listens relation points to.
func EndpointID(owner, protocol, port string) string { return owner + "#" + protocol + "/" + port }

// ScopeCovers reports whether a token limited to prefix may write scope: the same, or below it.
func ScopeCovers(prefix, scope string) bool {
	return prefix == scope || strings.HasPrefix(scope, strings.TrimSuffix(prefix, "/")+"/")
}

// LookupName is a package's name as two spellings of it are compared: PyPI and others take
// case (of ASCII), "_", "." and "-" for the same. It may join names that differ, never part
// those that do not.
func LookupName(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '_' || c == '.':
			return '-'
		case 'A' <= c && c <= 'Z':
			return c + 'a' - 'A'
		}
		return c
	}, name)
}
