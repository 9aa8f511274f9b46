package ignore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/triad-security/triad"
)

var (
	now    = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	lodash = triad.Vulnerability{
		ID: "CVE-2026-0001", Aliases: []string{"GHSA-aaaa-bbbb-cccc"}, Advisory: "GHSA-aaaa-bbbb-cccc", Package: "lodash", Version: "4.17.4",
		PURL: "pkg:npm/lodash@4.17.4", Path: "app/node_modules/lodash/package.json", Fixed: "4.17.12", Severity: "high",
	}
	openssl = triad.Vulnerability{ID: "CVE-2026-0002", Package: "openssl", Version: "3.0.9-1", PURL: "pkg:deb/debian/openssl@3.0.9-1?arch=amd64&distro=debian-12", Path: "var/lib/dpkg/status", Severity: "low"}
	jar     = triad.Vulnerability{ID: "CVE-2026-0003", Package: "org.example:inner", Version: "1", PURL: "pkg:maven/org.example/inner@1", Path: "opt/outer.jar!lib/inner.jar"}
	key     = triad.Finding{Kind: triad.FindingSecret, ID: "aws-access-key", Path: "test/fixtures/key.env", Line: 3}
	user    = triad.Finding{Kind: triad.FindingMisconfiguration, ID: "image-user-root", Aliases: []string{"DL3002"}}
)

func list(t *testing.T, name, text string) *List {
	t.Helper()
	l := &List{}
	if err := l.Parse(name, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return l
}

// covered names which of the findings above a list sets aside.
func covered(l *List) string {
	var out []string
	for name, v := range map[string]triad.Vulnerability{"lodash": lodash, "openssl": openssl, "jar": jar} {
		if l.Vulnerability(v, now) != nil {
			out = append(out, name)
		}
	}
	for name, f := range map[string]triad.Finding{"key": key, "user": user} {
		if l.Finding(f, now) != nil {
			out = append(out, name)
		}
	}
	return ordered(out)
}

func ordered(names []string) string {
	var out []string
	for _, name := range []string{"lodash", "openssl", "jar", "key", "user"} {
		for _, have := range names {
			if have == name {
				out = append(out, name)
			}
		}
	}
	return strings.Join(out, " ")
}

func TestAnEntryCoversWhatAllItsFieldsSay(t *testing.T) {
	entry := func(fields string) string { return "- {reason: r, expires: 2090-01-01, " + fields + "}" }
	for name, test := range map[string]struct{ file, text, want string }{
		"an advisory by its ID":                         {".triadignore", entry("id: CVE-2026-0001"), "lodash"},
		"an advisory by an alias, in any case":          {".triadignore", entry("id: ghsa-AAAA-bbbb-cccc"), "lodash"},
		"a pattern of IDs":                              {".triadignore", entry("id: CVE-2026-*"), "lodash openssl jar"},
		"an advisory in another package":                {".triadignore", entry("id: CVE-2026-0001, package: underscore"), ""},
		"every advisory of a package":                   {".triadignore", entry("id: '*', package: lod*"), "lodash"},
		"another version":                               {".triadignore", entry("id: CVE-2026-0001, version: 4.17.5"), ""},
		"a package URL without a version":               {".triadignore", entry("id: '*', purl: 'pkg:npm/lodash'"), "lodash"},
		"a package URL of a distribution":               {".triadignore", entry("id: '*', purl: 'pkg:deb/debian/openssl?distro=debian-12'"), "openssl"},
		"a package URL of another distribution":         {".triadignore", entry("id: '*', purl: 'pkg:deb/debian/openssl?distro=debian-11'"), ""},
		"a folder":                                      {".triadignore", entry("id: '*', path: test/"), "key"},
		"a pattern that stays in its folder":            {".triadignore", entry("id: '*', path: 'test/*'"), ""},
		"a pattern over folders":                        {".triadignore", entry("id: '*', path: '**/*.env'"), "key"},
		"alternatives and classes":                      {".triadignore", entry("id: '*', path: '{app,test}/**/[kp]*.{env,json}'"), "lodash key"},
		"an archive covers what is nested in it":        {".triadignore", entry("id: '*', path: opt/outer.jar"), "jar"},
		"a rule by the ID of another tool":              {".triadignore", entry("id: DL3002"), "user"},
		"a kind":                                        {".triadignore", entry("id: aws-access-key, kind: vulnerability"), ""},
		"entries under a key":                           {".triadignore", "ignore:\n  " + entry("id: CVE-2026-0001"), "lodash"},
		"an expired entry":                              {".triadignore", "- {id: CVE-2026-0001, reason: r, expires: 2026-11-23}", ""},
		"an entry on its last day":                      {".triadignore", "- {id: CVE-2026-0001, reason: r, expires: 2026-11-24}", "lodash"},
		"an empty file":                                 {".triadignore", "# nothing\n", ""},
		"Trivy: IDs of all kinds":                       {".trivyignore", "CVE-2026-0001\naws-access-key # a test's\n\nDL3002", "lodash key user"},
		"Trivy: expired, and not":                       {".trivyignore", "CVE-2026-0001 exp:2026-11-24\nCVE-2026-0002 exp:2026-11-25", "openssl"},
		"Trivy: a word that is not understood":          {".trivyignore", "CVE-2026-0001 until:2090-01-01", ""},
		"Trivy: a line that would cover all":            {".trivyignore", "*", ""},
		"Trivy's YAML: by path":                         {".trivyignore.yaml", "secrets:\n- id: aws-access-key\n  paths: ['test/**']\nvulnerabilities:\n- id: CVE-2026-0001\n  paths: [other/**]", "key"},
		"Trivy's YAML: by package URL":                  {".trivyignore.yaml", "vulnerabilities:\n- id: CVE-2026-0002\n  purls: ['pkg:deb/debian/openssl', 'pkg:npm/x']", "openssl"},
		"Trivy's YAML: a section is of its kind":        {".trivyignore.yaml", "secrets:\n- id: CVE-2026-0001", ""},
		"Trivy's YAML: expired":                         {".trivyignore.yaml", "vulnerabilities:\n- id: CVE-2026-0001\n  expired_at: 2026-11-24", ""},
		"Trivy's YAML: an unknown field covers nothing": {".trivyignore.yaml", "vulnerabilities:\n- id: CVE-2026-0001\n  cvss: 3", ""},
		"Grype: by its fix":                             {".grype.yaml", "ignore:\n- fix-state: not-fixed", "openssl jar"},
		"Grype: by the package's type":                  {".grype.yaml", "ignore:\n- package: {type: java-archive}", "jar"},
		"Grype: by the package's language":              {".grype.yaml", "ignore:\n- package: {language: javascript}", "lodash"},
		"Grype: by a name's regular expression":         {".grype.yaml", "ignore:\n- package: {name: 'open.*'}\n- package: {name: inner}", "openssl jar"},
		"Grype: by location and ID":                     {".grype.yaml", "ignore:\n- vulnerability: CVE-2026-0001\n  package: {location: '/app/**'}", "lodash"},
		"Grype: fields that are not understood":         {".grype.yaml", "ignore:\n- vulnerability: CVE-2026-0001\n  namespace: npm\n- fix-state: wont-fix\n- package: {upstream-name: openssl}", ""},
		"Grype: a rule without anything":                {".grype.yaml", "ignore:\n- reason: all", ""},
		"Grype: only its own settings":                  {".grype.yaml", "output: [json]\nlog: {level: debug}\ndb: {auto-update: false}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := covered(list(t, test.file, test.text)); got != test.want {
				t.Errorf("covers %q, want %q", got, test.want)
			}
		})
	}
}

