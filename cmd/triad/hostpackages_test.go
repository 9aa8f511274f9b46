package main

import (
	"maps"
	"testing"

	"github.com/triad-security/triad/build/scan"
)

func TestMountsOfOthersAreSaidAndTheSameFilesTwiceAreNot(t *testing.T) {
	const said = "not looked into: a file system of type nfs4, which may be another machine's"
	got := parseMounts([]byte(`22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 27 254:1 / /home rw,relatime shared:2 - xfs /dev/vdb rw
31 27 254:1 /a /srv/a rw,relatime - xfs /dev/vdb rw
32 27 0:40 / /mnt/the\040share rw - nfs4 filer:/x rw
33 27 0:41 / /var/lib/docker/overlay2/1/merged rw - overlay overlay rw
34 27 0:42 /@data /data rw - btrfs /dev/vdc rw
35 27 0:42 /@opt /opt rw - btrfs /dev/vdc rw
short line
`))
	want := map[string]string{
		"/proc": scan.SkipSilently, "/srv/a": scan.SkipSilently, "/mnt/the share": said,
		"/var/lib/docker/overlay2/1/merged": scan.SkipSilently,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestContainerStorageIsNotTheMachinesOwn(t *testing.T) {
	why := leaveOut(map[string]string{"/mnt/x": "elsewhere"})
	for _, name := range []string{
		"/proc", "/sys", "/dev", "/var/lib/docker", "/var/lib/containerd", "/home/a/.local/share/containers",
		"/srv/engine/overlay2", "/data/io.containerd.snapshotter.v1.overlayfs", "/root/go/pkg/mod",
	} {
		if why(name) != scan.SkipSilently {
			t.Errorf("%s is looked into", name)
		}
	}
	for _, name := range []string{"/usr", "/var/lib", "/var/lib/dpkg", "/opt/app/proc", "/home/a"} {
		if got := why(name); got != "" {
			t.Errorf("%s is left out: %s", name, got)
		}
	}
	if got := why("/mnt/x"); got != "elsewhere" {
		t.Errorf("a mount of others is left out because of %q", got)
	}
}

func FuzzMounts(f *testing.F) {
	f.Add([]byte("27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"))
	f.Add([]byte("32 27 0:40 / /mnt/the\\040share rw - nfs4 filer:/x rw\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for point, why := range parseMounts(data) {
			if point == "/" || why == "" {
				t.Errorf("%q: %q", point, why)
			}
		}
	})
}
