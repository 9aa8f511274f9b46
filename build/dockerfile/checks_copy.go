package dockerfile

import (
	"path"
	"strconv"
	"strings"
)

// Checks of COPY and ADD.

func isURL(s string) bool {
	l := strings.ToLower(s)
	return strings.HasPrefix(l, "http://") || strings.HasPrefix(l, "https://")
}

func isGit(s string) bool {
	return strings.HasPrefix(s, "git@") || strings.HasPrefix(s, "git://") || strings.HasPrefix(s, "ssh://") || isURL(s) && (strings.HasSuffix(s, ".git") || strings.Contains(s, ".git#"))
}

// sources are what COPY and ADD take; destination is where to.
func (i *Instruction) sources() (sources []Word, destination Word) {
	words := i.Words()
	if len(words) < 2 {
		return nil, Word{}
	}
	return words[:len(words)-1], words[len(words)-1]
}

var copyChecks = []check{
	{
		ID: "add-local", Aliases: []string{"DL3020", "CIS-4.9"}, Severity: "low",
		Title: "ADD where COPY would do",
		Why:   "ADD also unpacks archives and fetches addresses: a file with a crafted name or content does more than be copied.",
		Fix:   "use COPY",
		Bad:   "FROM debian:12\nADD app.py /app/\n", Good: "FROM debian:12\nCOPY app.py /app/\nADD rootfs.tar.xz /\n",
		names: []string{"ADD"},
		instruction: func(_ *File, i *Instruction) []place {
			sources, _ := i.sources()
			for _, w := range sources {
				if w.Literal && !isURL(w.Text) && !isGit(w.Text) && !archivePattern.MatchString(w.Text) && !strings.ContainsAny(w.Text, "*?") && len(i.Heredocs) == 0 {
					return at(i.Start, w.Text)
				}
			}
			return nil
		},
	},
	{
		ID: "add-url", Aliases: []string{"CIS-4.9", "CIS-4.11"}, Severity: "medium",
		Title: "ADD fetches an address and nothing checks what it gets",
		Why:   "The server, or whoever sits between, decides what is in the image.",
		Fix:   "add --checksum=sha256:…",
		Bad:   "FROM debian:12\nADD https://example.com/tool /usr/bin/tool\n", Good: "FROM debian:12\nADD --checksum=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d https://example.com/tool /usr/bin/tool\n",
		names: []string{"ADD"},
		instruction: func(_ *File, i *Instruction) []place {
			sources, _ := i.sources()
			for _, w := range sources {
				if _, checked := i.Flag("checksum"); isURL(w.Text) && !isGit(w.Text) && !checked {
					return at(i.Line(w.At), w.Text)
				}
			}
			return nil
		},
	},
	{
		ID: "add-git-unpinned", Aliases: []string{"CIS-4.11"}, Severity: "low",
		Title: "ADD takes a Git repository without a commit", Why: "A branch or tag can be moved: two builds of the same commit differ.", Fix: "add #COMMIT, or --checksum=COMMIT",
		Bad: "FROM debian:12\nADD https://example.com/tool.git /src\n", Good: "FROM debian:12\nADD https://example.com/tool.git#0a1b2c3d4e5f60718293a4b5c6d7e8f901234567 /src\n",
		names: []string{"ADD"},
		instruction: func(_ *File, i *Instruction) []place {
			sources, _ := i.sources()
			for _, w := range sources {
				_, ref, _ := strings.Cut(w.Text, "#")
				ref, _, _ = strings.Cut(ref, ":")
				if _, checked := i.Flag("checksum"); isGit(w.Text) && w.Literal && !checked && !isCommit(ref) {
					return at(i.Line(w.At), w.Text)
				}
			}
			return nil
		},
	},
	{
		ID: "copy-destination", Aliases: []string{"DL3021"}, Severity: "medium",
		Title: "Several sources and a destination that is no folder", Why: "Builders refuse it.", Fix: "end the destination with /",
		Bad: "FROM debian:12\nCOPY a b /dst\n", Good: "FROM debian:12\nCOPY a b /dst/\n",
		names: []string{"COPY", "ADD"},
		instruction: func(_ *File, i *Instruction) []place {
			sources, d := i.sources()
			if len(sources) > 1 && d.Literal && !strings.HasSuffix(d.Text, "/") && d.Text != "." && d.Text != ".." && !strings.HasSuffix(d.Text, `\`) {
				return at(i.Start, d.Text)
			}
			return nil
		},
	},
	{
		ID: "copy-from-unknown", Aliases: []string{"DL3022"}, Severity: "medium",
		Title: "COPY --from names neither a stage before it nor an image with a version",
		Why:   "A misspelt stage becomes an image of that name, fetched from Docker Hub: from whoever registered it.",
		Fix:   "name a stage that stands before, or an image by tag and digest",
		Bad:   "FROM golang:1.26 AS build\nFROM debian:12\nCOPY --from=biuld /app /app\n", Good: "FROM golang:1.26 AS build\nFROM debian:12\nCOPY --from=build /app /app\nCOPY --from=ghcr.io/x/tool:1.2 /t /t\n",
		names: []string{"COPY"},
		instruction: func(f *File, i *Instruction) []place {
			from, ok := i.Flag("from")
			if !ok || i.Stage == nil || strings.Contains(from, "$") {
				return nil
			}
			for _, s := range f.Stages[:i.Stage.Index+1] {
				if s.is(from) {
					return nil // itself is another check's
				}
			}
			_, err := strconv.Atoi(from)
			if _, tag, digest := reference(from); err != nil && (tag != "" || digest != "" || strings.Contains(from, "/")) {
				return nil
			}
			return at(i.Start, "--from="+from)
		},
	},
	{
		ID: "copy-from-itself", Aliases: []string{"DL3023"}, Severity: "medium",
		Title: "COPY --from names its own stage", Why: "A stage cannot copy from itself: the build fails.", Fix: "name another stage, or use RUN cp",
		Bad: "FROM debian:12 AS app\nCOPY --from=app /a /b\n", Good: "FROM debian:12 AS base\nFROM debian:12 AS app\nCOPY --from=base /a /b\n",
		names: []string{"COPY"},
		instruction: func(_ *File, i *Instruction) []place {
			if from, ok := i.Flag("from"); ok && i.Stage != nil && i.Stage.is(from) {
				return at(i.Start, "--from="+from)
			}
			return nil
		},
	},
	{
		ID: "copy-relative", Aliases: []string{"DL3045"}, Severity: "low",
		Title: "COPY to a relative path without WORKDIR", Why: "Where it goes depends on the base image's working folder.", Fix: "set WORKDIR before it, or give an absolute destination",
		Bad: "FROM debian:12\nCOPY app.py .\n", Good: "FROM debian:12\nWORKDIR /app\nCOPY app.py .\n",
		stage: func(_ *File, s *Stage) (all []place) {
			set := false
			for _, i := range s.Chain() {
				if i.Name == "WORKDIR" {
					set = true
				}
				if _, d := i.sources(); i.Name == "COPY" && i.Stage == s && !set && d.Text != "" && !path.IsAbs(d.Text) && d.Literal && !strings.Contains(d.Text, ":") && !strings.HasPrefix(d.Text, `\`) {
					all = append(all, place{i.Start, clip(d.Text)})
				}
			}
			return all
		},
	},
	{
		ID: "copy-everything", Severity: "low",
		Title: "The whole build context is copied to the image's root",
		Why:   "Whatever lies about where the build is started, .git and .env too, lands in the image, over the system's own folders.",
		Fix:   "copy what is needed, to a folder of its own",
		Bad:   "FROM debian:12\nCOPY . /\n", Good: "FROM debian:12\nCOPY src /app/src\nCOPY --from=0 . /\n",
		names: []string{"COPY", "ADD"},
		instruction: func(_ *File, i *Instruction) []place {
			sources, d := i.sources()
			if _, from := i.Flag("from"); from || d.Text != "/" {
				return nil
			}
			for _, w := range sources {
				if w.Text == "." || w.Text == "./" || w.Text == "*" {
					return at(i.Start, w.Text+" /")
				}
			}
			return nil
		},
	},
	{
		ID: "copy-outside", Severity: "medium",
		Title: "COPY of a file outside the build context", Why: "Builders cut off the dots or fail: what is copied is not what was meant.", Fix: "start the build further up, or name the folder as a further context (--build-context)",
		Bad: "FROM debian:12\nCOPY ../secrets /app/\n", Good: "FROM debian:12\nCOPY app/../src /app/\n",
		names: []string{"COPY", "ADD"},
		instruction: func(_ *File, i *Instruction) []place {
			sources, _ := i.sources()
			for _, w := range sources {
				if c := path.Clean(w.Text); c == ".." || strings.HasPrefix(c, "../") {
					return at(i.Line(w.At), w.Text)
				}
			}
			return nil
		},
	},
}

func isCommit(s string) bool {
	return len(s) >= 40 && strings.Trim(strings.ToLower(s), "0123456789abcdef") == ""
}
