package scan

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/triad-security/triad"
)

// goProgram builds a real program and returns its bytes.
func goProgram(t testing.TB, files map[string]string, args ...string) string {
	t.Helper()
	dir := sourceTree(t, files)
	out := filepath.Join(dir, "out.bin")
	cmd := exec.Command("go", append(append([]string{"build", "-o", out}, args...), ".")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOFLAGS=", "GOTOOLCHAIN=local", "GOPROXY=off", "GOWORK=off")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, msg)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var linkProgram = map[string]string{
	"go.mod": "module example.com/tool\n\ngo 1.26\n",
	"main.go": `package main

import (
	"os"

	"example.com/tool/x.y"
)

func main() {
	println(y.Inlined(len(os.Args)))
	y.Generic([]int{1})
	(&y.T{}).Method(os.Args[0])
	y.Closed()()
}
`,
	"x.y/y.go": `package y

import "fmt"

type T struct{ n int }

func Inlined(n int) int { return n*3 + 1 }
func Dead(n int) int    { return n * 7 }

//go:noinline
func Generic[E any](l []E) { fmt.Println(len(l)) }

//go:noinline
func (t *T) Method(s string) { fmt.Println(s, t.n) }
func (t *T) Unused()         { fmt.Println("never") }

//go:noinline
func Closed() func() { return func() { fmt.Println("closed") } }
`,
}

type cannedMatcher []triad.Vulnerability

func (c cannedMatcher) Match(_ context.Context, packages []triad.Package) ([]triad.Vulnerability, error) {
	var out []triad.Vulnerability
	for _, p := range packages {
		for _, v := range c {
			if v.Package == p.Name {
				v.Path = p.Path
				out = append(out, v)
			}
		}
	}
	return out, nil
}
func (cannedMatcher) Revision() string { return "" }
func (cannedMatcher) Changed(string) (triad.AdvisoryChange, bool) {
	return triad.AdvisoryChange{}, false
}

func TestVulnerableFunctionsAreLinkedInOrNot(t *testing.T) {
	tests := []struct{ name, functions, want string }{
		{"a function that is called", `{"path":"fmt","symbols":["Println"]}`, "true fmt.Println"},
		{"one that was inlined", `{"path":"example.com/tool/x.y","symbols":["Inlined"]}`, "true example.com/tool/x.y.Inlined"},
		{"one that the linker left out", `{"path":"example.com/tool/x.y","symbols":["Dead"]}`, "false "},
		{"a generic one", `{"path":"example.com/tool/x.y","symbols":["Generic"]}`, "true example.com/tool/x.y.Generic"},
		{"a method by pointer", `{"path":"example.com/tool/x.y","symbols":["T.Method"]}`, "true example.com/tool/x.y.T.Method"},
		{"a method that nobody calls", `{"path":"example.com/tool/x.y","symbols":["T.Unused"]}`, "false "},
		{"one that is there as its closure", `{"path":"example.com/tool/x.y","symbols":["Closed"]}`, "true example.com/tool/x.y.Closed"},
		{"a whole package that is there", `{"path":"example.com/tool/x.y"}`, "true example.com/tool/x.y"},
		{"a whole package that is not", `{"path":"encoding/xml"}`, "false "},
		{"of the main package", `{"path":"example.com/tool","symbols":["main"]}`, "true example.com/tool.main"},
		{"on another system only", `{"path":"fmt","symbols":["Println"],"goos":["windows"]}`, "false "},
		{"absence where the compiler leaves no name", `{"path":"math/bits","symbols":["Div"]}`, "unknown"},
		{"nothing named", ``, "unknown"},
	}
	for _, build := range []struct {
		name string
		args []string
	}{{"as it comes", nil}, {"stripped", []string{"-ldflags=-s -w"}}, {"position-independent", []string{"-buildmode=pie"}}} {
		body := goProgram(t, linkProgram, build.args...)
		r := scanFile(t, scanner(t), save(t, layerTar(t, file{name: "usr/bin/tool", body: body, mode: 0o755})))
		var canned cannedMatcher
		for _, test := range tests {
			v := triad.Vulnerability{ID: test.name, Package: "stdlib"}
			if err := json.Unmarshal([]byte("["+test.functions+"]"), &v.Code); err != nil {
				t.Fatal(err)
			}
			canned = append(canned, v)
		}
		if err := r.Match(context.Background(), canned); err != nil {
			t.Fatal(err)
		}
		for i, test := range tests {
			got := "unknown"
			if v := r.Vulnerabilities[i]; v.Linked != nil {
				got = map[bool]string{true: "true", false: "false"}[*v.Linked] + " " + strings.Join(v.Symbols, " ")
			}
			if got != test.want {
				t.Errorf("%s, %s: got %q, want %q", build.name, test.name, got, test.want)
			}
		}
		t.Logf("%s: program of %d bytes, names in %d", build.name, len(body), len(r.code["/usr/bin/tool"].Set))
	}
}

func TestNamesOfTheLinkerAreThoseOfAdvisories(t *testing.T) {
	for name, want := range map[string]string{
		"net/http.(*Transport).RoundTrip":           "net/http Transport.RoundTrip",
		"net/http.(*Transport).RoundTrip.func1":     "net/http Transport.RoundTrip",
		"net/http.(*Transport).RoundTrip-fm":        "net/http Transport.RoundTrip",
		"gopkg.in/yaml%2ev2.Unmarshal":              "gopkg.in/yaml%2ev2 Unmarshal",
		"a/b.F[...].func2.1":                        "a/b F",
		"a/b.(*T[go.shape.struct { a/c.X int }]).M": "a/b T.M",
		"a/b.init.0":       "a/b init",
		"a/b.glob..func1":  "a/b glob",
		"type:.eq.a/b.T":   " ",
		"go:buildid":       " ",
		"_rt0_amd64_linux": " ",
		"vendor/golang.org/x/net/idna.(*Profile).f": "vendor/golang.org/x/net/idna Profile.f",
		"a/b.Value.Method":                          "a/b Value.Method",
		"main.main.gowrap1":                         "main main",
	} {
		if pkg, symbol := goSymbol(name); pkg+" "+symbol != want {
			t.Errorf("%s: %q %q, want %q", name, pkg, symbol, want)
		}
	}
	if got := linkerPath("gopkg.in/yaml.v2"); got != "gopkg.in/yaml%2ev2" {
		t.Error(got)
	}
}

func TestProgramsThatDoNotSayTheirFunctionsLeaveItUnknown(t *testing.T) {
	body := goProgram(t, linkProgram)
	for name, old := range map[string]string{"obfuscated": "runtime.main\x00", "no table": ".gopclntab\x00"} {
		broken := strings.Replace(body, old, strings.Repeat("x", len(old)-1)+"\x00", 1)
		if broken == body {
			t.Fatalf("%s: nothing to break", name)
		}
		r := scanFile(t, scanner(t), save(t, layerTar(t, file{name: "tool", body: broken, mode: 0o755})))
		if r.code["/tool"] != nil || !slices.ContainsFunc(r.Packages, func(p Package) bool { return p.Name == "stdlib" }) {
			t.Errorf("%s: %v", name, purls(r))
		}
	}
}
