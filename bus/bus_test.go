package bus

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"github.com/triad-security/triad"
)

// The test binary runs itself as a NATS server, or as a publisher that is to be killed.
func TestMain(m *testing.M) {
	switch dir := os.Getenv("TRIAD_BUS_DIR"); os.Getenv("TRIAD_BUS_CHILD") {
	case "server":
		exit(serve(dir))
	case "publisher":
		exit(publishUntilKilled(dir))
	}
	goleak.VerifyTestMain(m)
}

func exit(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// serve is a NATS server as `nats-server -js` would be, on a free port of the loopback.
func serve(dir string) error {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, JetStream: true, StoreDir: dir, SyncAlways: true})
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(startWithin) {
		return errors.New("did not start")
	}
	fmt.Println(s.ClientURL())
	io.Copy(io.Discard, os.Stdin) // until the parent is gone
	return nil
}

// child starts this binary in a role; what it writes comes on the scanner.
func child(t *testing.T, role, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TRIAD_BUS_CHILD="+role, "TRIAD_BUS_DIR="+dir)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(cmd) })
	return cmd, bufio.NewScanner(out)
}

func kill(cmd *exec.Cmd) {
	cmd.Process.Signal(syscall.SIGKILL)
	cmd.Wait()
}

func closing(t *testing.T, b *Bus, err error) *Bus {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	b.log = slog.New(slog.DiscardHandler)
	b.retry = []time.Duration{time.Millisecond, 20 * time.Millisecond}
	return b
}

func TestBus(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		b, err := Embedded(t.TempDir())
		suite(t, closing(t, b, err))
	})
	t.Run("external", func(t *testing.T) {
		_, out := child(t, "server", t.TempDir())
		if !out.Scan() {
			t.Fatal("the server did not start")
		}
		b, err := Connect(out.Text() + "?replicas=1")
		suite(t, closing(t, b, err))
	})
	t.Run("an address that is none is refused", func(t *testing.T) {
		for _, address := range []string{"", "somewhere", "nats://h:1?replicas=many"} {
			if _, err := Connect(address); triad.ErrorCode(err) != triad.CodeInvalid {
				t.Errorf("%q: %v, want invalid", address, err)
			}
		}
	})
	t.Run("a server that is not there is unavailable", func(t *testing.T) {
		if _, err := Connect("nats://127.0.0.1:1"); triad.ErrorCode(err) != triad.CodeUnavailable {
			t.Errorf("%v, want unavailable", err)
		}
	})
}

