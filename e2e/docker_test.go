package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/demo"
	"github.com/triad-security/triad/deploy/docker/enginetest"
)

const twoPrograms = "registry.example.com/test/two:1.0"

// The demonstration's Docker host, which has a public address; the tests open ports of it.
var demoInstance = demo.Docker[strings.LastIndexByte(demo.Docker, '/')+1:]

// dockerEngine starts a real engine, makes it the program's, and gives it an image with two
// programs of which one was built with a vulnerable module.
func dockerEngine(t *testing.T) (socket string) {
	t.Helper()
	socket = enginetest.Start(t)
	t.Setenv("DOCKER_HOST", "unix://"+socket)
	enginetest.Load(t, socket, twoPrograms, enginetest.Image(t, map[string][]byte{
		"app/vulnerable": goProgram(t, vulnerableVersion), "app/harmless": goProgram(t, fixedVersion),
	}, v1.Config{Entrypoint: []string{"/app/harmless"}}))
	t.Setenv("XDG_CACHE_HOME", t.TempDir()) // the scanner's layers; the Go command has built by now
	return socket
}

// runTwo runs the image with one container port published on all addresses of its host.
func runTwo(t *testing.T, socket, name string, published, hostPort int, cmd ...string) {
	t.Helper()
	port := fmt.Sprintf("%d/tcp", published)
	id := enginetest.Run(t, socket, name, map[string]any{
		"Image": twoPrograms, "Cmd": cmd, "ExposedPorts": map[string]any{port: struct{}{}},
		"HostConfig": map[string]any{"PortBindings": map[string]any{port: []any{map[string]string{"HostPort": fmt.Sprint(hostPort)}}}},
	})
	enginetest.Ready(t, socket, id, 1+strings.Count(strings.Join(cmd, " "), "-- "))
}

func TestWhichOfTwoProcessesIsVulnerableDecidesByWhichPort(t *testing.T) {
	bin, socket := program(t), dockerEngine(t)
	runTwo(t, socket, "behind", 8080, 18080, "-tcp", ":8080", "--", "/app/vulnerable", "-tcp", ":9090")
	runTwo(t, socket, "front", 8080, 18081, "-tcp", ":9090", "--", "/app/vulnerable", "-tcp", ":8080")
	runTwo(t, socket, "inside", 8080, 18082, "-tcp", ":9090", "--", "/app/vulnerable", "-tcp", "127.0.0.1:8080")
	runTwo(t, socket, "idle", 8080, 18083, "-tcp", ":8080")

	data := []string{"--data", t.TempDir(), "--quiet"}
	triad := func(args ...string) []byte { return run(t, bin, append(slices.Clone(data), args...)...) }
	triad("db", "import", advisoryFolder(t, nil))
	triad("collect", "aws", "--from", openPort(t, 18080, 18081, 18082, 18083))
	triad("collect", "docker", "--instance", demoInstance)
	scanned := scanTwo(t, triad("scan", "image", "--daemon", twoPrograms, "--format", "json"))
	if again := scanTwo(t, triad("scan", "image", "--daemon", twoPrograms, "--format", "json")); again != scanned {
		t.Errorf("the cached scan found %s, the first %s", again, scanned)
	}

	decisions := decisionsOf(t, triad("risks", "--format", "json"), libraryCVE)
	for _, want := range []struct {
		container string
		port      int
		exposure  string
		blockedAt string
		used      bool
	}{
		{container: "behind", port: 9090, exposure: "small", blockedAt: "container", used: true},
		{container: "front", port: 8080, exposure: "open", used: true},
		{container: "inside", port: 8080, exposure: "small", blockedAt: "container-port", used: true},
		{container: "idle", port: 8080, exposure: "open"},
	} {
		t.Run(want.container, func(t *testing.T) {
			d, ok := decisions[demoInstance+"/"+want.container]
			if !ok {
				t.Fatalf("no decision; there are those of %v", names(decisions))
			}
			if d.Port != want.port || string(d.Exposure) != want.exposure || d.InUse == nil || *d.InUse != want.used {
				t.Errorf("port %d, exposure %s, in use %s; want %+v\n%s", d.Port, d.Exposure, text(d.InUse), want, d.Sentence)
			}
			if got := d.BlockedBy; (got == nil) != (want.blockedAt == "") || got != nil && got.Type != want.blockedAt {
				t.Errorf("blocked by %+v, want %q", got, want.blockedAt)
			}
			if want.exposure == "open" {
				var hops []string
				for _, h := range d.Proof {
					hops = append(hops, h.Type)
				}
				for _, hop := range []string{"internet", "security-group", "instance", "published-port", "container-port"} {
					if !slices.Contains(hops, hop) {
						t.Errorf("the proof %v has no hop %s", hops, hop)
					}
				}
			}
			explained := string(triad("explain", d.ID))
			program := "/app/vulnerable"
			if want.used && !strings.Contains(explained, program) {
				t.Errorf("the explanation does not name the process %s:\n%s", program, explained)
			}
		})
	}
}

