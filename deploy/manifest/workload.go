package manifest

import (
	"path"
	"slices"
	"strings"
)

// Workload is what a check looks at: a Kubernetes workload with its pod template, or one
// Docker container.
type Workload struct {
	Asset string // the asset that findings hang on
	Kind  string
	Name  string

	HostNetwork, HostPID, HostIPC bool
	// UserNamespace: root inside is not root of the host.
	UserNamespace bool
	Containers    []Container
}

// Container is one container of a workload.
type Container struct {
	Name  string
	Image string // the reference as it was asked for
	// Where the statement was read, as evidence: "pods shop/storefront-1" or "docker-inspect".
	Source string
	Init   bool

	Privileged bool
	// CapAdd are capabilities beyond the engine's default, without the CAP_ prefix.
	CapAdd  []string
	Mounts  []HostMount
	Devices []string // paths of host devices
}

// Images are the references of its containers.
func (w *Workload) Images() []string {
	images := make([]string, 0, len(w.Containers))
	for _, c := range w.Containers {
		images = append(images, c.Image)
	}
	return images
}

// HostMount is a path of the host inside a container.
type HostMount struct {
	Source   string // on the host
	Target   string
	ReadOnly bool
}

// sockets of engines: who can speak to one can start a container that owns the host.
var sockets = []string{
	"/var/run/docker.sock", "/run/docker.sock",
	"/run/containerd/containerd.sock", "/var/run/containerd/containerd.sock",
	"/run/crio/crio.sock", "/var/run/crio/crio.sock",
	"/run/podman/podman.sock", "/var/run/podman/podman.sock",
	"/run/k3s/containerd/containerd.sock", "/var/run/cri-dockerd.sock", "/run/cri-dockerd.sock",
}

// takeoverCapabilities each suffice to leave a container that runs as root without a user
// namespace (capabilities(7)): mounting, kernel modules, raw memory and ports, opening any
// file by handle, loading BPF programs that write memory.
var takeoverCapabilities = []string{"ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF"}

// writeTakeover are host folders in which a file written is soon executed or trusted by the
// host: programs, configuration, scheduled jobs, keys, plugins, static pods, device nodes.
var writeTakeover = []string{
	"/bin", "/sbin", "/lib", "/lib64", "/usr", "/opt", "/boot", "/dev", "/etc", "/root", "/home",
	"/proc", "/sys", "/var", "/var/lib", "/var/lib/kubelet", "/var/lib/docker", "/var/lib/containerd", "/var/lib/containers",
	"/var/lib/etcd", "/var/lib/rancher", "/var/spool", "/var/spool/cron", "/run", "/var/run",
}

// readTakeover are host folders that hold the host's or the cluster's own credentials, so
// that reading is enough.
var readTakeover = []string{"/", "/etc", "/etc/kubernetes", "/etc/ssh", "/root", "/home", "/var", "/var/lib", "/var/lib/kubelet", "/var/lib/etcd", "/var/lib/rancher"}

// harmless are files and folders below those that are mounted by custom and hold neither
// programs nor keys.
var harmless = []string{
	"/etc/localtime", "/etc/timezone", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/os-release", "/etc/ssl", "/etc/pki",
	"/etc/machine-id", "/etc/passwd", "/etc/group", "/usr/share", "/usr/lib/os-release", "/lib/modules", "/usr/lib/modules",
	"/run/xtables.lock", "/var/log", "/var/lib/calico", "/var/run/netns", "/run/netns", "/dev/shm", "/dev/null", "/dev/net/tun", "/dev/fuse",
}

// Socket returns the engine's socket that the mount gives access to, or nothing. A read-only
// mount does not stop anybody from connecting.
func (m HostMount) Socket() string {
	source := path.Clean(m.Source)
	for _, s := range sockets {
		if source == s {
			return s
		}
	}
	switch base := path.Base(source); base {
	case "docker.sock", "containerd.sock", "crio.sock", "podman.sock":
		return source
	}
	switch source {
	case "/var/run", "/run":
		return source + "/docker.sock"
	case "/run/containerd", "/var/run/containerd":
		return source + "/containerd.sock"
	}
	return ""
}

// Sensitive reports whether the mount lets a process take over the host.
func (m HostMount) Sensitive() bool {
	source := path.Clean(m.Source)
	if source == "/" {
		return true
	}
	if m.ReadOnly {
		return slices.Contains(readTakeover, source) ||
			under(source, "/etc/kubernetes", "/root", "/var/lib/kubelet/pki", "/var/lib/kubelet/pods", "/var/lib/etcd", "/etc/ssh") && source != "/etc/kubernetes/azure.json"
	}
	if under(source, harmless...) {
		return false
	}
	if slices.Contains(writeTakeover, source) {
		return true
	}
	return under(source, "/bin", "/sbin", "/lib", "/lib64", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/local/bin", "/usr/local/sbin",
		"/etc", "/root", "/boot", "/var/spool/cron", "/var/lib/kubelet/pki", "/opt/cni/bin", "/proc/sys", "/proc/sysrq-trigger",
		"/sys/kernel", "/sys/fs/cgroup", "/dev/mem", "/dev/kmem", "/dev/port") || diskDevice(source)
}

func under(p string, folders ...string) bool {
	for _, f := range folders {
		if p == f || strings.HasPrefix(p, f+"/") {
			return true
		}
	}
	return false
}

// diskDevice reports whether a device gives raw access to the host's disks or memory.
func diskDevice(p string) bool {
	if under(p, "/dev/mem", "/dev/kmem", "/dev/port", "/dev/disk", "/dev/mapper") {
		return true
	}
	for _, prefix := range []string{"/dev/sd", "/dev/hd", "/dev/vd", "/dev/xvd", "/dev/nvme", "/dev/mmcblk", "/dev/dm-", "/dev/md"} {
		if strings.HasPrefix(p, prefix) {
			return true
		}
	}
	return false
}

// Takeover lists in a word each what lets a process in container c take over the host.
func (w *Workload) Takeover(c *Container) []string {
	var ways []string
	if c.Privileged {
		ways = append(ways, "privileged")
	}
	if w.HostPID {
		ways = append(ways, "host-pid")
	}
	for _, m := range c.Mounts {
		if socket := m.Socket(); socket != "" {
			ways = append(ways, "docker-socket "+socket)
		}
		if m.Sensitive() {
			ways = append(ways, "host-path "+path.Clean(m.Source))
		}
	}
	for _, device := range c.Devices {
		if p := path.Clean(device); p == "/dev" || diskDevice(p) {
			ways = append(ways, "device "+p)
		}
	}
	if !w.UserNamespace {
		for _, capability := range c.CapAdd {
			if slices.Contains(takeoverCapabilities, capability) {
				ways = append(ways, "capability "+capability)
			}
		}
	}
	slices.Sort(ways)
	return slices.Compact(ways)
}

// Capability returns a capability's name without prefix and in capitals, as Docker and
// Kubernetes both accept it in either form.
func Capability(name string) string {
	return strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(name)), "CAP_")
}
