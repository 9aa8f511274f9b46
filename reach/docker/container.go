package docker

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// Container is what of `docker inspect` decides how it is reached.
type Container struct {
	ID    string `json:"Id"`
	Name  string `json:"Name"`
	State struct {
		Status  string `json:"Status"`
		Running bool   `json:"Running"`
	} `json:"State"`
	HostConfig struct {
		NetworkMode  string               `json:"NetworkMode"`
		PortBindings map[string][]binding `json:"PortBindings"`
	} `json:"HostConfig"`
	NetworkSettings struct {
		// Ports are the bindings in force; absent or empty on a container that does not run.
		Ports    map[string][]binding `json:"Ports"`
		Networks map[string]struct {
			NetworkID         string `json:"NetworkID"`
			IPAddress         string `json:"IPAddress"`
			GlobalIPv6Address string `json:"GlobalIPv6Address"`
		} `json:"Networks"`
	} `json:"NetworkSettings"`

	// Scope that reported it.
	Scope string `json:"-"`
	row   string // asset ID
}

type binding struct {
	HostIP   string `json:"HostIp"`
	HostPort string `json:"HostPort"`
}

// network is one element of `docker network inspect`.
type network struct {
	ID       string            `json:"Id"`
	Name     string            `json:"Name"`
	Driver   string            `json:"Driver"`
	Internal bool              `json:"Internal"`
	Options  map[string]string `json:"Options"`
}

// maxDoc bounds one document; an inspect element with thousands of mounts stays below.
const maxDoc = 4 << 20

func keyNetwork(id string) string { return "docker/network/" + id }

func keyByDockerID(scope, id string) string { return "docker/container/" + scope + "|" + id }

// Index is the reach.Index of Docker's documents.
func Index(scope string, a *triad.Asset) (decoded any, keys []string, err error) {
	if a.Kind != "DockerContainer" && a.Kind != "DockerNetwork" || len(a.Doc) == 0 {
		return nil, nil, nil
	}
	if len(a.Doc) > maxDoc {
		return nil, nil, fmt.Errorf("reading %s: its document is %d bytes long, over the bound of %d", a.ID, len(a.Doc), maxDoc)
	}
	if a.Kind == "DockerNetwork" {
		n := new(network)
		if err := json.Unmarshal(a.Doc, n); err != nil {
			return nil, nil, fmt.Errorf("decoding %s: %w", a.ID, err)
		}
		return n, []string{keyNetwork(n.ID)}, nil
	}
	c := &Container{Scope: scope, row: a.ID}
	if err := json.Unmarshal(a.Doc, c); err != nil {
		return nil, nil, fmt.Errorf("decoding %s: %w", a.ID, err)
	}
	if c.ID == "" {
		return nil, nil, fmt.Errorf("decoding %s: it has no Id", a.ID)
	}
	return c, []string{keyByDockerID(scope, c.ID)}, nil
}

// ContainerOf finds the container of an asset ID, which may name its container row
// (ID#container); nil where the estate has none. The error says why its document is unusable.
func ContainerOf(v reach.View, id string) (*Container, error) {
	id, _, _ = strings.Cut(id, "#")
	var err error
	for _, row := range v.Rows(id) {
		if c, ok := row.Decoded.(*Container); ok {
			return c, nil
		}
		if row.Err != nil {
			err = row.Err
		}
	}
	return nil, err
}

// HostID is the asset ID of the host that the container runs on; empty where no row says it.
func (c *Container) HostID(v reach.View) string {
	for _, row := range v.Rows(reach.RelationsFrom(c.row, triad.RelRunsOn)) {
		if row.Relation != nil {
			return row.Relation.To
		}
	}
	return ""
}

// Label is the container's hop id: its name, else its Docker ID.
func (c *Container) Label() string {
	if name := strings.TrimPrefix(c.Name, "/"); name != "" {
		return name
	}
	return c.ID
}

// addresses are the container's own on its networks of the given kind of driver.
func (c *Container) addresses(v reach.View, want func(*network) bool) []netip.Addr {
	var all []netip.Addr
	for _, n := range c.NetworkSettings.Networks {
		for _, row := range v.Rows(keyNetwork(n.NetworkID)) {
			doc, ok := row.Decoded.(*network)
			if !ok || !want(doc) {
				continue
			}
			for _, s := range []string{n.IPAddress, n.GlobalIPv6Address} {
				if ip, err := netip.ParseAddr(s); err == nil {
					all = append(all, ip)
				}
			}
			break
		}
	}
	return all
}
