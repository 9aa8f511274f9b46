package risk_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/risk"
)

func shop() *world {
	w := newWorld()
	w.image("image/aa", digest, "log4j@2.14", "expat@2.5", "fine@1")
	w.group("sg-web", "8080")
	w.group("sg-none", "")
	w.relate(k8s, w.deployment("shop", "web", digest, 8080), triad.RelAllows, "sg-web", nil)
	w.relate(k8s, w.deployment("shop", "search", digest, 8080), triad.RelAllows, "sg-none", nil)
	w.role("arn:aws:iam::1:role/web", "shop", "web")
	w.store("sales", "redshift", "restricted")
	w.relate(aws, "arn:aws:iam::1:role/web", triad.RelCanAccess, "sales", triad.Access{Read: true, Actions: []string{"redshift:GetClusterCredentials"}})
	return w
}

func TestOneOfTwoEqualFindingsIsUrgentAndTheOtherIsNot(t *testing.T) {
	e := risk.NewEngine(risk.Options{Ways: fakeWays(), Matcher: advisories()})
	u := apply(t, e, shop())
	if len(u.Put) != 4 || u.Subjects != 2 {
		t.Fatalf("%d decisions on %d subjects, want 4 on 2", len(u.Put), u.Subjects)
	}
	web := only(t, e, "CVE-2021-44228", "c/shop/web")
	if web.Outcome != triad.Immediate || web.Exposure != triad.ExposureOpen || web.Impact != "very-high" || web.Port != 8080 {
		t.Errorf("web: %s, exposure %s, impact %s, port %d", web.Outcome, web.Exposure, web.Impact, web.Port)
	}
	for _, word := range []string{"is reachable from any internet address", "KEV", "Redshift sales"} {
		if !strings.Contains(web.Sentence, word) {
			t.Errorf("the sentence %q does not say %q", web.Sentence, word)
		}
	}
	search := only(t, e, "CVE-2021-44228", "c/shop/search")
	if search.Outcome != triad.OutOfCycle || search.Exposure != triad.ExposureSmall || search.Impact != "medium" || search.BlockedBy == nil || search.BlockedBy.ID != "sg-none" {
		t.Errorf("search: %s, exposure %s, impact %s, blocked by %v", search.Outcome, search.Exposure, search.Impact, search.BlockedBy)
	}
}

func TestOpeningAPortFlipsThatWorkloadAloneAndNamesTheChange(t *testing.T) {
	w := shop()
	e := risk.NewEngine(risk.Options{Ways: fakeWays(), Matcher: advisories()})
	apply(t, e, w)
	w.group("sg-none", "8080")
	seq := w.seq
	u := apply(t, e, w)
	if len(u.Put) != 2 || u.Recomputed != 1 || len(u.Removed) != 0 {
		t.Fatalf("%d put, %d removed, %d recomputed; want 2, 0, 1", len(u.Put), len(u.Removed), u.Recomputed)
	}
	for _, d := range u.Put {
		if d.Asset.Name != "c/shop/search" || d.Exposure != triad.ExposureOpen {
			t.Errorf("changed: %s %s", d.Asset.Name, d.Exposure)
		}
		if want := "change " + itoa(seq) + ": asset sg-none of aws/1/eu"; u.Cause[d.ID] != want {
			t.Errorf("cause %q, want %q", u.Cause[d.ID], want)
		}
	}
}

func TestAChangeThatTouchesNothingRecomputesNothing(t *testing.T) {
	w := shop()
	e := risk.NewEngine(risk.Options{Ways: fakeWays(), Matcher: advisories()})
	apply(t, e, w)
	w.group("sg-other", "22")
	if u := apply(t, e, w); u.Recomputed != 0 || len(u.Put) != 0 {
		t.Errorf("%d recomputed, %d put", u.Recomputed, len(u.Put))
	}
}

func TestAWayThatCouldNotBeReadCountsAsOpenAndSaysSo(t *testing.T) {
	w := shop()
	w.asset(aws, triad.Asset{ID: "sg-none", Type: triad.TypeSecurityGroup, Tags: map[string]string{"unread": "yes"}})
	e := risk.NewEngine(risk.Options{Ways: fakeWays(), Matcher: advisories()})
	apply(t, e, w)
	d := only(t, e, "CVE-2021-44228", "c/shop/search")
	if d.Exposure != triad.ExposureUnknown || d.Outcome != triad.OutOfCycle || len(d.Unread) == 0 || !strings.Contains(d.Sentence, "unknown") {
		t.Errorf("exposure %s, %s, unread %v: %s", d.Exposure, d.Outcome, d.Unread, d.Sentence)
	}
}

