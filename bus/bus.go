package bus

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/triad-security/triad"
)

const (
	maxEmbedded = 32 << 20 // bytes of one message in the embedded server
	headerRoom  = 16 << 10 // bytes kept free of it for headers, a dead letter's reason among them
	duplicates  = 10 * time.Minute
	startWithin = 30 * time.Second // an embedded server may have much to recover
	callWithin  = 10 * time.Second // for one request of an external one
	// publishWithin is for a caller without a deadline: a large message on a slow disk.
	publishWithin = time.Minute
)

// Bus is a triad.Bus over JetStream.
type Bus struct {
	conn     *nats.Conn
	js       jetstream.JetStream
	server   *server.Server // nil when it is external
	replicas int
	log      *slog.Logger
	retry    []time.Duration // delays before the second, third, … try; then dead

	mu      sync.Mutex
	streams map[string]jetstream.Stream
}

var _ triad.Bus = (*Bus)(nil)

// retry is how long a message waits after each failed try: about two minutes in all.
var retry = []time.Duration{
	100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second, 5 * time.Second,
	10 * time.Second, 30 * time.Second, time.Minute,
}

// Embedded starts a server in this process that keeps its streams in dir and listens on no
// port. One process at a time may use dir; the caller sees to that.
func Embedded(dir string) (*Bus, error) {
	s, err := server.NewServer(&server.Options{
		ServerName: "triad", DontListen: true, NoSigs: true, NoLog: true, NoSystemAccount: true,
		JetStream: true, StoreDir: dir, MaxPayload: maxEmbedded, MaxPending: 2 * maxEmbedded, DisableJetStreamBanner: true,
		// JetStream acknowledges a message before it is synced unless told otherwise.
		SyncAlways: true,
	})
	if err != nil {
		return nil, fmt.Errorf("starting the embedded bus in %s: %w", dir, err)
	}
	stop := func() {
		s.Shutdown()
		s.WaitForShutdown()
	}
	s.Start()
	if !s.ReadyForConnections(startWithin) || !s.JetStreamEnabled() {
		stop()
		return nil, fmt.Errorf("the embedded bus in %s did not start within %s: is its disk full, or the folder in use?", dir, startWithin)
	}
	b, err := connect("", nats.InProcessServer(s))
	if err != nil {
		stop()
		return nil, fmt.Errorf("connecting to the embedded bus: %w", err)
	}
	b.server = s
	return b, nil
}

// Connect joins an external cluster at nats://HOST:PORT, or tls://. ?replicas=N keeps each
// stream on N of its servers; the servers must run with sync_interval: always.
func Connect(address string) (*Bus, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, triad.Errorf(triad.CodeInvalid, "bus address: it must be nats://HOST:PORT or tls://HOST:PORT")
	}
	replicas := 1
	if n := u.Query().Get("replicas"); n != "" {
		if replicas, err = strconv.Atoi(n); err != nil || replicas < 1 || replicas > 5 {
			return nil, triad.Errorf(triad.CodeInvalid, "bus address: replicas=%.20s: it must be 1 to 5", n)
		}
	}
	u.RawQuery = ""
	b, err := connect(u.String(), nats.Timeout(callWithin))
	if err != nil {
		return nil, triad.Errorf(triad.CodeUnavailable, "connecting to the bus at %s: %w", u.Redacted(), err)
	}
	b.replicas = replicas
	return b, nil
}

func connect(address string, option nats.Option) (*Bus, error) {
	conn, err := nats.Connect(address, option, nats.Name("triad"), nats.MaxReconnects(-1), nats.ReconnectWait(500*time.Millisecond))
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &Bus{conn: conn, js: js, replicas: 1, log: slog.Default(), retry: retry, streams: map[string]jetstream.Stream{}}, nil
}

// Close ends the connection and stops the embedded server. Messages being handled are
// delivered again when the bus is next opened.
func (b *Bus) Close() error {
	b.conn.Close()
	if b.server != nil {
		b.server.Shutdown()
		b.server.WaitForShutdown()
	}
	return nil
}

// MaxMessage is how many bytes one message may have.
func (b *Bus) MaxMessage() int { return int(b.conn.MaxPayload()) - headerRoom }

var streamName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)

