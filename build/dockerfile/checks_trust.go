package dockerfile

import "strings"

// Checks of packages and servers that are trusted without reason.

// trusts finds commands of programs that have one of some options.
func trusts(programs []string, options ...string) func(*Instruction, *Command) []place {
	return func(_ *Instruction, c *Command) []place {
		name, args := c.Program()
		if tool, _ := c.manager(); tool != "" {
			name = tool
		}
		if !contains(programs, name) {
			return nil
		}
		for _, a := range args {
			for _, o := range options {
				if a.Text == o || strings.HasSuffix(o, "=") && strings.HasPrefix(a.Text, o) {
					return at(c.Line(), name+" "+a.Text)
				}
			}
		}
		return nil
	}
}

const unverifiedWhy = "Nothing checks who made the package: whoever answers instead of the server puts programs of theirs in the image."

var trustChecks = []check{
	{
		ID: "apt-unauthenticated", Aliases: []string{"CIS-4.11"}, Severity: "high",
		Title: "apt-get installs packages without checking their signatures", Why: unverifiedWhy, Fix: "remove the option and install the repository's key with signed-by",
		Bad: "FROM debian:12\nRUN apt-get install -y --allow-unauthenticated curl\n", Good: "FROM debian:12\nRUN apt-get install -y curl\n",
		command: func(i *Instruction, c *Command) []place {
			if p := trusts([]string{"apt-get", "apt", "aptitude"}, "--allow-unauthenticated", "--force-yes", "--allow-insecure-repositories", "--no-gpg-check")(i, c); p != nil {
				return p
			}
			for _, w := range append(c.Words, c.Redirects...) {
				l := strings.ToLower(w.Text)
				for _, option := range []string{"[trusted=yes", "trusted=yes]", "allowunauthenticated=true", "allowunauthenticated \"true\"", "allowinsecurerepositories=true", "verify-peer=false"} {
					if strings.Contains(l, option) {
						return at(c.LineOf(w), option)
					}
				}
			}
			return nil
		},
	},
	{
		ID: "apk-untrusted", Aliases: []string{"CIS-4.11"}, Severity: "high",
		Title: "apk installs packages without checking their signatures", Why: unverifiedWhy, Fix: "remove --allow-untrusted and put the repository's key in /etc/apk/keys",
		Bad: "FROM alpine:3.22\nRUN apk add --no-cache --allow-untrusted ./x.apk\n", Good: "FROM alpine:3.22\nRUN apk add --no-cache curl\n",
		command: trusts([]string{"apk"}, "--allow-untrusted"),
	},
	{
		ID: "rpm-unverified", Aliases: []string{"CIS-4.11"}, Severity: "high",
		Title: "Packages are installed without checking their signatures", Why: unverifiedWhy, Fix: "remove the option and import the repository's key with rpm --import",
		Bad: "FROM fedora:42\nRUN dnf install -y --nogpgcheck curl\n", Good: "FROM fedora:42\nRUN dnf install -y curl\n",
		command: func(i *Instruction, c *Command) []place {
			if p := trusts([]string{"yum", "dnf", "microdnf", "tdnf", "zypper", "rpm"}, "--nogpgcheck", "--no-gpg-checks", "--no-gpg-check", "--nosignature", "--nodigest", "--setopt=sslverify=false", "--setopt=sslverify=0", "--gpgcheck=0")(i, c); p != nil {
				return p
			}
			return nil
		},
	},
	{
		ID: "pip-trusted-host", Aliases: []string{"CIS-4.11"}, Severity: "medium",
		Title: "pip trusts a server without TLS", Why: unverifiedWhy, Fix: "use HTTPS with a certificate that the image knows",
		Bad: "FROM python:3.13\nRUN pip install --trusted-host pypi.example.com flask==3.1.1\n", Good: "FROM python:3.13\nRUN pip install flask==3.1.1\n",
		command: trusts([]string{"pip"}, "--trusted-host", "--trusted-host="),
	},
	{
		ID: "tls-unverified", Aliases: []string{"CIS-4.11"}, Severity: "high",
		Title: "A download does not check the server's certificate", Why: "Whoever sits between the builder and the server decides what is downloaded.", Fix: "remove the option; install ca-certificates, or the CA that signed",
		Bad: "FROM debian:12\nRUN curl -fsSLk https://example.com/a -o a\n", Good: "FROM debian:12\nRUN curl -fsSL https://example.com/a -o a\n",
		command: func(i *Instruction, c *Command) []place {
			if p := trusts([]string{"wget"}, "--no-check-certificate")(i, c); p != nil {
				return p
			}
			if c.Runs("curl") && c.Has("-k", "--insecure", "--proxy-insecure") {
				return at(c.Line(), "curl --insecure")
			}
			t := text(c)
			for _, setting := range []string{"http.sslVerify=false", "http.sslVerify false", "strict-ssl false", "strict-ssl=false"} {
				if c.Runs("git", "npm", "yarn", "pnpm") && strings.Contains(t, setting) {
					return at(c.Line(), setting)
				}
			}
			return nil
		},
	},
	{
		ID: "tls-off", Aliases: []string{"CIS-4.11"}, Severity: "high",
		Title: "The image switches the checking of certificates off", Why: "Every program in it that reads the variable trusts anybody, also at run time.", Fix: "remove it; install the CA that signed",
		Bad: "FROM node:24\nENV NODE_TLS_REJECT_UNAUTHORIZED=0\n", Good: "FROM node:24\nENV NODE_EXTRA_CA_CERTS=/etc/ca.pem\n",
		names: []string{"ENV", "ARG"},
		instruction: func(_ *File, i *Instruction) (all []place) {
			off := map[string]string{"NODE_TLS_REJECT_UNAUTHORIZED": "0", "GIT_SSL_NO_VERIFY": "*", "PYTHONHTTPSVERIFY": "0", "NPM_CONFIG_STRICT_SSL": "false", "npm_config_strict_ssl": "false", "CURL_INSECURE": "*", "GOINSECURE": "*", "GONOSUMCHECK": "*", "GONOSUMDB": "", "GOFLAGS": "-insecure"}
			for _, p := range i.Pairs() {
				if want := off[p.Name]; want != "" && p.HasValue && (want == "*" && !strings.EqualFold(p.Value, "false") && p.Value != "0" && p.Value != "" || p.Value == want) {
					all = append(all, place{i.Line(p.At), p.Name + "=" + clip(p.Value)})
				}
			}
			return all
		},
	},
	{
		ID: "download-plain", Aliases: []string{"CIS-4.11"}, Severity: "medium",
		Title: "Something is fetched over plain HTTP", Why: "Whoever sits between the builder and the server decides what is downloaded.", Fix: "use https://",
		Bad: "FROM debian:12\nRUN curl -fsSLO http://example.com/tool.tgz\n", Good: "FROM debian:12\nRUN curl -fsSLO https://example.com/tool.tgz && curl http://localhost:8080/\n",
		command: func(_ *Instruction, c *Command) []place {
			fetches := c.Runs(downloaders...) || c.Runs("git")
			if in := c.install(); in != nil {
				fetches = in.Manager != "apt"
			}
			if !fetches {
				return nil
			}
			for _, w := range c.Words {
				if l := strings.ToLower(w.Text); strings.HasPrefix(l, "http://") && !isLocal(l[7:]) {
					return at(c.LineOf(w), w.Text)
				}
			}
			return nil
		},
	},
	{
		ID: "apt-key", Severity: "medium", Aliases: []string{"CIS-4.11"},
		Title: "apt-key adds a key that then signs for every repository", Why: "A repository's key should vouch for that repository only; apt-key is gone from Debian 13.", Fix: "put the key in /etc/apt/keyrings and name it with signed-by in the sources",
		Bad: "FROM debian:12\nRUN curl -fsSL https://example.com/key | apt-key add -\n", Good: "FROM debian:12\nADD --checksum=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d https://example.com/key.asc /etc/apt/keyrings/x.asc\n",
		command: func(_ *Instruction, c *Command) []place {
			if c.Runs("apt-key") && c.Has("add", "adv") {
				return at(c.Line(), text(c))
			}
			return nil
		},
	},
	{
		ID: "npm-scripts-root", Severity: "medium",
		Title: "npm runs packages' scripts as root", Why: "--unsafe-perm lets the install script of any dependency do what root may.", Fix: "remove --unsafe-perm; install as the user that runs",
		Bad: "FROM node:24\nRUN npm install --unsafe-perm\n", Good: "FROM node:24\nUSER node\nRUN npm ci\n",
		command: trusts([]string{"npm", "pnpm", "yarn"}, "--unsafe-perm", "--unsafe-perm=true", "--unsafe-perm="),
	},
}

func isLocal(host string) bool {
	host, _, _ = strings.Cut(host, "/")
	host, _, _ = strings.Cut(host, ":")
	return host == "localhost" || strings.HasPrefix(host, "127.") || host == "host.docker.internal" || host == "[" || strings.HasPrefix(host, "$")
}
