package match

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/advisory"
)

// database imports records, given as JSON, and opens the result.
func database(tb testing.TB, files map[string]string, records ...string) *Matcher {
	tb.Helper()
	src, dir := tb.TempDir(), tb.TempDir()
	for name, data := range files {
		path := filepath.Join(src, filepath.FromSlash(name))
		must(tb, os.MkdirAll(filepath.Dir(path), 0o755))
		must(tb, os.WriteFile(path, []byte(data), 0o644))
	}
	must(tb, os.MkdirAll(filepath.Join(src, "osv", "Mixed"), 0o755))
	f, err := os.Create(filepath.Join(src, "osv", "Mixed", "all.zip"))
	must(tb, err)
	z := zip.NewWriter(f)
	for i, r := range records {
		w, err := z.Create(fmt.Sprintf("%d.json", i))
		must(tb, err)
		_, err = w.Write([]byte(r))
		must(tb, err)
	}
	must(tb, z.Close())
	must(tb, f.Close())
	res, err := advisory.Import(tb.Context(), dir, src, nil)
	must(tb, err)
	for _, s := range res.Imported {
		if s.Skipped.Count > 0 {
			tb.Fatalf("the test's own records are wrong: %+v", s.Skipped)
		}
	}
	return openAt(tb, dir)
}

