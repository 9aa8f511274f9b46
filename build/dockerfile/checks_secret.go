package dockerfile

import (
	"path"
	"regexp"
	"strings"
)

// Checks of secrets that a build leaves in the image. What looks like the secret itself is
// never shown.

// secretName finds names of variables that hold secrets.
var secretName = regexp.MustCompile(`(?i)(^|_)(pass(wd|word|phrase)?|secret|token|api_?key|apikey|access_?key|private_?key|credentials?|client_secret|auth_?key|encryption_?key|signing_?key|pat|npm_auth)(_?(id|value|b64|base64))?$`)

// harmless values of such variables: switches, paths, names of something else.
func harmless(value string) bool {
	v := strings.ToLower(strings.Trim(value, `"'`))
	switch v {
	case "", "true", "false", "yes", "no", "none", "null", "0", "1", "changeme_at_runtime":
		return true
	}
	return strings.HasPrefix(v, "/") || strings.HasPrefix(v, "$") || strings.HasPrefix(v, "file:")
}

// keyFiles hold keys by name.
var keyFiles = regexp.MustCompile(`(?i)^(id_(rsa|dsa|ecdsa|ed25519)|.*\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk)|\.env(\..*)?|\.netrc|\.npmrc|\.pypirc|\.pgpass|\.htpasswd|\.git-credentials|credentials(\.json|\.csv)?|service[-_]account.*\.json|kubeconfig|\.dockercfg|\.dockerconfigjson)$`)

// publicFiles look like keys and are none.
var publicFiles = regexp.MustCompile(`(?i)(\.pub$|public|ca[-_.]?(cert|bundle|chain)?.*\.pem$|cert(ificate)?s?\.pem$|chain\.pem$|\.env\.(example|sample|template|dist)$)`)