func TestGrypeRulesAboutVEXAskForTheStatement(t *testing.T) {
	l := list(t, ".grype.yaml", "ignore:\n- vex-status: under_investigation\n  reason: the vendor is looking")
	if l.Vulnerability(lodash, now) != nil {
		t.Error("it covers what nobody stated anything of")
	}
	v := lodash
	v.VEX = &triad.VEXStatement{Status: "under_investigation"}
	if s := l.Vulnerability(v, now); s == nil || s.Reason != "the vendor is looking" {
		t.Errorf("got %+v", s)
	}
}

func TestASuppressionSaysWhoWhyAndUntilWhen(t *testing.T) {
	for _, test := range []struct{ file, text, source, reason string }{
		{".triadignore", "# a comment\n\n- id: CVE-2026-0001\n  reason: not called\n  owner: shop@example.com\n  expires: 2090-01-31", ".triadignore:3", "not called"},
		{".trivyignore", "# accepted by\n# the shop's team\nCVE-2026-0001", ".trivyignore:3", "accepted by the shop's team"},
		{".trivyignore", "# about others\n\nCVE-2026-0001", ".trivyignore:3", "listed without a reason"},
		{".trivyignore.yaml", "vulnerabilities:\n  - id: CVE-2026-0001\n    statement: fine", ".trivyignore.yaml:2", "fine"},
		{".grype.yaml", "ignore:\n  - vulnerability: CVE-2026-0001\n    reason: fine too", ".grype.yaml:2", "fine too"},
	} {
		s := list(t, test.file, test.text).Vulnerability(lodash, now)
		if s == nil || s.Source != test.source || s.Reason != test.reason || s.Kind != triad.SuppressedByIgnore {
			t.Errorf("%s: %+v", test.file, s)
		}
	}
	s := list(t, ".triadignore", "- {id: CVE-2026-0001, reason: r, owner: o, expires: 2090-01-31}").Vulnerability(lodash, now)
	if s.Owner != "o" || s.Expires == nil || s.Expires.Format(time.RFC3339) != "2090-01-31T23:59:59Z" {
		t.Errorf("%+v", s)
	}
}