func openAt(tb testing.TB, dir string) *Matcher {
	tb.Helper()
	db, err := advisory.Open(dir)
	must(tb, err)
	tb.Cleanup(func() { db.Close() })
	return New(db)
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// osv writes a record: id, other fields, ecosystem, package, ranges or versions.
func osv(id, fields, ecosystem, name, affected string) string {
	if fields != "" {
		fields += ","
	}
	return fmt.Sprintf(`{"id":%q,"modified":"2026-01-01T00:00:00Z",%s"affected":[{"package":{"ecosystem":%q,"name":%q},%s}]}`, id, fields, ecosystem, name, affected)
}

func ranges(kind string, events ...string) string {
	var list []string
	for i := 0; i < len(events); i += 2 {
		list = append(list, fmt.Sprintf(`{%q:%q}`, events[i], events[i+1]))
	}
	return fmt.Sprintf(`"ranges":[{"type":%q,"events":[%s]}]`, kind, strings.Join(list, ","))
}

func TestMatch(t *testing.T) {
	eco := func(events ...string) string { return ranges("ECOSYSTEM", events...) }
	sem := func(events ...string) string { return ranges("SEMVER", events...) }
	m := database(t, nil,
		osv("DEBIAN-CVE-2024-0001", `"upstream":["CVE-2024-0001"]`, "Debian:12", "expat", eco("introduced", "0", "fixed", "2.5.0-1+deb12u1")),
		osv("DEBIAN-CVE-2024-0002", `"upstream":["CVE-2024-0002"]`, "Debian:11", "expat", eco("introduced", "0", "fixed", "2.9")),
		osv("DEBIAN-CVE-2024-0003", `"upstream":["CVE-2024-0003"]`, "Debian:12", "linux", eco("introduced", "0")),
		osv("ALPINE-CVE-2024-0004", `"upstream":["CVE-2024-0004"]`, "Alpine:v3.20", "openssl", eco("introduced", "0", "fixed", "3.3.1-r1")),
		osv("UBUNTU-CVE-2024-0005", `"upstream":["CVE-2024-0005"],"severity":[{"type":"Ubuntu","score":"negligible"}]`, "Ubuntu:22.04:LTS", "curl", eco("introduced", "0", "fixed", "7.81.0-1ubuntu1.16")),
		osv("UBUNTU-CVE-2024-0006", `"upstream":["CVE-2024-0006"]`, "Ubuntu:Pro:22.04:LTS", "curl", eco("introduced", "0", "fixed", "9")),
		osv("ALSA-2024:0001", `"summary":"Important: nodejs:16 security update","related":["CVE-2024-0007","CVE-2024-0008"]`, "AlmaLinux:8", "nodejs", eco("introduced", "0", "fixed", "1:16.20.2-1.module_el8.8.0+1")),
		osv("ALSA-2024:0002", `"summary":"Moderate: nodejs:18 security update","related":["CVE-2024-0009"]`, "AlmaLinux:8", "nodejs", eco("introduced", "0", "fixed", "1:18.19.0-1.module_el8.9.0+1")),
		osv("ALSA-2024:0003", `"summary":"Moderate: bind security update","related":["CVE-2024-0010"]`, "AlmaLinux:8", "bind", eco("introduced", "0", "fixed", "32:9.11.36-5.el8")),
		osv("GHSA-aaaa", `"aliases":["CVE-2024-0011"],"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H"}]`, "PyPI", "Zope.Interface", eco("introduced", "0", "fixed", "5.1")),
		osv("PYSEC-1", `"aliases":["GHSA-aaaa","CVE-2024-0011"]`, "PyPI", "zope-interface", `"versions":["4.0","5.0"]`),
		osv("PYSEC-2", `"withdrawn":"2025-01-01T00:00:00Z"`, "PyPI", "zope-interface", eco("introduced", "0")),
		osv("GHSA-bbbb", `"aliases":["CVE-2024-0012"]`, "npm", "@babel/traverse", sem("introduced", "0", "fixed", "7.23.2", "introduced", "8.0.0-alpha.0", "fixed", "8.0.0-alpha.4")),
		osv("GHSA-cccc", `"aliases":["CVE-2024-0013"],"related":["CVE-2024-0012"]`, "npm", "@babel/traverse", sem("introduced", "0", "last_affected", "7.23.2")),
		osv("GO-1", `"aliases":["CVE-2024-0014","GHSA-dddd"]`, "Go", "stdlib", sem("introduced", "0", "fixed", "1.20.10", "introduced", "1.21.0-0", "fixed", "1.21.3")),
		osv("GO-2", `"aliases":["CVE-2024-0015"]`, "Go", "github.com/Masterminds/sprig", sem("introduced", "0", "fixed", "0.0.0-20240101000000-aaaaaaaaaaaa")),
		osv("GHSA-eeee", `"aliases":["CVE-2024-0016"],"database_specific":{"severity":"MODERATE"}`, "Maven", "org.apache:thing", eco("introduced", "1.0", "fixed", "1.2")),
		osv("GHSA-ffff", `"aliases":["CVE-2024-0016"]`, "Maven", "org.apache:thing", eco("introduced", "1.2", "fixed", "1.3")),
		osv("GHSA-gggg", `"aliases":["CVE-2024-0017"]`, "NuGet", "Newtonsoft.Json", eco("introduced", "0", "fixed", "13.0.1")),
		osv("GHSA-hhhh", `"aliases":["CVE-2024-0018"]`, "packagist", "Symfony/HTTP-kernel", eco("introduced", "5.0.0", "fixed", "5.4.20")),
		osv("RUSTSEC-1", `"aliases":["CVE-2024-0019"]`, "crates.io", "serde-json", sem("introduced", "0.0.0-0", "fixed", "1.0.5")),
		osv("GHSA-iiii", `"aliases":["CVE-2024-0020"]`, "RubyGems", "rack", eco("introduced", "0", "fixed", "2.2.6.2")),
		osv("GHSA-jjjj", `"aliases":["CVE-2024-0021"]`, "npm", "limited", sem("introduced", "1.0.0", "limit", "2.0.0")),
		osv("GHSA-kkkk", `"aliases":["CVE-2024-0022"]`, "npm", "odd", sem("introduced", "0", "fixed", "soon")),
		osv("MAL-1", ``, "npm", "evil", `"versions":["1.0.0"]`),
		osv("DSA-1", `"upstream":["CVE-2024-0030","CVE-2024-0031"]`, "Debian:12", "bundle", eco("introduced", "0", "fixed", "2")),
	)
	deb := "pkg:deb/debian/"
	tests := []struct {
		name string
		pkg  triad.Package
		want []string // id=fixed
	}{
		{"a binary package is found by its source", triad.Package{PURL: deb + "libexpat1@2.5.0-1?distro=debian-12&upstream=expat"}, []string{"CVE-2024-0001=2.5.0-1+deb12u1"}},
		{"the source can stand in fields of its own", triad.Package{Name: "libexpat1", Version: "2.5.0-1", Ecosystem: "Debian:12", Source: "expat", SourceVersion: "2.5.0-1"}, []string{"CVE-2024-0001=2.5.0-1+deb12u1"}},
		{"a codename is its release", triad.Package{PURL: deb + "libexpat1@2.5.0-1?distro=bookworm&source=expat"}, []string{"CVE-2024-0001=2.5.0-1+deb12u1"}},
		{"the fixed version is not affected", triad.Package{PURL: deb + "libexpat1@2.5.0-1%2Bdeb12u1?distro=debian-12&upstream=expat"}, nil},
		{"a rebuild of the fixed version is not affected", triad.Package{PURL: deb + "libexpat1@2.5.0-1%2Bdeb12u1%2Bb2?distro=debian-12.5&upstream=expat"}, nil},
		{"Debian 11 is not Debian 12", triad.Package{PURL: deb + "libexpat1@2.5.0-1?distro=debian-11&upstream=expat"}, []string{"CVE-2024-0002=2.9"}},
		{"what nobody fixed has no fixed version", triad.Package{PURL: deb + "linux@6.1.1-1?distro=debian-12"}, []string{"CVE-2024-0003="}},
		{"an Alpine package is found by its origin and minor release", triad.Package{PURL: "pkg:apk/alpine/libssl3@3.3.0-r2?distro=alpine-3.20.3&upstream=openssl"}, []string{"CVE-2024-0004=3.3.1-r1"}},
		{"Alpine 3.20 may be written as a bare number", triad.Package{PURL: "pkg:apk/alpine/openssl@3.3.0-r2?distro=3.20.3"}, []string{"CVE-2024-0004=3.3.1-r1"}},
		{"Ubuntu LTS and a bare release are one, Pro is another", triad.Package{PURL: "pkg:deb/ubuntu/libcurl4@7.81.0-1ubuntu1.10?distro=ubuntu-22.04&upstream=curl"}, []string{"CVE-2024-0005=7.81.0-1ubuntu1.16"}},
		{"an erratum of several CVEs gives one finding each", triad.Package{PURL: "pkg:rpm/almalinux/nodejs@16.14.0-4.module_el8.6.0+2?epoch=1&distro=almalinux-8.6&rpmmod=nodejs:16:1:x"}, []string{"CVE-2024-0007=1:16.20.2-1.module_el8.8.0+1", "CVE-2024-0008=1:16.20.2-1.module_el8.8.0+1"}},
		{"a module's stream is not held against another without a label", triad.Package{PURL: "pkg:rpm/almalinux/nodejs@18.12.0-4.module_el8.6.0+2?epoch=1&distro=almalinux-8.6"}, []string{"CVE-2024-0009=1:18.19.0-1.module_el8.9.0+1"}},
		{"a build outside of modules is not held against a module", triad.Package{PURL: "pkg:rpm/almalinux/nodejs@10.0.0-4.el8?epoch=1&distro=almalinux-8.6"}, nil},
		{"an epoch counts before everything", triad.Package{PURL: "pkg:rpm/almalinux/bind@9.11.36-3.el8?epoch=32&distro=almalinux-8.6"}, []string{"CVE-2024-0010=32:9.11.36-5.el8"}},
		{"records of one vulnerability are one finding, with the CVE first", triad.Package{PURL: "pkg:pypi/zope_interface@5.0"}, []string{"CVE-2024-0011=5.1"}},
		{"an equal version in a list is found", triad.Package{PURL: "pkg:pypi/zope.interface@5.0.0"}, []string{"CVE-2024-0011=5.1"}},
		{"withdrawn records are not reported", triad.Package{PURL: "pkg:pypi/zope.interface@6"}, nil},
		{"related records are not folded; a scope is part of the name", triad.Package{PURL: "pkg:npm/%40babel/traverse@7.20.0"}, []string{"CVE-2024-0012=7.23.2", "CVE-2024-0013="}},
		{"last_affected is affected", triad.Package{PURL: "pkg:npm/%40babel/traverse@7.23.2"}, []string{"CVE-2024-0013="}},
		{"a range can open again", triad.Package{PURL: "pkg:npm/%40babel/traverse@8.0.0-alpha.2"}, []string{"CVE-2024-0012=8.0.0-alpha.4"}},
		{"between two ranges nothing is affected", triad.Package{PURL: "pkg:npm/%40babel/traverse@7.24.0"}, nil},
		{"the Go standard library has no v", triad.Package{PURL: "pkg:golang/stdlib@1.21.1"}, []string{"CVE-2024-0014=1.21.3"}},
		{"a Go release candidate is read as Go writes it", triad.Package{PURL: "pkg:golang/stdlib@go1.21rc2"}, []string{"CVE-2024-0014=1.21.3"}},
		{"a fixed Go version is not affected", triad.Package{PURL: "pkg:golang/stdlib@1.20.10"}, nil},
		{"a pseudo-version is compared, and the fix is written with v", triad.Package{PURL: "pkg:golang/github.com/masterminds/sprig@v0.0.0-20230101000000-bbbbbbbbbbbb"}, []string{"CVE-2024-0015=v0.0.0-20240101000000-aaaaaaaaaaaa"}},
		{"a fixed version that another record of the CVE calls affected is passed over", triad.Package{PURL: "pkg:maven/org.apache/thing@1.1"}, []string{"CVE-2024-0016=1.3"}},
		{"NuGet does not tell letter case apart", triad.Package{PURL: "pkg:nuget/newtonsoft.json@12.0.3"}, []string{"CVE-2024-0017=13.0.1"}},
		{"Packagist does not tell letter case apart", triad.Package{PURL: "pkg:composer/symfony/http-kernel@v5.4.0"}, []string{"CVE-2024-0018=5.4.20"}},
		{"crates are found with - and _", triad.Package{PURL: "pkg:cargo/serde_json@1.0.0"}, []string{"CVE-2024-0019=1.0.5"}},
		{"a gem is compared as RubyGems does", triad.Package{PURL: "pkg:gem/rack@2.2.6.1"}, []string{"CVE-2024-0020=2.2.6.2"}},
		{"a version below the limit is affected", triad.Package{PURL: "pkg:npm/limited@1.5.0"}, []string{"CVE-2024-0021="}},
		{"a version at the limit is not affected", triad.Package{PURL: "pkg:npm/limited@2.0.0"}, nil},
		{"malware goes by its own id", triad.Package{PURL: "pkg:npm/evil@1.0.0"}, []string{"MAL-1="}},
		{"an advisory downstream of several CVEs gives one finding each", triad.Package{PURL: deb + "bundle@1?distro=debian-12"}, []string{"CVE-2024-0030=2", "CVE-2024-0031=2"}},
		{"an ecosystem and a name do without a package URL", triad.Package{Name: "org.apache:thing", Version: "1.2", Ecosystem: "Maven"}, []string{"CVE-2024-0016=1.3"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := m.Check(t.Context(), []triad.Package{tt.pkg})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range r.Vulnerabilities {
				got = append(got, v.ID+"="+v.Fixed)
				if v.Advisory == "" || v.Rule == "" || v.Aliases == nil || v.Severity == "" || v.ExploitationBasis == "" || v.AutomatableBasis == "" {
					t.Errorf("a finding does not say what it stands on: %+v", v)
				}
			}
			if !slices.Equal(got, tt.want) || len(r.Uncompared) > 0 {
				t.Errorf("got %q, uncompared %+v; want %q", got, r.Uncompared, tt.want)
			}
		})
	}
	t.Run("every ecosystem of the records is read whatever its spelling", func(t *testing.T) {
		r, err := m.Check(t.Context(), []triad.Package{{Name: "a", Version: "1", Ecosystem: "PACKAGIST"}})
		if err != nil || len(r.Uncompared) != 0 {
			t.Errorf("%+v %v", r, err)
		}
	})
	uncompared := []struct {
		name   string
		pkg    triad.Package
		reason string
	}{
		{"a version that is none", triad.Package{PURL: "pkg:golang/stdlib@(devel)"}, "no version"},
		{"a placeholder", triad.Package{PURL: "pkg:maven/org.apache/thing@%24%7Brevision%7D"}, "no version"},
		{"a tag", triad.Package{PURL: "pkg:npm/limited@latest"}, "no version"},
		{"an advisory that cannot be compared", triad.Package{PURL: "pkg:npm/odd@1.0.0"}, "GHSA-kkkk"},
		{"a distribution without its release", triad.Package{PURL: deb + "libexpat1@2.5.0-1"}, "release"},
		{"a release without advisories", triad.Package{PURL: deb + "libexpat1@2.5.0-1?distro=debian-10"}, "no advisories of Debian 10"},
		{"an ecosystem without advisories", triad.Package{PURL: "pkg:hex/phoenix@1.0.0"}, "triad db update"},
		{"a type that no ecosystem has", triad.Package{PURL: "pkg:generic/xmrig@6.21.0"}, "generic"},
		{"a package URL that is none", triad.Package{PURL: "xmrig", Name: "xmrig"}, "cannot be read"},
	}
	for _, tt := range uncompared {
		t.Run(tt.name+" is reported as not compared", func(t *testing.T) {
			r, err := m.Check(t.Context(), []triad.Package{tt.pkg})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Vulnerabilities) != 0 || len(r.Uncompared) != 1 || !strings.Contains(r.Uncompared[0].Reason, tt.reason) {
				t.Errorf("got %+v", r)
			}
			if u := r.Unread(); len(u) != 1 || !strings.HasPrefix(u[0].Section, "advisories/") {
				t.Errorf("unread %+v", u)
			}
		})
	}
}

