package dockerfile

import (
	"path"
	"regexp"
	"strings"
)

// Checks of how package managers are spoken to.

// pinned reports whether a word says which version is installed.
func pinned(manager, word string) bool {
	switch manager {
	case "apt":
		return strings.ContainsAny(word, "=/") || strings.HasSuffix(word, ".deb") || strings.HasSuffix(word, "-") || strings.HasSuffix(word, "+")
	case "apk":
		return strings.ContainsAny(word, "=<>~") || strings.HasSuffix(word, ".apk") || strings.HasPrefix(word, ".") || strings.Contains(word, "@")
	case "yum":
		return yumPinned.MatchString(word) || strings.HasSuffix(word, ".rpm") || strings.Contains(word, "/") || strings.HasPrefix(word, "@")
	case "zypper":
		return strings.ContainsAny(word, "=<>") || yumPinned.MatchString(word) || strings.HasSuffix(word, ".rpm")
	case "pip":
		return strings.ContainsAny(word, "=<>~!@") || strings.HasPrefix(word, ".") || strings.Contains(word, "/") || strings.HasSuffix(word, ".whl") || strings.HasSuffix(word, ".gz")
	case "npm", "yarn":
		return npmPinned(word)
	case "gem":
		return strings.Contains(word, ":") || strings.HasSuffix(word, ".gem")
	case "go":
		_, version, ok := strings.Cut(word, "@")
		return ok && version != "latest" || strings.HasPrefix(word, ".") || !strings.Contains(word, ".")
	}
	return true
}

var yumPinned = regexp.MustCompile(`-\d[\w.+~^]*|:\d`)

func npmPinned(word string) bool {
	switch {
	case strings.HasPrefix(word, "."), strings.HasPrefix(word, "/"), strings.HasSuffix(word, ".tgz"), strings.HasSuffix(word, ".tar.gz"):
		return true
	case strings.Contains(word, "://"), strings.HasPrefix(word, "git"):
		return strings.Contains(word, "#")
	}
	_, version, ok := strings.Cut(strings.TrimPrefix(word, "@"), "@")
	return ok && version != "latest"
}

// unpinned finds the packages without a version that a manager installs. A word with a
// variable is not judged.
func unpinned(manager string) func(*Instruction, *Command) []place {
	return func(_ *Instruction, c *Command) (all []place) {
		in := c.install()
		if in == nil || in.Manager != manager || manager == "gem" && c.Has("-v", "--version") || manager == "pip" && c.Has("-c", "--constraint") {
			return nil
		}
		for _, w := range in.Packages {
			if w.Literal && w.Text != "" && !pinned(manager, w.Text) {
				all = append(all, place{c.LineOf(w), clip(w.Text)})
			}
		}
		return all
	}
}

// lacks finds installing commands of tools that lack all of some options.
func lacks(tools []string, actions []string, options ...string) func(*Instruction, *Command) []place {
	return func(_ *Instruction, c *Command) []place {
		tool, action, _ := c.action()
		if !contains(tools, tool) || !contains(actions, action) || c.Has(options...) {
			return nil
		}
		return at(c.Line(), tool+" "+action)
	}
}

var (
	rpmTools = []string{"dnf", "microdnf", "tdnf"}
	changing = []string{"install", "upgrade", "dist-upgrade", "full-upgrade", "reinstall", "remove", "purge", "autoremove"}
)

