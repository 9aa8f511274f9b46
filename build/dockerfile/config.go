package dockerfile

import (
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/inspect"
)

// configCheck judges what an image's config says of how it runs.
type configCheck struct {
	ID                        string
	Aliases                   []string
	Severity, Title, Why, Fix string
	find                      func(c *v1.ConfigFile) []string
}

var configChecks = []configCheck{
	{
		ID: "image-user-root", Aliases: []string{"CIS-4.1", "DL3002"}, Severity: "medium",
		Title: "The image runs as root", Why: "Whoever breaks into the process is root in the container.",
		Fix: "end the Dockerfile with USER and a user of its own, or run it with another user",
		find: func(c *v1.ConfigFile) []string {
			switch user := c.Config.User; {
			case user == "":
				return []string{"no user is set, so it is root"}
			case isRoot(user):
				return []string{"user " + user}
			}
			return nil
		},
	},
	{
		ID: "image-healthcheck-missing", Aliases: []string{"CIS-4.6", "DL3057"}, Severity: "low",
		Title: "The image has no health check", Why: "An engine cannot tell a process that hangs from one that works. Kubernetes has probes of its own.",
		Fix: "add HEALTHCHECK to the Dockerfile",
		find: func(c *v1.ConfigFile) []string {
			if (len(c.Config.Cmd) > 0 || len(c.Config.Entrypoint) > 0) && c.Config.Healthcheck == nil {
				return []string{"no health check is set"}
			}
			return nil
		},
	},
	{
		ID: "image-port-login", Aliases: []string{"CIS-5.6"}, Severity: "medium",
		Title: "The image exposes a port for logging in", Why: "A remote login in a container is one more way in, with its own accounts and keys.",
		Fix: "remove the port and the service; use docker exec or kubectl exec",
		find: func(c *v1.ConfigFile) (all []string) {
			for exposed := range c.Config.ExposedPorts {
				if from, to, ok := portRange(exposed); ok && from == to && loginPorts[from] != "" {
					all = append(all, exposed+" is "+loginPorts[from])
				}
			}
			return all
		},
	},
	{
		ID: "image-env-linker", Severity: "medium",
		Title: "The image makes every program load a library", Why: "LD_PRELOAD and its like put code in every process of the container.",
		Fix: "set it for the one program that needs it",
		find: func(c *v1.ConfigFile) (all []string) {
			for _, e := range c.Config.Env {
				if name, value, _ := strings.Cut(e, "="); (name == "LD_PRELOAD" || name == "LD_AUDIT") && value != "" {
					all = append(all, clip(e))
				}
			}
			return all
		},
	},
	{
		ID: "image-tls-off", Aliases: []string{"CIS-4.11"}, Severity: "high",
		Title: "The image switches the checking of certificates off", Why: "Every program in it that reads the variable trusts anybody.",
		Fix: "remove the variable; install the CA that signed",
		find: func(c *v1.ConfigFile) (all []string) {
			for _, e := range c.Config.Env {
				if e == "NODE_TLS_REJECT_UNAUTHORIZED=0" || e == "PYTHONHTTPSVERIFY=0" || strings.HasPrefix(e, "GIT_SSL_NO_VERIFY=") && len(e) > len("GIT_SSL_NO_VERIFY=") {
					all = append(all, clip(e))
				}
			}
			return all
		},
	},
	{
		ID: "image-path-writable", Severity: "medium",
		Title: "Programs are looked for where everybody may write", Why: "A file put there runs instead of the program that was meant.",
		Fix: "take the folder out of PATH",
		find: func(c *v1.ConfigFile) (all []string) {
			for _, e := range c.Config.Env {
				value, ok := strings.CutPrefix(e, "PATH=")
				if !ok {
					continue
				}
				for dir := range strings.SplitSeq(value, ":") {
					if !path.IsAbs(dir) || dir == "/tmp" || dir == "/var/tmp" || dir == "/dev/shm" {
						all = append(all, fmt.Sprintf("PATH has %q", clip(dir)))
					}
				}
			}
			return all
		},
	},
	{
		ID: "image-volume-system", Severity: "medium",
		Title: "The image declares a volume over a folder of the system", Why: "Every container gets a copy that no update of the image reaches.",
		Fix: "declare a folder of data, such as /var/lib/app",
		find: func(c *v1.ConfigFile) (all []string) {
			for v := range c.Config.Volumes {
				switch strings.TrimSuffix(v, "/") {
				case "", "/etc", "/bin", "/sbin", "/lib", "/usr", "/usr/bin", "/root", "/boot", "/proc", "/sys":
					all = append(all, clip(v))
				}
			}
			return all
		},
	},
	{
		ID: "image-onbuild", Severity: "low",
		Title: "The image runs steps in the builds of others", Why: "Whoever builds from it runs ONBUILD steps without seeing them in their Dockerfile.",
		Fix: "write the steps in the images that need them",
		find: func(c *v1.ConfigFile) (all []string) {
			for _, t := range c.Config.OnBuild {
				all = append(all, "ONBUILD "+clip(t))
			}
			return all
		},
	},
}

// CheckConfig judges an image's config.
func CheckConfig(c *v1.ConfigFile) []triad.Finding {
	var findings []triad.Finding
	for _, check := range configChecks {
		details := check.find(c)
		if len(details) == 0 {
			continue
		}
		sort.Strings(details)
		details = slices.Compact(details)
		findings = append(findings, triad.Finding{
			Kind: triad.FindingMisconfiguration, ID: check.ID, Aliases: check.Aliases, Section: inspect.SectionMisconfigurations,
			Title: check.Title, Severity: check.Severity, Fix: check.Fix, Detail: strings.Join(details[:min(len(details), 8)], "; "),
		})
	}
	return findings
}