func TestIntelligence(t *testing.T) {
	const open, local = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H"
	names := []string{"kev", "active", "poc", "none", "evidence", "epss", "unknown", "elsewhere", "local", "v4", "word", "v2"}
	var records []string
	for i, name := range names {
		fields := fmt.Sprintf(`"aliases":["CVE-2024-1%03d"]`, i)
		switch name {
		case "kev", "evidence", "epss":
			fields += `,"severity":[{"type":"CVSS_V3","score":"` + open + `"}]`
		case "local":
			fields += `,"severity":[{"type":"CVSS_V3","score":"` + local + `"}]`
		case "v4":
			fields += `,"severity":[{"type":"CVSS_V4","score":"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"}]`
		case "v2":
			fields += `,"severity":[{"type":"CVSS_V2","score":"AV:N/AC:L/Au:N/C:C/I:C/A:C"}]`
		case "word":
			fields += `,"database_specific":{"severity":"MODERATE"}`
		}
		if name == "evidence" {
			fields += `,"references":[{"type":"EVIDENCE","url":"https://example.com/poc"}]`
		}
		records = append(records, osv("GHSA-"+name, fields, "npm", name, `"versions":["1.0.0"]`))
	}
	// Another ecosystem's record of the same CVE has the vector.
	records = append(records, osv("PYSEC-7", `"aliases":["CVE-2024-1007"],"severity":[{"type":"CVSS_V3","score":"`+open+`"}]`, "PyPI", "x", `"versions":["1.0"]`))
	enrichment := func(cve, exploitation, automatable string) string {
		return fmt.Sprintf(`{"cveMetadata":{"cveId":%q,"state":"PUBLISHED"},"containers":{"adp":[{"metrics":[{"cvssV3_1":{"vectorString":%q}},{"other":{"type":"ssvc","content":{"options":[{"Exploitation":%q},{"Automatable":%q}],"timestamp":"2026-01-01T00:00:00Z"}}}]}]}}`,
			cve, local, exploitation, automatable)
	}
	m := database(t, map[string]string{
		"kev/kev.json":                         `{"vulnerabilities":[{"cveID":"CVE-2024-1000","dateAdded":"2026-01-01","knownRansomwareCampaignUse":"Known"}]}`,
		"epss/epss.csv":                        "#x\ncve,epss,percentile\nCVE-2024-1005,0.93,0.99\nCVE-2024-1006,0.89,0.98\nCVE-2024-1003,0.10,0.5\n",
		"vulnrichment/2024/CVE-2024-1001.json": enrichment("CVE-2024-1001", "active", "yes"),
		"vulnrichment/2024/CVE-2024-1002.json": enrichment("CVE-2024-1002", "poc", "no"),
		"vulnrichment/2024/CVE-2024-1003.json": enrichment("CVE-2024-1003", "none", "yes"),
		"vulnrichment/2024/CVE-2024-1004.json": enrichment("CVE-2024-1004", "none", "no"),
	}, records...)
	tests := []struct {
		name, pkg, exploitation, automatable, severity string
		cvss, epss                                     float64
		kev                                            bool
	}{
		{"a CVE of KEV is actively exploited", "kev", "active", "yes", "critical", 9.8, 0, true},
		{"vulnrichment's active is active", "active", "active", "yes", "high", 7.8, 0, false},
		{"vulnrichment's poc is a public proof of concept", "poc", "public-poc", "no", "high", 7.8, 0, false},
		{"vulnrichment's none is none, and its Automatable goes before the vector", "none", "none", "yes", "high", 7.8, 0.10, false},
		{"a published exploit counts though vulnrichment says none", "evidence", "public-poc", "no", "critical", 9.8, 0, false},
		{"a very high EPSS stands for a proof of concept", "epss", "public-poc", "yes", "critical", 9.8, 0.93, false},
		{"an EPSS below the threshold changes nothing; without a vector automatable is no", "unknown", "none", "no", "unknown", 0, 0.89, false},
		{"a vector is taken from another record of the CVE", "elsewhere", "none", "yes", "critical", 9.8, 0, false},
		{"a local attack is not automatable", "local", "none", "no", "high", 7.8, 0, false},
		{"a CVSS 4.0 vector is scored", "v4", "none", "yes", "critical", 9.3, 0, false},
		{"a publisher's word stands where there is no vector", "word", "none", "no", "medium", 0, 0, false},
		{"CVSS 2.0 does not tell whether it is automatable", "v2", "none", "no", "high", 10, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found, err := m.Match(t.Context(), []triad.Package{{PURL: "pkg:npm/" + tt.pkg + "@1.0.0"}})
			if err != nil || len(found) != 1 {
				t.Fatalf("%+v %v", found, err)
			}
			v := found[0]
			if v.Exploitation != tt.exploitation || v.Automatable != tt.automatable || v.Severity != tt.severity || v.CVSS != tt.cvss || v.EPSS != tt.epss || v.KEV != tt.kev {
				t.Errorf("got exploitation %s (%s), automatable %s (%s), %s %v, EPSS %v, KEV %v", v.Exploitation, v.ExploitationBasis, v.Automatable, v.AutomatableBasis, v.Severity, v.CVSS, v.EPSS, v.KEV)
			}
		})
	}
}

