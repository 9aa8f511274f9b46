package sbom

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/triad-security/triad"
)

var digest = "sha256:" + strings.Repeat("ab", 32)

func TestReadSubject(t *testing.T) {
	tests := []struct {
		name, component string
		want            Subject
	}{
		{"an image by its version", `{"type":"container","name":"example.com/app:1","version":"` + digest + `"}`, Subject{Type: SubjectImage, Name: "example.com/app:1", Version: digest, Digest: digest}},
		{"an image by its hash", `{"type":"container","name":"app","hashes":[{"alg":"SHA-256","content":"` + strings.Repeat("ab", 32) + `"}]}`, Subject{Type: SubjectImage, Name: "app", Digest: digest}},
		{"an image by its name", `{"type":"container","name":"app@` + digest + `"}`, Subject{Type: SubjectImage, Name: "app", Digest: digest, ManifestDigest: digest}},
		{"an image by its package URL", `{"type":"application","name":"app","purl":"pkg:oci/app@sha256%3A` + strings.Repeat("ab", 32) + `"}`, Subject{Type: SubjectImage, Name: "app", Digest: digest, ManifestDigest: digest}},
		{"an image by a tool's properties", `{"type":"container","name":"app","properties":[{"name":"aquasecurity:trivy:ImageID","value":"` + digest + `"}]}`, Subject{Type: SubjectImage, Name: "app", Digest: digest, ConfigDigest: digest}},
		{"an image without a digest", `{"type":"container","name":"app:1"}`, Subject{Type: SubjectImage, Name: "app:1"}},
		{"a function", `{"type":"application","name":"arn:aws:lambda:us-east-1:1:function:f","version":"CodeSha256:abc="}`, Subject{Type: SubjectFunction, Name: "arn:aws:lambda:us-east-1:1:function:f", Version: "CodeSha256:abc=", CodeDigest: "abc="}},
		{"an application", `{"type":"application","name":"shop","version":"1.0"}`, Subject{Type: SubjectOther, Name: "shop", Version: "1.0"}},
	}
	for _, version := range []string{"1.4", "1.5", "1.6"} {
		for _, test := range tests {
			t.Run(version+" "+test.name, func(t *testing.T) {
				d, err := Read(strings.NewReader(fmt.Sprintf(`{"bomFormat":"CycloneDX","specVersion":%q,"version":1,"metadata":{"component":%s}}`, version, test.component)))
				if err != nil {
					t.Fatal(err)
				}
				if d.Subject != test.want {
					t.Errorf("got %+v\nwant %+v", d.Subject, test.want)
				}
			})
		}
	}
}

func TestReadXML(t *testing.T) {
	d, err := Read(strings.NewReader(`<?xml version="1.0"?>
<bom xmlns="http://cyclonedx.org/schema/bom/1.5" version="1"><metadata><component type="container"><name>app:1</name><version>` + digest + `</version></component></metadata>
<components><component type="library"><name>lodash</name><version>4.17.4</version><purl>pkg:npm/lodash@4.17.4</purl></component></components></bom>`))
	if err != nil {
		t.Fatal(err)
	}
	if d.Subject.Digest != digest || len(d.Packages) != 1 || d.Packages[0].Ecosystem != "npm" {
		t.Errorf("got %+v", d)
	}
}

