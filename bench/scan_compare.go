package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
)

// match is one vulnerability of one package in one version, as both scanners can say it.
type match struct{ ecosystem, pkg, version, id string }

// compare reads both results, sums up their differences by cause, and lists each with its own.
func compare(w, list io.Writer, triadFile, osvFile string) error {
	ours, packages, err := readTriad(triadFile)
	if err != nil {
		return err
	}
	theirs, theirPackages, err := readOSV(osvFile)
	if err != nil {
		return err
	}
	both := 0
	causes := map[string][]string{}
	for m := range ours {
		if theirs[m] {
			both++
			continue
		}
		c := causeOurs(m, theirPackages)
		causes[c] = append(causes[c], "+ "+m.String())
	}
	for m := range theirs {
		if ours[m] {
			continue
		}
		c := causeTheirs(m, packages)
		causes[c] = append(causes[c], "- "+m.String())
	}
	fmt.Fprintf(w, "%d findings of triad, %d of osv-scanner, %d the same (package, version, vulnerability)\n\n| differences | cause |\n|---|---|\n", len(ours), len(theirs), both)
	for _, c := range slices.Sorted(maps.Keys(causes)) {
		fmt.Fprintf(w, "| %d | %s |\n", len(causes[c]), c)
	}
	for _, c := range slices.Sorted(maps.Keys(causes)) {
		slices.Sort(causes[c])
		for _, line := range causes[c] {
			fmt.Fprintf(list, "%s: %s\n", line, c)
		}
	}
	return nil
}

func (m match) String() string {
	return fmt.Sprintf("%s %s %s %s", m.ecosystem, m.pkg, m.version, m.id)
}

// The causes; what fits none is said to be unexplained, and is a fault of one of the two.
const (
	causeKernel      = "osv-scanner leaves out the kernel's headers (linux-libc-dev), whose advisories are the kernel's"
	causeOwned       = "osv-scanner looks up a package of a language that a package of the distribution brought; triad matches it by the distribution's advisories, once"
	causeUnknown     = "the other did not list this package in this version"
	causeUnexplained = "unexplained"
)

func causeOurs(m match, packages map[match]string) string {
	_, listed := packages[match{m.ecosystem, m.pkg, m.version, ""}]
	switch {
	case !listed && m.pkg == "linux" && strings.HasPrefix(m.ecosystem, "Debian"):
		return causeKernel
	case !listed:
		return causeUnknown
	}
	return causeUnexplained
}

func causeTheirs(m match, packages map[match]string) string {
	owner, listed := packages[match{m.ecosystem, m.pkg, m.version, ""}]
	switch {
	case !listed:
		return causeUnknown
	case owner != "":
		return causeOwned
	}
	return causeUnexplained
}

// canonical picks the name that both use: the CVE where there is one.
func canonical(ids []string) string {
	best := ""
	for _, id := range ids {
		if i := strings.Index(id, "CVE-"); i >= 0 {
			id = id[i:] // DEBIAN-CVE-2024-1, ALPINE-CVE-…
		}
		rank := func(s string) int {
			switch {
			case strings.HasPrefix(s, "CVE-"):
				return 0
			case strings.HasPrefix(s, "GHSA-"):
				return 1
			}
			return 2
		}
		if best == "" || cmp.Or(cmp.Compare(rank(id), rank(best)), cmp.Compare(id, best)) < 0 {
			best = id
		}
	}
	return best
}

func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// readTriad reads triad's JSON. Distributions are matched by source package, so that is what
// both are compared by; packages maps every one to the package of the distribution that owns
// it, or "".
func readTriad(path string) (found map[match]bool, packages map[match]string, err error) {
	var r struct {
		Packages []struct{ Name, Version, Ecosystem, PURL, Owner string }
		Vulns    []struct {
			ID, Package, Version, PURL, Advisory string
			Aliases                              []string
		} `json:"vulnerabilities"`
	}
	if err := readJSON(path, &r); err != nil {
		return nil, nil, err
	}
	found, packages = map[match]bool{}, map[match]string{}
	ecosystems := map[string]string{}
	for _, p := range r.Packages {
		ecosystems[p.PURL] = p.Ecosystem
		for _, m := range keys(p.Ecosystem, p.Name, p.Version, p.PURL) {
			if old, ok := packages[m]; !ok || old != "" {
				packages[m] = p.Owner
			}
		}
	}
	for _, v := range r.Vulns {
		ids := append([]string{v.ID, v.Advisory}, v.Aliases...)
		m := keys(ecosystems[v.PURL], v.Package, v.Version, v.PURL)[0]
		m.id = canonical(ids)
		found[m] = true
	}
	return found, packages, nil
}

// keys names a package: of a distribution by its source, whatever the binary package's version.
func keys(ecosystem, name, version, purl string) []match {
	_, query, ok := strings.Cut(purl, "?")
	if !ok || !strings.HasPrefix(purl, "pkg:deb/") {
		return []match{{ecosystem: ecosystem, pkg: name, version: strings.TrimPrefix(version, "v")}}
	}
	q, err := url.ParseQuery(query)
	if err != nil {
		return []match{{ecosystem: ecosystem, pkg: name}}
	}
	source, _, _ := strings.Cut(cmp.Or(q.Get("upstream"), name), "@")
	return []match{{ecosystem: ecosystem, pkg: source}}
}

// readOSV reads osv-scanner's JSON.
func readOSV(path string) (found map[match]bool, packages map[match]string, err error) {
	var r struct {
		Results []struct {
			Packages []struct {
				Package         struct{ Name, Version, Ecosystem string }
				Vulnerabilities []struct {
					ID                string
					Aliases, Upstream []string
				}
			}
		}
	}
	if err := readJSON(path, &r); err != nil {
		return nil, nil, err
	}
	found, packages = map[match]bool{}, map[match]string{}
	for _, result := range r.Results {
		for _, p := range result.Packages {
			m := match{ecosystem: p.Package.Ecosystem, pkg: p.Package.Name, version: strings.TrimPrefix(p.Package.Version, "v")}
			if strings.HasPrefix(m.ecosystem, "Debian") {
				m.version = ""
			}
			packages[m] = ""
			for _, v := range p.Vulnerabilities {
				ids := slices.Concat([]string{v.ID}, v.Aliases, v.Upstream)
				m.id = canonical(ids)
				found[m] = true
			}
		}
	}
	return found, packages, nil
}
