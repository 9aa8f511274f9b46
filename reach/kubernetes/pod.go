package kubernetes

import "net/netip"

// Pod is a v1 Pod.
type Pod struct {
	ref  `json:"-"`
	Meta meta `json:"metadata"`
	Spec struct {
		NodeName       string      `json:"nodeName"`
		HostNetwork    bool        `json:"hostNetwork"`
		ServiceAccount string      `json:"serviceAccountName"`
		Containers     []container `json:"containers"`
		InitContainers []container `json:"initContainers"`
	} `json:"spec"`
	Status struct {
		Phase      string `json:"phase"`
		Conditions []struct {
			Type   string `json:"type"`
			Status string `json:"status"`
		} `json:"conditions"`
		HostIP string `json:"hostIP"`
		PodIP  string `json:"podIP"`
		PodIPs []struct {
			IP string `json:"ip"`
		} `json:"podIPs"`
		ContainerStatuses     []containerStatus `json:"containerStatuses"`
		InitContainerStatuses []containerStatus `json:"initContainerStatuses"`
	} `json:"status"`

	addresses []netip.Addr
}

type container struct {
	Name    string   `json:"name"`
	Image   string   `json:"image"`
	Command []string `json:"command"`
	Args    []string `json:"args"`
	// RestartPolicy Always makes an init container a sidecar (Kubernetes 1.29).
	RestartPolicy string          `json:"restartPolicy"`
	Ports         []containerPort `json:"ports"`
}

type containerPort struct {
	Name          string `json:"name"`
	ContainerPort int    `json:"containerPort"`
	HostPort      int    `json:"hostPort"`
	HostIP        string `json:"hostIP"`
	Protocol      string `json:"protocol"`
}

type containerStatus struct {
	Name  string `json:"name"`
	State struct {
		Running    *struct{} `json:"running"`
		Terminated *struct{} `json:"terminated"`
	} `json:"state"`
}

// containers are those that run as long as the pod does: its containers and sidecars.
func (p *Pod) containers(yield func(*container) bool) {
	for i := range p.Spec.Containers {
		if !yield(&p.Spec.Containers[i]) {
			return
		}
	}
	for i := range p.Spec.InitContainers {
		if c := &p.Spec.InitContainers[i]; c.RestartPolicy == "Always" && !yield(c) {
			return
		}
	}
}

// named is the number of the port with a name and protocol; zero when the pod has none.
// The first container that has it decides, as in the endpoints controller.
func (p *Pod) named(name, proto string) int {
	for c := range p.containers {
		for _, port := range c.Ports {
			if port.Name == name && protocol(port.Protocol) == proto {
				return port.ContainerPort
			}
		}
	}
	return 0
}

// resolve is the number that a possibly named port has in this pod; zero when it has none.
func (p *Pod) resolve(port IntOrString, proto string) int {
	if port.Str == "" {
		return port.Int
	}
	return p.named(port.Str, proto)
}

// Path is the pod's hop id, namespace/name.
func (p *Pod) Path() string { return p.Meta.path() }

// Addresses are the pod's own addresses; those of its node when it uses the host's network.
func (p *Pod) Addresses() []netip.Addr { return p.addresses }

// Node is the name of the node it runs on; empty when it is not scheduled.
func (p *Pod) Node() string { return p.Spec.NodeName }

// HostNetwork reports whether it shares its node's network namespace.
func (p *Pod) HostNetwork() bool { return p.Spec.HostNetwork }

// running reports whether any process of the pod can run, and else in which phase it is.
func (p *Pod) running() bool {
	switch p.Status.Phase {
	case "Succeeded", "Failed", "Pending":
		return false
	}
	return true // Running, Unknown (its node does not answer), or not told
}

// Ends reports whether a container of the pod ends before the pod serves: an init container
// that is no sidecar.
func (p *Pod) Ends(containerName string) bool {
	for i := range p.Spec.InitContainers {
		if c := &p.Spec.InitContainers[i]; c.Name == containerName {
			return c.RestartPolicy != "Always"
		}
	}
	return false
}

// ready reports whether Services send to it. A dump that tells no Ready condition is taken as ready.
func (p *Pod) ready() bool {
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True"
		}
	}
	return true
}