func TestUpWatchesARealEngineAndScansWhatItRuns(t *testing.T) {
	bin, socket := program(t), dockerEngine(t)
	runTwo(t, socket, "first", 8080, 18090, "-tcp", ":8080", "--", "/app/vulnerable", "-tcp", ":9090")
	data := t.TempDir()
	run(t, bin, "--data", data, "--quiet", "db", "import", advisoryFolder(t, everyDebian(t)))
	started := time.Now()
	up := start(t, bin, "up", "--data", data, "--listen", "127.0.0.1:0", "--mirror", "http://127.0.0.1:1", "--every", "2s")
	up.waitFor(t, regexp.MustCompile(`console: (\S+)`), time.Minute)
	if took := time.Since(started); took > 30*time.Second {
		t.Errorf("the first result took %v, want less than 30 s", took)
	}
	wait := func(finding, suffix string) triad.Decision {
		for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(200 * time.Millisecond) {
			for name, d := range decisionsOf(t, run(t, bin, "--data", data, "risks", "--format", "json"), finding) {
				if strings.HasSuffix(name, suffix) {
					return d
				}
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s of %q is not among the risks:\n%s", finding, suffix, up.text())
			}
		}
	}
	d := wait(libraryCVE, "/first")
	t.Logf("first: %s", d.Sentence)
	if d.Port != 9090 || d.Exposure != triad.ExposureSmall || d.InUse == nil || !*d.InUse {
		t.Errorf("port %d, exposure %s, in use %s: %s", d.Port, d.Exposure, text(d.InUse), d.Sentence)
	}
	runTwo(t, socket, "second", 8080, 18091, "-tcp", ":9090", "--", "/app/vulnerable", "-tcp", ":8080")
	d = wait(libraryCVE, "/second")
	t.Logf("second: %s", d.Sentence)
	if d.Port != 8080 || d.InUse == nil || !*d.InUse {
		t.Errorf("port %d, in use %s: %s", d.Port, text(d.InUse), d.Sentence)
	}
	if strings.Contains(d.Sentence, "are not known") {
		t.Errorf("the machine's addresses do not count for its containers: %s", d.Sentence)
	}
	if everyDebian(t) != nil {
		d = wait(debianCVE, "")
		t.Logf("the machine: %s", d.Sentence)
		if d.Asset.Kind != "Host" || len(d.Packages) == 0 || d.Packages[0].Package != "base-files" {
			t.Errorf("%+v of %s %s", d.Packages, d.Asset.Kind, d.Asset.Name)
		}
	}
}

const debianCVE = "CVE-2099-0002"

// everyDebian is an advisory for a package that every Debian has, of the release that this
// machine runs; nil on another distribution.
func everyDebian(t *testing.T) map[string]any {
	release, err := os.ReadFile("/etc/os-release")
	id := regexp.MustCompile(`(?m)^ID="?debian"?$`).Match(release)
	version := regexp.MustCompile(`(?m)^VERSION_ID="?([0-9]+)"?$`).FindSubmatch(release)
	if err != nil || !id || version == nil {
		return nil
	}
	return map[string]any{"Debian": osvRecord(debianCVE, "Debian:"+string(version[1]), "base-files", map[string]any{
		"type": "ECOSYSTEM", "events": []any{map[string]string{"introduced": "0"}},
	})}
}

// scanTwo checks what the scan of the image of two programs says, and returns its packages.
func scanTwo(t *testing.T, out []byte) string {
	t.Helper()
	var scanned struct {
		Packages        []struct{ Name, Version, Path string }
		Vulnerabilities []struct{ ID, Version string }
		Unread          []triad.Unread
	}
	must(t, json.Unmarshal(out, &scanned))
	var found []string
	for _, p := range scanned.Packages {
		if p.Name == library {
			found = append(found, p.Path+" "+p.Version)
		}
	}
	slices.Sort(found)
	if want := []string{"/app/harmless " + fixedVersion, "/app/vulnerable " + vulnerableVersion}; !slices.Equal(found, want) {
		t.Errorf("the scan found %v, want %v", found, want)
	}
	if v := scanned.Vulnerabilities; len(v) != 1 || v[0].ID != libraryCVE || v[0].Version != vulnerableVersion {
		t.Errorf("vulnerabilities %+v, want %s of %s alone", v, libraryCVE, vulnerableVersion)
	}
	for _, u := range scanned.Unread {
		if u.Section == "packages" {
			t.Errorf("not read: %s", u.Reason)
		}
	}
	return fmt.Sprint(scanned.Packages)
}

// decisionsOf returns the decisions on one finding by asset name.
func decisionsOf(t *testing.T, risks []byte, finding string) map[string]triad.Decision {
	t.Helper()
	var list []triad.Decision
	must(t, json.Unmarshal(risks, &list))
	byName := map[string]triad.Decision{}
	for _, d := range list {
		if d.Finding.ID == finding {
			byName[d.Asset.Name] = d
		}
	}
	return byName
}

func names(decisions map[string]triad.Decision) []string {
	var list []string
	for name := range decisions {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

func text(b *bool) string {
	if b == nil {
		return "unknown"
	}
	return fmt.Sprint(*b)
}