// collect consumes a stream until it has n messages, or for a while longer than it should take.
func collect(t *testing.T, b *Bus, stream string, n int, fn func(string) error) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got []string
	if err := b.Consume(ctx, stream, func(_ context.Context, data []byte) error {
		got = append(got, string(data))
		err := fn(string(data))
		if len(got) == n && err == nil {
			cancel()
		} else if len(got) == n {
			time.AfterFunc(200*time.Millisecond, cancel) // until it is answered: the consumer goes on
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(got) != n {
		t.Fatalf("stream %s gave %d messages, want %d: %.200q", stream, len(got), n, got)
	}
	return got
}

func done(string) error { return nil }

func suite(t *testing.T, b *Bus) {
	publish := func(t *testing.T, stream, id, data string) {
		t.Helper()
		if err := b.Publish(t.Context(), stream, id, []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	waiting := func(t *testing.T, stream string) uint64 {
		t.Helper()
		info, err := b.streams[stream].Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return info.State.Msgs
	}
	t.Run("messages come in order and go when handled", func(t *testing.T) {
		for i := range 3 {
			publish(t, "order", fmt.Sprint(i), fmt.Sprint("m", i))
		}
		if got := strings.Join(collect(t, b, "order", 3, done), " "); got != "m0 m1 m2" {
			t.Errorf("got %s", got)
		}
		if n := waiting(t, "order"); n != 0 {
			t.Errorf("%d messages are left", n)
		}
	})
	t.Run("an id published twice is one message", func(t *testing.T) {
		publish(t, "twice", "a", "1")
		publish(t, "twice", "a", "1")
		publish(t, "twice", "b", "2")
		if got := strings.Join(collect(t, b, "twice", 2, done), " "); got != "1 2" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("a failed message is tried again", func(t *testing.T) {
		publish(t, "again", "", "x")
		tries := 0
		collect(t, b, "again", 2, func(string) error {
			if tries++; tries == 1 {
				return errors.New("not now")
			}
			return nil
		})
		if n := waiting(t, "again"); n != 0 {
			t.Errorf("%d messages are left", n)
		}
	})
	t.Run("poison goes to the dead letters at once, other failures after some tries", func(t *testing.T) {
		publish(t, "dead", "", "poison")
		publish(t, "dead", "", "broken")
		collect(t, b, "dead", 1+len(b.retry)+1, func(data string) error {
			if data == "poison" {
				return fmt.Errorf("decoding: line one\nline two: %w", triad.ErrPoison)
			}
			return errors.New("cannot")
		})
		letters, err := b.DeadLetters(t.Context(), 10)
		if err != nil || len(letters) != 2 {
			t.Fatalf("%d letters, %v", len(letters), err)
		}
		newest, oldest := letters[0], letters[1]
		if string(newest.Data) != "broken" || newest.Stream != "dead" || newest.Seq != 2 || newest.Reason != "tried 3 times: cannot" || newest.At.IsZero() || newest.Size != 6 {
			t.Errorf("the newest letter is %+v", newest)
		}
		if string(oldest.Data) != "poison" || !strings.HasPrefix(oldest.Reason, "decoding: line one line two") {
			t.Errorf("the oldest letter is %+v", oldest)
		}
		if n := waiting(t, "dead"); n != 0 {
			t.Errorf("%d messages are left", n)
		}
		if one, err := b.DeadLetters(t.Context(), 1); err != nil || len(one) != 1 || one[0].Seq != 2 {
			t.Errorf("one letter: %+v, %v", one, err)
		}
	})
	t.Run("consumers share a stream, each message handled once", func(t *testing.T) {
		const n = 40
		for i := range n {
			publish(t, "share", "", fmt.Sprint(i))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var (
			mu  sync.Mutex
			got = map[string]int{}
			by  [2]int
			wg  sync.WaitGroup
		)
		for c := range 2 {
			wg.Go(func() {
				if err := b.Consume(ctx, "share", func(_ context.Context, data []byte) error {
					time.Sleep(time.Millisecond)
					mu.Lock()
					defer mu.Unlock()
					got[string(data)]++
					by[c]++
					if len(got) == n {
						cancel()
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(got) != n || by[0]+by[1] != n || by[0] == 0 || by[1] == 0 {
			t.Errorf("%d messages, handled %v", len(got), by)
		}
	})
	t.Run("a message whose handler was interrupted comes again", func(t *testing.T) {
		publish(t, "stop", "", "x")
		ctx, cancel := context.WithCancel(t.Context())
		if err := b.Consume(ctx, "stop", func(ctx context.Context, _ []byte) error {
			cancel()
			return ctx.Err()
		}); err != nil {
			t.Fatal(err)
		}
		collect(t, b, "stop", 1, done)
	})
	t.Run("a message that is too large is refused", func(t *testing.T) {
		if err := b.Publish(t.Context(), "large", "", make([]byte, b.MaxMessage()+1)); triad.ErrorCode(err) != triad.CodeInvalid {
			t.Errorf("%v, want invalid", err)
		}
		publish(t, "large", "", strings.Repeat("x", b.MaxMessage()))
		collect(t, b, "large", 1, done)
	})
	t.Run("a large message that is poison is kept, its bytes not listed", func(t *testing.T) {
		publish(t, "large", "", strings.Repeat("x", b.MaxMessage()))
		collect(t, b, "large", 1, func(string) error { return triad.ErrPoison })
		letters, err := b.DeadLetters(t.Context(), 1)
		if err != nil || len(letters) != 1 || letters[0].Size != b.MaxMessage() || letters[0].Data != nil {
			t.Errorf("%d letters, %v", len(letters), err)
		}
	})
	t.Run("names are checked", func(t *testing.T) {
		for _, name := range []string{"", "_dead", "a.b", "a*", "A"} {
			if err := b.Publish(t.Context(), name, "", nil); triad.ErrorCode(err) != triad.CodeInvalid {
				t.Errorf("stream %q was taken", name)
			}
			if _, err := b.Listen(t.Context(), name); triad.ErrorCode(err) != triad.CodeInvalid {
				t.Errorf("topic %q was taken", name)
			}
		}
	})
	t.Run("notify wakes every listener", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var listeners []<-chan []byte
		for range 2 {
			l, err := b.Listen(ctx, "changes")
			if err != nil {
				t.Fatal(err)
			}
			listeners = append(listeners, l)
		}
		if err := b.Notify("changes", []byte("42")); err != nil {
			t.Fatal(err)
		}
		for _, l := range listeners {
			select {
			case got := <-l:
				if string(got) != "42" {
					t.Errorf("got %s", got)
				}
			case <-time.After(5 * time.Second):
				t.Error("not woken")
			}
		}
		cancel()
		for _, l := range listeners {
			for range l { // closed when the context ends
			}
		}
	})
}

// publishUntilKilled publishes numbered messages and writes each number once it is acknowledged.
func publishUntilKilled(dir string) error {
	b, err := Embedded(dir)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		id := fmt.Sprintf("%d-%d", os.Getpid(), i)
		if err := b.Publish(context.Background(), "crash", id, []byte(id+strings.Repeat(".", 4<<10))); err != nil {
			return err
		}
		fmt.Println(id)
	}
}

func TestNothingAcknowledgedIsLostWhenTheProcessIsKilled(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for round := range 5 {
		cmd, out := child(t, "publisher", dir)
		timer := time.AfterFunc(time.Duration(300+137*round)*time.Millisecond, func() { cmd.Process.Signal(syscall.SIGKILL) })
		for out.Scan() {
			acknowledged[out.Text()] = true
		}
		timer.Stop()
		kill(cmd)
	}
	b, err := Embedded(dir)
	closing(t, b, err)
	if _, err := b.stream(t.Context(), "crash"); err != nil {
		t.Fatal(err)
	}
	info, err := b.streams["crash"].Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d acknowledged, %d kept", len(acknowledged), info.State.Msgs)
	if len(acknowledged) == 0 {
		t.Fatal("nothing was published: the rounds are too short")
	}
	seen := map[string]int{}
	for _, data := range collect(t, b, "crash", int(info.State.Msgs), done) {
		seen[strings.TrimRight(data, ".")]++
	}
	for id := range acknowledged {
		if seen[id] != 1 {
			t.Errorf("message %s was acknowledged and is there %d times", id, seen[id])
		}
	}
}
