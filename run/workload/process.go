package workload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Bounds of what is read of one machine and one process.
const (
	maxProcesses = 131072
	maxArgs      = 64
	maxArg       = 1024 // bytes
	maxCmdline   = 64 << 10
	maxMaps      = 16 << 20 // bytes of /proc/PID/maps; a line is some 100
	maxLoads     = 4096
	maxFDs       = 65536
	maxNet       = 64 << 20 // bytes of /proc/PID/net/tcp; a line is 150
)

// Process is one process.
type Process struct {
	PID, Parent int
	// Exe is the path of its program as the process itself sees it.
	Exe string
	// Args are bounded and masked.
	Args []string
	// User is its real user ID.
	User string
	// Loads are the files it has mapped as code or holds open as archives of code.
	Loads   []string
	Listens []Listener
	// Cgroup is its control group's path.
	Cgroup string
	// Unread says what of it could not be read; empty when all was.
	Unread string
}

// Listener is a socket that accepts traffic from others.
type Listener struct {
	Protocol string // tcp, udp
	Address  string // that it is bound to, within its network namespace
	Port     int
}

// Reader reads processes.
type Reader struct {
	// Root is where the machine's proc file system is mounted; empty is /proc.
	Root string
	// Mask hides secrets in command lines; without it no arguments are reported.
	Mask func([]string) []string
}

func (r *Reader) root() string {
	if r.Root != "" {
		return r.Root
	}
	return "/proc"
}

func (r *Reader) path(pid int, name string) string {
	return filepath.Join(r.root(), strconv.Itoa(pid), name)
}

// errGone is a process that ended, or was never one.
var errGone = errors.New("the process has ended")

// Processes returns all processes of the machine that are programs (not kernel threads).
func (r *Reader) Processes(ctx context.Context) ([]Process, error) {
	pids, err := r.pids()
	if err != nil {
		return nil, err
	}
	return r.read(ctx, pids)
}

// Container returns the processes of a container: those whose control group carries its ID,
// else those that share the process namespace of its first process.
func (r *Reader) Container(ctx context.Context, id string, first int) ([]Process, error) {
	if first <= 0 {
		return nil, nil
	}
	if _, err := os.Stat(r.path(first, "stat")); err != nil {
		return nil, fmt.Errorf("process %d of container %.12s is not in %s: it runs on another machine or has just ended", first, id, r.root())
	}
	pids, err := r.pids()
	if err != nil {
		return nil, err
	}
	members := r.inCgroup(pids, id)
	if len(members) == 0 {
		members = r.inNamespace(pids, first)
	}
	if !slices.Contains(members, first) {
		members = append(members, first)
	}
	return r.read(ctx, members)
}

func (r *Reader) inCgroup(pids []int, id string) []int {
	if len(id) < 12 {
		return nil
	}
	var members []int
	for _, pid := range pids {
		if strings.Contains(r.cgroup(pid), id) {
			members = append(members, pid)
		}
	}
	return members
}

// inNamespace returns the processes in the process namespace of first, unless that is the
// reader's own: then those that descend from first.
func (r *Reader) inNamespace(pids []int, first int) []int {
	namespace, err := os.Readlink(r.path(first, "ns/pid"))
	own, _ := os.Readlink(filepath.Join(r.root(), "self", "ns/pid"))
	var members []int
	if err == nil && namespace != own {
		for _, pid := range pids {
			if ns, err := os.Readlink(r.path(pid, "ns/pid")); err == nil && ns == namespace {
				members = append(members, pid)
			}
		}
		return members
	}
	parents := map[int]int{}
	for _, pid := range pids {
		if s, err := r.stat(pid); err == nil {
			parents[pid] = s.parent
		}
	}
	for _, pid := range pids {
		for p, steps := pid, 0; p > 1 && steps < 64; p, steps = parents[p], steps+1 {
			if p == first {
				members = append(members, pid)
				break
			}
		}
	}
	return members
}

