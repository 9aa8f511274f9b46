package vex

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	govex "github.com/openvex/go-vex/pkg/vex"
	"pgregory.net/rapid"

	"github.com/triad-security/triad"
)

const (
	digest = "sha256:4e5203b252797ae13abf66521d7d030b76f14501a49ae1a8a07a3a19df5f5e9f"
	other  = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
)

var (
	image = &Product{
		Names: []string{"registry.example.com/shop/web:1.0"}, Digests: []string{digest},
		Packages: []triad.Package{
			{Name: "openssl", PURL: "pkg:deb/debian/libssl3@3.0.9-1?arch=amd64&distro=debian-12", Source: "openssl", SourceVersion: "3.0.9-1", Path: "var/lib/dpkg/status"},
			{Name: "app", PURL: "pkg:golang/example.com/app@v1.0.0", Path: "app/server"},
			{Name: "net", PURL: "pkg:golang/golang.org/x/net@v0.1.0", Path: "app/server"},
			{Name: "net", PURL: "pkg:golang/golang.org/x/net@v0.1.0", Path: "app/other"},
			{Name: "outer", PURL: "pkg:maven/org.example/outer@1", Path: "opt/outer.jar"},
			{Name: "inner", PURL: "pkg:maven/org.example/inner@1", Path: "opt/outer.jar!lib/inner.jar"},
		},
	}
	ssl   = triad.Vulnerability{ID: "CVE-2026-0001", Aliases: []string{"DSA-1"}, Package: "libssl3", Version: "3.0.9-1", PURL: "pkg:deb/debian/libssl3@3.0.9-1?arch=amd64&distro=debian-12", Path: "var/lib/dpkg/status"}
	net   = triad.Vulnerability{ID: "CVE-2026-0001", Package: "golang.org/x/net", Version: "v0.1.0", PURL: "pkg:golang/golang.org/x/net@v0.1.0", Path: "app/server"}
	inner = triad.Vulnerability{ID: "CVE-2026-0001", Package: "org.example:inner", Version: "1", PURL: "pkg:maven/org.example/inner@1", Path: "opt/outer.jar!lib/inner.jar"}
)

// openvexOf makes a document of one statement that CVE-2026-0001 does not affect products.
func openvexOf(products string) string {
	return `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://example.com/1","timestamp":"2026-01-01T00:00:00Z","statements":[
	{"vulnerability":{"name":"CVE-2026-0001"},"products":[` + products + `],"status":"not_affected","justification":"vulnerable_code_not_present"}]}`
}