// deadStream keeps dead letters; the name is not valid for a caller's stream.
const deadStream = "_dead"

func subject(stream string) string { return "triad.stream." + stream }

// named makes a caller's stream at first use; the dead letters are none of theirs.
func (b *Bus) named(ctx context.Context, name string) (jetstream.Stream, error) {
	if !streamName.MatchString(name) {
		return nil, triad.Errorf(triad.CodeInvalid, "stream %.40q: a name has small letters, digits and dashes", name)
	}
	return b.stream(ctx, name)
}

// stream makes a stream at first use and brings its settings up to date.
func (b *Bus) stream(ctx context.Context, name string) (jetstream.Stream, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.streams[name]; s != nil {
		return s, nil
	}
	config := jetstream.StreamConfig{
		Name: "triad-" + name, Subjects: []string{subject(name)}, Storage: jetstream.FileStorage, Replicas: b.replicas,
		// A handled message goes; a full stream refuses new ones, and never drops an
		// acknowledged one.
		Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew, Duplicates: duplicates,
	}
	if name == deadStream {
		config.Retention, config.Discard = jetstream.LimitsPolicy, jetstream.DiscardOld
		config.Subjects = []string{deadSubject("*", "*")}
		config.MaxMsgsPerSubject = 1 // one for each dead message, however often it is written
		config.MaxAge, config.MaxBytes = 90*24*time.Hour, 1<<30
	}
	s, err := b.js.CreateOrUpdateStream(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("making stream %s: %w", name, err)
	}
	b.streams[name] = s
	return s, nil
}

// Publish implements triad.Bus.
func (b *Bus) Publish(ctx context.Context, stream, id string, data []byte) error {
	if len(data) > b.MaxMessage() {
		return triad.Errorf(triad.CodeInvalid, "message %s of stream %s has %d bytes, more than the bus takes (%d): send it in smaller parts, or raise the server's max_payload", id, stream, len(data), b.MaxMessage())
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, publishWithin)
		defer cancel()
	}
	if _, err := b.named(ctx, stream); err != nil {
		if triad.ErrorCode(err) == triad.CodeInvalid {
			return err
		}
		return triad.Errorf(triad.CodeUnavailable, "publishing %s: %w", id, err)
	}
	options := []jetstream.PublishOpt{jetstream.WithExpectStream("triad-" + stream)}
	if id != "" {
		options = append(options, jetstream.WithMsgID(id))
	}
	if _, err := b.js.PublishMsg(ctx, &nats.Msg{Subject: subject(stream), Data: data}, options...); err != nil {
		return triad.Errorf(triad.CodeUnavailable, "publishing %s to stream %s, which may or may not have taken it: %w", id, stream, err)
	}
	return nil
}

// Notify implements triad.Bus.
func (b *Bus) Notify(topic string, data []byte) error {
	if !streamName.MatchString(topic) {
		return triad.Errorf(triad.CodeInvalid, "topic %.40q: a name has small letters, digits and dashes", topic)
	}
	if err := b.conn.Publish("triad.topic."+topic, data); err != nil {
		return fmt.Errorf("notifying topic %s: %w", topic, err)
	}
	return nil
}

// Listen implements triad.Bus. The channel is closed when ctx ends. A listener that does not
// keep up misses notifications.
func (b *Bus) Listen(ctx context.Context, topic string) (<-chan []byte, error) {
	if !streamName.MatchString(topic) {
		return nil, triad.Errorf(triad.CodeInvalid, "topic %.40q: a name has small letters, digits and dashes", topic)
	}
	in := make(chan *nats.Msg, 64)
	sub, err := b.conn.ChanSubscribe("triad.topic."+topic, in)
	if err == nil {
		err = b.conn.FlushTimeout(callWithin) // the server has it: nothing said from now on is missed
	}
	if err != nil {
		return nil, fmt.Errorf("listening to topic %s: %w", topic, err)
	}
	out := make(chan []byte, 64)
	go func() {
		defer close(out)
		defer func() { _ = sub.Unsubscribe() }()
		for {
			select {
			case <-ctx.Done():
				return
			case m, ok := <-in:
				if !ok {
					return
				}
				select {
				case out <- m.Data:
				default:
				}
			}
		}
	}()
	return out, nil
}
