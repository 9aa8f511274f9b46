package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/triad-security/triad/demo"
)

// TestConsole runs the built program with the demonstration estate, looks at it in a real
// browser and opens a port of the Docker host's security group meanwhile.
func TestConsole(t *testing.T) {
	bin, console := program(t), filepath.Join("..", "console")
	for _, need := range []string{filepath.Join(console, "dist", "app", "index.html"), filepath.Join(console, "node_modules", "playwright-core")} {
		if _, err := os.Stat(need); err != nil {
			t.Skipf("the console is not built here: run make build (%v)", err)
		}
	}
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("no Chromium here: run make setup")
	}
	data := t.TempDir()
	up := start(t, bin, "up", "--data", data, "--demo", "--listen", "127.0.0.1:0", "--mirror", "http://127.0.0.1:1")
	address := up.waitFor(t, regexp.MustCompile(`console: (\S+)`), 60*time.Second)

	browser := exec.Command("node", filepath.Join("e2e", "console.mjs"), address, os.Getenv("TRIAD_PICTURES"))
	browser.Dir = console
	browser.Stderr = os.Stderr
	out, err := browser.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := browser.Start(); err != nil {
		t.Fatal(err)
	}
	var opened time.Time
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := lines.Text()
		t.Log(line)
		if line == "ready" {
			dir := openPort(t, 9443)
			opened = time.Now()
			run(t, bin, "--data", data, "collect", "aws", "--from", dir, "--quiet")
		}
		if at, ok := strings.CutPrefix(line, "arrived "); ok {
			ms, err := strconv.ParseInt(at, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("seen %v after the collector was started", time.UnixMilli(ms).Sub(opened).Round(time.Millisecond))
		}
	}
	if err := browser.Wait(); err != nil {
		t.Fatalf("the browser's run failed: %v", err)
	}
}

// openPort returns the demonstration's AWS folder with more ports of the edge host open.
func openPort(t *testing.T, ports ...int) string {
	t.Helper()
	dir := t.TempDir()
	if err := demo.Unpack(dir); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, demo.AWS)
	file := filepath.Join(folder, "ec2-describe-security-groups.json")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ SecurityGroups []map[string]any }
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	for _, group := range doc.SecurityGroups {
		if group["GroupName"] != "edge-host" {
			continue
		}
		for _, port := range ports {
			group["IpPermissions"] = append(group["IpPermissions"].([]any), map[string]any{
				"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": []any{map[string]any{"CidrIp": "0.0.0.0/0"}},
			})
		}
	}
	changed, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(raw, changed) {
		t.Fatal("the demonstration has no group edge-host")
	}
	if err := os.WriteFile(file, changed, 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}