// shared finds the real data that tests may read, beside the repository.
func shared(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv("TRIAD_SHARED")
	for at, _ := os.Getwd(); dir == "" && at != filepath.Dir(at); at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "shared", "advisories", "osv")); err == nil {
			dir = filepath.Join(at, "shared")
		}
	}
	if dir == "" {
		tb.Skip("needs the real advisories: set TRIAD_SHARED to the folder that holds advisories/ and scenarios/")
	}
	return dir
}

func imported(tb testing.TB, src string) *Matcher {
	tb.Helper()
	dir := tb.TempDir()
	_, err := advisory.Import(tb.Context(), dir, src, nil)
	must(tb, err)
	return openAt(tb, dir)
}

// Every finding of every scenario with advisories of its own: exploitation, automatable and
// fixed version are what the scenario's author expects.
func TestScenarios(t *testing.T) {
	scenarios, _ := filepath.Glob(filepath.Join(shared(t), "scenarios", "*", "expect.json"))
	for _, file := range scenarios {
		dir := filepath.Dir(file)
		src := filepath.Join(dir, "advisories")
		if _, err := os.Stat(src); err != nil {
			continue
		}
		t.Run(filepath.Base(dir), func(t *testing.T) {
			data, err := os.ReadFile(file)
			must(t, err)
			var expect struct {
				Findings []struct {
					CVE     string `json:"cve"`
					Package string `json:"package"`
					Fixed   string `json:"fixed_version"`
					SSVC    struct {
						Exploitation struct{ Value string }
						Automatable  struct{ Value string }
					} `json:"ssvc"`
				}
			}
			must(t, json.Unmarshal(data, &expect))
			if len(expect.Findings) == 0 {
				t.Fatal("no findings")
			}
			m := imported(t, src)
			for _, want := range expect.Findings {
				found, err := m.Match(t.Context(), []triad.Package{{PURL: want.Package}})
				must(t, err)
				i := slices.IndexFunc(found, func(v triad.Vulnerability) bool { return v.ID == want.CVE })
				if i < 0 {
					t.Errorf("%s of %s is not found", want.CVE, want.Package)
					continue
				}
				v := found[i]
				if v.Fixed != want.Fixed || v.Exploitation != strings.ReplaceAll(want.SSVC.Exploitation.Value, " ", "-") || v.Automatable != want.SSVC.Automatable.Value {
					t.Errorf("%s of %s: fixed %s, %s, %s; want %+v", want.CVE, want.Package, v.Fixed, v.Exploitation, v.Automatable, want)
				}
			}
		})
	}
}

