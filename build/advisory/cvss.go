package advisory

import (
	"strings"

	gocvss20 "github.com/pandatix/go-cvss/20"
	gocvss30 "github.com/pandatix/go-cvss/30"
	gocvss31 "github.com/pandatix/go-cvss/31"
	gocvss40 "github.com/pandatix/go-cvss/40"
)

// CVSS is a scored vector.
type CVSS struct {
	Version string // 2.0, 3.0, 3.1, 4.0
	Vector  string
	// Score is computed from the vector: the base score; for 4.0 the score of the metrics given.
	Score float64
	// Automatable: an attacker reaches it over the network, without luck, account or anybody's
	// help. For 2.0, which has no user interaction metric, it is never true.
	Automatable bool
}

// ParseCVSS scores a vector; ok is false where it is none or is malformed.
func ParseCVSS(vector string) (c CVSS, ok bool) {
	vector = strings.TrimRight(strings.TrimSpace(vector), "/")
	c.Vector = vector
	// A text this short cannot make the parsers work long; a longer one is no vector.
	if len(vector) > 256 {
		return c, false
	}
	defer func() {
		// The vector is foreign; a parser that panics on it means that it is malformed.
		if recover() != nil {
			ok = false
		}
	}()
	metrics := "/" + vector + "/"
	has := func(all ...string) bool {
		for _, m := range all {
			if !strings.Contains(metrics, "/"+m+"/") {
				return false
			}
		}
		return true
	}
	switch {
	case strings.HasPrefix(vector, "CVSS:4.0/"):
		v, err := gocvss40.ParseVector(vector)
		if err != nil {
			return c, false
		}
		c.Version, c.Score, c.Automatable = "4.0", v.Score(), has("AV:N", "AC:L", "AT:N", "PR:N", "UI:N")
	case strings.HasPrefix(vector, "CVSS:3.1/"):
		v, err := gocvss31.ParseVector(vector)
		if err != nil {
			return c, false
		}
		c.Version, c.Score, c.Automatable = "3.1", v.BaseScore(), has("AV:N", "AC:L", "PR:N", "UI:N")
	case strings.HasPrefix(vector, "CVSS:3.0/"):
		v, err := gocvss30.ParseVector(vector)
		if err != nil {
			return c, false
		}
		c.Version, c.Score, c.Automatable = "3.0", v.BaseScore(), has("AV:N", "AC:L", "PR:N", "UI:N")
	default:
		v, err := gocvss20.ParseVector(strings.Trim(vector, "()"))
		if err != nil {
			return c, false
		}
		c.Version, c.Score = "2.0", v.BaseScore()
	}
	return c, true
}

// rank orders versions by how well they compare with others: nearly every advisory has a 3.1
// or 3.0 score, so these come first, that one scale ranks an estate.
func (c CVSS) rank() int {
	switch c.Version {
	case "3.1":
		return 4
	case "3.0":
		return 3
	case "4.0":
		return 2
	case "2.0":
		return 1
	}
	return 0
}

// Better reports whether c is to be shown rather than d: by version, then the higher score.
func (c CVSS) Better(d CVSS) bool {
	switch {
	case c.rank() != d.rank():
		return c.rank() > d.rank()
	case c.Score != d.Score:
		return c.Score > d.Score
	}
	return c.Vector < d.Vector
}

// Rating is the severity word of a score: the qualitative scale of CVSS 3.1 §5, which 4.0
// keeps and NVD uses for 2.0 with no word above high.
func (c CVSS) Rating() string {
	switch {
	case c.Score >= 9 && c.Version != "2.0":
		return "critical"
	case c.Score >= 7:
		return "high"
	case c.Score >= 4:
		return "medium"
	case c.Score > 0:
		return "low"
	}
	return "unknown"
}
