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

// said is what a scanner said of one match.
type said struct {
	ids      []string // every name of the vulnerability
	advisory string
	owner    string // the distribution's package that owns the file
}

// compare reads both results and prints each difference with its cause.
func compare(w io.Writer, triadFile, osvFile string) error {
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
	for m, s := range ours {
		if _, ok := theirs[m]; ok {
			both++
			continue
		}
		c := causeOurs(m, s, theirs, theirPackages)
		causes[c] = append(causes[c], "+ "+m.String())
	}
	for m, s := range theirs {
		if _, ok := ours[m]; ok {
			continue
		}
		c := causeTheirs(m, s, ours, packages)
		causes[c] = append(causes[c], "- "+m.String())
	}
	fmt.Fprintf(w, "%d findings of triad, %d of osv-scanner, %d the same (package, version, vulnerability)\n\n| differences | cause |\n|---|---|\n", len(ours), len(theirs), both)
	for _, c := range slices.Sorted(maps.Keys(causes)) {
		fmt.Fprintf(w, "| %d | %s |\n", len(causes[c]), c)
	}
	fmt.Fprintln(w)
	for _, c := range slices.Sorted(maps.Keys(causes)) {
		slices.Sort(causes[c])
		for _, line := range causes[c] {
			fmt.Fprintf(w, "%s: %s\n", line, c)
		}
	}
	return nil
}

func (m match) String() string {
	return fmt.Sprintf("%s %s %s %s", m.ecosystem, m.pkg, m.version, m.id)
}

// The causes; what fits none is said to be unexplained, and is a fault of one of the two.
const (
	causeOwned       = "osv-scanner looks up a package of a language that a package of the distribution brought; triad matches it by the distribution's advisories, once"
	causeUnknown     = "the other did not list this package in this version"
	causeBinary      = "osv-scanner reports a Debian source package once, under one of its binary packages' versions"
	causeUnexplained = "unexplained"
)

func causeOurs(m match, _ said, theirs map[match]said, packages map[match]string) string {
	if _, ok := packages[match{m.ecosystem, m.pkg, m.version, ""}]; !ok {
		for other := range packages {
			if other.ecosystem == m.ecosystem && other.pkg == m.pkg {
				return causeBinary
			}
		}
		return causeUnknown
	}
	return causeUnexplained
}

func causeTheirs(m match, _ said, _ map[match]said, packages map[match]string) string {
	owner, ok := packages[match{m.ecosystem, m.pkg, m.version, ""}]
	switch {
	case !ok:
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
func readTriad(path string) (found map[match]said, packages map[match]string, err error) {
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
	found, packages = map[match]said{}, map[match]string{}
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
		found[m] = said{ids: ids, advisory: v.Advisory}
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
func readOSV(path string) (found map[match]said, packages map[match]string, err error) {
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
	found, packages = map[match]said{}, map[match]string{}
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
				found[m] = said{ids: ids, advisory: v.ID}
			}
		}
	}
	return found, packages, nil
}