func TestWellKnownCasesOfTheRealAdvisories(t *testing.T) {
	m := imported(t, filepath.Join(shared(t), "advisories"))
	tests := []struct{ purl, id, fixed string }{
		{"pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1", "CVE-2021-44228", "2.15.0"},
		{"pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1", "CVE-2021-45046", "2.16.0"},
		{"pkg:maven/org.apache.logging.log4j/log4j-core@2.12.1", "CVE-2021-44228", "2.12.2"},
		{"pkg:maven/org.apache.logging.log4j/log4j-core@2.15.0", "CVE-2021-44228", "-"},
		{"pkg:deb/debian/libexpat1@2.5.0-1?distro=debian-12&upstream=expat", "CVE-2024-45492", "2.5.0-1+deb12u1"},
		{"pkg:deb/debian/libexpat1@2.5.0-1%2Bdeb12u1?distro=debian-12&upstream=expat", "CVE-2024-45492", "-"},
		{"pkg:golang/golang.org/x/net@v0.17.0", "CVE-2023-45288", "v0.23.0"},
		{"pkg:golang/golang.org/x/net@v0.23.0", "CVE-2023-45288", "-"},
		{"pkg:npm/lodash@4.17.4", "CVE-2019-10744", "4.17.12"},
		{"pkg:deb/debian/libssl1.1@1.1.1n-0%2Bdeb11u3?distro=debian-11&upstream=openssl", "CVE-2023-0286", "1.1.1n-0+deb11u4"},
		{"pkg:deb/debian/libssl3@3.0.9-1?distro=debian-12&upstream=openssl", "CVE-2023-0286", "-"},
		{"pkg:deb/debian/libssl3@3.0.9-1?distro=debian-12&upstream=openssl", "CVE-2023-5363", "3.0.11-1~deb12u2"},
		{"pkg:pypi/Django@3.2.0", "CVE-2021-31542", "3.2.1"},
		{"pkg:rpm/almalinux/openssl-libs@1.1.1k-5.el8?epoch=1&distro=almalinux-8.5", "CVE-2022-0778", "1:1.1.1k-6.el8_5"},
		{"pkg:rpm/almalinux/openssl-libs@1.1.1k-5.el8?epoch=1&distro=almalinux-9.1", "CVE-2022-2097", "1:3.0.1-41.el9_0"},
		{"pkg:rpm/almalinux/nodejs@14.18.2-2.module_el8.5.0+2618+8d46dafd?epoch=1&distro=almalinux-8.5&rpmmod=nodejs:14:1:x", "CVE-2021-43616", "-"}, // nodejs:16 alone
	}
	for _, tt := range tests {
		found, err := m.Match(t.Context(), []triad.Package{{PURL: tt.purl}})
		must(t, err)
		got := "-"
		seen := map[string]bool{}
		for _, v := range found {
			if seen[v.ID] {
				t.Errorf("%s: %s twice", tt.purl, v.ID)
			}
			seen[v.ID] = true
			if v.ID == tt.id {
				got = v.Fixed
			}
			if strings.HasPrefix(v.Advisory, "ALBA-") || strings.HasPrefix(v.Advisory, "ALEA-") {
				t.Errorf("%s: %s is no security advisory", tt.purl, v.Advisory)
			}
		}
		if got != tt.fixed {
			t.Errorf("%s: %s is fixed in %s, want %s", tt.purl, tt.id, got, tt.fixed)
		}
	}
}

