package docker

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/deploy/manifest"
)

// Options of a collection.
type Options struct {
	Tenant string
	// Host names the host in place of the instance ID or the engine's name.
	Host string
	// Collector is the name and version that reports carry.
	Collector string
	// Trusted are the registries from which images may come; zero reports none as untrusted.
	Trusted manifest.Registries
	// Processes reads the processes of this machine; nil when the engine is on another.
	Processes ProcessReader
	// Machine is what is known of the machine beside the engine; Dir reads host.json instead.
	Machine Machine
	// Record is a folder into which Live writes what it read, in the form that Dir reads.
	Record string
	// Now is when the collection began; zero is now.
	Now time.Time
}

// ContainerID is the asset ID of the container row below a Docker container's workload row.
func ContainerID(host, id string) string { return triad.DockerID(host, id) + "#container" }

type rows struct {
	*dump
	report *triad.Report
	host   string // in asset IDs and names
	hostID string
	info   info
	have   map[string]bool
	refs   map[string][]string // image digest → references of its containers
}

var unclean = regexp.MustCompile(`[^A-Za-z0-9._:@-]+`)

func (d *dump) report(folder string, o Options) (*triad.Report, error) {
	now := o.Now
	if now.IsZero() {
		now = time.Now()
	}
	b := &rows{dump: d, have: map[string]bool{}, refs: map[string][]string{}}
	if d.info != nil {
		err := decode(d.info, &b.info)
		if err == nil {
			d.info, err = sanitize(d.info)
		}
		if err != nil {
			d.info = nil
			d.section(sectionInfo, triad.SectionUnread, err.Error())
		}
	}
	for _, name := range []string{o.Host, d.host.InstanceID, b.info.Name, folder} {
		if name = strings.Trim(unclean.ReplaceAllString(name, "-"), "-"); name != "" {
			b.host = name
			break
		}
	}
	if b.host == "" {
		return nil, triad.Errorf(triad.CodeInvalid, "nothing says which host this is: give --host")
	}
	b.hostID = "docker-host:" + b.host
	b.report = &triad.Report{
		Tenant: o.Tenant, Scope: "docker/" + b.host, Collector: o.Collector,
		Taken: now.UTC(), Revision: now.UnixMicro(), Notes: d.notes,
	}
	b.hostRow()
	o.Trusted = o.Trusted.Resolve(d.imagesInUse())
	for i, doc := range d.containers {
		if err := b.container(doc, o); err != nil {
			d.section(sectionContainers, triad.SectionUnread, fmt.Sprintf("container %d: %v", i+1, err))
		}
	}
	for i, doc := range d.images {
		if err := b.image(doc); err != nil {
			d.section(sectionImages, triad.SectionUnread, fmt.Sprintf("image %d: %v", i+1, err))
		}
	}
	for i, doc := range d.networks {
		if err := b.network(doc); err != nil {
			d.section(sectionNetworks, triad.SectionUnread, fmt.Sprintf("network %d: %v", i+1, err))
		}
	}
	slices.SortFunc(d.sections, func(a, b triad.Section) int { return strings.Compare(a.Name, b.Name) })
	b.report.Sections = d.sections
	return b.report, nil
}

// imagesInUse are the images of each container.
func (d *dump) imagesInUse() map[string][]string {
	images := map[string][]string{}
	for _, doc := range d.containers {
		var c container
		if decode(doc, &c) == nil {
			images[c.ID] = []string{c.Config.Image}
		}
	}
	return images
}

func (b *rows) asset(a triad.Asset) {
	if !b.have[a.ID] {
		b.have[a.ID] = true
		b.report.Assets = append(b.report.Assets, a)
	}
}

func (b *rows) relate(r triad.Relation) {
	if !b.have[r.Key()] {
		b.have[r.Key()] = true
		b.report.Relations = append(b.report.Relations, r)
	}
}

