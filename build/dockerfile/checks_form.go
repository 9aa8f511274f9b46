package dockerfile

import (
	"regexp"
	"strings"
)

// Checks of how a Dockerfile is written.

var formChecks = []check{
	{
		ID: "not-buildable", Severity: "high",
		Title: "A line that no builder takes", Why: "The build fails, or an editor's typing error turned an instruction into part of another.", Fix: "correct the line",
		Bad: "FROM debian:12\nRUNN make\n", Good: "FROM debian:12\nRUN make\n",
		file: func(f *File) (all []place) {
			for _, p := range f.Problems {
				all = append(all, place{p.Line, p.Reason})
			}
			return all
		},
	},
	{
		ID: "from-missing", Severity: "high",
		Title: "No FROM", Why: "Without one there is nothing to build.", Fix: "begin with FROM",
		Bad: "RUN make\n", Good: "FROM scratch\n",
		file: func(f *File) []place {
			if len(f.Stages) == 0 {
				return at(1, "")
			}
			return nil
		},
	},
	{
		ID: "maintainer", Aliases: []string{"DL4000", "MaintainerDeprecated"}, Severity: "low",
		Title: "MAINTAINER is no longer used", Why: "Nothing reads it; labels can be queried.", Fix: "LABEL org.opencontainers.image.authors=\"…\"",
		Bad: "FROM debian:12\nMAINTAINER a@example.com\n", Good: "FROM debian:12\nLABEL org.opencontainers.image.authors=\"a@example.com\"\n",
		names:       []string{"MAINTAINER"},
		instruction: func(_ *File, i *Instruction) []place { return at(i.Start, i.Args) },
	},
	{
		ID: "keyword-case", Aliases: []string{"ConsistentInstructionCasing", "FromAsCasing"}, Severity: "low",
		Title: "Instructions in mixed case", Why: "Two spellings of one keyword make a file harder to read and to search.", Fix: "write keywords in capitals",
		Bad: "FROM debian:12\nRun make\n", Good: "FROM debian:12 AS base\nRUN make\n",
		instruction: func(_ *File, i *Instruction) []place {
			if known[i.Name] && i.Keyword != i.Name && i.Keyword != strings.ToLower(i.Keyword) {
				return at(i.Start, i.Keyword)
			}
			if words := strings.Fields(i.Args); i.Name == "FROM" && len(words) == 3 && words[1] != "AS" && i.Keyword == i.Name {
				return at(i.Start, words[1])
			}
			return nil
		},
	},
	{
		ID: "env-old-form", Aliases: []string{"LegacyKeyValueFormat"}, Severity: "low",
		Title: "ENV or LABEL without =", Why: "Everything to the end of the line is the value, quotes and a second name too.", Fix: "write NAME=value",
		Bad: "FROM debian:12\nENV PATH /opt/bin:$PATH\n", Good: "FROM debian:12\nENV PATH=/opt/bin:$PATH\n",
		names: []string{"ENV", "LABEL"},
		instruction: func(_ *File, i *Instruction) []place {
			if w := i.Words(); len(w) > 0 && !strings.Contains(w[0].Raw, "=") {
				return at(i.Start, i.Name+" "+w[0].Text)
			}
			return nil
		},
	},
	{
		ID: "empty-continuation", Aliases: []string{"NoEmptyContinuation"}, Severity: "low",
		Title: "An empty line inside a continued instruction", Why: "Builders will come to refuse it, and readers take it for the end.", Fix: "remove the line, or put a # there",
		Bad: "FROM debian:12\nRUN a && \\\n\n    b\n", Good: "FROM debian:12\nRUN a && \\\n    # why\n    b\n",
		file: func(f *File) []place {
			if f.emptyLine > 0 {
				return at(f.emptyLine, "")
			}
			return nil
		},
	},
	{
		ID: "label-name", Aliases: []string{"DL3048"}, Severity: "low",
		Title: "A label's name is not valid", Why: "Tools look labels up by names of lower-case letters, digits, dots and hyphens; com.docker.* and the like are reserved.", Fix: "write it like org.opencontainers.image.source",
		Bad: "FROM debian:12\nLABEL +Bad..Name=1\n", Good: "FROM debian:12\nLABEL org.opencontainers.image.source=https://example.com\n",
		names: []string{"LABEL"},
		instruction: func(_ *File, i *Instruction) (all []place) {
			for _, p := range i.Pairs() {
				if !strings.Contains(p.Name, "$") && (!labelName.MatchString(p.Name) || strings.HasPrefix(p.Name, "com.docker.") || strings.HasPrefix(p.Name, "io.docker.") || strings.HasPrefix(p.Name, "org.dockerproject.")) {
					all = append(all, place{i.Line(p.At), clip(p.Name)})
				}
			}
			return all
		},
	},
	{
		ID: "onbuild-image", Aliases: []string{"DL3043"}, Severity: "medium",
		Title: "ONBUILD of FROM, MAINTAINER or ONBUILD", Why: "Builders refuse it.", Fix: "remove it",
		Bad: "FROM debian:12\nONBUILD MAINTAINER a@example.com\n", Good: "FROM debian:12\nONBUILD RUN make\n",
		file: func(f *File) (all []place) {
			for _, i := range f.Instructions {
				if i.OnBuild != nil && contains([]string{"FROM", "MAINTAINER", "ONBUILD"}, i.OnBuild.Name) {
					all = append(all, place{i.Start, i.OnBuild.Name})
				}
			}
			return all
		},
	},
	{
		ID: "onbuild", Severity: "low",
		Title: "ONBUILD runs in somebody else's build", Why: "Whoever builds from this image runs the step without seeing it in their Dockerfile.", Fix: "write the step in the images that need it",
		Bad: "FROM debian:12\nONBUILD RUN make\n", Good: "FROM debian:12\nRUN make\n",
		file: func(f *File) (all []place) {
			for _, i := range f.Instructions {
				if i.OnBuild != nil {
					all = append(all, place{i.Start, "ONBUILD " + i.OnBuild.Name})
				}
			}
			return all
		},
	},
	{
		ID: "volume-system", Severity: "medium",
		Title: "VOLUME over a folder of the system", Why: "What later steps write there is thrown away, and every container gets a copy that no update of the image reaches.", Fix: "give a folder of data, such as /var/lib/app",
		Bad: "FROM debian:12\nVOLUME /etc\n", Good: "FROM debian:12\nVOLUME [\"/var/lib/app\"]\n",
		names: []string{"VOLUME"},
		instruction: func(_ *File, i *Instruction) (all []place) {
			for _, w := range i.Words() {
				switch strings.TrimSuffix(w.Text, "/") {
				case "", "/etc", "/bin", "/sbin", "/lib", "/usr", "/usr/bin", "/usr/local", "/usr/local/bin", "/root", "/boot", "/var/run/docker.sock":
					all = append(all, place{i.Line(w.At), clip(w.Text)})
				}
			}
			return all
		},
	},
}

var labelName = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9]|[._-][a-z0-9])*$`)
