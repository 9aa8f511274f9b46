// Package e2e tests the program's parts together on real input.
package e2e

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/triad-security/triad"
	cloudaws "github.com/triad-security/triad/cloud/aws"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/reach/aws"
)

// expectation is a query of an expect.json with its answer.
type expectation struct {
	aws.Question
	Verdict       reach.Verdict `json:"verdict"`
	BlockedBy     string        `json:"blocked_by"`
	BlockedID     string        `json:"blocked_id"`
	BlockedAt     string        `json:"blocked_at"`
	AlsoBlockedBy []string      `json:"also_blocked_by"`
	Direction     string        `json:"direction"`
}

// shared finds the folder of test data beside the repository.
func shared(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("TRIAD_SHARED"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if s := filepath.Join(dir, "shared"); isDir(filepath.Join(s, "scenarios")) {
			return s
		}
	}
	t.Skip("the folder of test data is not there; set TRIAD_SHARED to it")
	return ""
}

func isDir(path string) bool {
	s, err := os.Stat(path)
	return err == nil && s.IsDir()
}

// awsEstate reads the dumps of all accounts and regions under dir/aws.
func awsEstate(t testing.TB, dir string) *reach.Estate {
	t.Helper()
	e := reach.NewEstate(aws.Index)
	dirs, err := filepath.Glob(filepath.Join(dir, "aws", "*", "*"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no dumps under %s: %v", dir, err)
	}
	for _, d := range dirs {
		r, err := cloudaws.FromDir(d)
		if err != nil {
			t.Fatal(err)
		}
		e.PutReport(r)
	}
	return e
}

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, e *reach.Estate, i int, x expectation) {
	t.Helper()
	r := aws.Query(e, x.Question)
	say := func(format string, args ...any) {
		t.Helper()
		got, _ := json.Marshal(r)
		want, _ := json.Marshal(x)
		t.Errorf("query %d: "+format+"\nquery  %s\nresult %s", append(append([]any{i}, args...), want, got)...)
	}
	if r.Verdict != x.Verdict {
		say("verdict %s, want %s", r.Verdict, x.Verdict)
		return
	}
	if x.BlockedBy != "" && r.BlockedBy.Type != x.BlockedBy {
		say("blocked by %s, want %s", r.BlockedBy.Type, x.BlockedBy)
	}
	if x.BlockedID != "" && r.BlockedBy.ID != x.BlockedID {
		say("blocked by %s, want %s", r.BlockedBy.ID, x.BlockedID)
	}
	var also []string
	for _, h := range r.AlsoBlockedBy {
		also = append(also, h.Type)
	}
	for _, want := range x.AlsoBlockedBy {
		if !slices.Contains(also, want) {
			say("also blocked by %v, want %s among them", also, want)
		}
	}
	for _, h := range append(r.Path, r.AlsoBlockedBy...) {
		if h.Evidence == nil && h.ID != "" && h.Type != "private-address" && h.Type != "no-such-address" {
			say("hop %s %s has no evidence", h.Type, h.ID)
		}
	}
}

func TestEveryQueryOfTheGroundTruthIsAnsweredAsItsSourceSays(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(shared(t), "ground-truth", "aws", "*", "expect.json"))
	if len(files) == 0 {
		t.Fatal("no ground truth found")
	}
	n := 0
	for _, f := range files {
		t.Run(filepath.Base(filepath.Dir(f)), func(t *testing.T) {
			var want struct{ Queries []expectation }
			readJSON(t, f, &want)
			e := awsEstate(t, filepath.Dir(f))
			for i, x := range want.Queries {
				check(t, e, i+1, x)
			}
			n += len(want.Queries)
		})
	}
	t.Logf("%d queries", n)
}

func TestEveryQueryOfTheShopIsAnsweredBeforeAndAfterTheRuleChange(t *testing.T) {
	dir := filepath.Join(shared(t), "scenarios", "shop")
	var want struct {
		Queries []expectation
		After   struct {
			Folder  string
			Queries []expectation
		} `json:"after_rule_change"`
	}
	readJSON(t, filepath.Join(dir, "expect.json"), &want)
	e := awsEstate(t, dir)
	for i, x := range want.Queries {
		check(t, e, i+1, x)
	}

	over := t.TempDir()
	for _, from := range []string{dir, filepath.Join(filepath.Dir(dir), want.After.Folder)} {
		if err := overlay(over, from); err != nil {
			t.Fatal(err)
		}
	}
	e = awsEstate(t, over)
	for i, x := range want.After.Queries {
		check(t, e, i+1, x)
	}
}

// Whatever is not read may make an answer unknown, never another one.
func TestAMissingFileMakesNoAnswerWrong(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(shared(t), "ground-truth", "aws", "*", "expect.json"))
	files = append(files, filepath.Join(shared(t), "scenarios", "shop", "expect.json"))
	unknown := 0
	for _, f := range files {
		var want struct{ Queries []expectation }
		readJSON(t, f, &want)
		dir := filepath.Dir(f)
		dumps, _ := filepath.Glob(filepath.Join(dir, "aws", "*", "*", "e*.json"))
		for _, missing := range dumps {
			name := filepath.Base(missing)
			if strings.Contains(name, "attributes") {
				continue // left out, an attribute has its default
			}
			over := t.TempDir()
			if err := overlay(over, dir); err != nil {
				t.Fatal(err)
			}
			rel, _ := filepath.Rel(dir, missing)
			if err := os.Remove(filepath.Join(over, rel)); err != nil {
				t.Fatal(err)
			}
			e := awsEstate(t, over)
			for i, x := range want.Queries {
				r := aws.Query(e, x.Question)
				if r.Verdict == reach.Unknown {
					unknown++
					if len(r.Unread) == 0 {
						t.Errorf("%s without %s, query %d: unknown for no reason", filepath.Base(dir), name, i+1)
					}
				} else if r.Verdict != x.Verdict {
					got, _ := json.Marshal(r)
					t.Errorf("%s without %s, query %d: %s, want %s\n%s", filepath.Base(dir), name, i+1, r.Verdict, x.Verdict, got)
				}
			}
		}
	}
	if unknown == 0 {
		t.Error("no answer was ever unknown")
	}
}

// A row from an earlier collection proves nothing while its section is unread.
func TestAReachableAnswerIsUnknownOnceAnySectionOfItsEvidenceIsUnread(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(shared(t), "ground-truth", "aws", "*", "expect.json"))
	files = append(files, filepath.Join(shared(t), "scenarios", "shop", "expect.json"))
	checked := 0
	for _, f := range files {
		var want struct{ Queries []expectation }
		readJSON(t, f, &want)
		e := awsEstate(t, filepath.Dir(f))
		for i, x := range want.Queries {
			r := aws.Query(e, x.Question)
			if r.Verdict != reach.Reachable {
				continue
			}
			sections := map[[2]string]bool{}
			for _, h := range r.Path {
				if h.Evidence != nil && h.Evidence.Source != "ec2-describe-instances" {
					sections[[2]string{h.Evidence.Scope, h.Evidence.Source}] = true
					if x.From.Kind == "instance" {
						sections[[2]string{h.Evidence.Scope, "ec2-describe-subnets"}] = true
					}
				}
			}
			for s := range sections {
				before := e.Section(s[0], s[1])
				e.PutSection(s[0], triad.Section{Name: s[1], Status: triad.SectionUnread, Reason: "throttled"})
				if r := aws.Query(e, x.Question); r.Verdict != reach.Unknown {
					t.Errorf("%s query %d with %s unread: %s", filepath.Base(filepath.Dir(f)), i+1, s[1], r.Verdict)
				}
				e.PutSection(s[0], before)
				checked++
			}
		}
	}
	t.Logf("%d answers", checked)
}

func BenchmarkQuery(b *testing.B) {
	files, _ := filepath.Glob(filepath.Join(shared(b), "ground-truth", "aws", "*", "expect.json"))
	files = append(files, filepath.Join(shared(b), "scenarios", "shop", "expect.json"))
	for _, f := range files {
		var want struct{ Queries []aws.Question }
		readJSON(b, f, &want)
		e := awsEstate(b, filepath.Dir(f))
		b.Run(filepath.Base(filepath.Dir(f)), func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				aws.Query(e, want.Queries[i%len(want.Queries)])
			}
		})
	}
}

// overlay copies the files of a folder over those that are there.
func overlay(to, from string) error {
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o644)
	})
}

// finding is what of a finding of expect.json the cloud decides.
type finding struct {
	Workload struct{ Namespace, Name, Host string }
	Exposure string
	Internet string
	Port     struct {
		Internet, Node, Host, Container int
		Sources                         []string
	}
	Hops []struct{ Type, ID string }
	At   struct{ Type, ID string } `json:"blocked_at"`
}

// cloudHops are the hops up to the machine: what the Kubernetes and Docker adapters add is
// left out.
func (f finding) cloudHops() (out []string) {
	for _, h := range f.Hops {
		switch h.Type {
		case "node":
			return append(out, "instance "+h.ID)
		case "instance":
			return append(out, h.Type+" "+h.ID)
		}
		out = append(out, h.Type+" "+h.ID)
	}
	return out
}

func TestTheWaysFromTheInternetNameTheHopsOfTheShop(t *testing.T) {
	dir := filepath.Join(shared(t), "scenarios", "shop")
	var want struct{ Findings []finding }
	readJSON(t, filepath.Join(dir, "expect.json"), &want)
	e := awsEstate(t, dir)
	const vpc = "vpc-05a0b0c0d0e0f0001"
	pod := func(ip string) aws.Target { return aws.Target{Address: netip.MustParseAddr(ip), Network: vpc} }
	targets := map[string]struct {
		to   aws.Target
		port int
	}{
		"storefront": {pod("10.0.2.21"), 8080},
		"search":     {aws.Target{Instance: "i-0a0000000000000a1"}, 30081},
		"partners":   {pod("10.0.1.41"), 8080},
		"batch":      {pod("10.0.2.51"), 8080},
		"web":        {aws.Target{Instance: "i-0c0000000000000c1"}, 80},
		"admin":      {aws.Target{Instance: "i-0c0000000000000c1"}, 8080},
	}
	done := 0
	for _, f := range want.Findings {
		x, ok := targets[f.Workload.Name]
		if !ok {
			continue
		}
		done++
		ways := aws.FromInternet(e, x.to, "tcp", x.port)
		best := ways[0]
		fail := func(what string) {
			got, _ := json.MarshalIndent(ways, "", " ")
			t.Errorf("%s: %s\n%s", f.Workload.Name, what, got)
		}
		if string(best.Exposure) != f.Exposure {
			fail("exposure is not " + f.Exposure)
			continue
		}
		if f.Port.Internet != 0 && best.Port != f.Port.Internet {
			fail("the port outside is not the expected one")
		}
		if !slices.Equal(best.Sources, f.Port.Sources) {
			fail("the sources are not the expected ones")
		}
		i := 0
		hops := f.cloudHops()
		for _, h := range best.Path {
			if i < len(hops) && (hops[i] == h.Type+" "+h.ID || hops[i] == h.Type+" ") {
				i++
			}
		}
		if i < len(hops) {
			fail("the path lacks " + hops[i])
		}
		switch {
		case f.Exposure == "small" && f.At.Type != "service" && (best.BlockedBy.Type != f.At.Type || best.BlockedBy.ID != f.At.ID):
			fail("the first stop is not " + f.At.Type + " " + f.At.ID)
		case f.Workload.Name == "batch" && best.BlockedBy.Type != "route":
			fail("the first stop is not the route")
		}
	}
	if done < len(targets) {
		t.Errorf("only %d findings checked", done)
	}
}

func TestTheNetworkLetsNoMachineOfTheShopConnectToADataStore(t *testing.T) {
	e := awsEstate(t, filepath.Join(shared(t), "scenarios", "shop"))
	for _, from := range []string{"i-0a0000000000000a1", "i-0b0000000000000b1", "i-0c0000000000000c1"} {
		for to, port := range map[string]int{"10.0.1.200": 5432, "10.0.2.210": 5439} {
			r := aws.Connect(e, aws.Target{Instance: from}, aws.Target{Address: netip.MustParseAddr(to), Network: "vpc-05a0b0c0d0e0f0001"}, "tcp", port)
			if r.Verdict != reach.Blocked || r.BlockedBy.Type != "security-group" {
				t.Errorf("%s to %s: %+v", from, to, r)
			}
		}
	}
}

func BenchmarkFromInternet(b *testing.B) {
	e := awsEstate(b, filepath.Join(shared(b), "scenarios", "shop"))
	for name, to := range map[string]aws.Target{
		"through a load balancer": {Address: netip.MustParseAddr("10.0.2.21"), Network: "vpc-05a0b0c0d0e0f0001"},
		"directly":                {Instance: "i-0c0000000000000c1"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				aws.FromInternet(e, to, "tcp", 8080)
			}
		})
	}
}

func BenchmarkConnect(b *testing.B) {
	e := awsEstate(b, filepath.Join(shared(b), "scenarios", "shop"))
	to := aws.Target{Address: netip.MustParseAddr("10.0.1.200"), Network: "vpc-05a0b0c0d0e0f0001"}
	b.ReportAllocs()
	for b.Loop() {
		aws.Connect(e, aws.Target{Instance: "i-0c0000000000000c1"}, to, "tcp", 5432)
	}
}