func (r *Reader) pids() ([]int, error) {
	dir, err := os.Open(r.root())
	if err != nil {
		return nil, fmt.Errorf("reading the machine's processes: %w", err)
	}
	defer dir.Close()
	var pids []int
	for {
		names, err := dir.Readdirnames(1024)
		for _, name := range names {
			if pid, err := strconv.Atoi(name); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
		if len(pids) > maxProcesses {
			return nil, fmt.Errorf("more than %d processes", maxProcesses)
		}
		if err != nil || len(names) == 0 {
			break
		}
	}
	slices.Sort(pids)
	return pids, nil
}

func (r *Reader) read(ctx context.Context, pids []int) ([]Process, error) {
	nets := map[string]*sockets{}
	var list []Process
	for _, pid := range pids {
		if err := ctx.Err(); err != nil {
			return list, err
		}
		p, err := r.process(pid, nets)
		if errors.Is(err, errGone) {
			continue
		}
		if err != nil {
			return list, err
		}
		list = append(list, p)
	}
	return list, nil
}

// process reads one process. A process that could be read in part says so in Unread.
func (r *Reader) process(pid int, nets map[string]*sockets) (Process, error) {
	before, err := r.stat(pid)
	if err != nil {
		return Process{}, errGone
	}
	p := Process{PID: pid, Parent: before.parent, Cgroup: r.cgroup(pid), User: r.user(pid)}
	var problems []string
	note := func(what string, err error) {
		if err != nil && !gone(err) {
			problems = append(problems, fmt.Sprintf("%s: %v", what, reason(err)))
		}
	}
	exe, err := os.Readlink(r.path(pid, "exe"))
	switch {
	case err == nil:
		p.Exe = cleanPath(exe)
	case gone(err): // a kernel thread, or ended
		return Process{}, errGone
	default:
		note("its program", err)
	}
	if r.Mask != nil {
		p.Args = r.Mask(r.args(pid))
	}
	loads, err := r.mapped(pid)
	note("what it has mapped", err)
	open, inodes, err := r.opened(pid)
	note("its open files", err)
	p.Loads = bounded(append(loads, open...))
	if len(inodes) > 0 {
		net, err := r.network(pid, nets)
		note("its network", err)
		p.Listens = net.of(inodes)
	}
	if after, err := r.stat(pid); err != nil || after.start != before.start {
		return Process{}, errGone // ended meanwhile, and its number may be another's
	}
	p.Unread = strings.Join(problems, "; ")
	return p, nil
}

func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}

// reason drops the path of a file error, which names a process number that means nothing later.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func bounded(paths []string) []string {
	slices.Sort(paths)
	paths = slices.Compact(paths)
	return paths[:min(len(paths), maxLoads)]
}

// cleanPath drops what the kernel adds to the path of a file that was removed or replaced.
func cleanPath(path string) string { return strings.TrimSuffix(path, " (deleted)") }

type stat struct {
	parent int
	start  string // clock ticks since boot; with the number it names the process
}

// stat reads /proc/PID/stat (proc(5)); the program's name there is in parentheses and may
// hold any byte, parentheses too.
func (r *Reader) stat(pid int) (stat, error) {
	data, err := readSome(r.path(pid, "stat"), 4096)
	if err != nil {
		return stat{}, err
	}
	return parseStat(data)
}

func parseStat(data []byte) (stat, error) {
	i := bytes.LastIndexByte(data, ')')
	if i < 0 {
		return stat{}, errors.New("stat without a name")
	}
	fields := strings.Fields(string(data[i+1:]))
	if len(fields) < 20 {
		return stat{}, errors.New("stat is short")
	}
	parent, err := strconv.Atoi(fields[1])
	return stat{parent: parent, start: fields[19]}, err
}

func (r *Reader) args(pid int) []string {
	data, err := readSome(r.path(pid, "cmdline"), maxCmdline)
	if err != nil {
		return nil
	}
	return parseArgs(data)
}

func parseArgs(data []byte) []string {
	data = bytes.TrimRight(data, "\x00")
	if len(data) == 0 {
		return nil
	}
	var args []string
	for arg := range bytes.SplitSeq(data, []byte{0}) {
		if len(args) == maxArgs {
			break
		}
		args = append(args, strings.ToValidUTF8(string(arg[:min(len(arg), maxArg)]), "\uFFFD"))
	}
	return args
}

// cgroup returns the paths of a process's control groups, one a line without duplicates.
func (r *Reader) cgroup(pid int) string {
	data, err := readSome(r.path(pid, "cgroup"), 64<<10)
	if err != nil {
		return ""
	}
	var paths []string
	for line := range strings.Lines(string(data)) {
		if parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3); len(parts) == 3 && parts[2] != "/" && !slices.Contains(paths, parts[2]) {
			paths = append(paths, parts[2])
		}
	}
	return strings.Join(paths, "\n")
}

func (r *Reader) user(pid int) string {
	data, err := readSome(r.path(pid, "status"), 64<<10)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "Uid:"); ok {
			if fields := strings.Fields(rest); len(fields) > 0 {
				return fields[0]
			}
		}
	}
	return ""
}

// readSome reads at most limit bytes of a file of /proc, whose size is not known before.
func readSome(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}
