package dockerfile

import (
	"fmt"
	"strconv"
	"strings"
)

// Checks of what the image runs as and with.

// last is the last instruction of a name that makes a stage's image; nil without one.
func (s *Stage) last(name string) *Instruction {
	chain := s.Chain()
	for n := len(chain) - 1; n >= 0; n-- {
		if chain[n].Name == name {
			return chain[n]
		}
	}
	return nil
}

// final is the stage that a build without --target makes; nil where there is no FROM.
func (f *File) final() *Stage {
	if len(f.Stages) == 0 {
		return nil
	}
	return f.Stages[len(f.Stages)-1]
}

func isRoot(user string) bool {
	name, _, _ := strings.Cut(strings.TrimSpace(user), ":")
	n, err := strconv.Atoi(name)
	return name == "root" || err == nil && n == 0
}

// privileged ports and those of services that let people in.
var loginPorts = map[int]string{22: "SSH", 23: "telnet", 2375: "the Docker API without TLS", 3389: "remote desktop", 5900: "VNC"}

var userChecks = []check{
	{
		ID: "user-root", Aliases: []string{"DL3002", "CIS-4.1"}, Severity: "medium",
		Title: "The image runs as root: the last USER is root",
		Why:   "Whoever breaks into the process is root in the container: one kernel or runtime flaw from root on the host, and free to change every file in it.",
		Fix:   "end with a user of its own: RUN useradd --system app, then USER app",
		Bad:   "FROM debian:12\nUSER app\nUSER root\nCMD [\"/app\"]\n", Good: "FROM debian:12\nUSER root\nRUN /setup\nUSER app\n",
		file: func(f *File) []place {
			s := f.final()
			if s == nil {
				return nil
			}
			if u := s.last("USER"); u != nil && isRoot(u.Args) {
				return at(u.Start, "USER "+u.Args)
			}
			return nil
		},
	},
	{
		ID: "user-missing", Aliases: []string{"CIS-4.1"}, Severity: "medium",
		Title: "No USER: the image runs as its base does, mostly as root",
		Why:   "Base images run as root unless they say otherwise. Whoever breaks into the process is root in the container.",
		Fix:   "end with a user of its own: RUN useradd --system app, then USER app",
		Bad:   "FROM debian:12\nCMD [\"/app\"]\n", Good: "FROM debian:12\nUSER 10001\nCMD [\"/app\"]\n",
		file: func(f *File) []place {
			s := f.final()
			if s == nil || s.last("USER") != nil {
				return nil
			}
			if base := strings.ToLower(s.Base().Resolved); strings.Contains(base, "nonroot") || strings.Contains(base, "rootless") || strings.Contains(base, "unprivileged") {
				return nil
			}
			return at(s.From.Start, s.Image)
		},
	},
	{
		ID: "healthcheck-missing", Aliases: []string{"DL3057", "CIS-4.6"}, Severity: "low",
		Title: "No HEALTHCHECK",
		Why:   "Without one an engine cannot tell a process that hangs from one that works. Kubernetes has probes of its own and ignores it.",
		Fix:   "add HEALTHCHECK CMD …, or HEALTHCHECK NONE where an orchestrator probes",
		Bad:   "FROM debian:12\nCMD [\"/app\"]\n", Good: "FROM debian:12\nHEALTHCHECK CMD [\"/app\", \"-health\"]\nCMD [\"/app\"]\n",
		file: func(f *File) []place {
			s := f.final()
			if s == nil || s.last("HEALTHCHECK") != nil || s.last("CMD") == nil && s.last("ENTRYPOINT") == nil {
				return nil
			}
			return at(s.From.Start, s.Image)
		},
	},
	{
		ID: "healthcheck-duplicate", Aliases: []string{"DL3012"}, Severity: "low",
		Title: "More than one HEALTHCHECK", Why: "Only the last one counts.", Fix: "keep one",
		Bad:   "FROM debian:12\nHEALTHCHECK CMD /a\nHEALTHCHECK CMD /b\n",
		Good:  "FROM debian:12\nHEALTHCHECK CMD /b\n",
		stage: func(_ *File, s *Stage) []place { return repeated(s, "HEALTHCHECK") },
	},
	{
		ID: "cmd-duplicate", Aliases: []string{"DL4003", "MultipleInstructionsDisallowed"}, Severity: "medium",
		Title: "More than one CMD", Why: "Only the last one counts: the others do not run.", Fix: "keep one; join the rest in a script or the ENTRYPOINT",
		Bad:   "FROM debian:12\nCMD [\"/a\"]\nCMD [\"/b\"]\n",
		Good:  "FROM debian:12\nCMD [\"/b\"]\n",
		stage: func(_ *File, s *Stage) []place { return repeated(s, "CMD") },
	},
	{
		ID: "entrypoint-duplicate", Aliases: []string{"DL4004", "MultipleInstructionsDisallowed"}, Severity: "medium",
		Title: "More than one ENTRYPOINT", Why: "Only the last one counts: the others do not run.", Fix: "keep one",
		Bad:   "FROM debian:12\nENTRYPOINT [\"/a\"]\nENTRYPOINT [\"/b\"]\n",
		Good:  "FROM debian:12\nENTRYPOINT [\"/b\"]\n",
		stage: func(_ *File, s *Stage) []place { return repeated(s, "ENTRYPOINT") },
	},
	{
		ID: "shell-form", Aliases: []string{"DL3025", "JSONArgsRecommended"}, Severity: "low",
		Title: "CMD or ENTRYPOINT in shell form",
		Why:   "The shell becomes process 1 and does not pass signals on: stopping the container kills the program instead of ending it, and arguments of docker run are lost.",
		Fix:   "write it as a list: CMD [\"nginx\", \"-g\", \"daemon off;\"]",
		Bad:   "FROM debian:12\nCMD nginx -g 'daemon off;'\n", Good: "FROM debian:12\nCMD [\"nginx\", \"-g\", \"daemon off;\"]\n",
		names: []string{"CMD", "ENTRYPOINT"},
		instruction: func(_ *File, i *Instruction) []place {
			if i.IsExec || strings.HasPrefix(i.Args, "exec ") {
				return nil
			}
			return at(i.Start, i.Name+" "+i.Args)
		},
	},
	{
		ID: "exec-form-broken", Severity: "high",
		Title: "A list that is no JSON",
		Why:   "With single quotes or a missing comma it is no list: the builder hands the brackets to the shell, which fails when the container starts.",
		Fix:   "write a JSON list with double quotes: CMD [\"nginx\", \"-t\"]",
		Bad:   "FROM debian:12\nCMD ['nginx', '-t']\n", Good: "FROM debian:12\nENTRYPOINT []\nCMD [\"nginx\", \"-t\"]\n",
		names: []string{"CMD", "ENTRYPOINT", "RUN", "SHELL", "VOLUME"},
		instruction: func(_ *File, i *Instruction) []place {
			text := i.Args
			if i.IsExec || !strings.HasPrefix(text, "[") || !strings.HasSuffix(text, "]") || strings.HasPrefix(text, "[ -") || strings.HasPrefix(text, "[[") {
				if i.Name != "SHELL" || i.IsExec {
					return nil
				}
			}
			return at(i.Start, text)
		},
	},
	{
		ID: "port-invalid", Aliases: []string{"DL3011", "ExposeInvalidFormat"}, Severity: "medium",
		Title: "EXPOSE of what is no port",
		Why:   "Ports are numbers from 1 to 65535, as 8080, 8080/udp or 8000-8010. EXPOSE takes no address and no mapping to the host.",
		Fix:   "give a port from 1 to 65535",
		Bad:   "FROM debian:12\nEXPOSE 80000 127.0.0.1:80:80\n", Good: "FROM debian:12\nEXPOSE 8080/tcp 9000-9010\n",
		names: []string{"EXPOSE"},
		instruction: func(_ *File, i *Instruction) (all []place) {
			for _, w := range i.Words() {
				if _, _, ok := portRange(w.Text); !ok && w.Literal {
					all = append(all, place{i.Line(w.At), clip(w.Text)})
				}
			}
			return all
		},
	},
	{
		ID: "port-login", Aliases: []string{"CIS-5.6"}, Severity: "medium",
		Title: "A port for logging in is exposed",
		Why:   "A remote login in a container is one more way in, with its own accounts and keys. Engines and orchestrators have exec.",
		Fix:   "remove the port and the service; use docker exec or kubectl exec",
		Bad:   "FROM debian:12\nEXPOSE 22\n", Good: "FROM debian:12\nEXPOSE 8443\n",
		names: []string{"EXPOSE"},
		instruction: func(_ *File, i *Instruction) (all []place) {
			for _, w := range i.Words() {
				from, to, ok := portRange(w.Text)
				for port, service := range loginPorts {
					if ok && from <= port && port <= to && to-from < 1000 {
						all = append(all, place{i.Line(w.At), fmt.Sprintf("%s is %s", w.Text, service)})
					}
				}
			}
			return all
		},
	},
	{
		ID: "workdir-relative", Aliases: []string{"DL3000", "WorkdirRelativePath"}, Severity: "low",
		Title: "WORKDIR is not an absolute path",
		Why:   "A relative one is below the WORKDIR before it, or the base image's: it moves when that does.",
		Fix:   "write it from the root: WORKDIR /app",
		Bad:   "FROM debian:12\nWORKDIR app\n", Good: "FROM debian:12\nWORKDIR /app\n",
		names: []string{"WORKDIR"},
		instruction: func(_ *File, i *Instruction) []place {
			p := strings.Trim(i.Args, `"'`)
			if p == "" || strings.HasPrefix(p, "/") || strings.HasPrefix(p, "$") || len(p) > 1 && p[1] == ':' || strings.HasPrefix(p, `\`) {
				return nil
			}
			return at(i.Start, "WORKDIR "+i.Args)
		},
	},
	{
		ID: "user-id-sparse", Aliases: []string{"DL3046"}, Severity: "low",
		Title: "useradd with a large user number and without --no-log-init",
		Why:   "useradd writes a record for every number below into /var/log/lastlog: a file that looks like gigabytes and is copied as such by some tools.",
		Fix:   "add --no-log-init (-l), or choose a number below 65536",
		Bad:   "FROM debian:12\nRUN useradd -u 4000000 app\n", Good: "FROM debian:12\nRUN useradd --no-log-init -u 4000000 app\n",
		command: func(_ *Instruction, c *Command) []place {
			_, args := c.Program()
			if !c.Runs("useradd") || c.Has("-l", "--no-log-init") {
				return nil
			}
			for n, w := range args {
				value := ""
				switch {
				case (w.Text == "-u" || w.Text == "--uid") && n+1 < len(args):
					value = args[n+1].Text
				case strings.HasPrefix(w.Text, "--uid="):
					value = w.Text[6:]
				}
				if id, err := strconv.Atoi(value); err == nil && id > 65535 {
					return at(c.Line(), "useradd -u "+value)
				}
			}
			return nil
		},
	},
}

// repeated finds all but the last instruction of a name in a stage.
func repeated(s *Stage, name string) (all []place) {
	var before *Instruction
	for _, i := range s.Instructions {
		if i.Name != name {
			continue
		}
		if before != nil {
			all = append(all, place{before.Start, fmt.Sprintf("line %d replaces it", i.Start)})
		}
		before = i
	}
	return all
}

// portRange reads 8080, 8080/udp, 8000-8010/tcp.
func portRange(text string) (from, to int, ok bool) {
	ports, protocol, given := strings.Cut(text, "/")
	if p := strings.ToLower(protocol); given && p != "tcp" && p != "udp" && p != "sctp" {
		return 0, 0, false
	}
	low, high, isRange := strings.Cut(ports, "-")
	from, err := strconv.Atoi(low)
	to = from
	if err == nil && isRange {
		to, err = strconv.Atoi(high)
	}
	return from, to, err == nil && from >= 1 && to <= 65535 && from <= to
}