func TestOnlyThePortsOfTheProcessThatLoadsThePackageCount(t *testing.T) {
	w := newWorld()
	w.pack("image/aa", triad.Package{Asset: digest, Name: "log4j", Version: "2.14", PURL: "pkg:maven/log4j@2.14", Path: "app/log4j.jar"})
	w.pack("image/aa", triad.Package{Asset: digest, Name: "expat", Version: "2.5", PURL: "pkg:deb/expat@2.5", Files: []string{"/lib/x86_64-linux-gnu/libexpat.so.1"}})
	w.group("sg-web", "80")
	c := w.deployment("shop", "web", digest, 80)
	w.relate(k8s, c, triad.RelAllows, "sg-web", nil)
	for _, p := range []struct {
		exe, loads string
		port       int
	}{{"/usr/bin/java", "/app/log4j.jar", 9000}, {"/usr/sbin/nginx", "/usr/lib/x86_64-linux-gnu/libexpat.so.1", 80}} {
		id := triad.ProcessID(c, p.exe)
		w.asset(k8s, triad.Asset{ID: id, Type: triad.TypeProcess, Props: raw(triad.ProcessProps{Exe: p.exe, Loads: []string{p.loads}})})
		w.relate(k8s, c, triad.RelContains, id, nil)
		w.relate(k8s, id, triad.RelListens, triad.EndpointID(c, "tcp", itoa(int64(p.port))), triad.Listen{Protocol: "tcp", Port: p.port, Basis: triad.BasisObserved, Process: id})
	}
	e := risk.NewEngine(risk.Options{Ways: fakeWays(), Matcher: advisories()})
	apply(t, e, w)
	log4j, expat := only(t, e, "CVE-2021-44228", "c/shop/web"), only(t, e, "CVE-2024-45492", "c/shop/web")
	if log4j.Port != 9000 || log4j.Exposure != triad.ExposureSmall || log4j.InUse == nil || !*log4j.InUse {
		t.Errorf("log4j: port %d, exposure %s, in use %v", log4j.Port, log4j.Exposure, log4j.InUse)
	}
	if expat.Port != 80 || expat.Exposure != triad.ExposureOpen || expat.InUse == nil || !*expat.InUse {
		t.Errorf("expat: port %d, exposure %s, in use %v", expat.Port, expat.Exposure, expat.InUse)
	}
	// Nobody loads expat any more: it is not in use, and all ports count again.
	w.asset(k8s, triad.Asset{ID: triad.ProcessID(c, "/usr/sbin/nginx"), Type: triad.TypeProcess, Props: raw(triad.ProcessProps{Exe: "/usr/sbin/nginx"})})
	apply(t, e, w)
	if expat = only(t, e, "CVE-2024-45492", "c/shop/web"); expat.InUse == nil || *expat.InUse || expat.Exposure != triad.ExposureOpen {
		t.Errorf("expat not loaded: exposure %s, in use %v", expat.Exposure, expat.InUse)
	}
}

func TestAMisconfigurationIsADecisionOfTheWorkloadThatHasIt(t *testing.T) {
	w := shop()
	pod := triad.KubernetesID("c", "Pod", "shop", "web-1")
	w.finding(k8s, triad.Finding{Kind: triad.FindingMisconfiguration, ID: "privileged-container", Asset: pod + "#web", Severity: "high", Title: "Privileged container"})
	w.finding(aws, triad.Finding{Kind: triad.FindingMisconfiguration, ID: "open-admin-port", Asset: "sg-web", Severity: "low"})
	e := risk.NewEngine(risk.Options{Ways: fakeWays(), Matcher: advisories()})
	apply(t, e, w)
	d := only(t, e, "privileged-container", "c/shop/web")
	if d.Finding.Kind != triad.FindingMisconfiguration || d.Exploitation != "public-poc" || d.Exposure != triad.ExposureOpen || d.Impact != "very-high" || d.Outcome != triad.OutOfCycle {
		t.Errorf("%s: %s, %s, %s", d.Outcome, d.Exploitation, d.Exposure, d.Impact)
	}
	if d = only(t, e, "open-admin-port", "sg-web"); d.Exposure != triad.ExposureSmall || d.Outcome != triad.Defer {
		t.Errorf("security group: %s %s", d.Outcome, d.Exposure)
	}
	w.remove(aws, triad.RowFinding, triad.Finding{Kind: triad.FindingMisconfiguration, ID: "open-admin-port", Asset: "sg-web"}.Key())
	if u := apply(t, e, w); len(u.Removed) != 1 {
		t.Errorf("removing the finding removed %d decisions", len(u.Removed))
	}
}

func TestAContainerMadeAnewUnderItsOldNameKeepsItsDecisions(t *testing.T) {
	w := newWorld()
	w.image("image/aa", digest, "log4j@2.14")
	put := func(id string) {
		w.asset("docker/h", triad.Asset{ID: triad.DockerID("h", id), Type: triad.TypeContainer, Kind: "DockerContainer", Name: "h/admin", Props: raw(triad.ContainerProps{Name: "admin", Running: true})})
		w.relate("docker/h", triad.DockerID("h", id), triad.RelRuns, digest, nil)
	}
	put("1")
	e := risk.NewEngine(risk.Options{Ways: fakeWays(), Matcher: advisories()})
	first := apply(t, e, w).Put[0]
	put("2")
	w.remove("docker/h", triad.RowAsset, triad.DockerID("h", "1"))
	u := apply(t, e, w)
	if len(u.Removed) != 0 || len(u.Put) != 1 || u.Put[0].ID != first.ID || !u.Put[0].Changed.Equal(first.Changed) {
		t.Errorf("put %v, removed %v", u.Put, u.Removed)
	}
}

func TestANewAdvisoryTouchesWhatRunsThePackage(t *testing.T) {
	w, m := shop(), advisories()
	w.image("image/bb", "sha256:bb", "other@1")
	w.deployment("shop", "other", "sha256:bb", 80)
	e := risk.NewEngine(risk.Options{Ways: fakeWays(), Matcher: m})
	apply(t, e, w)
	m.revision = "2"
	m.advisories["other@1"] = triad.Vulnerability{ID: "CVE-2026-1", Exploitation: "none", Automatable: "no"}
	u := apply(t, e, w)
	if len(u.Put) != 1 || u.Recomputed != 1 || u.Cause[u.Put[0].ID] != "advisories 2" {
		t.Errorf("put %d, recomputed %d, cause %v", len(u.Put), u.Recomputed, u.Cause)
	}
}

func itoa(n int64) string {
	var b []byte
	for ; n > 0; n /= 10 {
		b = append([]byte{byte('0' + n%10)}, b...)
	}
	return string(b)
}

func TestAnImageIsFoundByItsReferenceOnlyWhenNoDigestFitsAndThatIsSaid(t *testing.T) {
	w := newWorld()
	w.asset("image/x", triad.Asset{ID: "sha256:other", Type: triad.TypeImage, Aliases: []string{"imageref:docker.io/library/web:latest"}})
	w.pack("image/x", triad.Package{Asset: "sha256:other", Name: "log4j", Version: "2.14", PURL: "pkg:maven/log4j@2.14"})
	for id, ref := range map[string]string{"1": "web", "2": "elsewhere/web:1"} {
		w.asset("docker/h", triad.Asset{ID: triad.DockerID("h", id), Type: triad.TypeContainer, Kind: "DockerContainer", Name: "h/c" + id, Props: raw(triad.ContainerProps{Name: "c" + id, ImageRef: ref, Digest: "sha256:config", Running: true})})
	}
	e := risk.NewEngine(risk.Options{Ways: fakeWays(), Matcher: advisories()})
	apply(t, e, w)
	d := only(t, e, "CVE-2021-44228", "h/c1")
	said := false
	for _, in := range d.Inputs {
		said = said || strings.Contains(in.Reason, "not by digest: web")
	}
	if !said {
		t.Errorf("the decision does not say how the scan was found: %+v", d.Inputs)
	}
	if un := e.Unscanned(); len(un) != 1 || un[0].Scope != "elsewhere/web:1" || !strings.Contains(un[0].Reason, "h/c2") {
		t.Errorf("unscanned: %+v", un)
	}
}

func TestWhatAScanFoundInAnImageIsADecisionOfWhatRunsIt(t *testing.T) {
	w := newWorld()
	w.deployment("shop", "web", "sha256:aa", 80)
	w.group("sg-1", "tcp/80")
	w.image("image/sha256:aa", "sha256:aa", "fine@1")
	w.image("image/sha256:cc", "sha256:cc", "fine@1")
	for _, image := range []string{"sha256:aa", "sha256:cc"} {
		w.finding("image/"+image, triad.Finding{Kind: triad.FindingMalware, ID: "clamav", Severity: "critical", Asset: image, Section: "malware", Path: "/app/x"})
		w.finding("image/"+image, triad.Finding{Kind: triad.FindingSecret, ID: "private-key", Severity: "high", Asset: image, Section: "secrets", Path: "/app/key"})
	}
	e := risk.NewEngine(risk.Options{Ways: fakeWays(), Matcher: advisories()})
	u, err := e.Apply(t.Context(), w.take())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, d := range u.Put {
		got[d.Asset.Name+" "+string(d.Finding.Kind)] = d.Exploitation
	}
	want := map[string]string{"c/shop/web malware": "active", "c/shop/web secret": "public-poc"}
	if !maps.Equal(got, want) {
		t.Errorf("decisions %v, want %v: of what runs, and of nothing else", got, want)
	}
	w.remove("image/sha256:aa", triad.RowFinding, triad.Finding{Kind: triad.FindingMalware, ID: "clamav", Asset: "sha256:aa", Path: "/app/x"}.Key())
	if u, err = e.Apply(t.Context(), w.take()); err != nil || len(u.Removed) != 1 {
		t.Errorf("after the malware is gone %v are gone, %v", u.Removed, err)
	}
}