func (b *rows) hostRow() {
	a := triad.Asset{
		ID: b.hostID, Type: triad.TypeHost, Kind: "Host", Name: b.host, Section: sectionInfo, Doc: b.dump.info,
		Schema: "host/1", Props: raw(triad.HostProps{Hostname: b.info.Name, OS: b.info.OperatingSystem, Addresses: b.dump.host.Addresses}),
	}
	if b.info.ID != "" {
		a.Aliases = append(a.Aliases, triad.HostID(b.info.ID))
	}
	if b.dump.host.InstanceID != "" {
		a.Aliases = append(a.Aliases, "aws-instance:"+b.dump.host.InstanceID)
	}
	if b.dump.host.MachineID != "" {
		a.Aliases = append(a.Aliases, "machine:"+b.dump.host.MachineID)
	}
	b.asset(a)
}

func (b *rows) container(doc json.RawMessage, o Options) error {
	var c container
	if err := decode(doc, &c); err != nil {
		return err
	}
	if c.ID == "" {
		return fmt.Errorf("no Id")
	}
	clean, err := sanitize(doc)
	if err != nil {
		return fmt.Errorf("%s: %w", c.name(), err)
	}
	workloadID, id := triad.DockerID(b.host, c.ID), ContainerID(b.host, c.ID)
	name := b.host + "/" + c.name()
	m := c.manifest(workloadID, b.info.remapped())
	replicas := 0
	if c.State.Running {
		replicas = 1
	}
	b.asset(triad.Asset{
		ID: workloadID, Type: triad.TypeWorkload, Kind: "DockerContainer", Name: name,
		Section: sectionContainers, Tags: maskedLabels(c.Config.Labels), Doc: clean,
		Schema: "workload/1", Props: raw(triad.WorkloadProps{Host: b.hostID, Name: c.name(), Replicas: replicas}),
	})
	digest := ""
	if strings.HasPrefix(c.Image, "sha256:") {
		digest = c.Image
	}
	b.asset(triad.Asset{
		ID: id, Type: triad.TypeContainer, Kind: "DockerContainer", Name: name, Section: sectionContainers,
		Schema: "container/1", Props: raw(triad.ContainerProps{
			Name: c.name(), ImageRef: c.Config.Image, Digest: digest, Privileged: c.HostConfig.Privileged,
			Takeover: m.Takeover(&m.Containers[0]), HostNetwork: c.hostNetwork(), Running: c.State.Running,
		}),
	})
	b.relate(triad.Relation{From: workloadID, Type: triad.RelContains, To: id, Section: sectionContainers})
	b.relate(triad.Relation{From: id, Type: triad.RelOwnedBy, To: workloadID, Section: sectionContainers})
	for _, from := range []string{workloadID, id} {
		b.relate(triad.Relation{From: from, Type: triad.RelRunsOn, To: b.hostID, Section: sectionContainers})
	}
	if digest != "" {
		b.relate(triad.Relation{
			From: id, Type: triad.RelRuns, To: digest, Section: sectionContainers,
			Evidence: []triad.Evidence{{Source: sectionContainers, Detail: "Image " + digest}},
		})
		b.refs[digest] = append(b.refs[digest], c.Config.Image)
	}
	b.declared(id, &c)
	b.processRows(id, &c)
	b.report.Findings = append(b.report.Findings, manifest.Check(&m, sectionContainers, o.Trusted)...)
	return nil
}

