package manifest

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/triad-security/triad"
)

// violation is one place that breaks a rule.
type violation struct{ detail string }

// rule is one check. Container rules run on each container, workload rules once.
type rule struct {
	ID, Title, Severity, Fix string
	workload                 func(w *Workload) []violation
	container                func(w *Workload, c *Container) []violation
}

var rules = []rule{
	{
		ID: "privileged-container", Severity: "critical",
		Title: "A container runs privileged: whoever breaks into it owns the host",
		Fix:   "remove privileged: true and add only the capabilities it needs",
		container: func(_ *Workload, c *Container) []violation {
			if !c.Privileged {
				return nil
			}
			return []violation{{"privileged: true"}}
		},
	},
	{
		ID: "docker-socket-mount", Severity: "critical",
		Title: "The container engine's socket is mounted: whoever breaks in starts containers as the host's root",
		Fix:   "remove the mount; give the program a narrower interface than the engine's API",
		container: func(_ *Workload, c *Container) (found []violation) {
			for _, m := range c.Mounts {
				if socket := m.Socket(); socket != "" {
					found = append(found, violation{fmt.Sprintf("%s mounted at %s", path.Clean(m.Source), m.Target)})
				}
			}
			return found
		},
	},
	{
		ID: "host-path", Severity: "high",
		Title: "A path of the host is mounted that holds its programs, configuration or keys",
		Fix:   "use a volume of its own instead of the host's path, or mount only the file that is needed, read-only",
		container: func(_ *Workload, c *Container) (found []violation) {
			for _, m := range c.Mounts {
				if m.Sensitive() && m.Socket() == "" {
					mode := "writable"
					if m.ReadOnly {
						mode = "read-only"
					}
					found = append(found, violation{fmt.Sprintf("%s mounted %s at %s", path.Clean(m.Source), mode, m.Target)})
				}
			}
			return found
		},
	},
	{
		ID: "dangerous-capability", Severity: "high",
		Title: "A capability is added with which a process can leave the container",
		Fix:   "drop all capabilities and add back only those the program needs",
		container: func(_ *Workload, c *Container) (found []violation) {
			for _, capability := range c.CapAdd {
				if slices.Contains(takeoverCapabilities, capability) || capability == "SYS_PTRACE" {
					found = append(found, violation{"capability " + capability})
				}
			}
			return found
		},
	},
	{
		ID: "host-network", Severity: "medium",
		Title: "The workload shares the host's network: its ports are the host's, and local services and metadata answer it",
		Fix:   "give it a network of its own and publish the ports that it needs",
		workload: func(w *Workload) []violation {
			if !w.HostNetwork {
				return nil
			}
			return []violation{{"host network namespace"}}
		},
	},
	{
		ID: "host-pid", Severity: "high",
		Title: "The workload sees and can signal every process of the host",
		Fix:   "give it a process namespace of its own",
		workload: func(w *Workload) []violation {
			if !w.HostPID {
				return nil
			}
			return []violation{{"host process namespace"}}
		},
	},
	{
		ID: "host-ipc", Severity: "medium",
		Title: "The workload shares memory segments and queues with the host's processes",
		Fix:   "give it an IPC namespace of its own",
		workload: func(w *Workload) []violation {
			if !w.HostIPC {
				return nil
			}
			return []violation{{"host IPC namespace"}}
		},
	},
	{
		ID: "mutable-tag", Severity: "low",
		Title: "The image is named by a tag that moves: what runs tomorrow may not be what was checked today",
		Fix:   "name the image by a release's tag and pin its digest",
		container: func(_ *Workload, c *Container) []violation {
			if !MutableTag(c.Image) {
				return nil
			}
			return []violation{{"image " + c.Image}}
		},
	},
}

// Check runs the policy rules over a workload. One rule gives at most one finding, with each
// place that breaks it as evidence. trusted is empty when nobody named trusted registries.
func Check(w *Workload, section string, trusted Registries) []triad.Finding {
	var findings []triad.Finding
	for _, r := range append(slices.Clip(rules), trusted.rule()...) {
		var evidence []triad.Evidence
		if r.workload != nil {
			for _, v := range r.workload(w) {
				evidence = append(evidence, triad.Evidence{Source: section, Detail: v.detail})
			}
		}
		if r.container != nil {
			for i := range w.Containers {
				c := &w.Containers[i]
				for _, v := range r.container(w, c) {
					source := c.Source
					if source == "" {
						source = section
					}
					e := triad.Evidence{Source: source, Detail: strings.TrimPrefix(c.Name+": "+v.detail, ": ")}
					if !slices.ContainsFunc(evidence, func(other triad.Evidence) bool { return other.Detail == e.Detail }) {
						evidence = append(evidence, e)
					}
				}
			}
		}
		if len(evidence) > 0 {
			findings = append(findings, triad.Finding{
				Kind: triad.FindingMisconfiguration, ID: r.ID, Asset: w.Asset, Section: section,
				Title: r.Title, Severity: r.Severity, Evidence: evidence, Fix: r.Fix,
			})
		}
	}
	return findings
}
