package scan

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// machineRoot writes a small machine: a distribution with one package that owns a library
// through a link, a Python distribution, a module in a home, and container storage.
func machineRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"usr/lib/os-release":                                   "ID=debian\nVERSION_ID=\"12\"\n",
		"var/lib/dpkg/status":                                  "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nSource: openssl\nVersion: 3.0.11-1\n\n",
		"var/lib/dpkg/info/libssl3.list":                       "/.\n/lib/x/libssl.so.3\n",
		"usr/lib/x/libssl.so.3":                                "elf",
		"opt/app/node_modules/ms/package.json":                 `{"name":"ms","version":"2.1.3"}`,
		"home/a/b.jar":                                         "not a zip",
		"app/lib/python3/site-packages/six.dist-info/METADATA": "Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\n",
		"var/lib/docker/overlay2/1/diff/p/package.json":        `{"name":"inner","version":"1.0.0"}`,
	} {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"lib": "usr/lib", "etc/os-release": "../usr/lib/os-release"} {
		_ = os.MkdirAll(filepath.Dir(filepath.Join(root, link)), 0o755)
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func groups(m *Machine) (packages, unread []string) {
	for _, g := range m.Groups {
		for _, p := range g.Packages {
			packages = append(packages, g.Name+": "+p.Name+" "+p.Version+" "+p.Ecosystem)
		}
		for _, u := range g.Unread {
			unread = append(unread, g.Name+": "+u)
		}
	}
	return packages, unread
}

func TestAMachineIsReadInPartsOfWhichEachIsWholeOrNot(t *testing.T) {
	m, err := scanner(t).Machine(t.Context(), machineRoot(t), MachineOptions{Skip: func(name string) string {
		return map[string]string{"/var/lib/docker": SkipSilently, "/home/a/c": "elsewhere"}[name]
	}})
	if err != nil {
		t.Fatal(err)
	}
	packages, unread := groups(m)
	want := []string{"packages: libssl3 3.0.11-1 Debian:12", "packages /opt: ms 2.1.3 npm", "packages /: six 1.16.0 PyPI"}
	if !slices.Equal(packages, want) {
		t.Errorf("packages %q, want %q", packages, want)
	}
	if len(unread) != 1 || !strings.HasPrefix(unread[0], "packages /home: home/a/b.jar: ") {
		t.Errorf("unread %q, want the damaged archive of /home alone", unread)
	}
	if files := m.Groups[0].Packages[0].Files; !slices.Equal(files, []string{"/usr/lib/x/libssl.so.3"}) {
		t.Errorf("files of libssl3 %q, want where the kernel finds them", files)
	}
}

func TestAMachineThatTakesTooLongKeepsWhatWasReadAndSaysTheRest(t *testing.T) {
	m, err := scanner(t).Machine(t.Context(), machineRoot(t), MachineOptions{Time: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Groups) != 1+len(machineFolders) {
		t.Errorf("%d groups", len(m.Groups))
	}
	for _, g := range m.Groups {
		there := g.Name != "packages /srv" && g.Name != "packages /root"
		if there != (len(g.Unread) > 0) {
			t.Errorf("%s: unread %q", g.Name, g.Unread)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := scanner(t).Machine(ctx, machineRoot(t), MachineOptions{}); err == nil {
		t.Error("a scan that was called off is no result")
	}
}

func TestAMachineIsReadNoFurtherThanItsNumberOfEntries(t *testing.T) {
	s := scanner(t)
	s.Options.Limits.MaxEntries = 6
	m, err := s.Machine(t.Context(), machineRoot(t), MachineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	packages, unread := groups(m)
	if len(packages) != 1 || len(unread) == 0 {
		t.Errorf("packages %q, unread %q", packages, unread)
	}
}
