package dockerfile

import (
	"strings"

	"github.com/triad-security/triad"
)

// ignore is a comment that sets checks aside.
type ignore struct {
	line   int
	ids    []string
	global bool // for the whole file
	reason string
}

// comment notes what a comment sets aside for the next instruction, as
//
//	# triad:ignore=ID,ID the reason
//	# hadolint ignore=DL3006,DL3008
//	# hadolint global ignore=DL3007
//	# check=skip=StageNameCasing
func (f *File) comment(line int, text string) {
	text = strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(text), "#"))
	i := ignore{line: line}
	rest, ok := strings.CutPrefix(text, "triad:ignore=")
	if !ok {
		if rest, ok = strings.CutPrefix(text, "triad:ignore-file="); ok {
			i.global = true
		}
	}
	if !ok {
		words := strings.Fields(text)
		switch {
		case len(words) >= 2 && words[0] == "hadolint" && strings.HasPrefix(words[1], "ignore="):
		case len(words) >= 3 && words[0] == "hadolint" && words[1] == "global" && strings.HasPrefix(words[2], "ignore="):
			i.global = true
		default:
			return
		}
		_, rest, _ = strings.Cut(text, "ignore=")
		rest = strings.ReplaceAll(rest, ", ", ",")
	}
	list, reason, _ := strings.Cut(rest, " ")
	for id := range strings.SplitSeq(list, ",") {
		if id = strings.TrimSpace(id); id != "" {
			i.ids = append(i.ids, id)
		}
	}
	i.reason = strings.TrimSpace(reason)
	f.ignores = append(f.ignores, i)
}

// ignored reports whether a comment sets a finding aside: one for the file, or one between
// the instruction before and the end of the finding's instruction.
func (f *File) ignored(finding triad.Finding) bool {
	from, to := 1, finding.Line
	for _, i := range f.Instructions {
		if i.Start > finding.Line {
			break
		}
		if i.End >= finding.Line {
			to = i.End
			break
		}
		from = i.End + 1
	}
	for _, g := range f.ignores {
		if !g.global && (g.line < from || g.line > to) {
			continue
		}
		for _, id := range g.ids {
			if strings.EqualFold(id, finding.ID) {
				return true
			}
			for _, alias := range finding.Aliases {
				if strings.EqualFold(id, alias) {
					return true
				}
			}
		}
	}
	return false
}
