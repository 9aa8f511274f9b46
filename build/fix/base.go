package fix

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/origin"
)

// BaseBump is another image to build from, and what that would change.
type BaseBump struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Digest that To has in its registry, where that is known.
	Digest   string   `json:"digest,omitempty"`
	Removes  []string `json:"removes"` // the base's vulnerabilities that it does not have
	Adds     []string `json:"adds"`    // those that only it has
	Leaves   []string `json:"leaves"`  // those that both have
	Severity string   `json:"severity"`
	distance int
}

// CompareBase holds the vulnerabilities that came with the base against those of another
// image. A vulnerability counts once, in however many packages it is.
func CompareBase(from string, to origin.Image, now, then []triad.Vulnerability) BaseBump {
	b := BaseBump{From: from, To: to.Name, Digest: to.Pin, Removes: []string{}, Adds: []string{}, Leaves: []string{}, Severity: "unknown"}
	_, a, _ := split(from)
	_, c, _ := split(to.Name)
	b.distance = distance(a, c)
	before, after := index(now), index(then)
	for _, v := range now {
		if after[v.ID] {
			b.Leaves = append(b.Leaves, v.ID)
			continue
		}
		b.Removes = append(b.Removes, v.ID)
		if triad.SeverityRank(v.Severity) < triad.SeverityRank(b.Severity) {
			b.Severity = v.Severity
		}
	}
	for _, v := range then {
		if !before[v.ID] {
			b.Adds = append(b.Adds, v.ID)
		}
	}
	for _, list := range []*[]string{&b.Removes, &b.Leaves, &b.Adds} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return b
}

// index holds all names of vulnerabilities.
func index(all []triad.Vulnerability) map[string]bool {
	names := map[string]bool{}
	for _, v := range all {
		names[v.ID] = true
		for _, a := range v.Aliases {
			names[a] = true
		}
	}
	return names
}

// better: it removes more than it adds.
func (b BaseBump) better() bool { return len(b.Removes) > len(b.Adds) }

// SortBases orders by what is gained, then by how far the tag is, and leaves out what gains
// nothing.
func SortBases(all []BaseBump) []BaseBump {
	all = slices.DeleteFunc(all, func(b BaseBump) bool { return !b.better() })
	slices.SortStableFunc(all, func(a, b BaseBump) int {
		return cmp.Or(cmp.Compare(len(b.Removes)-len(b.Adds), len(a.Removes)-len(a.Adds)), cmp.Compare(a.distance, b.distance), cmp.Compare(a.To, b.To))
	})
	return all
}

// SameLine reports whether one image can stand for another: the same repository and
// architecture, the same variant (-slim, -alpine), not built earlier, and no earlier version.
func SameLine(from, to origin.Image) bool {
	if origin.Repository(from.Name) == "" || origin.Repository(from.Name) != origin.Repository(to.Name) || to.Architecture != from.Architecture ||
		to.Created.Before(from.Created) || to.Digest == from.Digest {
		return false
	}
	_, a, _ := split(from.Name)
	_, b, _ := split(to.Name)
	if a == b {
		return true
	}
	va, ra := variant(a)
	vb, rb := variant(b)
	return ra == rb && va != "" && vb != "" && !earlier(vb, va)
}

// variant cuts a tag at the first letter that begins a word: 3.12.1-slim-bookworm is version
// 3.12.1 of slim-bookworm. A release's name, bookworm-slim, has no version.
func variant(tag string) (version, rest string) {
	version, rest, _ = strings.Cut(strings.TrimPrefix(tag, "v"), "-")
	if version == "" || !unicode.IsDigit(rune(version[0])) {
		return "", tag
	}
	// alpine3.20 and the like: the release of the distribution may move, its name not.
	return version, strings.TrimRight(rest, "0123456789.")
}

func earlier(a, b string) bool {
	x, y := numbers(a), numbers(b)
	for n := range min(len(x), len(y)) {
		p, q := strings.TrimLeft(x[n], "0"), strings.TrimLeft(y[n], "0")
		if c := cmp.Or(cmp.Compare(len(p), len(q)), cmp.Compare(p, q)); c != 0 {
			return c < 0
		}
	}
	return false
}

// split takes an image's name apart.
func split(image string) (name, tag, digest string) {
	name, digest, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name, tag = name[:i], name[i+1:]
	}
	return name, tag, digest
}
