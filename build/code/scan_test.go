package code

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/triad-security/triad"
)

// TestMain is also the worker: the scan starts this program again.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 {
		switch os.Args[1] {
		case "probe-network":
			_, err := net.DialTimeout("udp", "192.0.2.1:53", time.Second)
			fmt.Printf(`{"unread":"network: %v"}`+"\n"+`{"done":true}`+"\n", err == nil)
			os.Exit(0)
		case "probe-environment":
			fmt.Printf(`{"unread":%q}`+"\n"+`{"done":true}`+"\n", strings.Join(os.Environ(), " "))
			os.Exit(0)
		case "hang":
			fmt.Println(`{"issue":{"rule":"G401","what":"x","severity":"HIGH","confidence":"HIGH","file":"a.go","line":1}}`)
			time.Sleep(time.Minute)
		case "babble":
			fmt.Println("panic: no JSON")
			os.Exit(0)
		case "die":
			fmt.Fprintln(os.Stderr, "fatal error: out of memory")
			os.Exit(2)
		}
	}
	os.Exit(m.Run())
}

func worker(t *testing.T, name string) []string {
	t.Helper()
	if name == "triad-code" { // the real one
		program := filepath.Join(t.TempDir(), "triad-code")
		if out, err := exec.Command("go", "build", "-o", program, "../../cmd/triad-code").CombinedOutput(); err != nil {
			t.Fatalf("building triad-code: %v\n%s", err, out)
		}
		return []string{program}
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{exe, name}
}

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func snapshot(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		all = append(all, name+"\n"+string(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func scanned(t *testing.T, root string, o Options) (found, unread []string) {
	t.Helper()
	if o.Say == nil {
		o.Say = t.Logf
	}
	findings, missing, err := Scan(t.Context(), root, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if f.Kind != triad.FindingCode || f.Section != "code" {
			t.Errorf("%+v", f)
		}
		found = append(found, fmt.Sprintf("%s %s %s:%d %s", f.ID, f.Severity, f.Path, f.Line, strings.Join(f.Aliases, ",")))
	}
	for _, u := range missing {
		unread = append(unread, u.Reason)
	}
	slices.Sort(found)
	return found, unread
}

const insecure = `package main

import (
	"crypto/md5"
	"fmt"
	"os"
	"os/exec"
)

func main() {
	fmt.Printf("%x", md5.Sum([]byte(os.Args[1])))
	out, err := exec.Command("sh", "-c", os.Args[1]).Output()
	fmt.Println(out, err)
	_ = os.WriteFile("x", nil, 0o666) // #nosec G306 -- everybody may read it
	_ = os.Chmod("x", 0o777) //nosec
}
`

func TestGoCodeIsAnalysedInAProcessThatWritesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a part of the standard library")
	}
	dir := tree(t, map[string]string{
		"go.mod":              "module shop.example/app\n\ngo 1.21\n",
		"main.go":             insecure,
		"broken/broken.go":    "package broken\n\nfunc f() int { return \"x\" }\n",
		"missing/missing.go":  "package missing\n\nimport _ \"no.example/module\"\n",
		"vendor.go/ok.go":     "package ok\n",
		"tool/go.mod":         "module shop.example/tool\n\ngo 1.21\n\ntoolchain go1.99.1\n",
		"tool/tool.go":        "package tool\n\nimport \"crypto/sha1\"\n\nvar H = sha1.New\n",
		"testdata/ignored.go": "package ignored\n",
		"node_modules/x/x.go": "package x\n",
	})
	before := snapshot(t, dir)
	var said []string
	found, unread := scanned(t, dir, Options{Worker: worker(t, "triad-code"), Say: func(f string, a ...any) { said = append(said, fmt.Sprintf(f, a...)) }})
	want := []string{
		"G204 high main.go:12 CWE-78", "G401 medium main.go:11 CWE-328", "G501 medium main.go:4 CWE-327", "G505 medium tool/tool.go:3 CWE-327",
	}
	for _, w := range want {
		if !slices.ContainsFunc(found, func(f string) bool {
			return strings.HasPrefix(f, w[:5]) && strings.HasSuffix(f, w[strings.LastIndex(w[:strings.LastIndex(w, " ")], " "):])
		}) {
			t.Errorf("%s is missing of %s", w, strings.Join(found, "\n"))
		}
	}
	if slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, "main.go:14") || strings.Contains(f, "main.go:15") }) {
		t.Errorf("what is suppressed in the code is found: %s", found)
	}
	for _, name := range []string{"shop.example/app/broken", "shop.example/app/missing"} {
		if !slices.ContainsFunc(unread, func(u string) bool { return strings.Contains(u, name) }) {
			t.Errorf("%s is not unread: %q", name, unread)
		}
	}
	if !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, "2 findings in 5 packages are suppressed in the code") }) {
		t.Errorf("nothing was said of what is suppressed: %q", said)
	}
	if after := snapshot(t, dir); !slices.Equal(before, after) {
		t.Error("the folder was written to")
	}
}

