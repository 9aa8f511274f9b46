package dockerfile

import (
	"regexp"
	"strings"
)

// Checks of what a layer keeps that nobody needs: caches are packages' bytes without
// packages, and stay in the layer whatever a later one removes.

// cacheMounted reports whether RUN --mount=type=cache (or tmpfs) keeps a folder out of the layer.
func (i *Instruction) cacheMounted(folders ...string) bool {
	for _, f := range i.Flags {
		if f.Name != "mount" || !strings.Contains(f.Value, "type=cache") && !strings.Contains(f.Value, "type=tmpfs") {
			continue
		}
		for _, folder := range folders {
			if strings.Contains(f.Value, folder) {
				return true
			}
		}
	}
	return false
}

// uncleaned finds a RUN that installs with a tool and does not clean up after it.
func uncleaned(installs func(tool, action string) bool, cleans func(c *Command) bool, mounts ...string) func(*File, *Instruction) []place {
	return func(_ *File, i *Instruction) []place {
		var found []place
		for _, c := range i.Commands() {
			if tool, action, _ := c.action(); tool != "" && installs(tool, action) {
				if found == nil {
					found = at(c.Line(), text(&c))
				}
			} else if cleans(&c) {
				found = nil
			}
		}
		if found == nil || i.cacheMounted(mounts...) {
			return nil
		}
		return found
	}
}

func removes(c *Command, folder string) bool {
	return c.Runs("rm", "find") && strings.Contains(text(c), folder)
}

func installsWith(tools ...string) func(tool, action string) bool {
	return func(tool, action string) bool {
		return contains(tools, tool) && (contains(managers[tool].install, action) || action == "upgrade" || action == "update" && tool != "apt-get")
	}
}

func cleansWith(tools []string, folder string) func(c *Command) bool {
	return func(c *Command) bool {
		tool, action, _ := c.action()
		return contains(tools, tool) && (action == "clean" || action == "cc") || removes(c, folder)
	}
}