var installChecks = []check{
	{
		ID: "apt-interactive-tool", Aliases: []string{"DL3027"}, Severity: "low",
		Title: "apt is meant for people",
		Why:   "Its command line may change between releases and it says so itself; apt-get and apt-cache keep theirs.",
		Fix:   "use apt-get or apt-cache",
		Bad:   "FROM debian:12\nRUN apt install -y curl\n", Good: "FROM debian:12\nRUN apt-get install -y curl\n",
		command: func(_ *Instruction, c *Command) []place {
			if c.Runs("apt", "aptitude") {
				return at(c.Line(), text(c))
			}
			return nil
		},
	},
	{
		ID: "apt-assume-yes", Aliases: []string{"DL3014"}, Severity: "medium",
		Title: "apt-get without -y",
		Why:   "It asks, nobody answers, the build fails, or worse, only does so when there is something to ask.",
		Fix:   "add -y",
		Bad:   "FROM debian:12\nRUN apt-get install curl\n", Good: "FROM debian:12\nRUN apt-get -qy install curl\n",
		command: func(i *Instruction, c *Command) []place {
			if c.Before == "|" || c.Has("-y", "--yes", "--assume-yes", "-qq", "--force-yes", "-s", "--simulate", "--dry-run", "-d", "--download-only", "--print-uris") || quiet(c) {
				return nil
			}
			return lacks([]string{"apt-get", "apt"}, changing, "-y")(i, c)
		},
	},
	{
		ID: "apt-recommends", Aliases: []string{"DL3015", "CIS-4.3"}, Severity: "low",
		Title: "apt-get install brings recommended packages",
		Why:   "Packages that nothing needs are still packages with vulnerabilities, and often double what is installed.",
		Fix:   "add --no-install-recommends",
		Bad:   "FROM debian:12\nRUN apt-get install -y curl\n", Good: "FROM debian:12\nRUN apt-get install -y --no-install-recommends curl\n",
		command: func(i *Instruction, c *Command) []place {
			if strings.Contains(text(c), "Install-Recommends=") {
				return nil
			}
			return lacks([]string{"apt-get", "apt"}, []string{"install"}, "--no-install-recommends")(i, c)
		},
	},
	{
		ID: "apt-update-alone", Aliases: []string{"CIS-4.7"}, Severity: "medium",
		Title: "apt-get update in a RUN of its own",
		Why:   "The builder keeps the layer with the lists of that day: later installs get old versions with known vulnerabilities, or fail.",
		Fix:   "join it with the install: RUN apt-get update && apt-get install -y …",
		Bad:   "FROM debian:12\nRUN apt-get update\nRUN apt-get install -y curl\n", Good: "FROM debian:12\nRUN apt-get update && apt-get install -y curl\n",
		names: []string{"RUN"},
		instruction: func(_ *File, i *Instruction) []place {
			return updateAlone(i, "apt", []string{"update"}, append([]string{"build-dep", "source", "download"}, changing...))
		},
	},
	{
		ID: "update-alone", Aliases: []string{"CIS-4.7"}, Severity: "medium",
		Title: "The package lists are fetched in a RUN of their own",
		Why:   "The builder keeps the layer with the lists of that day: later installs get old versions with known vulnerabilities, or fail.",
		Fix:   "join it with the install, or use apk add --no-cache",
		Bad:   "FROM alpine:3.22\nRUN apk update\nRUN apk add curl\n", Good: "FROM alpine:3.22\nRUN apk add --no-cache curl\n",
		names: []string{"RUN"},
		instruction: func(_ *File, i *Instruction) []place {
			for _, m := range []string{"apk", "zypper", "yum"} {
				if p := updateAlone(i, m, []string{"update", "refresh", "ref", "makecache"}, []string{"add", "install", "in", "upgrade", "update", "up", "patch"}); p != nil && m != "yum" {
					return p
				}
			}
			return nil
		},
	},
	{
		ID: "apt-upgrade", Aliases: []string{"DL3005"}, Severity: "low",
		Title: "apt-get dist-upgrade in an image",
		Why:   "It makes the release of the base something else than its tag says, and pulls in what differs from day to day.",
		Fix:   "take a newer base image; upgrade single packages by name where that has to be",
		Bad:   "FROM debian:12\nRUN apt-get update && apt-get dist-upgrade -y\n", Good: "FROM debian:12\nRUN apt-get update && apt-get install -y --only-upgrade openssl\n",
		command: func(_ *Instruction, c *Command) []place {
			if tool, action, _ := c.action(); managers[tool].name == "apt" && (action == "dist-upgrade" || action == "full-upgrade") {
				return at(c.Line(), text(c))
			}
			return nil
		},
	},
	{
		ID: "apt-unpinned", Aliases: []string{"DL3008"}, Severity: "low",
		Title: "apt-get installs whatever version there is that day",
		Why:   "Two builds of the same commit differ, and the layer that the builder keeps says nothing of how old it is.",
		Fix:   "pin it: curl=7.88.1-10+deb12u12 (triad scan --fix keeps pins up to date)",
		Bad:   "FROM debian:12\nRUN apt-get install -y curl\n", Good: "FROM debian:12\nRUN apt-get install -y curl=7.88.1-10+deb12u12\n",
		command: unpinned("apt"),
	},
	{
		ID: "apk-unpinned", Aliases: []string{"DL3018"}, Severity: "low",
		Title: "apk installs whatever version there is that day", Why: "Two builds of the same commit differ.",
		Fix: "pin it: curl=8.14.1-r1, or curl~8.14 for a line of releases",
		Bad: "FROM alpine:3.22\nRUN apk add --no-cache curl\n", Good: "FROM alpine:3.22\nRUN apk add --no-cache 'curl~8.14' && apk add --virtual .deps make=4.4.1-r3\n",
		command: unpinned("apk"),
	},
	{
		ID: "yum-unpinned", Aliases: []string{"DL3033", "DL3041"}, Severity: "low",
		Title: "yum or dnf installs whatever version there is that day", Why: "Two builds of the same commit differ.",
		Fix: "pin it: curl-8.6.0-1.fc40",
		Bad: "FROM fedora:42\nRUN dnf install -y curl\n", Good: "FROM fedora:42\nRUN dnf install -y curl-8.11.1-4.fc42\n",
		command: unpinned("yum"),
	},
	{
		ID: "zypper-unpinned", Aliases: []string{"DL3037"}, Severity: "low",
		Title: "zypper installs whatever version there is that day", Why: "Two builds of the same commit differ.",
		Fix: "pin it: curl=8.6.0",
		Bad: "FROM opensuse/leap:15.6\nRUN zypper -n install curl\n", Good: "FROM opensuse/leap:15.6\nRUN zypper -n install curl=8.6.0\n",
		command: unpinned("zypper"),
	},
	{
		ID: "pip-unpinned", Aliases: []string{"DL3013"}, Severity: "low",
		Title: "pip installs whatever version there is that day", Why: "Two builds of the same commit differ, and a new release of a stranger's package runs in yours unseen.",
		Fix: "pin it: flask==3.1.1, best in a requirements.txt with hashes",
		Bad: "FROM python:3.13\nRUN pip install flask\n", Good: "FROM python:3.13\nRUN python3 -m pip install flask==3.1.1 && pip install -r requirements.txt\n",
		command: unpinned("pip"),
	},
	{
		ID: "npm-unpinned", Aliases: []string{"DL3016"}, Severity: "low",
		Title: "npm installs whatever version there is that day", Why: "Two builds of the same commit differ, and a new release of a stranger's package runs in yours unseen.",
		Fix: "pin it: npm install express@5.1.0, or npm ci with a lock file",
		Bad: "FROM node:24\nRUN npm install -g express\n", Good: "FROM node:24\nRUN npm install -g express@5.1.0 && npm ci\n",
		command: func(i *Instruction, c *Command) []place {
			return append(unpinned("npm")(i, c), unpinned("yarn")(i, c)...)
		},
	},
	{
		ID: "gem-unpinned", Aliases: []string{"DL3028"}, Severity: "low",
		Title: "gem installs whatever version there is that day", Why: "Two builds of the same commit differ.",
		Fix: "pin it: gem install rails:8.0.2",
		Bad: "FROM ruby:3.4\nRUN gem install rails\n", Good: "FROM ruby:3.4\nRUN gem install rails:8.0.2\n",
		command: unpinned("gem"),
	},
	{
		ID: "go-unpinned", Aliases: []string{"DL3062"}, Severity: "low",
		Title: "go installs whatever version there is that day", Why: "Two builds of the same commit differ.",
		Fix: "pin it: go install example.com/tool@v1.2.3",
		Bad: "FROM golang:1.26\nRUN go install example.com/tool@latest\n", Good: "FROM golang:1.26\nRUN go install example.com/tool@v1.2.3\n",
		command: unpinned("go"),
	},
	{
		ID: "yum-assume-yes", Aliases: []string{"DL3030", "DL3038"}, Severity: "medium",
		Title: "yum or dnf without -y", Why: "It asks, nobody answers, the build fails.", Fix: "add -y",
		Bad: "FROM fedora:42\nRUN dnf install curl\n", Good: "FROM fedora:42\nRUN dnf install -y curl\n",
		command: lacks(append([]string{"yum"}, rpmTools...), []string{"install", "groupinstall", "localinstall", "reinstall", "upgrade", "remove"}, "-y", "--assumeyes"),
	},
	{
		ID: "zypper-assume-yes", Aliases: []string{"DL3034"}, Severity: "medium",
		Title: "zypper without --non-interactive", Why: "It asks, nobody answers, the build fails.", Fix: "add --non-interactive (-n) or -y",
		Bad: "FROM opensuse/leap:15.6\nRUN zypper install curl\n", Good: "FROM opensuse/leap:15.6\nRUN zypper -n install curl\n",
		command: lacks([]string{"zypper"}, []string{"install", "in", "remove", "rm", "update", "up", "patch", "dist-upgrade", "dup", "source-install", "si"}, "-n", "--non-interactive", "-y", "--no-confirm"),
	},
	{
		ID: "zypper-dist-upgrade", Aliases: []string{"DL3035"}, Severity: "low",
		Title: "zypper dist-upgrade in an image", Why: "It makes the release of the base something else than its tag says.", Fix: "take a newer base image",
		Bad: "FROM opensuse/leap:15.6\nRUN zypper -n dist-upgrade\n", Good: "FROM opensuse/leap:15.6\nRUN zypper -n patch\n",
		command: func(_ *Instruction, c *Command) []place {
			if tool, action, _ := c.action(); tool == "zypper" && (action == "dist-upgrade" || action == "dup") {
				return at(c.Line(), text(c))
			}
			return nil
		},
	},
	{
		ID: "package-unneeded", Aliases: []string{"CIS-4.3"}, Severity: "low",
		Title: "A package is installed that a service seldom needs",
		Why:   "Login servers, network scanners and debuggers in an image are tools for whoever breaks in.",
		Fix:   "leave it out; debug with a container of its own that shares the namespaces (kubectl debug)",
		Bad:   "FROM debian:12\nRUN apt-get install -y openssh-server nmap\n", Good: "FROM debian:12\nRUN apt-get install -y ca-certificates\n",
		command: func(_ *Instruction, c *Command) (all []place) {
			in := c.install()
			if in == nil || in.Manager == "pip" || in.Manager == "npm" || in.Manager == "go" || in.Manager == "gem" || in.Manager == "yarn" {
				return nil
			}
			for _, w := range in.Packages {
				name, _, _ := strings.Cut(w.Text, "=")
				if unneeded[name] {
					all = append(all, place{c.LineOf(w), clip(w.Text)})
				}
			}
			return all
		},
	},
}