var secretChecks = []check{
	{
		ID: "secret-env", Aliases: []string{"CIS-4.10", "SecretsUsedInArgOrEnv"}, Severity: "high",
		Title: "ENV holds a secret",
		Why:   "It stands in the image's config: everybody who can pull the image reads it, and every process in the container has it.",
		Fix:   "take it out and change it; give it at run time (a mounted secret), or in the build with RUN --mount=type=secret",
		Bad:   "FROM debian:12\nENV DB_PASSWORD=hunter2\n", Good: "FROM debian:12\nENV DB_PASSWORD_FILE=/run/secrets/db PASSWORD_MIN_LENGTH=12 DB_PASSWORD=\n",
		names: []string{"ENV"},
		instruction: func(_ *File, i *Instruction) (all []place) {
			for _, p := range i.Pairs() {
				if secretName.MatchString(p.Name) && !harmless(p.Raw) {
					all = append(all, place{i.Line(p.At), clip(p.Name)})
				}
			}
			return all
		},
	},
	{
		ID: "secret-env-argument", Aliases: []string{"CIS-4.10"}, Severity: "high",
		Title: "ENV keeps a secret that the build was given",
		Why:   "An argument of the build ends up in the image's config: everybody who can pull the image reads it.",
		Fix:   "use RUN --mount=type=secret in the step that needs it",
		Bad:   "FROM debian:12\nARG NPM_TOKEN\nENV NPM_TOKEN=$NPM_TOKEN\n", Good: "FROM debian:12\nARG VERSION\nENV VERSION=$VERSION\n",
		stage: func(_ *File, s *Stage) (all []place) {
			args := map[string]bool{}
			for _, i := range s.Instructions {
				for _, p := range pairsOf(i, "ARG") {
					args[p.Name] = true
				}
				for _, p := range pairsOf(i, "ENV") {
					name := strings.Trim(p.Raw, `"'${}`)
					if args[name] && (secretName.MatchString(p.Name) || secretName.MatchString(name)) {
						all = append(all, place{i.Line(p.At), clip(p.Name)})
					}
				}
			}
			return all
		},
	},
	{
		ID: "secret-arg", Aliases: []string{"CIS-4.10", "SecretsUsedInArgOrEnv"}, Severity: "medium",
		Title: "ARG is given a secret",
		Why:   "The values of arguments stand in the image's history: everybody who can pull the image reads them.",
		Fix:   "use RUN --mount=type=secret in the step that needs it",
		Bad:   "FROM debian:12\nARG NPM_TOKEN\nRUN npm ci\n", Good: "FROM debian:12\nARG VERSION=1.2\nRUN --mount=type=secret,id=npm,env=NPM_TOKEN npm ci\n",
		names: []string{"ARG"},
		instruction: func(_ *File, i *Instruction) (all []place) {
			for _, p := range i.Pairs() {
				if secretName.MatchString(p.Name) && (!p.HasValue || !harmless(p.Raw)) {
					all = append(all, place{i.Line(p.At), clip(p.Name)})
				}
			}
			return all
		},
	},
	{
		ID: "secret-file-copied", Aliases: []string{"CIS-4.10"}, Severity: "high",
		Title: "A file of keys or passwords is copied into the image",
		Why:   "Everybody who can pull the image reads it, also when a later step removes it.",
		Fix:   "use RUN --mount=type=secret (or type=ssh) in the step that needs it",
		Bad:   "FROM debian:12\nCOPY .ssh/id_rsa /root/.ssh/\n", Good: "FROM debian:12\nCOPY id_rsa.pub ca-cert.pem /etc/keys/\n",
		names: []string{"COPY", "ADD"},
		instruction: func(_ *File, i *Instruction) (all []place) {
			if _, from := i.Flag("from"); from {
				return nil
			}
			sources, _ := i.sources()
			for _, w := range sources {
				if base := path.Base(w.Text); keyFiles.MatchString(base) && !publicFiles.MatchString(base) {
					all = append(all, place{i.Line(w.At), clip(w.Text)})
				}
			}
			return all
		},
	},
	{
		ID: "secret-command", Aliases: []string{"CIS-4.10"}, Severity: "high",
		Title: "A password is given on a command line",
		Why:   "It stands in the Dockerfile and in the image's history.",
		Fix:   "use RUN --mount=type=secret and read it from the file",
		Bad:   "FROM debian:12\nRUN curl -u admin:hunter2 https://example.com/a -o a\n", Good: "FROM debian:12\nRUN --mount=type=secret,id=netrc curl --netrc-file /run/secrets/netrc https://example.com/a -o a\n",
		command: func(_ *Instruction, c *Command) []place {
			name, args := c.Program()
			for n, a := range args {
				if m := urlPassword.FindStringSubmatch(a.Text); m != nil && !strings.HasPrefix(m[1], "$") && !strings.HasPrefix(m[1], "@") {
					return at(c.LineOf(a), name+" with user and password in an address")
				}
				next := ""
				if n+1 < len(args) {
					next = args[n+1].Text
				}
				option, value, joined := strings.Cut(a.Text, "=")
				if !joined {
					value = next
				}
				switch {
				case name == "curl" && (a.Text == "-u" || option == "--user"):
					if _, password, ok := strings.Cut(value, ":"); ok && !harmless(password) {
						return at(c.LineOf(a), "curl "+option)
					}
				case contains([]string{"--password", "--http-password", "--ftp-password", "--proxy-password"}, option) && !harmless(value) && value != "-" && !strings.HasPrefix(value, "-"):
					return at(c.LineOf(a), name+" "+option)
				case name == "sshpass" && strings.HasPrefix(a.Text, "-p"):
					return at(c.LineOf(a), "sshpass -p")
				}
			}
			return nil
		},
	},
}

var urlPassword = regexp.MustCompile(`(?i)[a-z]+://[^/@:\s]+:([^/@\s]+)@`)

func pairsOf(i *Instruction, name string) []Pair {
	if i.Name != name {
		return nil
	}
	return i.Pairs()
}