var cleanChecks = []check{
	{
		ID: "apt-lists-kept", Aliases: []string{"DL3009"}, Severity: "low",
		Title: "apt-get's lists stay in the layer",
		Why:   "Some 20 to 50 MB of lists that are out of date the next day.",
		Fix:   "end the same RUN with && rm -rf /var/lib/apt/lists/*, or mount a cache",
		Bad:   "FROM debian:12\nRUN apt-get update && apt-get install -y curl\n",
		Good:  "FROM debian:12\nRUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*\nRUN --mount=type=cache,target=/var/lib/apt apt-get update\n",
		names: []string{"RUN"},
		instruction: uncleaned(func(tool, action string) bool { return managers[tool].name == "apt" && action == "update" },
			func(c *Command) bool { return removes(c, "/var/lib/apt") }, "/var/lib/apt"),
	},
	{
		ID: "apk-cache-kept", Aliases: []string{"DL3019"}, Severity: "low",
		Title: "apk's index stays in the layer", Why: "Lists that are out of date the next day.", Fix: "use apk add --no-cache",
		Bad: "FROM alpine:3.22\nRUN apk add curl\n", Good: "FROM alpine:3.22\nRUN apk --no-cache add curl\n",
		names: []string{"RUN"},
		instruction: func(f *File, i *Instruction) []place {
			return uncleaned(func(tool, action string) bool { return tool == "apk" && (action == "add" || action == "update") },
				func(c *Command) bool {
					tool, action, _ := c.action()
					return tool == "apk" && action == "cache" || removes(c, "/var/cache/apk") || removes(c, "/etc/apk/cache")
				}, "/var/cache/apk", "/etc/apk/cache")(f, withoutCommands(i, "apk", "--no-cache"))
		},
	},
	{
		ID: "yum-cache-kept", Aliases: []string{"DL3032"}, Severity: "low",
		Title: "yum's cache stays in the layer", Why: "Downloaded packages and lists of some hundred MB.", Fix: "end the same RUN with && yum clean all",
		Bad: "FROM rockylinux:8\nRUN yum install -y curl\n", Good: "FROM rockylinux:8\nRUN yum install -y curl && yum clean all\n",
		names:       []string{"RUN"},
		instruction: uncleaned(installsWith("yum"), cleansWith([]string{"yum", "dnf"}, "/var/cache/yum"), "/var/cache/yum"),
	},
	{
		ID: "dnf-cache-kept", Aliases: []string{"DL3040"}, Severity: "low",
		Title: "dnf's cache stays in the layer", Why: "Downloaded packages and lists of some hundred MB.", Fix: "end the same RUN with && dnf clean all",
		Bad: "FROM fedora:42\nRUN dnf install -y curl\n", Good: "FROM fedora:42\nRUN dnf install -y curl && dnf clean all\n",
		names:       []string{"RUN"},
		instruction: uncleaned(installsWith(rpmTools...), cleansWith(append([]string{"yum"}, rpmTools...), "/var/cache/dnf"), "/var/cache/dnf", "/var/cache/libdnf5", "/var/cache/yum"),
	},
	{
		ID: "zypper-cache-kept", Aliases: []string{"DL3036"}, Severity: "low",
		Title: "zypper's cache stays in the layer", Why: "Downloaded packages and lists of some hundred MB.", Fix: "end the same RUN with && zypper clean --all",
		Bad: "FROM opensuse/leap:15.6\nRUN zypper -n install curl\n", Good: "FROM opensuse/leap:15.6\nRUN zypper -n install curl && zypper clean -a\n",
		names:       []string{"RUN"},
		instruction: uncleaned(installsWith("zypper"), cleansWith([]string{"zypper"}, "/var/cache/zypp"), "/var/cache/zypp"),
	},
	{
		ID: "pip-cache-kept", Aliases: []string{"DL3042"}, Severity: "low",
		Title: "pip's cache stays in the layer", Why: "Every downloaded package is kept once more.", Fix: "add --no-cache-dir, or set PIP_NO_CACHE_DIR=1, or mount a cache",
		Bad: "FROM python:3.13\nRUN pip install flask==3.1.1\n", Good: "FROM python:3.13\nRUN pip install --no-cache-dir flask==3.1.1\n",
		names: []string{"RUN"},
		instruction: func(f *File, i *Instruction) (all []place) {
			if i.cacheMounted("pip", "/root/.cache") || strings.Contains(f.text, "PIP_NO_CACHE_DIR") {
				return nil
			}
			for _, c := range i.Commands() {
				if in := c.install(); in != nil && in.Manager == "pip" && in.Tool == "pip" && !c.Has("--no-cache-dir") && !c.Runs("uv") {
					all = append(all, place{c.Line(), clip(text(&c))})
				}
			}
			return all
		},
	},
	{
		ID: "yarn-cache-kept", Aliases: []string{"DL3060"}, Severity: "low",
		Title: "yarn's cache stays in the layer", Why: "Every downloaded package is kept once more.", Fix: "end the same RUN with && yarn cache clean",
		Bad: "FROM node:24\nRUN yarn install\n", Good: "FROM node:24\nRUN yarn install && yarn cache clean\n",
		names: []string{"RUN"},
		instruction: uncleaned(func(tool, action string) bool { return tool == "yarn" && (action == "install" || action == "add") },
			func(c *Command) bool {
				tool, action, _ := c.action()
				return tool == "yarn" && action == "cache"
			}, "yarn", "/root/.cache", "node_modules"),
	},
	{
		ID: "removed-later", Severity: "medium",
		Title: "A file is removed in a later layer than it came with",
		Why:   "The earlier layer still holds it: everybody who pulls the image can read it.",
		Fix:   "copy and remove in one RUN, use RUN --mount=type=secret or bind, or build in a stage of its own",
		Bad:   "FROM debian:12\nCOPY id_ed25519 /root/.ssh/id_ed25519\nRUN git-clone && rm /root/.ssh/id_ed25519\n", Good: "FROM debian:12\nRUN --mount=type=secret,id=key git-clone\nRUN rm /etc/motd\n",
		stage: func(_ *File, s *Stage) (all []place) {
			copied := map[string]int{}
			for _, i := range s.Instructions {
				switch i.Name {
				case "COPY", "ADD":
					words := i.Words()
					for _, w := range words[:max(len(words)-1, 0)] {
						copied[target(w.Text, words[len(words)-1].Text, len(words) > 2)] = i.Start
					}
				case "RUN":
					for _, c := range i.Commands() {
						if !c.Runs("rm", "shred", "unlink") {
							continue
						}
						for _, w := range c.Words[1:] {
							if line := copied[w.Text]; line > 0 {
								all = append(all, place{c.LineOf(w), "line " + itoa(line) + " copied " + clip(w.Text)})
							}
						}
					}
				}
			}
			return all
		},
	},
	{
		ID: "archive-copied", Aliases: []string{"DL3010"}, Severity: "low",
		Title: "An archive is copied and then unpacked",
		Why:   "The layer of the COPY keeps the archive for ever. ADD unpacks local archives by itself.",
		Fix:   "use ADD for a local archive that is to be unpacked",
		Bad:   "FROM debian:12\nCOPY app.tar.gz /tmp/\nRUN tar -xzf /tmp/app.tar.gz\n", Good: "FROM debian:12\nADD app.tar.gz /opt/\nCOPY data.tar.gz /srv/\n",
		stage: func(_ *File, s *Stage) (all []place) {
			type archive struct {
				name string
				line int
			}
			var copied []archive
			for _, i := range s.Instructions {
				if _, from := i.Flag("from"); i.Name == "COPY" && !from {
					for _, w := range i.Words() {
						if archivePattern.MatchString(w.Text) {
							copied = append(copied, archive{w.Text[strings.LastIndexByte(w.Text, '/')+1:], i.Start})
						}
					}
				}
				if i.Name != "RUN" {
					continue
				}
				for _, c := range i.Commands() {
					for _, a := range copied {
						if c.Runs("tar", "gunzip", "unxz", "bunzip2", "zcat") && strings.Contains(text(&c), a.name) {
							all = append(all, place{a.line, a.name})
						}
					}
				}
			}
			return all
		},
	},
}

var archivePattern = regexp.MustCompile(`\.(tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz|zst|lzma))$`)

// target is where COPY puts a source.
func target(source, destination string, several bool) string {
	if several || strings.HasSuffix(destination, "/") || destination == "." {
		return strings.TrimSuffix(destination, "/") + "/" + source[strings.LastIndexByte(source, '/')+1:]
	}
	return destination
}

// withoutCommands is the instruction as if the commands of a tool that have an option were
// not there.
func withoutCommands(i *Instruction, tool, option string) *Instruction {
	var rest []string
	for _, c := range i.Commands() {
		if t, _, _ := c.action(); t == tool && c.Has(option) {
			continue
		}
		rest = append(rest, text(&c))
	}
	return &Instruction{Name: i.Name, Flags: i.Flags, Args: strings.Join(rest, "; "), Start: i.Start, End: i.End}
}
