package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/image"
	"github.com/triad-security/triad/build/scan"
	"github.com/triad-security/triad/run/workload"
)

const (
	// collectTime of "collect host": somebody waits, and asked for it.
	collectTime = 2 * time.Minute
	// firstTime of "triad up", which shows its first result within 30 s.
	firstTime = 8 * time.Second
	// maxHostEntries of a machine's file system; a developer's has some 2 million.
	maxHostEntries = 4_000_000
	// restFactor: a scan that took a minute is not repeated within 20, so that watching a
	// machine costs at most a twentieth of one processor.
	restFactor = 20
)

// hostPackages finds the packages of this machine.
type hostPackages struct {
	first time.Duration // bound of the first scan

	mu    sync.Mutex
	last  *workload.Installed
	whole bool
	next  time.Time // when the last is old
}

// Find is a workload.Packages. It keeps what it found for a while.
func (h *hostPackages) Find(ctx context.Context, root string) (workload.Installed, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last != nil && h.whole && time.Now().Before(h.next) {
		return *h.last, nil
	}
	limit := collectTime
	if h.last == nil && h.first > 0 {
		limit = h.first
	}
	cache, err := scan.OpenCache(defaultCacheDir())
	if err != nil {
		return workload.Installed{}, err
	}
	started := time.Now()
	scanner := &scan.Scanner{Cache: cache, Options: image.Options{Limits: image.Limits{MaxEntries: maxHostEntries}}}
	machine, err := scanner.Machine(ctx, root, scan.MachineOptions{Time: limit, Skip: leaveOut(mounts())})
	if err != nil {
		return workload.Installed{}, err
	}
	found := workload.Installed{Notes: machine.Notes}
	for _, g := range machine.Groups {
		section := triad.Section{Name: g.Name, Status: triad.SectionComplete}
		if len(g.Unread) > 0 {
			section.Status, section.Reason = triad.SectionUnread, summary(g.Unread)
		}
		found.Sections = append(found.Sections, section)
		for _, p := range g.Packages {
			p.Section = g.Name
			found.Packages = append(found.Packages, p)
		}
	}
	took := time.Since(started)
	h.last, h.whole, h.next = &found, took < limit, time.Now().Add(restFactor*took)
	return found, nil
}

// summary of what could not be read.
func summary(list []string) string {
	const shown = 3
	if len(list) <= shown {
		return strings.Join(list, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(list[:shown], "; "), len(list)-shown)
}

// containerStorage are the folders in which engines keep images and containers: what is in
// them is not installed on the machine, and is scanned as images.
var containerStorage = []string{
	"/var/lib/docker", "/var/lib/containerd", "/var/lib/containers", "/var/lib/crio", "/var/lib/kubelet", "/var/lib/lxc",
	"/var/lib/lxd", "/var/lib/incus", "/var/lib/machines", "/var/lib/rancher", "/var/lib/k0s", "/var/snap/docker", "/var/lib/buildkit",
}

// leaveOut says of which folders of a machine the packages are not its own.
func leaveOut(mounted map[string]string) func(string) string {
	return func(name string) string {
		switch {
		case name == "/proc" || name == "/sys" || name == "/dev" || name == "/run" || name == "/lost+found":
			return scan.SkipSilently
		case slices.Contains(containerStorage, name), strings.HasSuffix(name, "/.local/share/containers"), strings.HasSuffix(name, "/.local/share/docker"):
			return scan.SkipSilently
		// A storage folder elsewhere is known by what its drivers call their own.
		case path.Base(name) == "overlay2", strings.HasPrefix(path.Base(name), "io.containerd.snapshotter.v1."):
			return scan.SkipSilently
		case strings.HasSuffix(name, "/go/pkg/mod"):
			return scan.SkipSilently // sources that programs are built of, which say so themselves
		}
		return mounted[name]
	}
}

// localFilesystems hold files of this machine (mount(8), /proc/filesystems).
var localFilesystems = []string{
	"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "reiserfs", "bcachefs", "squashfs", "erofs", "vfat", "exfat", "ntfs3",
}

// virtualFilesystems hold no installed software: the kernel's own, memory, and containers'.
var virtualFilesystems = []string{
	"proc", "sysfs", "devtmpfs", "devpts", "tmpfs", "ramfs", "cgroup", "cgroup2", "mqueue", "hugetlbfs", "debugfs", "tracefs", "securityfs",
	"configfs", "pstore", "bpf", "binfmt_misc", "autofs", "rpc_pipefs", "nsfs", "fusectl", "efivarfs", "selinuxfs", "overlay", "fuse.lxcfs",
}

// mounts are the mount points that are not looked into, and why. Others' files (network and
// unknown file systems) are said; the same file system at a second place is not.
func mounts() map[string]string {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	return parseMounts(data)
}

// parseMounts reads mountinfo (proc_pid_mountinfo(5)): ID, parent, device, root, mount point,
// options, optional fields, "-", type, source.
func parseMounts(data []byte) map[string]string {
	left, seen := map[string]string{}, map[string]bool{}
	for line := range bytes.Lines(data) {
		fields := strings.Fields(string(line))
		dash := slices.Index(fields, "-")
		if dash < 6 || len(fields) < dash+2 {
			continue
		}
		device, root, point, kind := fields[2], fields[3], unescape(fields[4]), fields[dash+1]
		if point == "/" {
			seen[device] = true
			continue
		}
		switch {
		case slices.Contains(virtualFilesystems, kind):
			left[point] = scan.SkipSilently
		case !slices.Contains(localFilesystems, kind):
			left[point] = "not looked into: a file system of type " + kind + ", which may be another machine's"
		case root != "/" && seen[device] && kind != "btrfs":
			left[point] = scan.SkipSilently // a bind mount of what is seen in its own place
		default:
			seen[device] = true
			delete(left, point) // mounted over what was there
		}
	}
	return left
}

// unescape reads the octal escapes of blanks in mount points.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace
