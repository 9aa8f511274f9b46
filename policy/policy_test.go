package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/triad-security/triad"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// guardrails reads guardrails and exceptions from text.
func guardrails(t testing.TB, text string) *Set {
	t.Helper()
	path := filepath.Join(t.TempDir(), "guardrails.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Set{}
	if err := s.Load(path); err != nil {
		t.Fatal(err)
	}
	return s
}

// one is a guardrail of one rule.
func one(rule string) string {
	return "kind: guardrail\nname: it\ndescription: a test\nowner: a test\nseverity: high\nrules:\n  - " +
		strings.ReplaceAll(strings.TrimSpace(rule), "\n", "\n    ") + "\n"
}

func evaluate(t testing.TB, s *Set, subject *Subject) *Evaluation {
	t.Helper()
	subject.Now = noon
	e, err := s.Evaluate(context.Background(), Build, subject)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWhatWasNotReadIsUnknownUnlessTheRestDecides(t *testing.T) {
	unread := func(sections ...string) (all []Unread) {
		for _, s := range sections {
			all = append(all, Unread{Section: s, Reason: "a test"})
		}
		return all
	}
	kev, plain := Vulnerability{ID: "CVE-1", KEV: true}, Vulnerability{ID: "CVE-2"}
	for _, test := range []struct {
		name, rule string
		subject    Subject
		want       Verdict
	}{
		{"nothing is refused", "for: vulnerabilities\nrefuse: v.kev", Subject{Vulnerabilities: []Vulnerability{plain}}, Allowed},
		{"one is refused", "for: vulnerabilities\nrefuse: v.kev", Subject{Vulnerabilities: []Vulnerability{plain, kev}}, Refused},
		{"none of those read is, but not all were", "for: vulnerabilities\nrefuse: v.kev", Subject{Vulnerabilities: []Vulnerability{plain}, Unread: unread("vulnerabilities")}, Unknown},
		{"what was read is enough to refuse", "for: vulnerabilities\nrefuse: v.kev", Subject{Vulnerabilities: []Vulnerability{kev}, Unread: unread("vulnerabilities")}, Refused},
		{"packages that were not read may be vulnerable", "for: vulnerabilities\nrefuse: v.kev", Subject{Unread: unread("packages")}, Unknown},
		{"another section does not matter", "for: vulnerabilities\nrefuse: v.kev", Subject{Unread: unread("malware", "code")}, Allowed},
		{"a section nobody knows counts as all of the content", "for: secrets\nrefuse: 'true'", Subject{Unread: unread("layer sha256:12")}, Unknown},
		{"an expression over an unread list", "refuse: malware.size() > 0", Subject{Unread: unread("malware")}, Unknown},
		{"an or that the known half decides", "refuse: secrets.size() > 0 || malware.size() > 0", Subject{Secrets: []Finding{{ID: "key"}}, Unread: unread("malware")}, Refused},
		{"an and that the known half decides", "refuse: secrets.size() > 0 && malware.size() > 0", Subject{Unread: unread("malware")}, Allowed},
		{"a field that was not read", "refuse: image.user == ''", Subject{Unread: unread("config")}, Unknown},
		{"its neighbour that was", "refuse: image.tag == 'latest'", Subject{Image: Image{Tag: "latest"}, Unread: unread("config")}, Refused},
		{"a signature that could not be looked for", "refuse: '!signature.verified'", Subject{Unread: unread("signature")}, Unknown},
		{"a signature that is not there", "refuse: '!signature.verified'", Subject{}, Refused},
		{"a decision that could not be asked for", "for: vulnerabilities\nrefuse: v.decision == 'immediate'", Subject{Vulnerabilities: []Vulnerability{plain}, Unread: unread("decisions")}, Unknown},
		{"a decision that does not matter", "for: vulnerabilities\nrefuse: v.kev && v.decision == 'immediate'", Subject{Vulnerabilities: []Vulnerability{plain}, Unread: unread("decisions")}, Allowed},
		{"one that does not matter, as the rest refuses", "for: vulnerabilities\nrefuse: v.kev || v.decision == 'immediate'", Subject{Vulnerabilities: []Vulnerability{kev}, Unread: unread("decisions")}, Refused},
		{"a decision within a comprehension", "refuse: vulnerabilities.exists(x, x.decision == 'immediate')", Subject{Vulnerabilities: []Vulnerability{plain}, Unread: unread("decisions")}, Unknown},
		{"no item, no question", "for: vulnerabilities\nrefuse: v.decision == 'immediate'", Subject{Unread: unread("decisions")}, Allowed},
		{"the age of advisories", "refuse: freshness.advisories_age > duration('24h')", Subject{Unread: unread("advisories")}, Unknown},
		{"the age of the scan beside it", "refuse: freshness.scan_age > duration('24h')", Subject{Freshness: Freshness{ScanAge: 25 * time.Hour}, Unread: unread("advisories")}, Refused},
		{"what was not read can itself be refused", "for: unread\nrefuse: u.section == 'code'", Subject{Unread: unread("code")}, Refused},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := evaluate(t, guardrails(t, one(test.rule)), &test.subject).Guardrails[0]
			if r.Verdict != test.want {
				t.Fatalf("%s, want %s", r.Verdict, test.want)
			}
			if test.want == Unknown && len(r.Unread) == 0 {
				t.Error("unknown for no stated reason")
			}
			if test.want == Allowed && len(r.Reasons)+len(r.Unread) > 0 {
				t.Errorf("allowed with %v %v", r.Reasons, r.Unread)
			}
		})
	}
}

// More that is unread never turns a refusal or doubt into a pass, and never makes a refusal
// that what was read does not bear out.
func TestUnreadOnlyEverAddsDoubt(t *testing.T) {
	rules := []string{
		"for: vulnerabilities\nrefuse: v.kev && v.decision != 'defer'", "refuse: malware.size() > 0 || !signature.verified",
		"refuse: image.user == '' && secrets.exists(s, s.severity == 'high')", "for: secrets\nrefuse: f.severity == 'high' && registry.official",
		"refuse: '!(vulnerabilities.all(x, !x.kev) && freshness.advisories_age < duration(\"1h\"))'",
	}
	var sets []*Set
	for _, r := range rules {
		sets = append(sets, guardrails(t, one(r)))
	}
	all := append(slices.Clone(contentSections), SectionConfig, SectionRegistry, SectionSignature, SectionAdvisories, SectionDecisions)
	rapid.Check(t, func(t *rapid.T) {
		subject := Subject{
			Signature: Signature{Verified: rapid.Bool().Draw(t, "verified")}, Registry: Registry{Official: rapid.Bool().Draw(t, "official")},
			Freshness: Freshness{AdvisoriesAge: time.Duration(rapid.IntRange(0, 2).Draw(t, "age")) * time.Hour},
		}
		for range rapid.IntRange(0, 3).Draw(t, "vulnerabilities") {
			subject.Vulnerabilities = append(subject.Vulnerabilities, Vulnerability{KEV: rapid.Bool().Draw(t, "kev"), Decision: rapid.SampledFrom([]string{"defer", "immediate"}).Draw(t, "decision")})
		}
		for range rapid.IntRange(0, 2).Draw(t, "secrets") {
			subject.Secrets = append(subject.Secrets, Finding{Severity: rapid.SampledFrom([]string{"high", "low"}).Draw(t, "severity")})
		}
		less := subject
		for _, s := range rapid.SliceOfDistinct(rapid.SampledFrom(all), rapid.ID[string]).Draw(t, "unread") {
			less.Unread = append(less.Unread, Unread{Section: s, Reason: "a test"})
		}
		set := rapid.SampledFrom(sets).Draw(t, "rule")
		ask := func(s Subject) Verdict {
			s.Now = noon
			e, err := set.Evaluate(context.Background(), Build, &s)
			if err != nil {
				t.Fatal(err)
			}
			return e.Guardrails[0].Verdict
		}
		if whole, part := ask(subject), ask(less); part != Unknown && part != whole {
			t.Fatalf("%s when all is read, %s without %v", whole, part, less.Unread)
		}
	})
}

func TestModesAndWhatIsUnknownLeadToEffects(t *testing.T) {
	for _, test := range []struct {
		mode, onUnknown string
		refused, unread Effect
		verdict         Verdict // over all, of the refused
	}{
		{"enforce", "refuse", EffectRefuse, EffectRefuse, Refused},
		{"enforce", "warn", EffectRefuse, EffectWarn, Refused},
		{"enforce", "allow", EffectRefuse, EffectNone, Refused},
		{"warn", "refuse", EffectWarn, EffectWarn, Warned},
		{"warn", "allow", EffectWarn, EffectNone, Warned},
		{"audit", "refuse", EffectAudit, EffectAudit, Allowed},
	} {
		t.Run(test.mode+" "+test.onUnknown, func(t *testing.T) {
			s := guardrails(t, one("for: malware\nrefuse: 'true'")+"mode: "+test.mode+"\nonUnknown: "+test.onUnknown+"\n")
			refused := evaluate(t, s, &Subject{Malware: []Finding{{ID: "EICAR"}}})
			unread := evaluate(t, s, &Subject{Unread: []Unread{{Section: "malware", Reason: "no engine"}}})
			if refused.Guardrails[0].Effect != test.refused || refused.Verdict != test.verdict || unread.Guardrails[0].Effect != test.unread {
				t.Errorf("refused leads to %s (%s), unread to %s", refused.Guardrails[0].Effect, refused.Verdict, unread.Guardrails[0].Effect)
			}
		})
	}
}

