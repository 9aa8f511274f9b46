package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"

	"github.com/triad-security/triad"
)

// JUnit's format has no standard; these are the elements that Jenkins, GitLab and Azure
// DevOps all read.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Stamp    string      `xml:"timestamp,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr,omitempty"`
		Time    string        `xml:"time,attr"`
		Failure *junitMessage `xml:"failure"`
		Error   *junitMessage `xml:"error"`
		Skipped *junitMessage `xml:"skipped"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes a document as test results: a suite for each kind of finding that was looked
// for, a failure for each finding, an error for what could not be read, a skipped test for
// what was set aside. A kind of which nothing was found is one test that passed.
func JUnit(w io.Writer, d *Document) error {
	all := junitSuites{Name: d.Tool.Name + " " + line(d.Artifact.Name, 300), Time: seconds(d)}
	for _, k := range kinds {
		s := junitSuite{Name: string(k.kind), Time: "0", Stamp: d.Started.UTC().Format("2006-01-02T15:04:05")}
		s.fill(d, k.kind, k.section)
		if len(s.Cases) == 0 {
			if k.kind != triad.FindingVulnerability && !contains(d.Scanned, k.section) {
				continue // nobody looked
			}
			s.Cases = []junitCase{{Name: "no " + k.one, Class: string(k.kind), Time: "0"}}
		}
		s.count()
		all.Tests, all.Failures, all.Errors, all.Skipped = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors, all.Skipped+s.Skipped
		all.Suites = append(all.Suites, s)
	}
	other := junitSuite{Name: "reading", Time: "0", Stamp: d.Started.UTC().Format("2006-01-02T15:04:05")}
	for _, u := range d.Unread {
		if !isKindSection(u.Section) {
			other.Cases = append(other.Cases, unreadCase(u))
		}
	}
	if len(other.Cases) > 0 {
		other.count()
		all.Tests, all.Errors = all.Tests+other.Tests, all.Errors+other.Errors
		all.Suites = append(all.Suites, other)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return fmt.Errorf("writing JUnit XML: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func contains(list []string, s string) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}

func isKindSection(section string) bool {
	for _, k := range kinds {
		if k.section == section {
			return true
		}
	}
	return false
}

// seconds is how long the work took.
func seconds(d *Document) string {
	if d.Started.IsZero() || d.At.Before(d.Started) {
		return "0"
	}
	return strconv.FormatFloat(d.At.Sub(d.Started).Seconds(), 'f', 3, 64)
}

func (s *junitSuite) count() {
	s.Tests = len(s.Cases)
	for _, c := range s.Cases {
		switch {
		case c.Failure != nil:
			s.Failures++
		case c.Error != nil:
			s.Errors++
		case c.Skipped != nil:
			s.Skipped++
		}
	}
}

func (s *junitSuite) fill(d *Document, kind triad.FindingKind, section string) {
	if kind == triad.FindingVulnerability {
		for _, v := range d.Vulnerabilities {
			c := vulnerabilityCase(v)
			c.Failure = &junitMessage{Message: line(sentence(v), 1000), Type: severity(v.Severity), Text: line(v.Rule, 1000)}
			s.Cases = append(s.Cases, c)
		}
	}
	for _, f := range d.ofKind(kind) {
		c := findingCase(f)
		c.Failure = &junitMessage{Message: line(title(f), 1000), Type: severity(f.Severity), Text: line(f.Detail+" "+f.Fix, 2000)}
		s.Cases = append(s.Cases, c)
	}
	for _, set := range d.Suppressed {
		var c junitCase
		switch {
		case set.Vulnerability != nil && kind == triad.FindingVulnerability:
			c = vulnerabilityCase(*set.Vulnerability)
		case set.Finding != nil && set.Finding.Kind == kind:
			c = findingCase(*set.Finding)
		default:
			continue
		}
		c.Skipped = &junitMessage{Message: line(set.Suppression.Reason+" ("+set.Suppression.Source+")", 1000)}
		s.Cases = append(s.Cases, c)
	}
	for _, u := range d.Unread {
		if u.Section == section {
			s.Cases = append(s.Cases, unreadCase(u))
		}
	}
}

func vulnerabilityCase(v triad.Vulnerability) junitCase {
	return junitCase{Name: line(v.ID+" "+v.Package+" "+v.Version, 300), Class: line("vulnerability."+v.Package, 300), File: line(v.Path, 1000), Time: "0"}
}

func findingCase(f triad.Finding) junitCase {
	return junitCase{Name: line(f.ID+" "+place(f.Path, f.Line), 300), Class: line(string(f.Kind)+"."+f.ID, 300), File: line(f.Path, 1000), Time: "0"}
}

func unreadCase(u triad.Unread) junitCase {
	return junitCase{Name: line("reading "+u.Section, 300), Class: "unread", Time: "0", Error: &junitMessage{Message: line(u.Reason, 1000), Type: "unread"}}
}
