package dockerfile

import (
	"fmt"
	"strings"
)

// Checks of FROM: which base, and whether it is always the same one.

// external stages start from an image of a registry.
func (s *Stage) external() bool {
	return s.Parent == nil && !strings.EqualFold(s.Resolved, "scratch") && s.Resolved != ""
}

// reference splits an image's name, tag and digest.
func reference(image string) (name, tag, digest string) {
	name, digest, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name, tag = name[:i], name[i+1:]
	}
	return name, tag, digest
}

var fromChecks = []check{
	{
		ID: "base-latest", Aliases: []string{"DL3007", "CIS-4.2"}, Severity: "medium",
		Title: "The base image is the tag latest",
		Why:   "latest is whatever was pushed last: two builds of the same commit differ, and an update brings a new major release unasked.",
		Fix:   "name a release: FROM debian:12.11",
		Bad:   "FROM debian:latest\n", Good: "FROM debian:12.11\n",
		stage: func(_ *File, s *Stage) []place {
			if _, tag, digest := reference(s.Resolved); s.external() && tag == "latest" && digest == "" {
				return at(s.From.Start, s.Resolved)
			}
			return nil
		},
	},
	{
		ID: "base-untagged", Aliases: []string{"DL3006", "CIS-4.2"}, Severity: "medium",
		Title: "The base image has no tag",
		Why:   "Without a tag the builder takes latest: two builds of the same commit differ.",
		Fix:   "name a release: FROM debian:12.11",
		Bad:   "FROM debian\n", Good: "FROM debian:12.11\n",
		stage: func(_ *File, s *Stage) []place {
			if _, tag, digest := reference(s.Resolved); s.external() && tag == "" && digest == "" && s.Whole {
				return at(s.From.Start, s.Resolved)
			}
			return nil
		},
	},
	{
		ID: "base-undigested", Aliases: []string{"CIS-4.2"}, Severity: "low",
		Title: "The base image is not pinned by digest",
		Why:   "A tag can be moved to another image, by its owner or by whoever gets at the registry. A digest names one content.",
		Fix:   "add the digest: FROM debian:12.11@sha256:…, and let a bot keep it up to date",
		Bad:   "FROM debian:12.11\n", Good: "FROM debian:12.11@sha256:00cd074b40c4d99ff0c24540bdde0533ca3791edcdac0de36d6b9fb3260d89e2\n",
		stage: func(_ *File, s *Stage) []place {
			if _, _, digest := reference(s.Resolved); s.external() && digest == "" && s.Whole {
				return at(s.From.Start, s.Resolved)
			}
			return nil
		},
	},
	{
		ID: "base-platform", Aliases: []string{"DL3029"}, Severity: "low",
		Title: "FROM fixes the platform",
		Why:   "An image built for one fixed platform does not follow --platform, and runs emulated or not at all on other machines. $BUILDPLATFORM and $TARGETPLATFORM are meant for cross-building.",
		Fix:   "remove --platform, or give it $BUILDPLATFORM in a stage that cross-compiles",
		Bad:   "FROM --platform=linux/amd64 debian:12\n", Good: "FROM --platform=$BUILDPLATFORM golang:1.26 AS build\n",
		stage: func(_ *File, s *Stage) []place {
			if s.Platform != "" && !strings.Contains(s.Platform, "$") {
				return at(s.From.Start, "--platform="+s.Platform)
			}
			return nil
		},
	},
	{
		ID: "base-argument-unset", Aliases: []string{"InvalidDefaultArgInFrom"}, Severity: "medium",
		Title: "FROM uses an argument that has no value",
		Why:   "FROM sees only the ARGs before the first FROM. Without a default the build fails, or takes whatever base the builder is given.",
		Fix:   "declare it before the first FROM with a default: ARG VERSION=12.11",
		Bad:   "ARG VERSION\nFROM debian:$VERSION\n", Good: "ARG VERSION=12.11\nFROM debian:$VERSION\n",
		stage: func(_ *File, s *Stage) []place {
			if !s.Whole && !strings.Contains(s.Image, "BUILD") && !strings.Contains(s.Image, "TARGET") {
				return at(s.From.Start, s.Image)
			}
			return nil
		},
	},
	{
		ID: "stage-duplicate", Aliases: []string{"DL3024", "DuplicateStageName"}, Severity: "medium",
		Title: "Two stages have the same name",
		Why:   "COPY --from and --target then mean the later one, which is seldom what the line was written for.",
		Fix:   "give each stage a name of its own",
		Bad:   "FROM golang:1.26 AS build\nFROM node:24 AS build\n", Good: "FROM golang:1.26 AS server\nFROM node:24 AS console\n",
		stage: func(f *File, s *Stage) []place {
			for _, other := range f.Stages[:s.Index] {
				if s.Name != "" && other.Name == s.Name {
					return at(s.From.Start, fmt.Sprintf("%s is also the stage of line %d", s.Name, other.From.Start))
				}
			}
			return nil
		},
	},
	{
		ID: "stage-name-case", Aliases: []string{"StageNameCasing"}, Severity: "low",
		Title: "A stage's name has capital letters",
		Why:   "Builders compare names without regard to case; a name in two spellings misleads readers.",
		Fix:   "write stage names in lower case",
		Bad:   "FROM golang:1.26 AS Build\n", Good: "FROM golang:1.26 AS build\n",
		stage: func(_ *File, s *Stage) []place {
			words := strings.Fields(s.From.Args)
			if last := words[max(len(words)-1, 0):]; s.Name != "" && last[0] != s.Name {
				return at(s.From.Start, last[0])
			}
			return nil
		},
	},
	{
		ID: "stage-name-reserved", Aliases: []string{"ReservedStageName"}, Severity: "medium",
		Title: "A stage has a reserved name",
		Why:   "scratch and context mean something to builders; a stage of that name cannot be referred to.",
		Fix:   "choose another name",
		Bad:   "FROM debian:12 AS scratch\n", Good: "FROM debian:12 AS base\n",
		stage: func(_ *File, s *Stage) []place {
			if s.Name == "scratch" || s.Name == "context" {
				return at(s.From.Start, s.Name)
			}
			return nil
		},
	},
	{
		ID: "stage-unused", Severity: "low",
		Title: "A stage is used by no other",
		Why:   "What nothing copies from or continues is not built by default: often a renamed stage that a later line meant.",
		Fix:   "remove the stage, or name it for the targets that builds are given",
		Bad:   "FROM golang:1.26\nRUN go build ./...\nFROM debian:12\nCMD [\"/bin/sh\"]\n", Good: "FROM golang:1.26 AS build\nRUN go build -o /app\nFROM debian:12\nCOPY --from=build /app /app\n",
		stage: func(f *File, s *Stage) []place {
			if s.Index == len(f.Stages)-1 || s.Name != "" { // a named one may be a --target
				return nil
			}
			for _, later := range f.Stages[s.Index+1:] {
				if later.Parent == s {
					return nil
				}
				for _, i := range later.Instructions {
					if usesStage(i, s) {
						return nil
					}
				}
			}
			return at(s.From.Start, s.Image)
		},
	},
	{
		ID: "from-first", Aliases: []string{"DL3061"}, Severity: "high",
		Title: "Something other than ARG stands before the first FROM",
		Why:   "Only ARG may stand there; builders refuse the rest.",
		Fix:   "move the instruction below FROM",
		Bad:   "ENV A=b\nFROM debian:12\n", Good: "ARG VERSION=12\nFROM debian:$VERSION\nENV A=b\n",
		instruction: func(f *File, i *Instruction) []place {
			if i.Stage == nil && i.Name != "ARG" && known[i.Name] && len(f.Stages) > 0 {
				return at(i.Start, i.Name)
			}
			return nil
		},
	},
}

// usesStage reports whether an instruction takes files from a stage.
func usesStage(i *Instruction, s *Stage) bool {
	if from, ok := i.Flag("from"); ok && s.is(from) {
		return true
	}
	for _, f := range i.Flags {
		if f.Name != "mount" {
			continue
		}
		for part := range strings.SplitSeq(f.Value, ",") {
			if from, ok := strings.CutPrefix(part, "from="); ok && s.is(from) {
				return true
			}
		}
	}
	return false
}