func TestWhatIsWrongWithAFileIsSaidWithItsLine(t *testing.T) {
	for _, test := range []struct{ file, text, want string }{
		{".triadignore", "- id: CVE-1", ".triadignore:1: CVE-1 needs a reason"},
		{".triadignore", "- reason: x", ".triadignore:1: an entry needs the id"},
		{".triadignore", "- {id: '*', reason: x}", ".triadignore:1: id \"*\" covers everything"},
		{".triadignore", "\n- {id: a, reason: x, expires: tomorrow}", ".triadignore:2: expires: \"tomorrow\" is no date"},
		{".triadignore", "- {id: a, reason: x, until: 2090-01-01}", "unknown field \"until\""},
		{".triadignore", "- {id: a, reason: x, kind: bug}", "kind \"bug\" is none of"},
		{".triadignore", "- {id: a, reason: x, purl: lodash}", "purl:"},
		{".triadignore", "- {id: a, reason: x, path: '[a'}", "[ without ]"},
		{".triadignore", "- {id: a, reason: x, path: '{a'}", "is not one"},
		{".triadignore", "CVE-1", "must be a list of entries"},
		{".triadignore", "ignored: []", "unknown key \"ignored\""},
		{".triadignore", "- [", "is not YAML"},
		{".triadignore", "- &a {id: x, reason: y}\n- *a", "here must be keys and values"},
		{".trivyignore.yaml", "vulnerabilities: x", "must be a list"},
		{".trivyignore.yaml", "vulnerabilities: [{paths: [a]}]", "needs an id"},
		{".grype.yaml", "ignore: [{package: {name: '('}}]", "package.name"},
	} {
		err := (&List{}).Parse(test.file, strings.NewReader(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %q: %v, want %q", test.file, test.text, err, test.want)
		}
	}
}

func TestWhatIsNotUnderstoodOrExpiredIsSaid(t *testing.T) {
	l := list(t, ".grype.yaml", "only-fixed: true\nignore:\n- {vulnerability: a, namespace: b, match-type: c}")
	if len(l.Warnings) != 2 || !strings.Contains(l.Warnings[1], "not understood: match-type, namespace") {
		t.Errorf("%q", l.Warnings)
	}
	l = list(t, ".triadignore", "- {id: CVE-2026-0001, reason: r, expires: 2026-01-01}\n- {id: CVE-1999-1, reason: r, expires: 2090-01-01}")
	_ = covered(l)
	notes := strings.Join(l.Notes(), "\n")
	if !strings.Contains(notes, ".triadignore:1: expired on 2026-01-01; CVE-2026-0001 counts again") || !strings.Contains(notes, "1 of 2 ignore entries cover nothing") {
		t.Error(notes)
	}
}

func TestTheFilesOfAFolderAreFoundAndLinksAreNot(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{".triadignore": "- {id: CVE-2026-0001, reason: r, expires: 2090-01-01}", ".trivyignore": "CVE-2026-0002", "elsewhere": "- {id: CVE-2026-0003, reason: r}"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("elsewhere", filepath.Join(dir, ".triadignore.yaml")); err != nil {
		t.Skip(err)
	}
	l, err := Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := covered(l); got != "lodash openssl" || l.Len() != 2 {
		t.Errorf("covers %q with %d entries", got, l.Len())
	}
}

func TestTenThousandEntriesAreLookedUpByTheirID(t *testing.T) {
	var b strings.Builder
	for range 10_000 {
		b.WriteString("CVE-2026-9999\n")
	}
	l := list(t, ".trivyignore", b.String())
	start := time.Now()
	for range 10_000 {
		l.Vulnerability(lodash, now)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("10,000 lookups took %s", d)
	}
}

func FuzzParse(f *testing.F) {
	for i, seed := range []string{
		"- {id: CVE-2026-0001, package: 'l*', purl: 'pkg:npm/lodash', path: 'app/**', reason: r, expires: 2090-01-31}", "# r\nCVE-2026-0001 exp:2090-01-01",
		"vulnerabilities:\n- id: CVE-2026-0001\n  paths: ['{a,[b-c]}/**']\n  purls: ['pkg:npm/lodash']", "ignore:\n- fix-state: fixed\n  package: {name: 'l.*', location: '/app/**', type: npm}",
	} {
		f.Add(uint8(i), []byte(seed))
	}
	names := []string{".triadignore", ".trivyignore", ".trivyignore.yaml", ".grype.yaml"}
	f.Fuzz(func(_ *testing.T, which uint8, data []byte) {
		l := &List{}
		if l.Parse(names[int(which)%len(names)], strings.NewReader(string(data))) == nil {
			_ = covered(l)
			_ = l.Notes()
		}
	})
}