func TestTheWorkerHasNoNetworkAndNoEnvironmentOfOurs(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not for the worker")
	dir := tree(t, map[string]string{"go.mod": "module m\n"})
	isolated := true
	_, unread := scanned(t, dir, Options{Worker: worker(t, "probe-network"), Say: func(f string, _ ...any) { isolated = !strings.Contains(f, "lets nobody") }})
	if !isolated {
		t.Skip("this machine lets nobody take the network from a process")
	}
	if len(unread) != 1 || !strings.Contains(unread[0], "network: false") {
		t.Errorf("the worker says %q", unread)
	}
	_, unread = scanned(t, dir, Options{Worker: worker(t, "probe-environment")})
	if len(unread) != 1 || strings.Contains(unread[0], "AWS_") || !strings.Contains(unread[0], "GOPROXY=off") {
		t.Errorf("the worker says %q", unread)
	}
}

func TestAWorkerThatFailsIsUnreadNeverClean(t *testing.T) {
	dir := tree(t, map[string]string{"sub/go.mod": "module m\n", "loose.go": "package loose\n"})
	for kind, want := range map[string]string{
		"hang": "not analysed to its end within", "babble": "does not say what it should", "die": "out of memory",
	} {
		found, unread := scanned(t, dir, Options{Worker: worker(t, kind), Timeout: 2 * time.Second})
		if !slices.ContainsFunc(unread, func(u string) bool { return strings.Contains(u, want) && strings.Contains(u, "sub") }) {
			t.Errorf("%s: unread %q", kind, unread)
		}
		if !slices.ContainsFunc(unread, func(u string) bool { return strings.Contains(u, "loose.go") }) {
			t.Errorf("code in no module is not unread: %q", unread)
		}
		if kind == "hang" && len(found) != 1 {
			t.Errorf("what it said before it hung is lost: %q", found)
		}
	}
	if _, unread := scanned(t, dir, Options{}); len(unread) != 2 {
		t.Errorf("without a worker: %q", unread)
	}
	t.Setenv("PATH", "/nowhere")
	if _, unread := scanned(t, dir, Options{Worker: worker(t, "die")}); !slices.ContainsFunc(unread, func(u string) bool { return strings.Contains(u, "needs the go command") }) {
		t.Errorf("without Go: %q", unread)
	}
}

func TestSARIFJoinsTheFindings(t *testing.T) {
	found, unread := scanned(t, t.TempDir(), Options{SARIF: []string{"testdata/semgrep.sarif", "testdata/semgrep.sarif"}})
	if len(found) != 4 || len(unread) != 2 {
		t.Errorf("found %q, unread %q", found, unread)
	}
	if _, _, err := Scan(t.Context(), t.TempDir(), Options{SARIF: []string{"nowhere.sarif"}}); err == nil {
		t.Error("a missing SARIF file is no error")
	}
}
