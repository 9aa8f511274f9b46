package registry_test

import (
	"strings"
	"testing"
	"time"

	"github.com/triad-security/triad/policy/registry"
)

const standard = `
trusted: [docker.io/library]
registries:
  - name: registry.example.com
    owner: platform
    official: true
    agreed: 2026-03-01
    review: 365d
    max_age: 90d
    bases: [registry.example.com/base, docker.io/library/debian]
    signature: {required: true, identities: [{issuer: https://ci.example.com, subject: release}], attestations: [sbom]}
  - name: registry.example.com/legacy
    owner: nobody
    access: closed
  - name: "*.dkr.ecr.eu-central-1.amazonaws.com"
    owner: cloud
    official: true
    access: read-only
    agreed: 2026-01-15
  - name: ghcr.io/acme
    owner: research
`

func TestAReferenceComesUnderTheEntryThatSaysItMostExactly(t *testing.T) {
	s, err := registry.Parse([]byte(standard))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for reference, want := range map[string]string{
		"registry.example.com/shop/web:1.0":                               "", // may run
		"REGISTRY.example.com/shop/web:1.0":                               "",
		"registry.example.com:443/shop/web:1.0":                           "not listed",
		"registry.example.com/legacy/web":                                 "is closed",
		"registry.example.com/legacy-new/web":                             "",
		"registry.example.com.evil.net/shop/web":                          "not listed",
		"evil.net/registry.example.com/shop/web":                          "not listed",
		"registry.example.co/shop/web":                                    "not listed",
		"nginx":                                                           "",
		"library/nginx":                                                   "",
		"index.docker.io/library/nginx:1":                                 "",
		"registry-1.docker.io/library/nginx":                              "",
		"attacker/nginx":                                                  "not listed", // docker.io/attacker/nginx
		"registry/example":                                                "not listed", // docker.io/registry/example
		"123.dkr.ecr.eu-central-1.amazonaws.com/x":                        "",
		"a.b.dkr.ecr.eu-central-1.amazonaws.com/x":                        "not listed",
		"123.dkr.ecr.eu-central-1.amazonaws.com.evil.net/x":               "not listed",
		"ghcr.io/acme/tool:1":                                             "not official",
		"ghcr.io/acmeevil/tool:1":                                         "not listed",
		"registry.example.com/shop/web@sha256:" + strings.Repeat("a", 64): "",
	} {
		e, listed, err := s.Of(reference)
		got := "not listed"
		if listed {
			got = e.Refuses(now)
		}
		if err != nil || got != want && (want == "" || !strings.Contains(got, want)) {
			t.Errorf("%s: %q %v, want %q", reference, got, err, want)
		}
	}
	e, _, _ := s.Of("registry.example.com/shop/web")
	if why := e.Refuses(now.AddDate(1, 0, 0)); !strings.Contains(why, "looked at again by 2027-03-01") {
		t.Errorf("an agreement of long ago: %q", why)
	}
	for base, want := range map[string]bool{"debian:12": true, "docker.io/library/debian-evil": false, "registry.example.com/base/go:1": true, "registry.example.com/basement": false} {
		if got, err := e.AllowsBase(base); err != nil || got != want {
			t.Errorf("base %s: %v %v", base, got, err)
		}
	}
	if got := strings.Join(s.Trusted(now), " "); got != "docker.io/library registry.example.com *.dkr.ecr.eu-central-1.amazonaws.com" {
		t.Errorf("trusted: %s", got)
	}
}

func TestAStandardThatSaysTooLittleIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no owner":         "registries: [{name: r.example.com, official: true, agreed: 2026-01-01}]",
		"no agreement":     "registries: [{name: r.example.com, official: true, owner: x}]",
		"a bad date":       "registries: [{name: r.example.com, agreed: yesterday}]",
		"a bad age":        "registries: [{name: r.example.com, max_age: -1d}]",
		"a bad access":     "registries: [{name: r.example.com, access: ajar}]",
		"a name twice":     "registries: [{name: r.example.com}, {name: R.example.com/}]",
		"no host":          "registries: [{name: shop/web}]",
		"half an identity": "registries: [{name: r.example.com, signature: {identities: [{issuer: x}]}}]",
		"an unknown word":  "registries: [{name: r.example.com, formal: true}]",
		"no YAML":          "\t",
	} {
		if _, err := registry.Parse([]byte(text)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(standard), "nginx")
	f.Add([]byte("registries: [{name: '*.x', max_age: 9999999999d}]"), "a.x/b")
	f.Fuzz(func(t *testing.T, data []byte, reference string) {
		s, err := registry.Parse(data)
		if err != nil {
			return
		}
		if e, listed, err := s.Of(reference); err == nil && listed {
			repository, _ := registry.Repository(reference)
			if !e.Name.Covers(repository) {
				t.Errorf("%s does not cover %s", e.Name, repository)
			}
		}
	})
}