var unneeded = map[string]bool{
	"openssh-server": true, "openssh": true, "telnet": true, "telnetd": true, "rsh-server": true, "nmap": true, "netcat": true, "netcat-openbsd": true, "netcat-traditional": true,
	"ncat": true, "nc": true, "tcpdump": true, "wireshark": true, "tshark": true, "gdb": true, "strace": true, "vsftpd": true, "xinetd": true, "ettercap": true, "hydra": true, "masscan": true,
}

// text is a command as it was written, words joined.
func text(c *Command) string {
	words := make([]string, len(c.Words))
	for n, w := range c.Words {
		words[n] = w.Raw
	}
	return strings.Join(words, " ")
}

// quiet finds -q=2 and two -q, which imply -y.
func quiet(c *Command) bool {
	n := 0
	for _, w := range c.Words {
		if w.Text == "-q" || w.Text == "--quiet" {
			n++
		}
		if w.Text == "-q=2" || strings.HasPrefix(w.Text, "-qq") || strings.Contains(w.Text, "Assume-Yes=") {
			return true
		}
	}
	return n > 1
}

// updateAlone finds a RUN that fetches lists and installs nothing.
func updateAlone(i *Instruction, manager string, updates, installs []string) []place {
	var found []place
	for _, c := range i.Commands() {
		tool, action, _ := c.action()
		if managers[tool].name == manager && contains(updates, action) {
			found = at(c.Line(), tool+" "+action)
		} else if managers[tool].name == manager && contains(installs, action) || path.Ext(tool) == ".sh" {
			return nil
		} else if name, _ := c.Program(); tool == "" && (name == "sh" || name == "bash" || strings.HasSuffix(name, ".sh")) {
			return nil // a script may install
		}
	}
	return found
}
