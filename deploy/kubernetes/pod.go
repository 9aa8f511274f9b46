package kubernetes

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/triad-security/triad/deploy/manifest"
)

// podSpec is what Triad reads of a pod's specification (core/v1).
type podSpec struct {
	Containers          []container `json:"containers"`
	InitContainers      []container `json:"initContainers"`
	EphemeralContainers []container `json:"ephemeralContainers"`
	Volumes             []struct {
		Name     string `json:"name"`
		HostPath *struct {
			Path string `json:"path"`
		} `json:"hostPath"`
	} `json:"volumes"`
	NodeName           string `json:"nodeName"`
	ServiceAccountName string `json:"serviceAccountName"`
	ServiceAccount     string `json:"serviceAccount"` // its old name
	HostNetwork        bool   `json:"hostNetwork"`
	HostPID            bool   `json:"hostPID"`
	HostIPC            bool   `json:"hostIPC"`
	HostUsers          *bool  `json:"hostUsers"`
}

type container struct {
	Name          string `json:"name"`
	Image         string `json:"image"`
	RestartPolicy string `json:"restartPolicy"` // Always on an init container makes it a sidecar
	Ports         []struct {
		Name          string `json:"name"`
		ContainerPort int    `json:"containerPort"`
		Protocol      string `json:"protocol"`
	} `json:"ports"`
	VolumeMounts []struct {
		Name      string `json:"name"`
		MountPath string `json:"mountPath"`
		SubPath   string `json:"subPath"`
		ReadOnly  bool   `json:"readOnly"`
	} `json:"volumeMounts"`
	VolumeDevices []struct {
		Name string `json:"name"`
	} `json:"volumeDevices"`
	SecurityContext *struct {
		Privileged   bool `json:"privileged"`
		Capabilities *struct {
			Add []string `json:"add"`
		} `json:"capabilities"`
	} `json:"securityContext"`
	LivenessProbe  *probe   `json:"livenessProbe"`
	ReadinessProbe *probe   `json:"readinessProbe"`
	StartupProbe   *probe   `json:"startupProbe"`
	Env            []envVar `json:"env"`
	Command        []string `json:"command"`
	Args           []string `json:"args"`

	init bool
}

type envVar struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type probe struct {
	HTTPGet   *probePort `json:"httpGet"`
	TCPSocket *probePort `json:"tcpSocket"`
	GRPC      *probePort `json:"grpc"`
}

type probePort struct {
	Port json.RawMessage `json:"port"` // a number, or the name of a declared port
}

// ports that a probe asks and that are written as numbers: the kubelet restarts or withholds
// the container unless something answers there.
func (c *container) probed() []int {
	var ports []int
	for _, p := range []*probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
		if p == nil {
			continue
		}
		for _, target := range []*probePort{p.HTTPGet, p.TCPSocket, p.GRPC} {
			var port int
			if target != nil && json.Unmarshal(target.Port, &port) == nil && port > 0 && port < 1<<16 {
				ports = append(ports, port)
			}
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

type podStatus struct {
	Phase                      string            `json:"phase"`
	ContainerStatuses          []containerStatus `json:"containerStatuses"`
	InitContainerStatuses      []containerStatus `json:"initContainerStatuses"`
	EphemeralContainerStatuses []containerStatus `json:"ephemeralContainerStatuses"`
}

type containerStatus struct {
	Name    string `json:"name"`
	Image   string `json:"image"`
	ImageID string `json:"imageID"`
	State   struct {
		Running *struct{} `json:"running"`
	} `json:"state"`
}

type metadata struct {
	UID             string            `json:"uid"`
	Labels          map[string]string `json:"labels"`
	Annotations     map[string]string `json:"annotations"`
	OwnerReferences []owner           `json:"ownerReferences"`
}

type owner struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Controller bool   `json:"controller"`
}

// workloadObject is any object that is a pod or holds a pod template.
type workloadObject struct {
	Metadata metadata `json:"metadata"`
	Spec     struct {
		podSpec
		Replicas    *int         `json:"replicas"`
		Template    *podTemplate `json:"template"`
		JobTemplate *struct {
			Spec struct {
				Template *podTemplate `json:"template"`
			} `json:"spec"`
		} `json:"jobTemplate"`
	} `json:"spec"`
	Status podStatus `json:"status"`
}

type podTemplate struct {
	Metadata metadata `json:"metadata"`
	Spec     podSpec  `json:"spec"`
}

// template returns the pod specification of a controller, nil where it has none.
func (w *workloadObject) template() *podSpec {
	switch {
	case w.Spec.Template != nil:
		return &w.Spec.Template.Spec
	case w.Spec.JobTemplate != nil && w.Spec.JobTemplate.Spec.Template != nil:
		return &w.Spec.JobTemplate.Spec.Template.Spec
	}
	return nil
}

// all returns the containers in the order in which they start.
func (s *podSpec) all() []container {
	var list []container
	for _, c := range s.InitContainers {
		c.init = c.RestartPolicy != "Always"
		list = append(list, c)
	}
	list = append(list, s.Containers...)
	return append(list, s.EphemeralContainers...)
}

func (s *podSpec) account() string {
	switch {
	case s.ServiceAccountName != "":
		return s.ServiceAccountName
	case s.ServiceAccount != "":
		return s.ServiceAccount
	}
	return "default" // the ServiceAccount admission plugin's default
}

// addTo describes the pod in a manifest's words, adding to what other pods of the workload said.
func (s *podSpec) addTo(w *manifest.Workload, source string) {
	w.HostNetwork = w.HostNetwork || s.HostNetwork
	w.HostPID = w.HostPID || s.HostPID
	w.HostIPC = w.HostIPC || s.HostIPC
	w.UserNamespace = s.HostUsers != nil && !*s.HostUsers
	for _, c := range s.all() {
		w.Containers = append(w.Containers, s.describe(&c, source))
	}
}

func (s *podSpec) describe(c *container, source string) manifest.Container {
	d := manifest.Container{Name: c.Name, Image: c.Image, Source: source, Init: c.init}
	if sc := c.SecurityContext; sc != nil {
		d.Privileged = sc.Privileged
		if sc.Capabilities != nil {
			for _, capability := range sc.Capabilities.Add {
				d.CapAdd = append(d.CapAdd, manifest.Capability(capability))
			}
		}
	}
	for _, v := range s.Volumes {
		if v.HostPath == nil {
			continue
		}
		for _, m := range c.VolumeMounts {
			if m.Name == v.Name {
				path := v.HostPath.Path
				if m.SubPath != "" {
					path += "/" + m.SubPath
				}
				d.Mounts = append(d.Mounts, manifest.HostMount{Source: path, Target: m.MountPath, ReadOnly: m.ReadOnly})
			}
		}
		for _, m := range c.VolumeDevices {
			if m.Name == v.Name {
				d.Devices = append(d.Devices, v.HostPath.Path)
			}
		}
	}
	return d
}

var digestForm = regexp.MustCompile(`sha256:[0-9a-f]{64}$`)

// digestOf returns the digest of a runtime's image ID (containerd: name@sha256:…, or
// sha256:… of the configuration where the image was loaded and not pulled; Docker:
// docker-pullable://name@sha256:…), else the one that pins the reference.
func digestOf(imageID, reference string) string {
	if d := digestForm.FindString(strings.ToLower(imageID)); d != "" {
		return d
	}
	return digestForm.FindString(strings.ToLower(reference))
}
