package dockerfile

import "strings"

// Install is a command that installs packages.
type Install struct {
	// Manager: apt, apk, yum (and dnf, microdnf), zypper, pip, npm, gem, go.
	Manager string
	// Tool is the program as written: apt-get, dnf.
	Tool     string
	Command  *Command
	Packages []Word // what is installed by name, with its version as written
	// Lists are files that name what is installed: -r requirements.txt.
	Lists []Word
	flags []string
}

// managers say how package managers are spoken to: which words install, which options take
// a word of their own.
var managers = map[string]struct {
	name    string
	install []string
	takes   []string // options with a value in the next word
	lists   []string // options whose value is a list of packages
}{
	"apt-get":  {"apt", []string{"install", "reinstall"}, []string{"-o", "--option", "-t", "--target-release", "--default-release", "-c", "--config-file", "-a"}, nil},
	"apt":      {"apt", []string{"install", "reinstall"}, []string{"-o", "--option", "-t", "--target-release", "-c"}, nil},
	"aptitude": {"apt", []string{"install"}, []string{"-o", "-t"}, nil},
	"apk":      {"apk", []string{"add"}, []string{"-X", "--repository", "-p", "--root", "-t", "--virtual", "--arch", "--keys-dir", "--repositories-file", "--wait", "--cache-dir", "--cache-max-age"}, nil},
	"yum":      {"yum", []string{"install", "localinstall", "reinstall"}, []string{"-c", "-d", "-e", "-x", "-R", "--releasever"}, nil},
	"dnf":      {"yum", []string{"install", "reinstall"}, []string{"-c", "-d", "-e", "-x", "--releasever"}, nil},
	"microdnf": {"yum", []string{"install"}, nil, nil},
	"tdnf":     {"yum", []string{"install"}, nil, nil},
	"zypper":   {"zypper", []string{"install", "in"}, []string{"-r", "--repo", "-t", "--type", "--from", "-R", "--root", "-p"}, nil},
	"pip":      {"pip", []string{"install"}, []string{"-i", "--index-url", "--extra-index-url", "-t", "--target", "-f", "--find-links", "--prefix", "--root", "--src", "-b", "--build", "--cache-dir", "--proxy", "--timeout", "--retries", "--trusted-host", "--platform", "--python-version", "--progress-bar", "--log", "--global-option", "--install-option", "--no-binary", "--only-binary", "--upgrade-strategy"}, []string{"-r", "--requirement", "-c", "--constraint", "-e", "--editable"}},
	"npm":      {"npm", []string{"install", "i", "add", "ci"}, []string{"--registry", "--prefix", "--cache", "-C", "-w", "--loglevel", "--userconfig"}, nil},
	"pnpm":     {"npm", []string{"install", "i", "add"}, []string{"--registry", "-C", "--dir"}, nil},
	"yarn":     {"yarn", []string{"add", "install"}, []string{"--registry", "--cwd", "--cache-folder", "--network-timeout"}, nil},
	"gem":      {"gem", []string{"install"}, []string{"-v", "--version", "-i", "--install-dir", "-n", "--bindir", "--source", "-s", "-P"}, nil},
	"go":       {"go", []string{"install", "get"}, []string{"-ldflags", "-tags", "-mod", "-p", "-gcflags", "-o"}, nil},
}

// manager recognises a package manager: its name in the table, its words after the program.
func (c *Command) manager() (tool string, args []Word) {
	tool, args = c.Program()
	switch {
	case isPython(tool):
		// python3 -m pip install
		if len(args) > 1 && args[0].Text == "-m" && strings.HasPrefix(args[1].Text, "pip") {
			return "pip", args[2:]
		}
		return "", nil
	case strings.HasPrefix(tool, "pip") && strings.Trim(tool[3:], "0123456789.") == "":
		return "pip", args
	case tool == "uv" && len(args) > 0 && args[0].Text == "pip":
		return "pip", args[1:]
	case strings.HasPrefix(tool, "dnf") && isDigits(tool[3:]):
		return "dnf", args
	}
	if _, ok := managers[tool]; !ok {
		return "", nil
	}
	return tool, args
}

func isPython(tool string) bool {
	rest, ok := strings.CutPrefix(tool, "python")
	return ok && strings.Trim(rest, "0123456789.") == ""
}

// action is the manager's first word that is no option: install, update; rest are the words
// after it.
func (c *Command) action() (tool, action string, rest []Word) {
	tool, args := c.manager()
	if tool == "" {
		return "", "", nil
	}
	m := managers[tool]
	for n := 0; n < len(args); n++ {
		text := args[n].Text
		if !strings.HasPrefix(text, "-") {
			rest := append([]Word(nil), args[:n]...) // options before the action count too
			return tool, text, append(rest, args[n+1:]...)
		}
		if contains(m.takes, text) {
			n++
		}
	}
	return tool, "", args
}

// install reads a command that installs; nil for any other.
func (c *Command) install() *Install {
	tool, action, words := c.action()
	if tool == "" || !contains(managers[tool].install, action) {
		return nil
	}
	m := managers[tool]
	in := &Install{Manager: m.name, Tool: tool, Command: c}
	for n := 0; n < len(words); n++ {
		w := words[n]
		name, _, joined := strings.Cut(w.Text, "=")
		switch {
		case !strings.HasPrefix(w.Text, "-") || w.Text == "-":
			in.Packages = append(in.Packages, w)
		case contains(m.lists, w.Text) && n+1 < len(words):
			n++
			in.Lists = append(in.Lists, words[n])
		case joined && contains(m.lists, name):
			in.Lists = append(in.Lists, w)
		case contains(m.takes, w.Text):
			in.flags = append(in.flags, w.Text)
			n++
		default:
			in.flags = append(in.flags, w.Text)
		}
	}
	return in
}

// Installs are the commands of an instruction that install packages.
func (i *Instruction) Installs() []*Install {
	if i.Name != "RUN" {
		return nil
	}
	var all []*Install
	commands := i.Commands()
	for n := range commands {
		if in := commands[n].install(); in != nil {
			all = append(all, in)
		}
	}
	return all
}

func contains(list []string, s string) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}