func TestRangesInAProjectsOwnNumbering(t *testing.T) {
	record := func(id, name, end string) string {
		return fmt.Sprintf(`{"id":%q,"modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":%q},%s,"ecosystem_specific":{"custom_ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":%q}]}]}}]}`, id, name, ranges("SEMVER", "introduced", "0"), end)
	}
	m := database(t, nil, record("GO-1", "example.com/product", "5.7.0"), record("GO-2", "example.com/pseudo", "0.0.0-20240101000000-aaaaaaaaaaaa"))
	for _, test := range []struct{ name, version, fixed, rule string }{
		{"example.com/product", "v5.6.1+incompatible", "v5.7.0", "custom SEMVER introduced 0, fixed 5.7.0"},
		{"example.com/product", "v5.7.0+incompatible", "", ""},
		{"example.com/product", "v0.0.0-20250101000000-aaaaaaaaaaaa", "", "which this version cannot be held against"},
		{"example.com/pseudo", "v0.0.0-20230101000000-aaaaaaaaaaaa", "v0.0.0-20240101000000-aaaaaaaaaaaa", "custom SEMVER"},
		{"example.com/pseudo", "v0.0.0-20250101000000-aaaaaaaaaaaa", "", ""},
	} {
		found, err := m.Match(t.Context(), []triad.Package{{Ecosystem: "Go", Name: test.name, Version: test.version}})
		must(t, err)
		switch {
		case test.rule == "" && len(found) == 0:
		case test.rule == "" || len(found) != 1 || found[0].Fixed != test.fixed || !strings.Contains(found[0].Rule, test.rule):
			t.Errorf("%s %s: %+v", test.name, test.version, found)
		}
	}
}

