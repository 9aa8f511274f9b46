package docker

import (
	"encoding/json"
	"strings"

	"github.com/triad-security/triad/deploy/manifest"
)

// container is what Triad reads of `docker inspect` (GET /containers/{id}/json).
type container struct {
	ID    string `json:"Id"`
	Name  string `json:"Name"`
	Image string `json:"Image"` // digest of the image's configuration
	State struct {
		Running bool `json:"Running"`
		Paused  bool `json:"Paused"`
		Pid     int  `json:"Pid"`
	} `json:"State"`
	HostConfig struct {
		NetworkMode  string          `json:"NetworkMode"`
		PidMode      string          `json:"PidMode"`
		IpcMode      string          `json:"IpcMode"`
		UsernsMode   string          `json:"UsernsMode"`
		Privileged   bool            `json:"Privileged"`
		CapAdd       []string        `json:"CapAdd"`
		Binds        []string        `json:"Binds"`
		PortBindings map[string]any  `json:"PortBindings"`
		Devices      []hostDevice    `json:"Devices"`
		Mounts       []hostMountSpec `json:"Mounts"`
	} `json:"HostConfig"`
	Mounts []struct {
		Type        string `json:"Type"`
		Source      string `json:"Source"`
		Destination string `json:"Destination"`
		RW          bool   `json:"RW"`
	} `json:"Mounts"`
	Config struct {
		Image        string              `json:"Image"`
		User         string              `json:"User"`
		ExposedPorts map[string]struct{} `json:"ExposedPorts"`
		Labels       map[string]string   `json:"Labels"`
	} `json:"Config"`
	NetworkSettings struct {
		Ports map[string]any `json:"Ports"`
	} `json:"NetworkSettings"`
}

type hostDevice struct {
	PathOnHost string `json:"PathOnHost"`
}

type hostMountSpec struct {
	Type     string `json:"Type"`
	Source   string `json:"Source"`
	Target   string `json:"Target"`
	ReadOnly bool   `json:"ReadOnly"`
}

// image is what Triad reads of `docker image inspect`.
type image struct {
	ID           string   `json:"Id"`
	RepoTags     []string `json:"RepoTags"`
	RepoDigests  []string `json:"RepoDigests"`
	Architecture string   `json:"Architecture"`
	Config       struct {
		ExposedPorts map[string]struct{} `json:"ExposedPorts"`
		Entrypoint   []string            `json:"Entrypoint"`
		Cmd          []string            `json:"Cmd"`
		User         string              `json:"User"`
	} `json:"Config"`
	RootFS struct {
		Layers []string `json:"Layers"`
	} `json:"RootFS"`
}

// info is what Triad reads of `docker info`.
type info struct {
	ID              string   `json:"ID"`
	Name            string   `json:"Name"`
	OperatingSystem string   `json:"OperatingSystem"`
	ServerVersion   string   `json:"ServerVersion"`
	SecurityOptions []string `json:"SecurityOptions"`
}

// remapped reports whether the engine gives containers a user namespace (userns-remap) or
// runs rootless itself: root inside is then not the host's root.
func (i *info) remapped() bool {
	for _, option := range i.SecurityOptions {
		if strings.Contains(option, "name=userns") || strings.Contains(option, "name=rootless") {
			return true
		}
	}
	return false
}

// Machine is host.json: which machine the engine runs on, as far as is known.
type Machine struct {
	InstanceID string `json:"instanceId,omitempty"` // i-…
	Account    string `json:"account,omitempty"`
	Region     string `json:"region,omitempty"`
	MachineID  string `json:"machineId,omitempty"` // /etc/machine-id
	// Addresses of its interfaces, without loopback and link-local ones.
	Addresses []string `json:"addresses,omitempty"`
}

func (c *container) name() string {
	if name := strings.TrimPrefix(c.Name, "/"); name != "" {
		return name
	}
	return c.short()
}

func (c *container) short() string { return c.ID[:min(12, len(c.ID))] }

