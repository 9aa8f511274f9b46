package workload

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/triad-security/triad"
)

func TestThisTestIsSeenWithItsSocketsAndOpenArchives(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has this /proc")
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	jar := filepath.Join(t.TempDir(), "a b.jar")
	f, err := os.Create(jar)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := Reader{Mask: func(args []string) []string { return args }}
	list, err := r.Processes(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(p Process) bool { return p.PID == os.Getpid() })
	if i < 0 {
		t.Fatal("this process is not among those of the machine")
	}
	p := list[i]
	exe, _ := os.Executable()
	if p.Exe != exe || p.Unread != "" || len(p.Args) == 0 || p.User != fmt.Sprint(os.Getuid()) {
		t.Errorf("this process: %+v", p)
	}
	if !slices.Contains(p.Loads, jar) || !slices.Contains(p.Loads, exe) {
		t.Errorf("loads %v, want %s and %s", p.Loads, jar, exe)
	}
	for _, want := range []Listener{
		{"tcp", "127.0.0.1", tcp.Addr().(*net.TCPAddr).Port},
		{"udp", "0.0.0.0", udp.LocalAddr().(*net.UDPAddr).Port},
	} {
		if !slices.Contains(p.Listens, want) {
			t.Errorf("listens %v, want %v", p.Listens, want)
		}
	}
}

func TestTheHostReportTellsWhichProgramListens(t *testing.T) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	report, err := Host(context.Background(), Reader{}, Options{Packages: func(context.Context, string) (Installed, error) {
		return Installed{
			Packages: []triad.Package{{Name: "openssl", PURL: "pkg:deb/debian/openssl@3", Section: SectionPackages}},
			Sections: []triad.Section{{Name: SectionPackages, Status: triad.SectionUnread, Reason: "opt/x: denied"}},
		}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	exe, _ := os.Executable()
	host := strings.TrimPrefix(report.Scope, "host/")
	process := triad.ProcessID(triad.HostID(host), exe)
	port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	i := slices.IndexFunc(report.Relations, func(r triad.Relation) bool {
		return r.From == process && r.Type == triad.RelListens && r.To == triad.EndpointID(triad.HostID(host), "tcp", port)
	})
	if i < 0 {
		t.Fatalf("no relation says that %s listens on %s", exe, port)
	}
	var listen triad.Listen
	if err := json.Unmarshal(report.Relations[i].Props, &listen); err != nil {
		t.Fatal(err)
	}
	if listen.Address != "::" || listen.Basis != triad.BasisObserved || listen.Process != process {
		t.Errorf("listen %+v", listen)
	}
	if len(report.Packages) != 1 || report.Packages[0].Asset != triad.HostID(host) {
		t.Errorf("packages %+v", report.Packages)
	}
	for _, s := range report.Sections {
		if s.Name == SectionPackages && s.Status != triad.SectionUnread {
			t.Errorf("packages: %+v", s)
		}
	}
}

func TestProcessesThatVanishWhileTheyAreReadAreNoError(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			_ = exec.CommandContext(ctx, "true").Run()
		}
	}()
	r := Reader{}
	for n := 0; ctx.Err() == nil; n++ {
		if _, err := r.Processes(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAContainerOfAnotherMachineIsAnErrorThatSaysSo(t *testing.T) {
	r := Reader{Root: t.TempDir()}
	if _, err := r.Container(context.Background(), strings.Repeat("a", 64), 1234); err == nil || !strings.Contains(err.Error(), "another machine") {
		t.Errorf("error %v", err)
	}
}

func TestMapsAreReadWhateverTheirFilesAreCalled(t *testing.T) {
	maps := `00400000-004e2000 r-xp 00000000 00:27 10864896                           /app/run
004e2000-0060b000 r--p 000e2000 00:27 10864896                           /app/run
7f0000000000-7f0000001000 r-xp 00000000 08:01 42 /opt/with blank/lib a.so (deleted)
7f0000001000-7f0000002000 r--p 00000000 08:01 43 /app/lib/x.jar
7f0000002000-7f0000003000 r--p 00000000 08:01 44 /usr/lib/locale/locale-archive
7f0000003000-7f0000004000 rw-s 00000000 00:01 45 /dev/shm/ring
7f0000004000-7f0000005000 r-xp 00000000 00:00 0 [vdso]
7f0000005000-7f0000006000 r--p 00000000 08:01 46 /usr/lib/jvm/lib/modules
7f0000006000-7f0000007000 r-xp 00000000 00:05 47 /memfd:jit (deleted)
7f0000007000-7f0000008000 rwxp 00000000 00:00 0
nonsense
`
	want := []string{"/app/run", "/opt/with blank/lib a.so", "/app/lib/x.jar", "/usr/lib/jvm/lib/modules"}
	if got := parseMaps([]byte(maps)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSocketTablesGiveAddressesAsPeopleWriteThem(t *testing.T) {
	const table = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 71638 2 0000000033fc5a52 100 0 0 10 0
   1: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 71639 1
   2: 0100007F:2382 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 71640 1
   3: 0100007F:2382 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 71641 1
   4: XX:2382 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 71642 1
`
	got := map[uint64]Listener{}
	parseSockets([]byte(table), "tcp", "0A", got)
	want := map[uint64]Listener{71638: {"tcp", "::", 8080}, 71639: {"tcp", "127.0.0.1", 80}, 71640: {"tcp", "127.0.0.1", 9090}}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
	for inode, l := range want {
		if got[inode] != l {
			t.Errorf("inode %d is %v, want %v", inode, got[inode], l)
		}
	}
}

func TestStatIsReadAfterTheLastParenthesis(t *testing.T) {
	s, err := parseStat([]byte("42 (a) b) (c) S 7 42 42 0 -1 4194560 100 0 0 0 0 0 0 0 20 0 1 0 123456 1000 10 1\n"))
	if err != nil || s.parent != 7 || s.start != "123456" {
		t.Errorf("%+v %v", s, err)
	}
}

func FuzzProcParsers(f *testing.F) {
	f.Add([]byte("42 (a) S 7 42 42 0 -1 4194560 100 0 0 0 0 0 0 0 20 0 1 0 123456 1000 10 1\n"))
	f.Add([]byte("00400000-004e2000 r-xp 00000000 00:27 10864896 /app/run\n"))
	f.Add([]byte("   2: 0100007F:2382 00000000:0000 0A 0:0 00:0 0 0 0 71640 1\n"))
	f.Add([]byte("a\x00--b=\xff\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = parseStat(data)
		for _, file := range parseMaps(data) {
			if !strings.HasPrefix(file, "/") {
				t.Errorf("maps give %q", file)
			}
		}
		if args := parseArgs(data); len(args) > maxArgs {
			t.Errorf("%d arguments", len(args))
		}
		sockets := map[uint64]Listener{}
		parseSockets(data, "udp", "07", sockets)
		for _, l := range sockets {
			if l.Port < 1 || l.Port > 65535 || net.ParseIP(l.Address) == nil {
				t.Errorf("socket %+v", l)
			}
		}
		_, _ = socketInode(string(data))
	})
}