func TestVulnerableFunctionsAreHandedOn(t *testing.T) {
	imports := `"ecosystem_specific":{"imports":[{"path":"a.b/c/d","symbols":["T.F","G"],"goos":["linux"]}]}`
	with := func(id, aliases, more string) string {
		return fmt.Sprintf(`{"id":%q,"modified":"2026-01-01T00:00:00Z","aliases":[%s],"affected":[{"package":{"ecosystem":"Go","name":"a.b/c"},%s%s}]}`, id, aliases, ranges("SEMVER", "introduced", "0", "fixed", "2.0.0"), more)
	}
	for name, test := range map[string]struct {
		records []string
		want    string
	}{
		"of the Go database, beside a GHSA that names none": {[]string{with("GO-1", `"CVE-2024-0001"`, ","+imports), with("GHSA-aaaa", `"CVE-2024-0001"`, "")}, `[{a.b/c/d [T.F G] [linux] []}]`},
		"not where another of its records names none":       {[]string{with("GO-1", `"CVE-2024-0001"`, ","+imports), with("GO-2", `"CVE-2024-0001"`, "")}, "[]"},
	} {
		found, err := database(t, nil, test.records...).Match(t.Context(), []triad.Package{{Ecosystem: "Go", Name: "a.b/c", Version: "v1.0.0"}})
		must(t, err)
		if len(found) != 1 || fmt.Sprint(found[0].Code) != test.want {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

func TestPackagesWithAnOwnerAreLeftToIt(t *testing.T) {
	m := database(t, nil, osv("GHSA-aaaa", "", "PyPI", "requests", ranges("ECOSYSTEM", "introduced", "0")))
	r, err := m.Check(t.Context(), []triad.Package{{Ecosystem: "PyPI", Name: "requests", Version: "2.0", Owner: "python3-requests"}, {Ecosystem: "PyPI", Name: "requests", Version: "3.0"}})
	must(t, err)
	if len(r.Vulnerabilities) != 1 || r.Vulnerabilities[0].Version != "3.0" || len(r.Uncompared) != 0 {
		t.Errorf("%+v", r)
	}
}
