package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/triad-security/triad"
)

const (
	// answerWithin is after how long without a sign of life a message goes to another consumer.
	answerWithin = 30 * time.Second
	// pollFor is how long one request waits for a message.
	pollFor = 20 * time.Second
)

// Consume implements triad.Bus. It handles one message at a time and returns when ctx ends,
// or when the bus is closed.
func (b *Bus) Consume(ctx context.Context, stream string, fn func(ctx context.Context, data []byte) error) error {
	s, err := b.named(ctx, stream)
	if err != nil {
		return fmt.Errorf("consuming: %w", err)
	}
	// The server counts deliveries and never gives up by itself: whoever gets a message
	// that was tried too often writes it to the dead letters first.
	consumer, err := s.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: "worker", AckPolicy: jetstream.AckExplicitPolicy, AckWait: answerWithin, MaxDeliver: -1, MaxAckPending: 1024,
	})
	if err != nil {
		return fmt.Errorf("consuming stream %s: %w", stream, err)
	}
	for ctx.Err() == nil {
		m, err := next(ctx, consumer)
		switch {
		case err == nil:
			if err := b.handle(ctx, stream, m, fn); err != nil && ctx.Err() == nil {
				// It stays on the stream and comes again.
				b.log.Error("answering the bus", "stream", stream, "error", err)
			}
		case b.conn.IsClosed():
			return fmt.Errorf("consuming stream %s: the bus is closed", stream)
		case errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded), errors.Is(err, jetstream.ErrNoMessages), ctx.Err() != nil:
		default:
			b.log.Warn("waiting for messages", "stream", stream, "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
	return nil
}

func next(ctx context.Context, consumer jetstream.Consumer) (jetstream.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, pollFor)
	defer cancel()
	return consumer.Next(jetstream.FetchContext(ctx))
}

// handle tries a message once and answers the server.
func (b *Bus) handle(ctx context.Context, stream string, m jetstream.Msg, fn func(context.Context, []byte) error) error {
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("reading a message's metadata: %w", err)
	}
	tries := int(meta.NumDelivered)
	if tries > len(b.retry)+1 {
		return b.bury(ctx, stream, m, meta, fmt.Errorf("delivered %d times and never answered: it may crash who handles it", tries-1))
	}
	stop := b.keepAlive(m)
	err = fn(ctx, m.Data())
	stop()
	switch {
	case err == nil:
		return b.answer(ctx, m.DoubleAck)
	case errors.Is(err, triad.ErrPoison):
		return b.bury(ctx, stream, m, meta, err)
	case ctx.Err() != nil:
		return m.Nak() // not the message's fault: whoever is there next gets it at once
	case tries > len(b.retry):
		return b.bury(ctx, stream, m, meta, fmt.Errorf("tried %d times: %w", tries, err))
	}
	wait := b.retry[tries-1]
	b.log.Warn("handling a message failed", "stream", stream, "seq", meta.Sequence.Stream, "try", tries, "again_in", wait, "error", err)
	return m.NakWithDelay(wait)
}

// keepAlive tells the server, until stopped, that the message is being worked on.
func (b *Bus) keepAlive(m jetstream.Msg) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(answerWithin / 3)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if err := m.InProgress(); err != nil {
					return // the connection is gone; the message comes again
				}
			}
		}
	}()
	return func() { close(done); <-ended }
}

// answer sends an answer and waits for the server to have it, also while ctx is ending.
func (b *Bus) answer(ctx context.Context, send func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callWithin)
	defer cancel()
	return send(ctx)
}

// The headers of a dead letter.
const (
	headerReason = "Triad-Reason"
	headerAt     = "Triad-At"
)

// maxReason is the longest reason kept, in bytes.
const maxReason = 4 << 10

const deadPrefix = "triad.dead."

func deadSubject(stream, seq string) string { return deadPrefix + stream + "." + seq }

// bury moves a message to the dead letters: written there first, then answered, so that it
// is never in neither place.
func (b *Bus) bury(ctx context.Context, stream string, m jetstream.Msg, meta *jetstream.MsgMetadata, reason error) error {
	b.log.Error("a message cannot be handled", "stream", stream, "seq", meta.Sequence.Stream, "error", reason)
	return b.answer(ctx, func(ctx context.Context) error {
		if _, err := b.stream(ctx, deadStream); err != nil {
			return err
		}
		text := strings.Map(func(c rune) rune {
			if c < ' ' {
				return ' ' // a header is one line
			}
			return c
		}, reason.Error())
		letter := &nats.Msg{
			Subject: deadSubject(stream, strconv.FormatUint(meta.Sequence.Stream, 10)),
			Data:    m.Data(),
			Header: nats.Header{
				headerReason: {text[:min(len(text), maxReason)]},
				headerAt:     {time.Now().UTC().Format(time.RFC3339Nano)},
			},
		}
		if _, err := b.js.PublishMsg(ctx, letter); err != nil {
			return fmt.Errorf("writing a dead letter: %w", err)
		}
		return m.DoubleAck(ctx)
	})
}

// maxShown is the largest dead message that a listing carries along, in bytes. Larger ones
// stay on the stream.
const maxShown = 64 << 10

// DeadLetters implements triad.Bus.
func (b *Bus) DeadLetters(ctx context.Context, limit int) ([]triad.DeadLetter, error) {
	s, err := b.stream(ctx, deadStream)
	if err != nil {
		return nil, fmt.Errorf("reading dead letters: %w", err)
	}
	info, err := s.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading dead letters: %w", err)
	}
	if limit <= 0 {
		limit = 100
	}
	letters := []triad.DeadLetter{}
	for seq := info.State.LastSeq; seq >= max(info.State.FirstSeq, 1) && len(letters) < limit && info.State.Msgs > 0; seq-- {
		m, err := s.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // written again later, or aged out
		}
		if err != nil {
			return nil, fmt.Errorf("reading dead letter %d: %w", seq, err)
		}
		letters = append(letters, letterOf(m))
	}
	return letters, nil
}

func letterOf(m *jetstream.RawStreamMsg) triad.DeadLetter {
	letter := triad.DeadLetter{Size: len(m.Data), Reason: m.Header.Get(headerReason), At: m.Time.UTC()}
	if at, err := time.Parse(time.RFC3339Nano, m.Header.Get(headerAt)); err == nil {
		letter.At = at
	}
	if len(m.Data) <= maxShown {
		letter.Data = m.Data
	}
	stream, seq, _ := strings.Cut(strings.TrimPrefix(m.Subject, deadPrefix), ".")
	letter.Stream = stream
	letter.Seq, _ = strconv.ParseUint(seq, 10, 64)
	return letter
}