func (c *container) hostNetwork() bool { return c.HostConfig.NetworkMode == "host" }

// manifest describes the container in the words of the checks.
func (c *container) manifest(asset string, remapped bool) manifest.Workload {
	d := manifest.Container{
		Name: c.name(), Image: c.Config.Image, Source: "docker-inspect", Privileged: c.HostConfig.Privileged,
	}
	for _, capability := range c.HostConfig.CapAdd {
		d.CapAdd = append(d.CapAdd, manifest.Capability(capability))
	}
	for _, m := range c.Mounts {
		if m.Type == "bind" {
			d.Mounts = append(d.Mounts, manifest.HostMount{Source: m.Source, Target: m.Destination, ReadOnly: !m.RW})
		}
	}
	if len(c.Mounts) == 0 { // a container that never started has its mounts in the request only
		for _, bind := range c.HostConfig.Binds {
			if parts := strings.Split(bind, ":"); len(parts) >= 2 && strings.HasPrefix(parts[0], "/") {
				readOnly := len(parts) > 2 && strings.Contains(","+parts[2]+",", ",ro,")
				d.Mounts = append(d.Mounts, manifest.HostMount{Source: parts[0], Target: parts[1], ReadOnly: readOnly})
			}
		}
		for _, m := range c.HostConfig.Mounts {
			if m.Type == "bind" {
				d.Mounts = append(d.Mounts, manifest.HostMount{Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly})
			}
		}
	}
	for _, device := range c.HostConfig.Devices {
		d.Devices = append(d.Devices, device.PathOnHost)
	}
	return manifest.Workload{
		Asset: asset, Kind: "DockerContainer", Name: c.name(),
		HostNetwork: c.hostNetwork(), HostPID: c.HostConfig.PidMode == "host", HostIPC: c.HostConfig.IpcMode == "host",
		UserNamespace: remapped && c.HostConfig.UsernsMode != "host",
		Containers:    []manifest.Container{d},
	}
}

// sanitize masks what looks secret in a document of the engine: environment, command line,
// labels of a container or image, and passwords of proxies that the engine uses.
func sanitize(doc json.RawMessage) (json.RawMessage, error) {
	var m map[string]any
	if err := decode(doc, &m); err != nil {
		return nil, err
	}
	maskList(m, "Args")
	for _, field := range []string{"HttpProxy", "HttpsProxy"} {
		if proxy, ok := m[field].(string); ok {
			m[field] = manifest.MaskValue(proxy)
		}
	}
	for _, field := range []string{"Config", "ContainerConfig"} {
		config, ok := m[field].(map[string]any)
		if !ok {
			continue
		}
		if env, ok := config["Env"].([]any); ok {
			for i, e := range env {
				if s, ok := e.(string); ok {
					name, value, _ := strings.Cut(s, "=")
					env[i] = name + "=" + manifest.MaskEnv(name, value)
				}
			}
		}
		maskList(config, "Cmd")
		maskList(config, "Entrypoint")
		if labels, ok := config["Labels"].(map[string]any); ok {
			for k, v := range labels {
				if s, ok := v.(string); ok {
					labels[k] = manifest.MaskEnv(k, s)
				}
			}
		}
		if health, ok := config["Healthcheck"].(map[string]any); ok {
			maskList(health, "Test")
		}
	}
	if state, ok := m["State"].(map[string]any); ok {
		delete(state, "Health") // the output of the last probes
	}
	return json.Marshal(m)
}

func maskedLabels(labels map[string]string) map[string]string {
	masked := make(map[string]string, len(labels))
	for k, v := range labels {
		masked[k] = manifest.MaskEnv(k, v)
	}
	return masked
}

func maskList(m map[string]any, field string) {
	list, ok := m[field].([]any)
	if !ok {
		return
	}
	words := make([]string, len(list))
	for i, w := range list {
		words[i], _ = w.(string)
	}
	for i, w := range manifest.MaskArgs(words) {
		list[i] = w
	}
}
