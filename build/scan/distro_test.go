package scan

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cpb "github.com/google/osv-scalibr/binary/proto/config_go_proto"
	"github.com/google/osv-scalibr/extractor/filesystem"
	"github.com/google/osv-scalibr/extractor/filesystem/os/rpm"
	rpmmeta "github.com/google/osv-scalibr/extractor/filesystem/os/rpm/metadata"

	"github.com/triad-security/triad/build/advisory"
	"github.com/triad-security/triad/build/match"
	"github.com/triad-security/triad/build/sbom"
)

// matcher imports OSV records and returns a matcher on them.
func matcher(t testing.TB, records ...string) *match.Matcher {
	t.Helper()
	src, dir := t.TempDir(), t.TempDir()
	files := filepath.Join(src, "osv", "Mixed")
	if err := os.MkdirAll(files, 0o700); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for i, r := range records {
		all[fmt.Sprintf("%d.json", i)] = r
	}
	if err := os.WriteFile(filepath.Join(files, "all.zip"), []byte(zipOf(t, all)), 0o600); err != nil {
		t.Fatal(err)
	}
	res, err := advisory.Import(context.Background(), dir, src, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range res.Imported {
		if s.Skipped.Count > 0 {
			t.Fatalf("%+v", s.Skipped)
		}
	}
	db, err := advisory.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return match.New(db)
}

// osvRecord is one record of one package that is fixed in a version, or never.
func osvRecord(id, ecosystem, name, fixed, more string) string {
	end := ""
	if fixed != "" {
		end = fmt.Sprintf(`,{"fixed":%q}`, fixed)
	}
	return fmt.Sprintf(`{"id":%q,"modified":"2026-01-01T00:00:00Z"%s,"affected":[{"package":{"ecosystem":%q,"name":%q},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}%s]}]}]}`, id, more, ecosystem, name, end)
}

// rpmPackage is what an rpm is built from.
type rpmPackage struct{ name, epoch, version, release, source, vendor, module, file string }

// rpmDatabase builds real rpms and installs them into a real database of a backend.
func rpmDatabase(t testing.TB, backend string, packages ...rpmPackage) []byte {
	t.Helper()
	for _, program := range []string{"rpm", "rpmbuild"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s here: install Debian's package rpm", program)
		}
	}
	dir := t.TempDir()
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), "HOME="+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	db, format := filepath.Join(dir, "db"), backend
	backend = "sqlite" // Debian's rpm writes no other
	run("rpm", "--dbpath", db, "--define", "_db_backend "+backend, "--initdb")
	for _, p := range packages {
		var spec strings.Builder
		source := p.source
		if source == "" {
			source = p.name
		}
		fmt.Fprintf(&spec, "Name: %s\nVersion: %s\nRelease: %s\nSummary: x\nLicense: x\nBuildArch: noarch\n", source, p.version, p.release)
		for tag, value := range map[string]string{"Epoch": p.epoch, "Vendor": p.vendor, "ModularityLabel": p.module} {
			if value != "" {
				fmt.Fprintf(&spec, "%s: %s\n", tag, value)
			}
		}
		sub := ""
		if source != p.name {
			sub = "-n " + p.name
			fmt.Fprintf(&spec, "\n%%description\nx\n%%package %s\nSummary: x\n", sub)
		}
		file := p.file
		if file == "" {
			file = "/usr/bin/" + p.name
		}
		fmt.Fprintf(&spec, "\n%%description %s\nx\n%%install\nmkdir -p %%{buildroot}%s\necho x >%%{buildroot}%s\n%%files %s\n%s\n", sub, filepath.Dir(file), file, sub, file)
		name := filepath.Join(dir, p.name+".spec")
		if err := os.WriteFile(name, []byte(spec.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(dir, "out-"+p.name)
		run("rpmbuild", "-bb", "--quiet", "--define", "_topdir "+dir, "--define", "_rpmdir "+out, name)
		built, _ := filepath.Glob(filepath.Join(out, "noarch", p.name+"-[0-9]*.rpm"))
		if len(built) != 1 {
			t.Fatalf("built %v", built)
		}
		run("rpm", "--dbpath", db, "--define", "_db_backend "+backend, "-i", "--justdb", "--nodeps", "--noscripts", "--nosignature", "--ignoreos", "--ignorearch", built[0])
	}
	file := filepath.Join(db, "rpmdb.sqlite")
	if format == "ndb" {
		return ndb(t, file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// ndb writes the headers of a database in sqlite into one in ndb.
func ndb(t testing.TB, file string) []byte {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.Query("select blob from Packages")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	le := binary.LittleEndian
	b := make([]byte, ndbPage)
	for i := range len(b) / 16 {
		copy(b[i*16:], "Slot")
	}
	copy(b, "RpmP\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00"+strings.Repeat("\x00", 16))
	for n := uint32(1); rows.Next(); n++ {
		var header []byte
		if err := rows.Scan(&header); err != nil {
			t.Fatal(err)
		}
		blob := le.AppendUint32(le.AppendUint32(le.AppendUint32([]byte("BlbS"), n), 1), uint32(len(header)))
		blob = append(blob, header...)
		blob = append(blob, make([]byte, 16-len(blob)%16)...)
		slot := b[16+16*n:]
		le.PutUint32(slot[4:], n)
		le.PutUint32(slot[8:], uint32(len(b)/16))
		le.PutUint32(slot[12:], uint32(len(blob)/16))
		b = append(b, blob...)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return b
}

// scanned scans an image of these files and matches it.
func scanned(t testing.TB, m *match.Matcher, files ...file) *Result {
	t.Helper()
	r := scanFile(t, scanner(t), save(t, layerTar(t, files...)))
	if len(r.Unread) > 0 {
		t.Errorf("unread %v", r.Unread)
	}
	if err := r.Match(context.Background(), m); err != nil {
		t.Fatal(err)
	}
	return r
}

func matches(r *Result) string {
	var out []string
	for _, v := range r.Vulnerabilities {
		out = append(out, v.ID+" "+v.Package)
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ", ")
}

func TestDistributionsAreMatchedByTheirOwnAdvisories(t *testing.T) {
	up := func(cve string) string { return `,"upstream":["` + cve + `"]` }
	m := matcher(t,
		osvRecord("DEBIAN-CVE-2024-0001", "Debian:12", "openssl", "3.0.11-2", up("CVE-2024-0001")),
		osvRecord("DEBIAN-CVE-2024-0002", "Debian:11", "openssl", "9", up("CVE-2024-0002")),
		osvRecord("UBUNTU-CVE-2024-0003", "Ubuntu:22.04:LTS", "openssl", "3.0.2-0ubuntu1.18", up("CVE-2024-0003")),
		osvRecord("UBUNTU-CVE-2024-0004", "Ubuntu:Pro:22.04:LTS", "openssl", "9", up("CVE-2024-0004")),
		`{"id":"UBUNTU-CVE-2024-0005","modified":"2026-01-01T00:00:00Z","upstream":["CVE-2024-0005"],"affected":[
			{"package":{"ecosystem":"Ubuntu:16.04:LTS","name":"openssl"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}]},
			{"package":{"ecosystem":"Ubuntu:Pro:16.04:LTS","name":"openssl"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.0.2g-1ubuntu4.20+esm3"}]}]}]}`,
		osvRecord("ALPINE-CVE-2024-0006", "Alpine:v3.20", "openssl", "3.3.2-r0", up("CVE-2024-0006")),
		osvRecord("ALPINE-CVE-2024-0007", "Alpine:v3.19", "openssl", "9", up("CVE-2024-0007")),
		osvRecord("CGA-1111-2222-3333", "Wolfi", "openssl", "3.3.2-r0", up("CVE-2024-0008")),
		osvRecord("CGA-4444-5555-6666", "Chainguard", "openssl", "3.3.2-r0", up("CVE-2024-0009")),
		osvRecord("RHSA-2024:0010", "Red Hat:enterprise_linux:9::baseos", "openssl-libs", "1:3.0.7-27.el9", up("CVE-2024-0010")+`,"summary":"Important: openssl security update"`),
		osvRecord("RHSA-2024:0011", "Red Hat:rhel_eus:9.2::baseos", "openssl-libs", "1:9-1", up("CVE-2024-0011")),
		osvRecord("RHSA-2024:0012", "Red Hat:enterprise_linux:8::baseos", "openssl-libs", "1:9-1", up("CVE-2024-0012")),
		osvRecord("RLSA-2024:0013", "Rocky Linux:9", "openssl", "1:3.0.7-27.el9", up("CVE-2024-0013")),
		osvRecord("ALSA-2024:0014", "AlmaLinux:9", "openssl-libs", "1:3.0.7-27.el9", `,"related":["CVE-2024-0014"]`),
		osvRecord("ALSA-2024:0015", "AlmaLinux:9", "openssl-libs", "3.0.7-1.el9", `,"related":["CVE-2024-0015"]`),
		osvRecord("SUSE-SU-2024:0016-1", "SUSE:Linux Enterprise Module for Basesystem 15 SP5", "openssl", "3.0.8-150500.1.2", up("CVE-2024-0016")),
		osvRecord("SUSE-SU-2024:0017-1", "SUSE:Linux Enterprise Module for Basesystem 15 SP4", "openssl", "9", up("CVE-2024-0017")),
		osvRecord("openSUSE-SU-2024:0018-1", "openSUSE:Leap 15.5", "openssl", "3.0.8-150500.1.2", up("CVE-2024-0018")),
		osvRecord("GHSA-aaaa-bbbb-cccc", "PyPI", "pyopenssl", "9", `,"aliases":["CVE-2024-0019"]`),
	)
	deb := func(version string) file {
		return file{name: "var/lib/dpkg/status", body: "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nSource: openssl\nVersion: " + version + "\n\n"}
	}
	apk := file{name: "lib/apk/db/installed", body: "P:libssl3\nV:3.3.1-r0\nA:x86_64\no:openssl\nF:usr/lib\nR:libssl.so.3\n\n"}
	database := func(backend, version, release string) file {
		name := map[string]string{"sqlite": "rpmdb.sqlite", "ndb": "Packages.db"}[backend]
		return file{name: "var/lib/rpm/" + name, body: string(rpmDatabase(t, backend, rpmPackage{name: "openssl-libs", source: "openssl", epoch: "1", version: version, release: release}))}
	}
	tests := []struct {
		name, release, want string
		db                  func() file
	}{
		{"Debian by source package and release", "ID=debian\nVERSION_ID=12\n", "CVE-2024-0001 libssl3", func() file { return deb("3.0.11-1") }},
		{"Debian, fixed", "ID=debian\nVERSION_ID=12\n", "", func() file { return deb("3.0.11-2") }},
		{"Ubuntu, never by what only Pro has", "ID=ubuntu\nVERSION_ID=22.04\n", "CVE-2024-0003 libssl3", func() file { return deb("3.0.2-0ubuntu1.15") }},
		{"Ubuntu without Pro has no fix", "ID=ubuntu\nVERSION_ID=16.04\n", "CVE-2024-0005 libssl3", func() file { return deb("1.0.2g-1ubuntu4.20") }},
		{"Ubuntu with Pro's build has it", "ID=ubuntu\nVERSION_ID=16.04\n", "", func() file { return deb("1.0.2g-1ubuntu4.20+esm3") }},
		{"Ubuntu with an earlier build of Pro's", "ID=ubuntu\nVERSION_ID=16.04\n", "CVE-2024-0005 libssl3", func() file { return deb("1.0.2g-1ubuntu4.20+esm1") }},
		{"Alpine by origin and branch", "ID=alpine\nVERSION_ID=3.20.3\n", "CVE-2024-0006 libssl3", func() file { return apk }},
		{"Wolfi", "ID=wolfi\nVERSION_ID=20230201\n", "CVE-2024-0008 libssl3", func() file { return apk }},
		{"Chainguard", "ID=chainguard\nVERSION_ID=20230214\n", "CVE-2024-0009 libssl3", func() file { return apk }},
		{"Red Hat by its stream", "ID=\"rhel\"\nVERSION_ID=\"9.4\"\nCPE_NAME=\"cpe:/o:redhat:enterprise_linux:9::baseos\"\n", "CVE-2024-0010 openssl-libs", func() file { return database("sqlite", "3.0.7", "25.el9") }},
		{"Red Hat, fixed", "ID=\"rhel\"\nVERSION_ID=\"9.4\"\nCPE_NAME=\"cpe:/o:redhat:enterprise_linux:9::baseos\"\n", "", func() file { return database("sqlite", "3.0.7", "27.el9") }},
		{"Rocky by source package", "ID=\"rocky\"\nVERSION_ID=\"9.3\"\n", "CVE-2024-0013 openssl-libs", func() file { return database("sqlite", "3.0.7", "25.el9") }},
		{"AlmaLinux, with the epoch", "ID=\"almalinux\"\nVERSION_ID=\"9.4\"\n", "CVE-2024-0014 openssl-libs", func() file { return database("sqlite", "3.0.7", "25.el9") }},
		{"SUSE by service pack", "ID=\"sles\"\nVERSION_ID=\"15.5\"\n", "CVE-2024-0016 openssl-libs", func() file { return database("ndb", "3.0.8", "150500.1.1") }},
		{"openSUSE", "ID=\"opensuse-leap\"\nVERSION_ID=\"15.5\"\n", "CVE-2024-0018 openssl-libs", func() file { return database("ndb", "3.0.8", "150500.1.1") }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := scanned(t, m, file{name: "etc/os-release", body: test.release}, test.db())
			if got := matches(r); got != test.want {
				t.Errorf("got %q, want %q; packages %s", got, test.want, purls(r))
			}
		})
	}
}

func TestRuleSaysWhatAPersonNeedsToCompareAgain(t *testing.T) {
	m := matcher(t, osvRecord("DEBIAN-CVE-2024-0001", "Debian:12", "openssl", "3.0.11-2", ""))
	r := scanned(t, m, file{name: "etc/os-release", body: "ID=debian\nVERSION_ID=12\n"},
		file{name: "var/lib/dpkg/status", body: "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nSource: openssl\nVersion: 3.0.11-1\n\n"})
	want := "DEBIAN-CVE-2024-0001 for Debian:12 openssl: ECOSYSTEM introduced 0, fixed 3.0.11-2; 3.0.11-1 of source package openssl compared in the order of deb-version(7)"
	if len(r.Vulnerabilities) != 1 || r.Vulnerabilities[0].Rule != want {
		t.Errorf("got %+v", r.Vulnerabilities)
	}
}

func TestOwnersAreDistributionsPackagesOfAllKinds(t *testing.T) {
	metadata := "Metadata-Version: 2.1\nName: requests\nVersion: 2.28.1\n"
	py := file{name: "usr/lib/python3.9/site-packages/requests-2.28.1.dist-info/METADATA", body: metadata}
	owners := func(files ...file) string {
		r := scanFile(t, scanner(t), save(t, layerTar(t, append(files, py)...)))
		return find(t, r, "requests").Owner
	}
	path := "/" + py.name
	if got := owners(file{name: "etc/os-release", body: "ID=alpine\nVERSION_ID=3.20.3\n"},
		file{name: "lib/apk/db/installed", body: "P:py3-requests\nV:2.28.1-r0\nA:x86_64\nF:" + filepath.Dir(py.name) + "\nR:METADATA\n\n"}); got != "py3-requests" {
		t.Errorf("apk: %q", got)
	}
	for vendor, want := range map[string]string{"Red Hat, Inc.": "python3-requests", "": "python3-requests", "Fedora Project": ""} {
		db := rpmDatabase(t, "sqlite", rpmPackage{name: "python3-requests", version: "2.28.1", release: "1", vendor: vendor, file: path})
		rhel := file{name: "etc/os-release", body: "ID=rhel\nVERSION_ID=9.4\nCPE_NAME=cpe:/o:redhat:enterprise_linux:9::baseos\n"}
		if got := owners(rhel, file{name: "var/lib/rpm/rpmdb.sqlite", body: string(db)}); got != want {
			t.Errorf("rpm of vendor %q: %q", vendor, got)
		}
	}
	// A distribution that has no advisories fixes nothing that anybody could know of.
	if got := owners(file{name: "etc/os-release", body: "ID=fedora\nVERSION_ID=40\n"},
		file{name: "var/lib/rpm/rpmdb.sqlite", body: string(rpmDatabase(t, "sqlite", rpmPackage{name: "python3-requests", version: "2.28.1", release: "1", file: path}))}); got != "" {
		t.Errorf("without advisories: %q", got)
	}
}

func TestModulesStreamIsKept(t *testing.T) {
	db := rpmDatabase(t, "sqlite", rpmPackage{name: "nodejs", version: "16.20.2", release: "1.module_el8.9.0+1", module: "nodejs:16:8090020231012:489197e6"})
	m := matcher(t,
		osvRecord("ALSA-2024:0001", "AlmaLinux:8", "nodejs", "18.19.0-1.module_el8.9.0+2", `,"related":["CVE-2024-0001"],"summary":"Important: nodejs:18 security update"`),
		osvRecord("ALSA-2024:0002", "AlmaLinux:8", "nodejs", "16.20.3-1.module_el8.9.0+2", `,"related":["CVE-2024-0002"],"summary":"Important: nodejs:16 security update"`))
	r := scanned(t, m, file{name: "etc/os-release", body: "ID=almalinux\nVERSION_ID=8.9\n"}, file{name: "var/lib/rpm/rpmdb.sqlite", body: string(db)})
	if got := matches(r); got != "CVE-2024-0002 nodejs" || !strings.Contains(find(t, r, "nodejs").PURL, "rpmmod=nodejs:16:") {
		t.Errorf("got %q, %s", got, purls(r))
	}
}

func TestDistributionsWithoutAdvisoriesAreListedAndSaid(t *testing.T) {
	for name, files := range map[string][]file{
		"pkg:alpm/arch/zlib@1:1.3.1-1":   {{name: "etc/os-release", body: "ID=arch\n"}, {name: "var/lib/pacman/local/zlib-1:1.3.1-1/desc", body: "%NAME%\nzlib\n\n%VERSION%\n1:1.3.1-1\n\n"}},
		"pkg:portage/gentoo/zlib@1.3-r4": {{name: "etc/os-release", body: "ID=gentoo\n"}, {name: "var/db/pkg/sys-libs/zlib-1.3-r4/PF", body: "zlib-1.3-r4\n"}},
		"pkg:opkg/openwrt/zlib@1.3":      {{name: "etc/os-release", body: "ID=openwrt\n"}, {name: "usr/lib/opkg/status", body: "Package: zlib\nStatus: install user installed\nArchitecture: x86_64\nVersion: 1.3\n\n"}},
	} {
		r := scanFile(t, scanner(t), save(t, layerTar(t, files...)))
		if len(r.Packages) != 1 || !strings.HasPrefix(strings.ReplaceAll(r.Packages[0].PURL, "%3A", ":"), name) {
			t.Errorf("%s: packages %s", name, purls(r))
		}
		if len(r.Unread) != 1 || r.Unread[0].Section != "vulnerabilities" {
			t.Errorf("%s: unread %v", name, r.Unread)
		}
	}
}

// TestRpmDatabasesAreReadAsScalibrReadsThem compares with its extractor on its test data, which
// rpm wrote.
func TestRpmDatabasesAreReadAsScalibrReadsThem(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/osv-scalibr").Output()
	if err != nil {
		t.Skip("the module cache cannot be asked")
	}
	peer := must(rpm.New(&cpb.PluginConfig{}))
	dir := filepath.Join(strings.TrimSpace(string(out)), "extractor/filesystem/os/rpm/testdata")
	for _, name := range []string{"Packages", "Packages_epoch", "Packages.db", "rpmdb.sqlite"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Skip("osv-scalibr's test data are not there")
		}
		e := look(t, "usr/lib/sysimage/rpm/"+strings.TrimSuffix(name, "_epoch"), data)
		root := t.TempDir()
		if err := os.WriteFile(filepath.Join(root, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
		inventory, err := peer.Extract(context.Background(), &filesystem.ScanInput{FS: emptyFS{}, Root: root, Path: name, Info: info{name, int64(len(data)), 0o600}})
		if err != nil {
			t.Fatal(err)
		}
		var got, want []string
		files := 0
		for _, p := range e.Packages {
			got = append(got, fmt.Sprint(p.Name, " ", p.Version, " ", p.Epoch, " ", p.Arch, " ", p.Source, " ", p.SourceVersion))
			files += len(p.Owns) / 8
		}
		for _, p := range inventory.Packages {
			m := p.Metadata.(*rpmmeta.Metadata)
			source, version, _ := sbom.SourceRPM(m.SourceRPM)
			want = append(want, fmt.Sprint(p.Name, " ", p.Version, " ", m.Epoch, " ", strings.TrimSuffix(m.Architecture, "(none)"), " ", source, " ", version))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || len(want) == 0 || files < len(want) {
			t.Errorf("%s: %d packages with %d files, scalibr has %d\n%v\n%v", name, len(got), files, len(want), got[:min(5, len(got))], want[:min(5, len(want))])
		}
	}
}

func TestDamagedNdbDatabasesAreUnread(t *testing.T) {
	whole := rpmDatabase(t, "ndb", rpmPackage{name: "zlib", version: "1", release: "1"})
	for name, change := range map[string]func([]byte) []byte{
		"a length that is a lie": func(b []byte) []byte { copy(b[ndbPage+12:], "\xff\xff\xff\x7f"); return b },
		"a slot that is none":    func(b []byte) []byte { copy(b[64:], "tolS"); return b },
		"cut":                    func(b []byte) []byte { return b[:ndbPage+100] },
		"one blob many times": func(b []byte) []byte {
			for at := 48; at < ndbPage; at += 16 {
				copy(b[at:], b[32:48])
			}
			return b
		},
	} {
		r := scanFile(t, scanner(t), save(t, layerTar(t, file{name: "var/lib/rpm/Packages.db", body: string(change(slices.Clone(whole)))})))
		if len(r.Unread) == 0 || !strings.Contains(r.Unread[0].Reason, "rpmdb") {
			t.Errorf("%s: unread %v", name, r.Unread)
		}
	}
}

func TestDamagedBerkeleyDatabasesAreUnread(t *testing.T) {
	const size = 512
	page := func(n, next int, kind byte, body ...byte) []byte {
		b := make([]byte, size)
		binary.LittleEndian.PutUint32(b[8:], uint32(n))
		binary.LittleEndian.PutUint32(b[16:], uint32(next))
		b[25] = kind
		copy(b[26:], body)
		return b
	}
	head := page(0, 0, 8)
	binary.LittleEndian.PutUint32(head[12:], bdbHashMagic)
	binary.LittleEndian.PutUint32(head[20:], size)
	binary.LittleEndian.PutUint32(head[32:], 2)
	hash := page(1, 0, bdbHash, 100, 0, 200, 0) // one key, one value at 200
	binary.LittleEndian.PutUint16(hash[20:], 2)
	copy(hash[200:], []byte{bdbOffPage, 0, 0, 0, 2, 0, 0, 0, 0, 4, 0, 0}) // page 2, 1,024 bytes
	for name, file := range map[string][]byte{
		"a page that goes on with itself": slices.Concat(head, hash, page(2, 2, bdbOverflow)),
		"an entry outside its page":       slices.Concat(head, append(slices.Clone(hash[:28]), append([]byte{0xff, 0xff}, hash[30:]...)...), page(2, 0, bdbOverflow)),
		"a page of another kind":          slices.Concat(head, hash, page(2, 0, bdbHash)),
		"a header that lies":              slices.Concat(head, hash, append(page(2, 0, bdbOverflow, 0xff, 0xff, 0xff, 0xff)[:22], append([]byte{200, 0, 0, bdbOverflow, 0xff, 0xff, 0xff, 0xff}, make([]byte, size-30)...)...)),
	} {
		r := scanFile(t, scanner(t), save(t, layerTar(t, rawFile("var/lib/rpm/Packages", file))))
		if len(r.Unread) != 1 || !strings.Contains(r.Unread[0].Reason, "rpmdb") {
			t.Errorf("%s: unread %v", name, r.Unread)
		}
	}
}

func rawFile(name string, body []byte) file { return file{name: name, body: string(body)} }

func TestSqliteTablesThatAreNoneAreUnread(t *testing.T) {
	for name, schema := range map[string]string{
		"a view":            "create view Packages as with recursive n(blob) as (select 1 union all select blob+1 from n) select blob from n",
		"a computed column": "create table Packages (hnum integer, blob as (hex(zeroblob(100000000)))); insert into Packages (hnum) values (1)",
		"no table":          "create table Other (a)",
	} {
		path := filepath.Join(t.TempDir(), "rpmdb.sqlite")
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(schema); err != nil {
			t.Fatal(err)
		}
		_ = db.Close()
		data, _ := os.ReadFile(path)
		r := scanFile(t, scanner(t), save(t, layerTar(t, rawFile("var/lib/rpm/rpmdb.sqlite", data))))
		if len(r.Unread) != 1 || !strings.Contains(r.Unread[0].Reason, "rpmdb") {
			t.Errorf("%s: unread %v", name, r.Unread)
		}
	}
}
