package sbom

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/tagvalue"

	"github.com/triad-security/triad"
)

func written() (*Document, []triad.Vulnerability) {
	until := time.Date(2090, 1, 31, 0, 0, 0, 0, time.UTC)
	deb := triad.Package{Name: "libssl3", Version: "3.0.11-1", Ecosystem: "Debian:12", PURL: "pkg:deb/debian/libssl3@3.0.11-1?distro=debian-12", Source: "openssl", SourceVersion: "3.0.11-1", Path: "/var/lib/dpkg/status", Layer: digest, Step: "RUN x", Files: []string{"/usr/lib/libssl.so.3"}}
	jar := triad.Package{Name: "g:a", Version: "1", Ecosystem: "Maven", PURL: "pkg:maven/g/a@1", Path: "/a.jar!b.jar"}
	odd := triad.Package{Name: "x</text>\nPackageName: y\x1b", Version: "1\n2", Path: "/p"}
	d := &Document{
		Subject:  Subject{Type: SubjectImage, Name: "example.com/app:1", Digest: digest, ConfigDigest: digest, Distro: Distro{ID: "debian", Version: "12", PrettyName: "Debian GNU/Linux 12"}},
		Packages: []triad.Package{deb, jar, odd},
		Unread:   []triad.Unread{{Section: "packages", Reason: "a jar is damaged"}},
	}
	of := func(p triad.Package, id string) *triad.Vulnerability {
		return &triad.Vulnerability{ID: id, Package: p.Name, Version: p.Version, PURL: p.PURL, Path: p.Path, Severity: "high", CVSS: 7.5, Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", Aliases: []string{"GHSA-1"}}
	}
	d.Suppressed = []triad.Suppressed{
		{Suppression: triad.Suppression{Kind: triad.SuppressedByVEX, Source: "v.json", Reason: "not compiled in", Status: "not_affected", Justification: "vulnerable_code_not_present"}, Vulnerability: of(deb, "CVE-2")},
		{Suppression: triad.Suppression{Kind: triad.SuppressedByVEX, Source: "v.json", Reason: "patched", Status: "fixed"}, Vulnerability: of(deb, "CVE-3")},
		{Suppression: triad.Suppression{Kind: triad.SuppressedByIgnore, Source: ".triadignore:1", Reason: "accepted", Expires: &until}, Vulnerability: of(jar, "CVE-1")},
		{Suppression: triad.Suppression{Kind: triad.SuppressedByFilter, Source: "--severity", Reason: "low"}, Vulnerability: of(jar, "CVE-4")},
		{Suppression: triad.Suppression{Kind: triad.SuppressedByIgnore, Source: "x", Reason: "y"}, Finding: &triad.Finding{Kind: triad.FindingSecret, ID: "z"}},
	}
	said := of(jar, "CVE-5")
	said.VEX = &triad.VEXStatement{Status: "under_investigation", Source: "v.json", Detail: "we look"}
	return d, []triad.Vulnerability{*of(deb, "CVE-1"), *said}
}

func TestCycloneDXIsValidAndSaysWhatVEXSays(t *testing.T) {
	d, found := written()
	var b bytes.Buffer
	if err := Write(&b, d, found, "test", time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	schemas := filepath.Join(strings.TrimSpace(string(out)), "schema")
	c := jsonschema.NewCompiler()
	// The schema names its parts by their address on the web; here they are the module's files.
	for address, file := range map[string]string{
		"http://cyclonedx.org/schema/spdx.schema.json": "spdx.schema.json", "http://cyclonedx.org/schema/jsf-0.82.schema.json": "jsf-0.82.schemax.json",
		"http://cyclonedx.org/schema/bom-1.6.schema.json": "bom-1.6.schema.json",
	} {
		if err := addSchema(c, address, filepath.Join(schemas, file)); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := c.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("not valid by the schema of CycloneDX 1.6: %v", err)
	}
	var bom struct {
		Vulnerabilities []struct {
			ID       string
			Ref      string `json:"bom-ref"`
			Analysis struct{ State, Justification string }
		}
	}
	if err := json.Unmarshal(b.Bytes(), &bom); err != nil {
		t.Fatal(err)
	}
	var got []string
	refs := map[string]bool{}
	for _, v := range bom.Vulnerabilities {
		got = append(got, strings.TrimSpace(v.ID+" "+v.Analysis.State+" "+v.Analysis.Justification))
		if refs[v.Ref] {
			t.Errorf("bom-ref %s stands twice", v.Ref)
		}
		refs[v.Ref] = true
	}
	want := []string{"CVE-1", "CVE-5 in_triage", "CVE-2 not_affected code_not_present", "CVE-3 resolved", "CVE-1 exploitable", "CVE-4"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func addSchema(c *jsonschema.Compiler, address, path string) error {
	doc, err := jsonschema.SchemeURLLoader{"file": jsonschema.FileLoader{}}.Load("file://" + filepath.ToSlash(path))
	if err != nil {
		return err
	}
	return c.AddResource(address, doc)
}

func TestSPDXIsReadBackByUsAndByOthers(t *testing.T) {
	d, found := written()
	var b bytes.Buffer
	if err := WriteSPDX(&b, d, found, "test", time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	again, err := Read(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if want := d.Packages[:2]; !reflect.DeepEqual(again.Packages[:2], want) {
		t.Errorf("got  %+v\nwant %+v", again.Packages[:2], want)
	}
	if s := again.Subject; s.Type != SubjectImage || s.Name != d.Subject.Name || s.Digest != digest || s.ConfigDigest != digest || s.Distro.ID != "debian" {
		t.Errorf("subject %+v", s)
	}
	if len(again.Unread) != 1 {
		t.Errorf("a package without a URL is not said: %v", again.Unread)
	}
	other, err := spdxjson.Read(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, p := range other.Packages {
		if ids[string(p.PackageSPDXIdentifier)] || p.PackageDownloadLocation == "" || p.FilesAnalyzed {
			t.Errorf("package %+v", p)
		}
		ids[string(p.PackageSPDXIdentifier)] = true
	}
	if len(other.Packages) != 1+1+3 || other.SPDXVersion != "SPDX-2.3" || other.CreationInfo == nil {
		t.Errorf("%d packages, version %s", len(other.Packages), other.SPDXVersion)
	}
	if r := other.Packages[2].PackageExternalReferences; len(r) != 2 || r[1].RefType != "advisory" || r[1].Locator != "https://osv.dev/vulnerability/CVE-1" {
		t.Errorf("references %+v", r)
	}
	for _, r := range other.Relationships {
		if !ids[string(r.RefB.ElementRefID)] {
			t.Errorf("a relationship to %s, which is not there", r.RefB.ElementRefID)
		}
	}
}

func TestNoNameWritesALineOfItsOwnInTagValue(t *testing.T) {
	d, found := written()
	var b bytes.Buffer
	if err := WriteSPDXTagValue(&b, d, found, "test", time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	doc, err := tagvalue.Read(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.Packages) != 5 {
		t.Errorf("%d packages", len(doc.Packages))
	}
	for _, p := range doc.Packages {
		if p.PackageName == "y" {
			t.Error("a name became a package")
		}
	}
}

func TestSPDXOfOtherTools(t *testing.T) {
	tests := []struct {
		name, text string
		subject    Subject
		packages   []triad.Package
	}{
		{
			"syft's image", `{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"alpine","packages":[
		 {"name":"libssl3","SPDXID":"SPDXRef-Package-apk-libssl3-1","versionInfo":"3.1.1-r1","sourceInfo":"acquired package info from APK DB: /lib/apk/db/installed","externalRefs":[
		  {"referenceCategory":"SECURITY","referenceType":"cpe23Type","referenceLocator":"cpe:2.3:a:libssl3"},
		  {"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"pkg:apk/alpine/libssl3@3.1.1-r1?arch=x86_64&distro=alpine-3.18.2&upstream=openssl"}]},
		 {"name":"alpine","SPDXID":"SPDXRef-DocumentRoot-Image-alpine","versionInfo":"` + digest + `","primaryPackagePurpose":"CONTAINER","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:oci/alpine@` + strings.ReplaceAll(digest, ":", "%3A") + `?arch=amd64&tag=latest"}]}],
		 "relationships":[{"spdxElementId":"SPDXRef-DocumentRoot-Image-alpine","relatedSpdxElement":"SPDXRef-Package-apk-libssl3-1","relationshipType":"CONTAINS"},
		 {"spdxElementId":"SPDXRef-DOCUMENT","relatedSpdxElement":"SPDXRef-DocumentRoot-Image-alpine","relationshipType":"DESCRIBES"}]}`,
			Subject{Type: SubjectImage, Name: "alpine", Version: digest, Digest: digest, ManifestDigest: digest},
			[]triad.Package{{Name: "libssl3", Version: "3.1.1-r1", Ecosystem: "Alpine:v3.18", PURL: "pkg:apk/alpine/libssl3@3.1.1-r1?arch=x86_64&distro=alpine-3.18.2&upstream=openssl", Source: "openssl", SourceVersion: "3.1.1-r1", Path: "/lib/apk/db/installed"}},
		},
		{
			"a repository's dependencies, 2.2", `{"spdxVersion":"SPDX-2.2","name":"shop","documentDescribes":["SPDXRef-R"],"packages":[
		 {"name":"shop","SPDXID":"SPDXRef-R","versionInfo":"main"},
		 {"name":"lodash","SPDXID":"SPDXRef-1","versionInfo":"4.17.4","externalRefs":[{"referenceCategory":"PACKAGE_MANAGER","referenceType":"purl","referenceLocator":"pkg:npm/lodash@4.17.4"}]}]}`,
			Subject{Type: SubjectOther, Name: "shop", Version: "main"},
			[]triad.Package{{Name: "lodash", Version: "4.17.4", Ecosystem: "npm", PURL: "pkg:npm/lodash@4.17.4"}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, err := Read(strings.NewReader(test.text))
			if err != nil {
				t.Fatal(err)
			}
			if d.Subject != test.subject {
				t.Errorf("got  %+v\nwant %+v", d.Subject, test.subject)
			}
			if !reflect.DeepEqual(d.Packages, test.packages) {
				t.Errorf("got  %+v\nwant %+v", d.Packages, test.packages)
			}
		})
	}
}

func TestSPDXThatCannotBeReadIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"SPDXVersion: SPDX-2.3\n":                                       "tag-value",
		`{"spdxVersion":"SPDX-3.0"}`:                                    `"SPDX-3.0" cannot be read`,
		`{"spdxVersion":"SPDX-2.3","packages":{"a":1}}`:                 "not an SPDX document",
		`{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld"}`: "other formats cannot be read",
	} {
		if _, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzReadSPDX(f *testing.F) {
	f.Add([]byte(`{"spdxVersion":"SPDX-2.3","name":"a","documentDescribes":["R"],"packages":[{"SPDXID":"R","name":"a@` + digest + `","primaryPackagePurpose":"CONTAINER"},{"name":"x","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:deb/debian/x@1?distro=-"}],"annotations":[{"comment":"LayerDiffID: x"}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := WriteSPDX(&b, d, nil, "test", time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(&b); err != nil {
			t.Fatal(err)
		}
	})
}
