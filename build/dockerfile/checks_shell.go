package dockerfile

import (
	"slices"
	"strings"
)

// Checks of shell text in RUN.

var downloaders = []string{"curl", "wget", "fetch", "aria2c"}

var interpreters = []string{"sh", "bash", "ash", "dash", "zsh", "ksh", "python", "python3", "perl", "ruby", "node", "php"}

var shellChecks = []check{
	{
		ID: "sudo", Aliases: []string{"DL3004"}, Severity: "medium",
		Title: "sudo in a build",
		Why:   "A build runs as the USER it is told; sudo left in an image is a way to root for whoever breaks in.",
		Fix:   "write USER root before the line and USER app after it, and leave sudo out",
		Bad:   "FROM debian:12\nRUN sudo apt-get update\n", Good: "FROM debian:12\nUSER root\nRUN apt-get update\n",
		commandForm: true,
		command: func(_ *Instruction, c *Command) []place {
			for _, w := range c.Words {
				if w.Text == "sudo" {
					return at(c.Line(), text(c))
				}
				if !wrappers[w.Text] {
					break
				}
			}
			if in := c.install(); in != nil && in.Manager != "pip" && in.Manager != "npm" {
				for _, w := range in.Packages {
					if name, _, _ := strings.Cut(w.Text, "="); name == "sudo" {
						return at(c.LineOf(w), "sudo is installed")
					}
				}
			}
			return nil
		},
	},
	{
		ID: "cd", Aliases: []string{"DL3003"}, Severity: "low",
		Title: "A RUN that only changes the folder, or changes it first",
		Why:   "cd lasts for one RUN; what follows in the next one runs elsewhere.",
		Fix:   "use WORKDIR",
		Bad:   "FROM debian:12\nRUN cd /src && make\n", Good: "FROM debian:12\nWORKDIR /src\nRUN make && (cd doc && make)\n",
		names: []string{"RUN"},
		instruction: func(_ *File, i *Instruction) []place {
			commands := i.Commands()
			if len(commands) > 0 && commands[0].Runs("cd") && len(i.Heredocs) == 0 && !strings.HasPrefix(i.Args, "(") {
				return at(i.Start, text(&commands[0]))
			}
			return nil
		},
	},
	{
		ID: "useless-command", Aliases: []string{"DL3001"}, Severity: "low",
		Title: "A command that does nothing in a build",
		Why:   "There is no service manager, terminal or other process in a build: the command fails or changes nothing that stays.",
		Fix:   "remove it; start services with CMD",
		Bad:   "FROM debian:12\nRUN service nginx start\n", Good: "FROM debian:12\nCMD [\"nginx\", \"-g\", \"daemon off;\"]\n",
		command: func(_ *Instruction, c *Command) []place {
			if c.Runs("ssh", "vim", "nano", "shutdown", "reboot", "service", "systemctl", "ps", "free", "top", "kill", "ifconfig", "mount") &&
				!(c.Runs("systemctl") && c.Has("enable", "disable", "mask", "set-default", "preset")) && !(c.Runs("ssh") && c.Has("-V")) {
				return at(c.Line(), text(c))
			}
			return nil
		},
	},
	{
		ID: "pipe-unchecked", Aliases: []string{"DL4006"}, Severity: "low",
		Title: "A pipe whose first command may fail unseen",
		Why:   "The shell looks at the last command of a pipe only: a download that breaks off counts as success.",
		Fix:   "SHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"] before it, or set -o pipefail in it, or no pipe",
		Bad:   "FROM debian:12\nRUN wget -O - https://example.com/a | wc -l\n", Good: "FROM debian:12\nSHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\nRUN wget -O - https://example.com/a | wc -l\n",
		stage: func(_ *File, s *Stage) (all []place) {
			guarded := false
			for _, i := range s.Chain() {
				switch i.Name {
				case "SHELL":
					guarded = strings.Contains(i.Args, "pipefail") || strings.Contains(strings.ToLower(i.Args), "powershell") || strings.Contains(strings.ToLower(i.Args), "pwsh") || strings.Contains(strings.ToLower(i.Args), "cmd")
				case "RUN":
					if guarded || i.Stage != s || i.IsExec && !slices.ContainsFunc(i.Exec, func(w string) bool { return strings.Contains(w, "|") }) {
						continue
					}
					set := false
					for _, c := range i.Commands() {
						set = set || c.Runs("set") && strings.Contains(text(&c), "pipefail")
						if c.Before == "|" && !set {
							all = append(all, place{c.Line(), "| " + clip(text(&c))})
							break
						}
					}
				}
			}
			return all
		},
	},
	{
		ID: "download-piped", Aliases: []string{"CIS-4.11"}, Severity: "high",
		Title: "A download is run without a look: curl | sh",
		Why:   "Whatever the server sends that day is run in the build, as root. Nobody can say later what it was.",
		Fix:   "download a fixed version to a file, check its SHA-256 or signature, then run it",
		Bad:   "FROM debian:12\nRUN curl -fsSL https://example.com/install.sh | sudo bash -s -- -y\n", Good: "FROM debian:12\nRUN curl -fsSLo /i.sh https://example.com/1.2/install.sh && echo \"$SUM  /i.sh\" | sha256sum -c && sh /i.sh\n",
		names: []string{"RUN"},
		instruction: func(_ *File, i *Instruction) (all []place) {
			downloads := map[int]bool{} // by pipeline
			commands := i.Commands()
			pipe := 0
			for n := range commands {
				c := &commands[n]
				if c.Before != "|" {
					pipe++
				}
				if c.Runs(downloaders...) {
					downloads[pipe] = true
				}
				if downloads[pipe] && c.Before == "|" && c.Runs(interpreters...) {
					all = append(all, place{c.Line(), "| " + clip(text(c))})
				}
				if c.Runs("sh", "bash", "eval", "source", ".") { // sh -c "$(curl …)", bash <(curl …)
					whole := text(c)
					for _, r := range c.Redirects {
						whole += " " + r.Raw
					}
					if strings.Contains(whole, "$(curl ") || strings.Contains(whole, "$(wget ") || strings.Contains(whole, "`curl ") || strings.Contains(whole, "<(curl ") {
						all = append(all, place{c.Line(), clip(whole)})
					}
				}
			}
			return all
		},
	},
	{
		ID: "download-unverified", Aliases: []string{"CIS-4.11"}, Severity: "medium",
		Title: "A program is downloaded and its content checked by nothing",
		Why:   "TLS says which server sent it, not that it is what the author released.",
		Fix:   "check it in the same RUN with sha256sum -c or gpg --verify, or use ADD --checksum=sha256:…",
		Bad:   "FROM debian:12\nRUN curl -fsSLo /usr/bin/tool https://example.com/tool && chmod +x /usr/bin/tool\n", Good: "FROM debian:12\nRUN curl -fsSLo /t https://example.com/tool && echo \"0123  /t\" | sha256sum -c - && chmod +x /t\n",
		names: []string{"RUN"},
		instruction: func(_ *File, i *Instruction) []place {
			var found []place
			used := false
			for _, c := range i.Commands() {
				name, _ := c.Program()
				switch {
				case c.Runs(downloaders...):
					if found == nil && strings.Contains(text(&c), "://") {
						found = at(c.Line(), text(&c))
					}
				case strings.HasSuffix(name, "sum"), name == "gpg", name == "gpgv", name == "cosign", name == "openssl", name == "minisign", name == "shasum", name == "rpm", name == "apt-key":
					return nil
				case c.Runs("chmod"), c.Runs("tar", "unzip", "install", "dpkg", "make", "sh", "bash"):
					used = true
				}
			}
			if !used {
				return nil
			}
			return found
		},
	},
	{
		ID: "download-twice", Aliases: []string{"DL4001"}, Severity: "low",
		Title: "Both curl and wget are used", Why: "Two programs with the same job are twice the packages to keep patched.", Fix: "use one of them",
		Bad: "FROM debian:12\nRUN wget https://example.com/a\nRUN curl -O https://example.com/b\n", Good: "FROM debian:12\nRUN curl -O https://example.com/a\nRUN curl -O https://example.com/b\n",
		stage: func(_ *File, s *Stage) []place {
			curl, wget := 0, 0
			for _, i := range s.Instructions {
				if i.Name != "RUN" {
					continue
				}
				for _, c := range i.Commands() {
					switch {
					case c.Runs("curl"):
						curl = c.Line()
					case c.Runs("wget"):
						wget = c.Line()
					}
				}
			}
			if curl > 0 && wget > 0 {
				return at(max(curl, wget), "the other is in line "+itoa(min(curl, wget)))
			}
			return nil
		},
	},
	{
		ID: "wget-progress", Aliases: []string{"DL3047"}, Severity: "low",
		Title: "wget writes its progress to the build's log", Why: "A large download fills the log with thousands of lines.", Fix: "add --progress=dot:giga or -q",
		Bad: "FROM debian:12\nRUN wget https://example.com/a\n", Good: "FROM debian:12\nRUN wget -qO /a https://example.com/a\n",
		command: func(_ *Instruction, c *Command) []place {
			if c.Runs("wget") && !c.Has("--progress", "-q", "--quiet", "-o", "--output-file", "-a", "-nv", "--no-verbose", "-V", "--version") && strings.Contains(text(c), "://") {
				return at(c.Line(), text(c))
			}
			return nil
		},
	},
	{
		ID: "world-writable", Severity: "medium",
		Title: "Everybody may write: chmod 777",
		Why:   "Any process in the container can replace the program or its settings.",
		Fix:   "give the files to the user that runs (COPY --chown=app) and let only that one write",
		Bad:   "FROM debian:12\nRUN chmod -R 777 /app\n", Good: "FROM debian:12\nRUN chmod 1777 /scratch && chmod 755 /app\n",
		command: func(_ *Instruction, c *Command) []place {
			if !c.Runs("chmod") {
				return nil
			}
			_, args := c.Program()
			for _, a := range args {
				m := a.Text
				if len(m) > 3 && strings.TrimLeft(m[:len(m)-3], "0") == "" {
					m = m[len(m)-3:]
				}
				if isOctal(m) && len(m) == 3 && (m[2]-'0')&2 != 0 || m == "a+rwx" || m == "a+w" || m == "o+w" || m == "ugo+rwx" || m == "a=rwx" || m == "+777" {
					return at(c.Line(), text(c))
				}
			}
			return nil
		},
	},
	{
		ID: "setuid-added", Aliases: []string{"CIS-4.8"}, Severity: "medium",
		Title: "A program is given set-uid or set-gid",
		Why:   "Whoever starts it runs as its owner: mostly root.",
		Fix:   "leave the bit out; give the one capability that is needed with setcap, or run with no-new-privileges",
		Bad:   "FROM debian:12\nRUN chmod u+s /usr/bin/tool\n", Good: "FROM debian:12\nRUN chmod 0755 /usr/bin/tool && chmod u-s /bin/su\n",
		command: func(_ *Instruction, c *Command) []place {
			if !c.Runs("chmod", "install") {
				return nil
			}
			_, args := c.Program()
			for _, a := range args {
				m := strings.TrimPrefix(strings.TrimPrefix(a.Text, "--mode="), "-m")
				if isOctal(m) && len(m) >= 4 && (m[len(m)-4]-'0')&6 != 0 || m == "u+s" || m == "g+s" || m == "+s" || m == "ug+s" || m == "u+xs" || m == "u+sx" {
					return at(c.Line(), text(c))
				}
			}
			return nil
		},
	},
	{
		ID: "account-password", Severity: "high",
		Title: "An account's password is set in the build",
		Why:   "It stands in the Dockerfile and in the image's history, and is the same in every container.",
		Fix:   "leave the account without one (useradd sets none); log in by other means",
		Bad:   "FROM debian:12\nRUN echo 'root:hunter2' | chpasswd\n", Good: "FROM debian:12\nRUN useradd --system app && passwd -l root\n",
		command: func(_ *Instruction, c *Command) []place {
			if c.Runs("chpasswd") || c.Runs("passwd") && (c.Has("--stdin", "-d") || c.Before == "|") || c.Runs("useradd", "usermod") && c.Has("-p", "--password") {
				return at(c.Line(), "by "+firstWord(text(c)))
			}
			return nil
		},
	},
	{
		ID: "runs-consecutive", Aliases: []string{"DL3059"}, Severity: "low",
		Title: "RUN follows RUN",
		Why:   "Each is a layer; what one adds and the next removes stays.",
		Fix:   "join what belongs together in one RUN with && or a here-document",
		Bad:   "FROM debian:12\nRUN make\nRUN make install\nRUN make clean\n", Good: "FROM debian:12\nRUN make && make install && make clean\n",
		stage: func(_ *File, s *Stage) (all []place) {
			run := 0
			for _, i := range s.Instructions {
				if i.Name != "RUN" {
					run = 0
					continue
				}
				if run++; run == 3 {
					all = append(all, place{i.Start, "the third in a row"})
				}
			}
			return all
		},
	},
	{
		ID: "shell-replaced", Aliases: []string{"DL4005"}, Severity: "low",
		Title: "The shell is replaced by a link", Why: "Programs that rely on /bin/sh change with it.", Fix: "use SHELL [\"/bin/bash\", \"-c\"]",
		Bad: "FROM debian:12\nRUN ln -sf /bin/bash /bin/sh\n", Good: "FROM debian:12\nSHELL [\"/bin/bash\", \"-c\"]\n",
		command: func(_ *Instruction, c *Command) []place {
			if c.Runs("ln") && c.Has("/bin/sh", "/usr/bin/sh") {
				return at(c.Line(), text(c))
			}
			return nil
		},
	},
	{
		ID: "run-privileged", Severity: "high",
		Title: "A build step runs with the host's privileges or network",
		Why:   "--security=insecure gives a build step every capability, --network=host the builder's own network: whoever controls the Dockerfile, or a package it installs, gets at the builder.",
		Fix:   "remove the option",
		Bad:   "FROM debian:12\nRUN --security=insecure make\n", Good: "FROM debian:12\nRUN --network=none make\n",
		names: []string{"RUN"},
		instruction: func(_ *File, i *Instruction) []place {
			if v, _ := i.Flag("security"); v == "insecure" {
				return at(i.Start, "--security=insecure")
			}
			if v, _ := i.Flag("network"); v == "host" {
				return at(i.Start, "--network=host")
			}
			return nil
		},
	},
}

func isOctal(s string) bool { return s != "" && strings.Trim(s, "01234567") == "" }

func firstWord(s string) string {
	first, _, _ := strings.Cut(s, " ")
	return first
}
