package dockerfile

import (
	"slices"
	"strings"
)

// Checks of ARG, ENV and their use.

// variablesIn lists the names of variables in an argument that the builder puts in, with
// where they stand. Those with a default (${name:-x}) are left out.
func variablesIn(text string) (names []string, at []int) {
	quote := byte(0)
	for n := 0; n < len(text); n++ {
		switch c := text[n]; {
		case c == '\\':
			n++
		case c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case c == '$' && quote != '\'' && n+1 < len(text):
			start := n + 1
			if text[start] == '{' {
				start++
			}
			size := nameLength(text[start:])
			if size == 0 {
				continue
			}
			rest := text[start+size:]
			if text[n+1] == '{' && !strings.HasPrefix(rest, "}") && !strings.HasPrefix(rest, "#") && !strings.HasPrefix(rest, "%") && !strings.HasPrefix(rest, "/") {
				continue
			}
			names, at = append(names, text[start:start+size]), append(at, n)
		}
	}
	return names, at
}

// expanded are the instructions whose arguments the builder itself puts variables in.
var expanded = []string{"ADD", "COPY", "ENV", "EXPOSE", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}

var variableChecks = []check{
	{
		ID: "variable-undefined", Aliases: []string{"UndefinedVar"}, Severity: "medium",
		Title: "A variable that nothing declares",
		Why:   "The builder puts in nothing, and builds on: COPY a /$DIR/ copies to the root. An ARG before FROM is not seen in a stage.",
		Fix:   "declare it in the stage with ARG or ENV",
		Bad:   "FROM debian:12\nCOPY app /opt/$APP/\n", Good: "ARG APP=x\nFROM debian:12\nARG APP\nCOPY app /opt/$APP/\nENV PATH=/opt/bin:$PATH\n",
		stage: func(_ *File, s *Stage) (all []place) {
			declared := map[string]bool{}
			for _, i := range s.Chain() {
				if i.Stage == s && slices.Contains(expanded, i.Name) {
					names, where := variablesIn(i.Args)
					for n, name := range names {
						if !declared[name] && !inherited(name, s) {
							all = append(all, place{i.Line(where[n]), "$" + clip(name)})
						}
					}
				}
				for _, p := range append(pairsOf(i, "ARG"), pairsOf(i, "ENV")...) {
					declared[p.Name] = true
				}
			}
			return all
		},
	},
	{
		ID: "env-self", Aliases: []string{"DL3044"}, Severity: "medium",
		Title: "ENV uses a variable that the same ENV sets", Why: "All of one ENV sees the values from before it: the new one is not there yet.", Fix: "use two ENV instructions",
		Bad: "FROM debian:12\nENV DIR=/app BIN=$DIR/bin\n", Good: "FROM debian:12\nENV DIR=/app\nENV BIN=$DIR/bin PATH=$DIR:$PATH\n",
		stage: func(_ *File, s *Stage) (all []place) {
			declared := map[string]bool{"PATH": true}
			for _, i := range s.Chain() {
				own := pairsOf(i, "ENV")
				for n, p := range own {
					names, _ := variablesIn(p.Raw)
					for m, other := range own {
						if m != n && i.Stage == s && slices.Contains(names, other.Name) && !declared[other.Name] {
							all = append(all, place{i.Line(p.At), p.Name + " uses " + clip(other.Name)})
						}
					}
				}
				for _, p := range append(own, pairsOf(i, "ARG")...) {
					declared[p.Name] = true
				}
			}
			return all
		},
	},
	{
		ID: "arg-shadowed", Severity: "low",
		Title: "An ARG that an ENV of the same name hides", Why: "The ENV always wins: what the build is given by --build-arg has no effect on what follows.", Fix: "give the ARG another name, or write ENV NAME=$NAME",
		Bad: "FROM debian:12\nENV VERSION=1\nARG VERSION=2\n", Good: "FROM debian:12\nARG VERSION=2\nENV VERSION=$VERSION\n",
		stage: func(_ *File, s *Stage) (all []place) {
			env := map[string]int{}
			for _, i := range s.Instructions {
				for _, p := range pairsOf(i, "ENV") {
					env[p.Name] = i.Start
				}
				for _, p := range pairsOf(i, "ARG") {
					if env[p.Name] > 0 {
						all = append(all, place{i.Line(p.At), p.Name + " is set in line " + itoa(env[p.Name])})
					}
				}
			}
			return all
		},
	},
	{
		ID: "env-linker", Severity: "medium",
		Title: "ENV makes every program load a library", Why: "LD_PRELOAD and its like put code in every process of the container.", Fix: "set it for the one program that needs it",
		Bad: "FROM debian:12\nENV LD_PRELOAD=/usr/lib/x.so\n", Good: "FROM debian:12\nENV LD_LIBRARY_PATH=/opt/lib\n",
		names: []string{"ENV"},
		instruction: func(_ *File, i *Instruction) (all []place) {
			for _, p := range i.Pairs() {
				if (p.Name == "LD_PRELOAD" || p.Name == "LD_AUDIT") && p.Value != "" && !strings.Contains(p.Value, "jemalloc") && !strings.Contains(p.Value, "tcmalloc") {
					all = append(all, place{i.Line(p.At), p.Name + "=" + clip(p.Value)})
				}
			}
			return all
		},
	},
	{
		ID: "env-frontend", Severity: "low",
		Title: "DEBIAN_FRONTEND stays set in the image", Why: "It is meant for the build: people who install something in a container are never asked.", Fix: "set it for one command: RUN DEBIAN_FRONTEND=noninteractive apt-get install …, or use ARG",
		Bad: "FROM debian:12\nENV DEBIAN_FRONTEND=noninteractive\n", Good: "FROM debian:12\nARG DEBIAN_FRONTEND=noninteractive\n",
		names: []string{"ENV"},
		instruction: func(_ *File, i *Instruction) (all []place) {
			for _, p := range i.Pairs() {
				if p.Name == "DEBIAN_FRONTEND" && p.Value != "" {
					all = append(all, place{i.Line(p.At), p.Name + "=" + clip(p.Value)})
				}
			}
			return all
		},
	},
}

// inherited names may come from the base image, or from the builder.
func inherited(name string, s *Stage) bool {
	if name == "PATH" || slices.Contains(proxyArgs, strings.ToUpper(name)) { // every build has these
		return true
	}
	if slices.Contains(platformArgs, name) {
		return false // these need an ARG in the stage
	}
	if s.Base().external() { // its ENV is not in the file
		return name == "HOME" || name == "LD_LIBRARY_PATH" || name == "PYTHONPATH" || name == "GOPATH" || baseSets(name)
	}
	return false
}

// baseSets guesses that a variable named after the base image's program is the base's own:
// JAVA_HOME, GOLANG_VERSION, CATALINA_HOME.
func baseSets(name string) bool {
	return strings.HasSuffix(name, "_HOME") || strings.HasSuffix(name, "_VERSION") || strings.HasSuffix(name, "_ROOT") || strings.HasSuffix(name, "_USER") || strings.HasSuffix(name, "_DIR") || strings.HasSuffix(name, "_PATH")
}