func set(t *testing.T, texts ...string) *Set {
	t.Helper()
	s := &Set{}
	for i, text := range texts {
		if err := s.Parse(fmt.Sprintf("%d.json", i), strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestAStatementCountsWhereItNamesTheProduct(t *testing.T) {
	quoted := func(id string) string { return fmt.Sprintf(`{"@id":%q}`, id) }
	part := func(id, sub string) string {
		return fmt.Sprintf(`{"@id":%q,"subcomponents":[{"@id":%q}]}`, id, sub)
	}
	for name, test := range map[string]struct {
		products string
		v        triad.Vulnerability
		want     bool
	}{
		"the package":                                   {quoted("pkg:golang/golang.org/x/net@v0.1.0"), net, true},
		"the package in any version":                    {quoted("pkg:golang/golang.org/x/net"), net, true},
		"the package in another version":                {quoted("pkg:golang/golang.org/x/net@v0.2.0"), net, false},
		"another package":                               {quoted("pkg:golang/golang.org/x/crypto"), net, false},
		"a distribution's package":                      {quoted("pkg:deb/debian/libssl3@3.0.9-1"), ssl, true},
		"of its release, as another tool writes it":     {quoted("pkg:deb/debian/libssl3@3.0.9-1?distro=12"), ssl, true},
		"of another release":                            {quoted("pkg:deb/debian/libssl3@3.0.9-1?distro=debian-11"), ssl, false},
		"of another architecture":                       {quoted("pkg:deb/debian/libssl3?arch=arm64"), ssl, false},
		"of another distribution":                       {quoted("pkg:deb/ubuntu/libssl3"), ssl, false},
		"its source package":                            {quoted("pkg:deb/debian/openssl?arch=source"), ssl, true},
		"a source package of another version":           {quoted("pkg:deb/debian/openssl@3.0.8-1?arch=source"), ssl, false},
		"a source's name without saying so":             {quoted("pkg:deb/debian/openssl"), ssl, false},
		"the image by its digest":                       {quoted("pkg:oci/web@" + digest), net, true},
		"the image by its digest, escaped":              {quoted("pkg:oci/web@" + strings.ReplaceAll(digest, ":", "%3A")), net, true},
		"another image by its digest":                   {quoted("pkg:oci/web@" + other), net, false},
		"the image by its name":                         {quoted("pkg:oci/web"), net, true},
		"the image by its repository":                   {quoted("pkg:oci/web?repository_url=registry.example.com/shop/web"), net, true},
		"the image by its registry's folder":            {quoted("pkg:oci/web?repository_url=registry.example.com/shop"), net, true},
		"an image of that name in another registry":     {quoted("pkg:oci/web?repository_url=registry.evil.example/shop/web"), net, false},
		"a registry whose name begins alike":            {quoted("pkg:oci/web?repository_url=registry.example.com.evil.example/shop/web"), net, false},
		"the image by its tag":                          {quoted("pkg:oci/web?tag=1.0"), net, true},
		"the image by another tag":                      {quoted("pkg:oci/web?tag=2.0"), net, false},
		"the image by its reference":                    {quoted("registry.example.com/shop/web:1.0"), net, true},
		"the image by its reference and digest":         {quoted("registry.example.com/shop/web@" + digest), net, true},
		"the name of the image with another digest":     {quoted("registry.example.com/shop/web@" + other), net, false},
		"the image by a hash":                           {`{"@id":"https://example.com/web","hashes":{"sha-256":"` + digest[7:] + `"}}`, net, true},
		"its name with the hash of another":             {`{"@id":"registry.example.com/shop/web:1.0","hashes":{"sha-256":"` + other[7:] + `"}}`, net, false},
		"an identifier beside the name":                 {`{"@id":"https://example.com/x","identifiers":{"purl":"pkg:golang/golang.org/x/net"}}`, net, true},
		"the package in the image":                      {part("pkg:oci/web@"+digest, "pkg:golang/golang.org/x/net"), net, true},
		"another package in the image":                  {part("pkg:oci/web@"+digest, "pkg:golang/golang.org/x/crypto"), net, false},
		"the package in another image":                  {part("pkg:oci/web@"+other, "pkg:golang/golang.org/x/net"), net, false},
		"the package in the program that it is part of": {part("pkg:golang/example.com/app", "pkg:golang/golang.org/x/net"), net, true},
		"the package in a program that is not here":     {part("pkg:golang/example.com/none", "pkg:golang/golang.org/x/net"), net, false},
		"the jar in the jar":                            {part("pkg:maven/org.example/outer", "pkg:maven/org.example/inner"), inner, true},
		"the package in a program that it is not in":    {part("pkg:maven/org.example/outer", "pkg:golang/golang.org/x/net"), net, false},
	} {
		t.Run(name, func(t *testing.T) {
			st := set(t, openvexOf(test.products)).Statement(image, test.v)
			if got := st != nil; got != test.want {
				t.Errorf("counts: %v, want %v", got, test.want)
			}
		})
	}
}

func TestTheSamePackageInAnotherProgramIsNotMeant(t *testing.T) {
	elsewhere := net
	elsewhere.Path = "app/other"
	s := set(t, openvexOf(`{"@id":"pkg:golang/example.com/app","subcomponents":[{"@id":"pkg:golang/golang.org/x/net"}]}`))
	if s.Statement(image, elsewhere) != nil {
		t.Error("a statement on one program covers another")
	}
}

func TestTheNewestStatementWins(t *testing.T) {
	at := func(day int, status string) string {
		extra := ""
		if status == NotAffected {
			extra = `,"impact_statement":"none"`
		}
		return fmt.Sprintf(`{"@context":"https://openvex.dev/ns","timestamp":"2026-01-%02dT00:00:00Z","statements":[{"vulnerability":"CVE-2026-0001","products":["pkg:golang/golang.org/x/net"],"status":%q%s}]}`, day, status, extra)
	}
	for name, test := range map[string]struct {
		texts []string
		want  string
	}{
		"in the order of time":                   {[]string{at(1, NotAffected), at(2, Affected)}, Affected},
		"in the other order":                     {[]string{at(2, Affected), at(1, NotAffected)}, Affected},
		"of one moment the later read":           {[]string{at(1, Affected), at(1, NotAffected)}, NotAffected},
		"one without a time loses":               {[]string{at(1, Affected), strings.Replace(at(1, Fixed), `"timestamp":"2026-01-01T00:00:00Z",`, "", 1)}, Affected},
		"the newest that is about this":          {[]string{at(1, Affected), strings.Replace(at(9, Fixed), "x/net", "x/crypto", 1)}, Affected},
		"a statement's time before its document": {[]string{at(3, Affected), `{"@context":"https://openvex.dev/ns","timestamp":"2026-01-01T00:00:00Z","statements":[{"vulnerability":{"name":"x","aliases":["CVE-2026-0001"]},"last_updated":"2026-01-04T00:00:00Z","products":["pkg:golang/golang.org/x/net"],"status":"fixed"}]}`}, Fixed},
	} {
		t.Run(name, func(t *testing.T) {
			st := set(t, test.texts...).Statement(image, net)
			if st == nil || st.Status != test.want {
				t.Errorf("got %+v, want %s", st, test.want)
			}
		})
	}
}

func TestOnlyNotAffectedAndFixedSetAside(t *testing.T) {
	for status, aside := range map[string]bool{NotAffected: true, Fixed: true, Affected: false, UnderInvestigation: false} {
		s := set(t, fmt.Sprintf(`{"@context":"https://openvex.dev/ns/v0.2.0","@id":"urn:x","statements":[{"vulnerability":{"name":"CVE-2026-0001"},"products":[{"@id":"pkg:golang/golang.org/x/net"}],"status":%q,"impact_statement":"i","action_statement":"a"}]}`, status))
		v := net
		why := s.Apply(image, &v)
		if (why != nil) != aside {
			t.Errorf("%s: %+v", status, why)
		}
		if aside && (why.Status != status || why.Source != "0.json urn:x" || why.Kind != triad.SuppressedByVEX) {
			t.Errorf("%s: %+v", status, why)
		}
		if !aside && (v.VEX == nil || v.VEX.Status != status) {
			t.Errorf("%s is not shown: %+v", status, v.VEX)
		}
	}
}

func TestAnAttestationSpeaksOfItsSubjects(t *testing.T) {
	text := func(sum string) string {
		return `{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://openvex.dev/ns/v0.2.0","subject":[{"name":"web","digest":{"sha256":"` + sum + `"}}],"predicate":` + strings.Replace(openvexOf(""), `"products":[],`, "", 1) + `}`
	}
	if set(t, text(digest[7:])).Statement(image, net) == nil {
		t.Error("a statement on the image does not count")
	}
	if set(t, text(other[7:])).Statement(image, net) != nil {
		t.Error("a statement on another image counts")
	}
}

func TestWhatAnotherImplementationWritesIsRead(t *testing.T) {
	doc := govex.New()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	doc.Timestamp, doc.ID = &at, "https://example.com/go-vex"
	doc.Statements = []govex.Statement{{
		Vulnerability: govex.Vulnerability{Name: "CVE-2026-0001"}, Status: govex.StatusNotAffected, Justification: govex.VulnerableCodeNotInExecutePath,
		Products: []govex.Product{{Component: govex.Component{ID: "pkg:oci/web@" + digest}, Subcomponents: []govex.Subcomponent{{Component: govex.Component{ID: "pkg:golang/golang.org/x/net"}}}}},
	}}
	var b bytes.Buffer
	if err := doc.ToJSON(&b); err != nil {
		t.Fatal(err)
	}
	st := set(t, b.String()).Statement(image, net)
	if st == nil || st.Justification != "vulnerable_code_not_in_execute_path" || !st.At.Equal(at) {
		t.Errorf("got %+v", st)
	}
}

func TestCycloneDX(t *testing.T) {
	bom := func(component, ref, state string) string {
		return `{"bomFormat":"CycloneDX","specVersion":"1.6","serialNumber":"urn:uuid:f08a6ccd-4dce-4759-bd84-c626675d60a7","metadata":{"timestamp":"2026-01-01T00:00:00Z"` + component + `},
		"components":[{"type":"library","bom-ref":"c1","name":"net","purl":"pkg:golang/golang.org/x/net@v0.1.0"}],
		"vulnerabilities":[{"id":"CVE-2026-0001","analysis":{"state":"` + state + `","justification":"code_not_reachable","detail":"d"},"affects":[{"ref":"` + ref + `"}]}]}`
	}
	web := `,"component":{"type":"container","bom-ref":"root","name":"registry.example.com/shop/web:1.0","version":"` + digest + `"}`
	elsewhere := strings.ReplaceAll(web, digest, other)
	for name, test := range map[string]struct{ text, want string }{
		"a component of the image":            {bom(web, "c1", "not_affected"), NotAffected},
		"a component of another image":        {bom(elsewhere, "c1", "not_affected"), ""},
		"a component of nothing":              {bom("", "c1", "resolved"), Fixed},
		"the image":                           {bom(web, "root", "false_positive"), NotAffected},
		"another image":                       {bom(elsewhere, "root", "false_positive"), ""},
		"a component of a linked document":    {bom("", "urn:cdx:f08a6ccd-4dce-4759-bd84-c626675d60a7/1#pkg%3Agolang%2Fgolang.org%2Fx%2Fnet%40v0.1.0", "exploitable"), Affected},
		"a linked component that is not here": {bom("", "urn:cdx:f08a6ccd-4dce-4759-bd84-c626675d60a7/1#pkg%3Agolang%2Fx", "exploitable"), ""},
		"in triage":                           {bom(web, "c1", "in_triage"), UnderInvestigation},
		"without an analysis":                 {strings.Replace(bom(web, "c1", "x"), `"analysis":{"state":"x","justification":"code_not_reachable","detail":"d"},`, "", 1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			st := set(t, test.text).Statement(image, net)
			if st == nil && test.want == "" {
				return
			}
			if st == nil || st.Status != test.want || st.Detail != "d" {
				t.Errorf("got %+v, want %s", st, test.want)
			}
		})
	}
}

func TestCSAF(t *testing.T) {
	doc := func(products, status string) string {
		return `{"document":{"csaf_version":"2.0","category":"csaf_vex","tracking":{"id":"EX-1","current_release_date":"2026-01-01T00:00:00Z"}},"product_tree":{` + products + `},
		"vulnerabilities":[{"cve":"CVE-2026-0001","product_status":{"` + status + `":["P"]},"flags":[{"label":"vulnerable_code_not_present","group_ids":["G"]}],"threats":[{"category":"impact","details":"d","product_ids":["P"]}]}]}`
	}
	product := func(id, helper string) string {
		return `{"branches":[{"product":{"product_id":"` + id + `","product_identification_helper":{` + helper + `}}}]}`
	}
	group := `,"product_groups":[{"group_id":"G","product_ids":["P"]}]`
	tree := func(branches ...string) string {
		return `"branches":[` + strings.Join(branches, ",") + `]` + group
	}
	relation := `,"relationships":[{"category":"default_component_of","full_product_name":{"product_id":"P"},"product_reference":"part","relates_to_product_reference":"whole"}]`
	for name, test := range map[string]struct {
		text, want string
	}{
		"the package":                              {doc(tree(product("P", `"purl":"pkg:golang/golang.org/x/net@v0.1.0"`)), "known_not_affected"), NotAffected},
		"a package that is not here":               {doc(tree(product("P", `"purl":"pkg:golang/x"`)), "known_not_affected"), ""},
		"a product that only a name describes":     {doc(tree(product("P", `"cpe":"cpe:2.3:a:b"`)), "known_not_affected"), ""},
		"the image by its hash":                    {doc(tree(product("P", `"hashes":[{"file_hashes":[{"algorithm":"sha256","value":"`+digest[7:]+`"}],"filename":"web"}]`)), "fixed"), Fixed},
		"a part of the image":                      {doc(tree(product("part", `"purl":"pkg:golang/golang.org/x/net"`), product("whole", `"purl":"pkg:oci/web@`+digest+`"`))+relation, "known_affected"), Affected},
		"a part of another image":                  {doc(tree(product("part", `"purl":"pkg:golang/golang.org/x/net"`), product("whole", `"purl":"pkg:oci/web@`+other+`"`))+relation, "known_not_affected"), ""},
		"an exact version of an unknown whole":     {doc(tree(product("part", `"purl":"pkg:golang/golang.org/x/net@v0.1.0"`), product("whole", `"cpe":"cpe:/o:x"`))+relation, "under_investigation"), UnderInvestigation},
		"any version of a whole that is not known": {doc(tree(product("part", `"purl":"pkg:golang/golang.org/x/net"`), product("whole", `"cpe":"cpe:/o:x"`))+relation, "known_not_affected"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			st := set(t, test.text).Statement(image, net)
			if st == nil && test.want == "" {
				return
			}
			if st == nil || st.Status != test.want || st.Detail != "d" || st.Source != "0.json EX-1" {
				t.Fatalf("got %+v, want %s", st, test.want)
			}
			if st.Status == NotAffected && st.Justification != "vulnerable_code_not_present" {
				t.Errorf("justification %q", st.Justification)
			}
		})
	}
}

func TestAMalformedDocumentIsAnErrorThatNamesTheFile(t *testing.T) {
	for text, want := range map[string]string{
		"":   "no VEX document",
		"[]": "no VEX document",
		"{}": "neither OpenVEX",
		`{"@context":"https://openvex.dev/ns/v0.2.0","statements":[{"status":"fixed"}]}`:                                              "names no vulnerability",
		`{"@context":"https://openvex.dev/ns/v0.2.0","statements":[{"vulnerability":{"name":"a"},"status":"ok"}]}`:                    `status "ok" is none of`,
		`{"@context":"https://openvex.dev/ns/v0.2.0","statements":[{"vulnerability":{"name":"a"},"status":"not_affected"}]}`:          "needs a justification",
		`{"@context":"https://openvex.dev/ns/v0.2.0","statements":[{"vulnerability":"a","status":"fixed","justification":"x"}]}`:      `justification "x" is none of`,
		`{"@context":"https://openvex.dev/ns/v0.2.0","statements":{"a":1}}`:                                                           "cannot unmarshal",
		`{"bomFormat":"CycloneDX","specVersion":"1.6"}`:                                                                               "no vulnerabilities",
		`{"bomFormat":"CycloneDX","specVersion":"1.6","vulnerabilities":[{"id":"a","analysis":{"state":"fine"},"affects":[]}]}`:       `state "fine"`,
		`<bom xmlns="http://cyclonedx.org/schema/bom/1.5"`:                                                                            "EOF",
		`{"document":{"csaf_version":"2.0"},"product_tree":[]}`:                                                                       "cannot unmarshal",
		`{"document":{"csaf_version":"2.0"},"product_tree":` + strings.Repeat(`{"branches":[`, 100) + strings.Repeat(`]}`, 100) + `}`: "deeper than",
	} {
		err := (&Set{}).Parse("vendor.json", strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), "vendor.json") || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %q", text, err, want)
		}
	}
}

func TestAStatementOnNothingIsSaid(t *testing.T) {
	s := set(t, strings.Replace(openvexOf(""), `"products":[],`, "", 1))
	if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "names no product") {
		t.Errorf("%q", s.Warnings)
	}
	if s.Statement(image, net) != nil {
		t.Error("and it counts for everything")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(openvexOf(`{"@id":"pkg:oci/web@` + digest + `","subcomponents":[{"@id":"pkg:golang/golang.org/x/net"}]}`)))
	f.Add([]byte(`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","bom-ref":"c","name":"n"}],"vulnerabilities":[{"id":"CVE-2026-0001","analysis":{"state":"resolved"},"affects":[{"ref":"c"}]}]}`))
	f.Add([]byte(`{"document":{"csaf_version":"2.0"},"product_tree":{"branches":[{"product":{"product_id":"P","product_identification_helper":{"purl":"pkg:golang/golang.org/x/net"}}}]},"vulnerabilities":[{"cve":"CVE-2026-0001","product_status":{"fixed":["P"]}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &Set{}
		if s.Parse("f", bytes.NewReader(data)) != nil {
			return
		}
		for _, v := range []triad.Vulnerability{ssl, net, inner} {
			if why := s.Apply(image, &v); why != nil {
				if _, err := json.Marshal(why); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// Documents whose statements have different times say the same in whichever order they are read.
func TestTheOrderOfDocumentsSaysNothing(t *testing.T) {
	products := []string{"pkg:golang/golang.org/x/net", "pkg:golang/golang.org/x/net@v0.1.0", "pkg:oci/web@" + digest, "pkg:oci/web@" + other, "pkg:golang/golang.org/x/crypto"}
	rapid.Check(t, func(t *rapid.T) {
		days := rapid.SliceOfNDistinct(rapid.IntRange(1, 28), 1, 6, rapid.ID).Draw(t, "days")
		texts := make([]string, 0, len(days))
		for _, day := range days {
			texts = append(texts, fmt.Sprintf(`{"@context":"https://openvex.dev/ns/v0.2.0","@id":"urn:%d","timestamp":"2026-01-%02dT00:00:00Z","statements":[{"vulnerability":{"name":"CVE-2026-0001"},"products":[{"@id":%q}],"status":%q,"impact_statement":"i"}]}`,
				day, day, rapid.SampledFrom(products).Draw(t, "product"), rapid.SampledFrom(statuses).Draw(t, "status")))
		}
		read := func(texts []string) *triad.VEXStatement {
			s := &Set{}
			for _, text := range texts {
				if err := s.Parse("f", strings.NewReader(text)); err != nil {
					t.Fatal(err)
				}
			}
			return s.Statement(image, net)
		}
		if a, b := read(texts), read(rapid.Permutation(texts).Draw(t, "order")); !reflect.DeepEqual(a, b) {
			t.Fatalf("%+v and %+v", a, b)
		}
	})
}