func TestAGuardrailAppliesByPhaseArtifactImageAndLabels(t *testing.T) {
	image := Subject{
		Artifact: Artifact{Type: "image"}, Image: Image{Repository: "registry.example.com/shop/web", Tag: "1.0", Labels: map[string]string{"team": "shop"}},
		Workload: Workload{Namespace: "prod"},
	}
	for _, test := range []struct {
		applies string
		want    Verdict
	}{
		{"{}", Refused},
		{"{phases: [build]}", Refused},
		{"{phases: [deploy, run]}", NotApplicable},
		{"{artifacts: [dir]}", NotApplicable},
		{"{images: ['registry.example.com/shop/*']}", Refused},
		{"{images: ['registry.example.com/shop/web:1.?']}", Refused},
		{"{images: ['registry.example.com/shop']}", NotApplicable},
		{"{namespaces: [prod]}", Refused},
		{"{namespaces: [test-*]}", NotApplicable},
		{"{labels: {team: sh*}}", Refused},
		{"{labels: {team: shop, tier: web}}", NotApplicable},
	} {
		t.Run(test.applies, func(t *testing.T) {
			s := guardrails(t, one("refuse: 'true'")+"appliesTo: "+test.applies+"\n")
			if got := evaluate(t, s, &image).Guardrails[0].Verdict; got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

func TestTheSectionsThatARuleReadsAreThoseOfItsExpression(t *testing.T) {
	for rule, want := range map[string]string{
		"refuse: 'true'": "",
		"refuse: image.tag == 'latest' && now > timestamp('2026-01-01T00:00:00Z')": "",
		"refuse: image.user == ''":                                    "config",
		"refuse: has(image.labels.team)":                              "config",
		"refuse: image.base == ''":                                    "base",
		"refuse: malware.size() > 0 || registry.official":             "malware registry",
		"for: vulnerabilities\nrefuse: v.kev":                         "packages vulnerabilities",
		"for: vulnerabilities\nrefuse: v.exposure == 'open'":          "decisions packages vulnerabilities",
		"refuse: vulnerabilities.exists(x, x.in_use == 'yes')":        "decisions packages vulnerabilities",
		"for: secrets\nrefuse: '!signature.verified'":                 "secrets signature",
		"refuse: freshness.advisories_age > duration('1h')":           "advisories",
		"refuse: freshness.scan_age > duration('1h')":                 "",
		"refuse: has(object.spec) && object.spec.hostNetwork == true": "",
	} {
		t.Run(rule, func(t *testing.T) {
			if got := strings.Join(guardrails(t, one(rule)).Guardrails[0].Reads(), " "); got != want {
				t.Errorf("reads %q, want %q", got, want)
			}
		})
	}
}

func TestMistakesAreNamedWithTheirPlace(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"an unknown name", one("refuse: vulnz.size() > 0"), "guardrails.yaml:7:13: refuse of rule it: undeclared reference to 'vulnz'"},
		{"an unknown field", one("for: vulnerabilities\nrefuse: v.kevv"), "guardrails.yaml:8:14: refuse of rule it: undefined field 'kevv'; docs/policy.md lists the fields"},
		{"an item without its list", one("refuse: v.kev"), "undeclared reference to 'v'"},
		{"types that do not compare", one("for: vulnerabilities\nrefuse: v.cvss > 'high'"), "guardrails.yaml:8:20: refuse of rule it: found no matching overload"},
		{"no truth", one("refuse: image.tag"), "is of type string, not bool"},
		{"no text", one("refuse: 'true'\nmessage: 1 + 1"), "guardrails.yaml:8:14: message of rule it: the expression is of type int, not string"},
		{"bad syntax", one("refuse: image.tag =="), "Syntax error"},
		{"a block of lines", one("refuse: |\n  true &&\n    nothing"), "guardrails.yaml:9:9: refuse of rule it: undeclared reference to 'nothing'"},
		{"a list that is none", one("for: findings\nrefuse: 'true'"), "none of code, malware, misconfigurations, packages, secrets, unread, vulnerabilities"},
		{"a misspelt key", one("refuze: 'true'"), `line 7: unknown key "refuze"; known are fix, for, message, name, refuse`},
		{"a mode", one("refuse: 'true'") + "mode: block\n", `mode "block" is none of audit, warn, enforce`},
		{"no owner", strings.Replace(one("refuse: 'true'"), "owner: a test", "owner: ' '", 1), "has no owner"},
		{"no kind", "name: it\n", "has no kind"},
		{"an alias", "kind: guardrail\nname: &a it\ndescription: *a\n", "guardrails.yaml:2: YAML anchors and aliases are not taken"},
		{"too much nesting", "a: " + strings.Repeat("[", 60) + strings.Repeat("]", 60), "nested deeper than 40"},
		{"a twin", one("refuse: 'true'") + "---\n" + one("refuse: 'true'"), "guardrail it is there already"},
		{"comprehensions within comprehensions", one("refuse: packages.exists(a, packages.exists(b, packages.exists(c, a.name == b.name && b.name == c.name)))"), "comprehension exceeds nesting limit"},
		{"a regular expression", one("refuse: image.tag.matches('(')"), "invalid matches argument"},
		{"an exception without an end", "kind: exception\nname: x\nguardrail: it\nfinding: CVE-1\nscope: {images: ['*']}\nowner: me\nreason: later\n", "has no expires"},
		{"an exception from everything", "kind: exception\nname: x\nguardrail: it\nfinding: '*'\nowner: me\nreason: later\nexpires: 2027-01-01\n", "has no scope"},
		{"an exception's date", "kind: exception\nname: x\nguardrail: it\nfinding: '*'\nscope: {images: ['*']}\nowner: me\nreason: later\nexpires: soon\n", `expires "soon" is no date such as 2027-01-31`},
		{"a test of nothing", "kind: test\nname: x\nsubject: {}\n", "expects nothing"},
		{"a test's misspelt subject", "kind: test\nname: x\nsubject: {vulns: []}\nexpect: {it: allowed}\n", `unknown field "vulns"`},
		{"a verdict", "kind: test\nname: x\nsubject: {}\nexpect: {it: passed}\n", `verdict "passed" of it is none of allowed, refused`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := parse("guardrails.yaml", []byte(test.text))
			if err == nil { // said when files are joined
				path := filepath.Join(t.TempDir(), "guardrails.yaml")
				if e := os.WriteFile(path, []byte(test.text), 0o600); e != nil {
					t.Fatal(e)
				}
				err = (&Set{}).Load(path)
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("%v, want %q in it", err, test.want)
			}
			if triad.ErrorCode(err) != triad.CodeInvalid || strings.Contains(err.Error(), "policy.Guardrail") {
				t.Errorf("%s: %v", triad.ErrorCode(err), err)
			}
		})
	}
}

func TestWhatCostsTooMuchIsAnErrorNotAPass(t *testing.T) {
	many := Subject{}
	for i := range 3000 {
		many.Packages = append(many.Packages, Package{Name: fmt.Sprint("p", i)})
	}
	s := guardrails(t, one("refuse: packages.exists(a, packages.exists(b, a.name == b.version))"))
	many.Now = noon
	if _, err := s.Evaluate(context.Background(), Build, &many); err == nil || !strings.Contains(err.Error(), "cost limit") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Evaluate(ctx, Build, &many); err == nil {
		t.Error("a call that was given up passed")
	}
}

func TestEvaluationsAreJSON(t *testing.T) {
	s, err := Defaults()
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(evaluate(t, s, &Subject{Artifact: Artifact{Type: "image"}}))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "null") {
		t.Errorf("a list is null: %s", data)
	}
}

func TestALaterGuardrailTakesThePlaceOfAnEarlierOne(t *testing.T) {
	s, err := Defaults()
	if err != nil {
		t.Fatal(err)
	}
	before := len(s.Guardrails)
	path := filepath.Join(t.TempDir(), "own.yml")
	if err := os.WriteFile(path, []byte("kind: guardrail\nname: no-exploited\nenabled: false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Load(path); err != nil {
		t.Fatal(err)
	}
	if len(s.Guardrails) != before || s.Guardrail("no-exploited").IsEnabled() || s.Guardrail("no-exploited").Source == "built in" {
		t.Errorf("%d guardrails, %+v", len(s.Guardrails), s.Guardrail("no-exploited"))
	}
	if err := s.Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}