func TestReadRefuses(t *testing.T) {
	deep := strings.Repeat(`{"type":"library","name":"x","components":[`, 80) + strings.Repeat(`]}`, 80)
	for name, test := range map[string]struct{ data, want string }{
		"nothing":            {"", "neither JSON nor XML"},
		"another format":     {`{"some":"thing"}`, "not CycloneDX"},
		"half a document":    {`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[`, "not a CycloneDX document"},
		"an unknown version": {`{"bomFormat":"CycloneDX","specVersion":"9.9"}`, "not a CycloneDX document"},
		"too deep":           {`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[` + deep + `]}`, "nested deeper"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Read(strings.NewReader(test.data)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestComponentsWithoutURLAreSaid(t *testing.T) {
	d, err := Read(strings.NewReader(`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","name":"vendored"},{"type":"file","name":"/bin/x"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Packages) != 1 || len(d.Unread) != 1 || !strings.Contains(d.Unread[0].Reason, "vendored") {
		t.Errorf("got %+v", d)
	}
}

func TestFromPURL(t *testing.T) {
	tests := []struct{ purl, name, version, ecosystem, source, sourceVersion string }{
		{"pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12.5&upstream=openssl", "libssl3", "3.0.11-1", "Debian:12", "openssl", "3.0.11-1"},
		{"pkg:deb/debian/libssl3@3.0.11-1?distro=bookworm&source=openssl&sourceversion=3.0.11-0", "libssl3", "3.0.11-1", "Debian:12", "openssl", "3.0.11-0"},
		{"pkg:deb/debian/curl@7", "curl", "7", "Debian:11", "curl", "7"},
		{"pkg:deb/ubuntu/curl@7?distro=ubuntu-22.04", "curl", "7", "Ubuntu:22.04:LTS", "curl", "7"},
		{"pkg:deb/ubuntu/curl@7?distro=ubuntu-23.10", "curl", "7", "Ubuntu:23.10", "curl", "7"},
		{"pkg:apk/alpine/ssl_client@1.36.1-r29?distro=3.20.3&origin=busybox", "ssl_client", "1.36.1-r29", "Alpine:v3.20", "busybox", "1.36.1-r29"},
		{"pkg:rpm/almalinux/openssl-libs@3.0.7-24.el9?distro=almalinux-9.4&epoch=1&upstream=openssl-3.0.7-24.el9.src.rpm", "openssl-libs", "1:3.0.7-24.el9", "AlmaLinux:9", "openssl", "3.0.7-24.el9"},
		{"pkg:rpm/rocky/bash@5?distro=rocky-9.3", "bash", "5", "Rocky Linux:9", "bash", "5"},
		{"pkg:rpm/opensuse/bash@5?distro=opensuse-leap-15.6", "bash", "5", "openSUSE:Leap 15.6", "bash", "5"},
		{"pkg:golang/golang.org/x/net@v0.17.0", "golang.org/x/net", "v0.17.0", "Go", "", ""},
		{"pkg:npm/%40acme/left-pad@1.3.0", "@acme/left-pad", "1.3.0", "npm", "", ""},
		{"pkg:maven/org.springframework/spring-beans@5.3.17", "org.springframework:spring-beans", "5.3.17", "Maven", "", ""},
		{"pkg:generic/xmrig@6.21.0", "xmrig", "6.21.0", "", "", ""},
	}
	for _, test := range tests {
		t.Run(test.purl, func(t *testing.T) {
			p, err := FromPURL(test.purl, Distro{ID: "debian", Version: "11"})
			if err != nil {
				t.Fatal(err)
			}
			got := struct{ purl, name, version, ecosystem, source, sourceVersion string }{p.PURL, p.Name, p.Version, p.Ecosystem, p.Source, p.SourceVersion}
			if got != test {
				t.Errorf("got  %+v\nwant %+v", got, test)
			}
		})
	}
}

func TestDistro(t *testing.T) {
	for release, want := range map[string]string{
		"ID=debian\nVERSION_ID=\"12\"":                                              "Debian:12",
		"ID=debian\nVERSION_CODENAME=forky":                                         "Debian:14",
		"ID='ubuntu'\nVERSION_ID='24.04'":                                           "Ubuntu:24.04:LTS",
		"ID=alpine\nVERSION_ID=3.21_alpha20240923":                                  "Alpine:edge",
		"ID=wolfi\nVERSION_ID=20230201":                                             "Wolfi",
		"ID=sles\nVERSION_ID=15.5":                                                  "SUSE:Linux Enterprise Server 15 SP5",
		"ID=rhel\nCPE_NAME=\"cpe:/o:redhat:enterprise_linux:9::baseos\"":            "Red Hat:enterprise_linux:9::baseos",
		"ID=openEuler\nVERSION_ID=24.03\nPRETTY_NAME=\"openEuler 24.03 (LTS-SP1)\"": "openEuler:24.03-LTS-SP1",
		"ID=plan9": "",
		"":         "",
	} {
		if got := ParseDistro(release).Ecosystem(); got != want {
			t.Errorf("%q: got %q, want %q", release, got, want)
		}
	}
}

// TestWriteIsReadBack: what goes out comes in again.
func TestWriteIsReadBack(t *testing.T) {
	d := &Document{
		Subject: Subject{Type: SubjectImage, Name: "example.com/app:1", Digest: digest, ConfigDigest: digest, Distro: Distro{ID: "debian", Version: "12"}},
		Packages: []triad.Package{
			{Name: "libssl3", Version: "3.0.11-1", Ecosystem: "Debian:12", PURL: "pkg:deb/debian/libssl3@3.0.11-1?distro=debian-12", Source: "openssl", SourceVersion: "3.0.11-1", Path: "/var/lib/dpkg/status", Layer: digest, Step: "RUN x", Files: []string{"/usr/lib/libssl.so.3"}},
			{Name: "g:a", Version: "1", Ecosystem: "Maven", PURL: "pkg:maven/g/a@1", Path: "/a.jar"},
			{Name: "g:a", Version: "1", Ecosystem: "Maven", PURL: "pkg:maven/g/a@1", Path: "/b.jar"},
		},
	}
	found := []triad.Vulnerability{{ID: "CVE-1", Aliases: []string{"GHSA-1"}, Package: "g:a", Version: "1", PURL: "pkg:maven/g/a@1", Path: "/b.jar", Fixed: "2", Severity: "high", Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", CVSS: 7.5}}
	var b bytes.Buffer
	if err := Write(&b, d, found, "test", time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	again, err := Read(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again.Packages, d.Packages) {
		t.Errorf("got  %+v\nwant %+v", again.Packages, d.Packages)
	}
	if s := again.Subject; s.Digest != digest || s.Type != SubjectImage || s.Name != "example.com/app:1" {
		t.Errorf("subject %+v", s)
	}
	var raw struct {
		SpecVersion string
		Components  []struct {
			BOMRef string `json:"bom-ref"`
		}
		Vulnerabilities []struct{ Affects []struct{ Ref string } }
	}
	if err := json.Unmarshal(b.Bytes(), &raw); err != nil {
		t.Fatal(err)
	}
	refs := map[string]bool{}
	for _, c := range raw.Components {
		if refs[c.BOMRef] {
			t.Errorf("bom-ref %q stands twice", c.BOMRef)
		}
		refs[c.BOMRef] = true
	}
	if raw.SpecVersion != "1.6" || len(raw.Vulnerabilities) != 1 || !refs[raw.Vulnerabilities[0].Affects[0].Ref] {
		t.Errorf("got %+v", raw)
	}
}

// TestScenario reads every document of the shared scenarios against their index.
func TestScenario(t *testing.T) {
	shared := os.Getenv("TRIAD_SHARED")
	if shared == "" {
		shared = "../../../shared"
	}
	dir := filepath.Join(shared, "scenarios", "shop", "sboms")
	data, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Skip("no shared scenarios here; set TRIAD_SHARED")
	}
	var index []struct{ File, Ref, Digest string }
	if err := json.Unmarshal(data, &index); err != nil {
		t.Fatal(err)
	}
	for _, want := range index {
		f, err := os.Open(filepath.Join(dir, want.File))
		if err != nil {
			t.Fatal(err)
		}
		d, err := Read(f)
		_ = f.Close()
		if err != nil {
			t.Fatal(err)
		}
		got := d.Subject.Digest
		if d.Subject.Type == SubjectFunction {
			got = "CodeSha256:" + d.Subject.CodeDigest
		}
		if d.Subject.Name != want.Ref || got != want.Digest || len(d.Packages) == 0 || len(d.Unread) > 0 {
			t.Errorf("%s: %+v, %d packages, unread %v", want.File, d.Subject, len(d.Packages), d.Unread)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{"type":"container","name":"a@` + digest + `"}},"components":[{"type":"library","name":"x","purl":"pkg:deb/debian/x@1?distro=-","components":[{}]}]}`))
	f.Add([]byte(`<bom xmlns="http://cyclonedx.org/schema/bom/1.4"><components><component type="library"><purl>pkg:rpm/opensuse/x@1?distro=opensuse-leap-</purl></component></components></bom>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		if err := Write(&bytes.Buffer{}, d, nil, "test", time.Unix(0, 0)); err != nil {
			t.Skip(err) // the encoder refuses what the decoder took
		}
	})
}