// declared adds the ports that the image exposes or the engine publishes.
func (b *rows) declared(id string, c *container) {
	ports := map[string]string{}
	for port := range c.Config.ExposedPorts {
		ports[port] = "Config.ExposedPorts"
	}
	for port := range c.HostConfig.PortBindings {
		ports[port] = "HostConfig.PortBindings"
	}
	for port, bindings := range c.NetworkSettings.Ports {
		if bindings != nil || ports[port] == "" {
			ports[port] = "NetworkSettings.Ports"
		}
	}
	for _, port := range slices.Sorted(maps.Keys(ports)) {
		first, last, protocol, err := parsePorts(port)
		if err != nil {
			b.section(sectionContainers, triad.SectionUnread, fmt.Sprintf("%s: %v", c.name(), err))
			continue
		}
		for p := first; p <= last; p++ {
			b.relate(triad.Relation{
				From: id, Type: triad.RelListens, To: triad.EndpointID(id, protocol, strconv.Itoa(p)), Section: sectionContainers,
				Props:    raw(triad.Listen{Protocol: protocol, Port: p, Basis: triad.BasisDeclared}),
				Evidence: []triad.Evidence{{Source: sectionContainers, Detail: ports[port] + " " + port}},
			})
		}
	}
}

// maxRange bounds how many ports one range declares as listeners.
const maxRange = 1024

// parsePorts reads 8080/tcp, 8080 (tcp) and 8000-8010/udp.
func parsePorts(s string) (first, last int, protocol string, err error) {
	numbers, protocol, ok := strings.Cut(s, "/")
	if !ok || protocol == "" {
		protocol = "tcp"
	}
	low, high, ranged := strings.Cut(numbers, "-")
	if !ranged {
		high = low
	}
	if first, err = strconv.Atoi(low); err == nil {
		last, err = strconv.Atoi(high)
	}
	if err != nil || first < 1 || last > 65535 || first > last || last-first >= maxRange {
		return 0, 0, "", fmt.Errorf("port %q is not PORT[-PORT]/PROTOCOL", s)
	}
	return first, last, strings.ToLower(protocol), nil
}

func (b *rows) image(doc json.RawMessage) error {
	var i image
	if err := decode(doc, &i); err != nil {
		return err
	}
	if i.ID == "" {
		return fmt.Errorf("no Id")
	}
	clean, err := sanitize(doc)
	if err != nil {
		return err
	}
	refs := slices.Concat(i.RepoTags, b.refs[i.ID])
	slices.Sort(refs)
	refs = slices.DeleteFunc(slices.Compact(refs), func(s string) bool { return s == "" || s == "<none>:<none>" })
	a := triad.Asset{ID: i.ID, Type: triad.TypeImage, Kind: "Image", Section: sectionImages, Doc: clean, Schema: "image/1"}
	for _, d := range i.RepoDigests {
		if _, digest, ok := strings.Cut(d, "@"); ok && digest != i.ID && !slices.Contains(a.Aliases, digest) {
			a.Aliases = append(a.Aliases, digest)
		}
	}
	if a.Name = i.ID; len(refs) > 0 {
		a.Name = refs[0]
	}
	props := triad.ImageProps{
		Refs: refs, Architecture: i.Architecture, Entrypoint: i.Config.Entrypoint,
		Cmd: i.Config.Cmd, User: i.Config.User, Exposed: slices.Sorted(maps.Keys(i.Config.ExposedPorts)),
	}
	for _, layer := range i.RootFS.Layers {
		props.Layers = append(props.Layers, triad.Layer{DiffID: layer})
	}
	props.Entrypoint, props.Cmd = manifest.MaskArgs(props.Entrypoint), manifest.MaskArgs(props.Cmd)
	a.Props = raw(props)
	b.asset(a)
	return nil
}

func (b *rows) network(doc json.RawMessage) error {
	var n struct {
		ID   string `json:"Id"`
		Name string `json:"Name"`
	}
	if err := decode(doc, &n); err != nil {
		return err
	}
	doc, err := sanitize(doc)
	if err != nil {
		return err
	}
	if n.ID == "" {
		return fmt.Errorf("no Id")
	}
	b.asset(triad.Asset{
		ID: "docker-network:" + b.host + "/" + n.ID, Type: triad.TypeNetwork, Kind: "DockerNetwork",
		Name: b.host + "/" + n.Name, Section: sectionNetworks, Doc: doc,
	})
	return nil
}

func raw(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil { // the types here always marshal
		panic(err)
	}
	return data
}
