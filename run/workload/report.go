package workload

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/triad-security/triad"
)

// Sections of a host's report.
const (
	SectionHost      = "host"
	SectionProcesses = "processes"
	SectionPackages  = "packages"
)

// Packages finds the packages installed on this machine; the build phase's scanner does.
type Packages func(ctx context.Context, root string) (Installed, error)

// Installed are a machine's packages, each in one of the sections.
type Installed struct {
	Packages []triad.Package
	Sections []triad.Section // SectionPackages for the distribution's, others below it
	Notes    []string        // what was left out on purpose
}

// Options of a collection of this machine.
type Options struct {
	Tenant    string
	Collector string    // name and version that reports carry
	Now       time.Time // when the collection began; zero is now
	// Root is where the machine's file system is seen; empty is /.
	Root string
	// Packages is nil when nobody looks for packages.
	Packages Packages
}

// host builds the report of one machine.
type host struct {
	report *triad.Report
	id     string
	name   string
}

// inContainer matches the control groups that engines and kubelets make for containers.
var inContainer = regexp.MustCompile(`(^|[/:_-])[0-9a-f]{64}(\.scope)?($|[/\n])|/kubepods|/libpod-|/lxc/|/machine\.slice/`)

// Host reads this machine: what it is, its processes outside of containers with what they
// load and where they listen, and its packages. Processes in containers belong to the
// engine's or cluster's report.
func Host(ctx context.Context, r Reader, o Options) (*triad.Report, error) {
	now := o.Now
	if now.IsZero() {
		now = time.Now()
	}
	root := cmp.Or(o.Root, "/")
	m := ThisMachine(root)
	key := cmp.Or(m.ID, m.Hostname)
	if key == "" {
		return nil, triad.Errorf(triad.CodeUnread, "the machine has neither /etc/machine-id nor a host name; make one with systemd-machine-id-setup")
	}
	h := host{id: triad.HostID(key), name: cmp.Or(m.Instance, m.Hostname, key)}
	h.report = &triad.Report{
		Tenant: o.Tenant, Scope: "host/" + key, Collector: o.Collector, Taken: now.UTC(), Revision: now.UnixMicro(),
	}
	h.machine(m)
	processes, err := r.Processes(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	h.processes(processes, err)
	if err := h.packages(ctx, root, o.Packages); err != nil {
		return nil, err
	}
	return h.report, nil
}

func (h *host) section(name string, problems ...string) {
	s := triad.Section{Name: name, Status: triad.SectionComplete}
	if len(problems) > 0 {
		s.Status, s.Reason = triad.SectionUnread, summary(problems)
	}
	h.report.Sections = append(h.report.Sections, s)
}

func summary(problems []string) string {
	const shown = 3
	if len(problems) <= shown {
		return strings.Join(problems, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(problems[:shown], "; "), len(problems)-shown)
}

func (h *host) machine(m Machine) {
	a := triad.Asset{
		ID: h.id, Type: triad.TypeHost, Kind: "Host", Name: h.name, Section: SectionHost, Schema: "host/1",
		Props: raw(triad.HostProps{Hostname: m.Hostname, OS: m.OS, Addresses: m.Addresses}),
	}
	if m.ID != "" {
		a.Aliases = append(a.Aliases, "machine:"+m.ID)
	}
	if m.Provider == "aws" && m.Instance != "" {
		a.Aliases = append(a.Aliases, "aws-instance:"+m.Instance)
	}
	h.report.Assets = append(h.report.Assets, a)
	h.section(SectionHost)
}

// processes adds one row for each program that runs outside of containers.
func (h *host) processes(list []Process, err error) {
	var problems []string
	if err != nil {
		problems = append(problems, err.Error())
	}
	byExe := map[string][]Process{}
	for _, p := range list {
		if inContainer.MatchString(p.Cgroup) {
			continue
		}
		if p.Unread != "" {
			problems = append(problems, fmt.Sprintf("process %d (%s): %s", p.PID, cmp.Or(p.Exe, "its program unknown"), p.Unread))
			continue
		}
		byExe[p.Exe] = append(byExe[p.Exe], p)
	}
	for exe := range byExe {
		h.process(exe, byExe[exe])
	}
	slices.SortFunc(h.report.Assets, func(a, b triad.Asset) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(h.report.Relations, func(a, b triad.Relation) int { return strings.Compare(a.Key(), b.Key()) })
	h.section(SectionProcesses, problems...)
}

func (h *host) process(exe string, all []Process) {
	id := triad.ProcessID(h.id, exe)
	props := triad.ProcessProps{Exe: exe, Args: all[0].Args, User: all[0].User}
	listeners := map[string]Listener{}
	for _, p := range all {
		props.Loads = append(props.Loads, p.Loads...)
		for _, l := range p.Listens {
			key := l.Protocol + "/" + strconv.Itoa(l.Port)
			if old, ok := listeners[key]; !ok || width(l.Address) > width(old.Address) {
				listeners[key] = l
			}
		}
	}
	props.Loads = bounded(props.Loads)
	h.report.Assets = append(h.report.Assets, triad.Asset{
		ID: id, Type: triad.TypeProcess, Kind: "Process", Name: h.name + exe, Section: SectionProcesses,
		Schema: "process/1", Props: raw(props),
	})
	h.report.Relations = append(h.report.Relations, triad.Relation{From: h.id, Type: triad.RelContains, To: id, Section: SectionProcesses})
	for _, l := range listeners {
		h.report.Relations = append(h.report.Relations, triad.Relation{
			From: id, Type: triad.RelListens, To: triad.EndpointID(h.id, l.Protocol, strconv.Itoa(l.Port)), Section: SectionProcesses,
			Props:    raw(triad.Listen{Protocol: l.Protocol, Port: l.Port, Address: l.Address, Basis: triad.BasisObserved, Process: id}),
			Evidence: []triad.Evidence{{Source: "/proc/net/" + l.Protocol, Detail: fmt.Sprintf("%s listens on %s port %d", exe, l.Address, l.Port)}},
		})
	}
}

// width orders addresses by how many peers can reach them: loopback, one address, all.
func width(address string) int {
	ip, err := netip.ParseAddr(address)
	switch {
	case err != nil:
		return 1
	case ip.IsLoopback():
		return 0
	case ip.IsUnspecified():
		return 2
	}
	return 1
}

func (h *host) packages(ctx context.Context, root string, find Packages) error {
	if find == nil {
		h.report.Sections = append(h.report.Sections, triad.Section{
			Name: SectionPackages, Status: triad.SectionAbsent, Reason: "nobody looked for packages",
		})
		return nil
	}
	found, err := find(ctx, root)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		h.section(SectionPackages, err.Error())
		return nil
	}
	for _, p := range found.Packages {
		p.Asset = h.id
		h.report.Packages = append(h.report.Packages, p)
	}
	h.report.Sections = append(h.report.Sections, found.Sections...)
	h.report.Notes = append(h.report.Notes, found.Notes...)
	return nil
}

func raw(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil { // the types here always marshal
		panic(err)
	}
	return data
}
