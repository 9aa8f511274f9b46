package advisory

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits on one OSV record. The largest genuine one known (a Linux kernel erratum) is under
// 8 MiB.
const (
	maxRecordBytes = 16 << 20
	maxIDLength    = 256  // bytes
	maxNameLength  = 1024 // bytes, of a package's name
	maxVersion     = 512  // bytes
	maxSummary     = 300  // bytes kept
	maxExploits    = 3    // exploit references kept of a record
	maxNameList    = 4096 // aliases, upstream or related ids
	maxImports     = 1024 // vulnerable Go packages; the most known is 40
	maxSymbols     = 8192 // of one of them; the most known is some hundreds
)

// Record is what is kept of one OSV record beside its affected packages.
type Record struct {
	ID        string
	Modified  time.Time
	Withdrawn bool
	Aliases   []string // other ids of the same vulnerability
	Upstream  []string // ids of the vulnerabilities a distribution's record speaks of
	Related   []string
	Summary   string
	Severity  []Severity
	// Word is the publisher's own severity word, in lower case: critical, high, medium, low; or empty.
	Word string
	// Exploits are URLs of published exploits or proofs of concept.
	Exploits []string
}

// Severity is a CVSS vector or a publisher's own word, as OSV has it.
type Severity struct {
	Type  string // CVSS_V2, CVSS_V3, CVSS_V4, Ubuntu
	Score string
}

// EventKind is the kind of a range's event.
type EventKind byte

// The event kinds, in the order in which events at one version are taken.
const (
	Introduced EventKind = iota
	LastAffected
	Fixed
	Limit
)

func (k EventKind) String() string {
	return [...]string{"introduced", "last_affected", "fixed", "limit"}[k]
}

// Event is a version at which a range begins or ends.
type Event struct {
	Kind    EventKind
	Version string
}

// RangeType says which version order a range is written in.
type RangeType byte

// The range types. GIT ranges speak of commits and are not kept.
const (
	RangeEcosystem RangeType = iota
	RangeSemver
)

func (t RangeType) String() string { return [...]string{"ECOSYSTEM", "SEMVER"}[t] }

// Range is a set of versions between events.
type Range struct {
	Type   RangeType
	Events []Event
}

// Affected is one package that a record speaks of.
type Affected struct {
	Ecosystem string // as written, with the release: "Debian:12"
	Name      string
	Ranges    []Range
	Versions  []string
	Severity  []Severity
	Word      string
	// Custom are ranges in the project's own numbering, where that is not the module system's
	// (Go vulnerability database, custom_ranges).
	Custom []Range
	// Imports say which packages of a Go module are vulnerable, and which functions of them.
	Imports []GoPackage
}

// GoPackage is a vulnerable package of a Go module
// (https://go.dev/doc/security/vuln/database#schema, ecosystem_specific.imports).
type GoPackage struct {
	Path string
	// Symbols are functions, methods as Type.Method; none means all of the package.
	Symbols []string
	// GOOS and GOARCH restrict it to platforms; empty means all.
	GOOS, GOARCH []string
}

// SeverityWord turns the words that publishers use into critical, high, medium, low, or
// nothing. Red Hat and those who follow it say important and moderate; Ubuntu and Debian
// also say negligible and unimportant.
func SeverityWord(word string) string {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "critical":
		return "critical"
	case "high", "important":
		return "high"
	case "medium", "moderate":
		return "medium"
	case "low", "negligible", "unimportant", "minor":
		return "low"
	}
	return ""
}

// errNotAdvisory marks records that are no security advisories.
var errNotAdvisory = errors.New("not a security advisory")

// isBugFix tells errata that fix bugs or add features from security errata by their type, the
// letters before the year: AlmaLinux ALBA/ALEA, Rocky Linux RLBA/RLEA, Red Hat RHBA/RHEA. Red
// Hat's and Rocky's may fix a CVE all the same, and then name it.
func isBugFix(r *Record) bool {
	kind, _, ok := strings.Cut(r.ID, "-")
	if !ok {
		return false
	}
	switch kind {
	case "ALBA", "ALEA":
		return true
	case "RLBA", "RLEA", "RHBA", "RHEA":
		for _, list := range [][]string{r.Aliases, r.Upstream} {
			for _, id := range list {
				if IsCVE(id) {
					return false
				}
			}
		}
		return true
	}
	return false
}

// isExploit tells references to a published exploit. OSV's EVIDENCE is "a demonstration of
// the validity of a vulnerability claim, e.g. a proof of concept"; the others are collections
// that hold nothing but exploits.
func isExploit(kind, url string) bool {
	if kind == "EVIDENCE" {
		return true
	}
	_, rest, _ := strings.Cut(url, "://")
	rest = strings.TrimPrefix(rest, "www.")
	return strings.HasPrefix(rest, "exploit-db.com/exploits/") ||
		strings.HasPrefix(rest, "rapid7.com/db/modules/") ||
		strings.HasPrefix(rest, "github.com/rapid7/metasploit-framework/blob/")
}

// IsCVE reports whether id is a CVE id.
func IsCVE(id string) bool {
	rest, ok := strings.CutPrefix(id, "CVE-")
	if !ok || len(rest) < 9 || rest[4] != '-' {
		return false
	}
	for i := range len(rest) {
		if i != 4 && (rest[i] < '0' || rest[i] > '9') {
			return false
		}
	}
	return true
}

func checkID(id string) error {
	if id == "" {
		return errors.New("has no id")
	}
	if len(id) > maxIDLength {
		return fmt.Errorf("an id is longer than %d bytes", maxIDLength)
	}
	for _, c := range id {
		if c > unicode.MaxASCII || c <= ' ' || c == 0x7f || c == '/' || c == '\\' {
			return fmt.Errorf("id %q has a character that ids do not have", clip(id, 40))
		}
	}
	return nil
}

// clip shortens s to at most n bytes on a character's edge and replaces control characters,
// so that a hostile text cannot move a reader's terminal.
func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
		for len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-4):]) {
			s = s[:len(s)-1]
		}
	}
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, "?")))
}
