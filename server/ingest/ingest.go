package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/triad-security/triad"
)

// Stream carries accepted reports. Topic wakes who follows the change log; each message is
// a Notice.
const (
	Stream = "reports"
	Topic  = "changes"
)

// Notice says that a tenant's change log has grown, or that a scope must be sent in full.
type Notice struct {
	Tenant   string `json:"tenant"`
	Scope    string `json:"scope"`
	Revision int64  `json:"revision"`
	Position int64  `json:"position"`         // the log's last entry
	Resend   bool   `json:"resend,omitempty"` // an accepted delta was refused after all
}

// Acknowledgement says that a report is on stable storage.
type Acknowledgement struct {
	Scope    string
	Revision int64
}

// Ingest accepts reports and applies them.
type Ingest struct {
	store triad.Store
	bus   triad.Bus
	log   *slog.Logger
	now   func() time.Time
	limit int // bytes of one message

	seed   maphash.Seed
	shards [64]shard
}

// shard serializes the reports of the scopes that fall to it, and knows what is under way.
type shard struct {
	mu     sync.Mutex
	flight map[scopeKey]flight
}

type scopeKey struct{ tenant, scope string }

// flight is the newest report accepted here that may not be applied yet.
type flight struct {
	revision int64
	at       time.Time
}

const (
	// trusted is how long an accepted report counts as the base of the next delta without
	// having been applied. Longer, and another replica may have refused it.
	trusted = 2 * time.Minute
	// keepFlights bounds what one shard remembers.
	keepFlights = 4096
)

// New returns an Ingest over a store and a bus.
func New(store triad.Store, bus triad.Bus, log *slog.Logger) *Ingest {
	i := &Ingest{store: store, bus: bus, log: log, now: time.Now, limit: MaxBytes, seed: maphash.MakeSeed()}
	if b, ok := bus.(interface{ MaxMessage() int }); ok {
		i.limit = b.MaxMessage()
	}
	for n := range i.shards {
		i.shards[n].flight = map[scopeKey]flight{}
	}
	return i
}

func (i *Ingest) shard(k scopeKey) *shard {
	return &i.shards[maphash.Comparable(i.seed, k)%uint64(len(i.shards))]
}

// Accept takes a report, or one part of it, durably. A delta on another revision than the
// scope's newest is refused with ErrWrongBase: the collector sends a full report.
func (i *Ingest) Accept(ctx context.Context, r *triad.Report) (Acknowledgement, error) {
	if err := r.Validate(); err != nil {
		return Acknowledgement{}, err
	}
	k := scopeKey{r.Tenant, r.Scope}
	s := i.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Base != 0 {
		if err := i.checkBase(ctx, s, k, r); err != nil {
			return Acknowledgement{}, err
		}
	}
	messages, err := i.messages(r)
	if err != nil {
		return Acknowledgement{}, err
	}
	for _, m := range messages {
		// The id is the content's: a resent message is dropped, and a full report under the
		// revision of a refused delta is not.
		id := sha256.Sum256(m)
		if err := i.bus.Publish(ctx, Stream, hex.EncodeToString(id[:]), m); err != nil {
			return Acknowledgement{}, fmt.Errorf("accepting report %s@%d: %w", r.Scope, r.Revision, err)
		}
	}
	s.remember(k, flight{max(r.Revision, s.flight[k].revision), i.now()})
	return Acknowledgement{r.Scope, r.Revision}, nil
}

// checkBase compares a delta's base with the newest revision: the store's, or that of a
// report accepted here and still under way.
func (i *Ingest) checkBase(ctx context.Context, s *shard, k scopeKey, r *triad.Report) error {
	state, err := i.store.Scope(ctx, r.Tenant, r.Scope)
	if err != nil && !errors.Is(err, triad.ErrNotFound) {
		return fmt.Errorf("checking the base of %s@%d: %w", r.Scope, r.Revision, err)
	}
	newest := state.Revision
	f, underway := s.flight[k]
	if underway && (f.revision <= state.Revision || i.now().Sub(f.at) > trusted) {
		delete(s.flight, k)
		underway = false
	}
	if underway {
		newest = f.revision
	}
	if r.Revision == newest {
		return nil // a repeat, or a further part
	}
	if r.Base != newest {
		return triad.Errorf(triad.CodeWrongBase, "delta %s@%d stands on revision %d, the scope is at %d: send a full report", r.Scope, r.Revision, r.Base, newest)
	}
	if underway {
		return nil
	}
	for _, l := range r.Sections {
		if state.Sections[l.Name].Status != triad.SectionComplete {
			return triad.Errorf(triad.CodeWrongBase, "delta %s@%d changes section %s, which was not read whole before: send a full report", r.Scope, r.Revision, l.Name)
		}
	}
	return nil
}

func (s *shard) remember(k scopeKey, f flight) {
	if len(s.flight) >= keepFlights {
		for old, o := range s.flight {
			if f.at.Sub(o.at) > trusted {
				delete(s.flight, old)
			}
		}
		if len(s.flight) >= keepFlights {
			return // the next delta may be refused, and comes in full
		}
	}
	s.flight[k] = f
}

// messages packs a report, cut into parts where one message cannot hold it.
func (i *Ingest) messages(r *triad.Report) ([][]byte, error) {
	if r.Parts != 0 {
		messages, err := i.pack([]*triad.Report{r})
		if errors.Is(err, errTooLarge) {
			err = triad.Errorf(triad.CodeInvalid, "report %s@%d: part %d does not fit a message of %d bytes: send smaller parts", r.Scope, r.Revision, r.Part, i.limit)
		}
		return messages, err
	}
	rows := len(r.Assets) + len(r.Relations) + len(r.Packages) + len(r.Findings) + len(r.Removed)
	for perPart := min(max(rows, 1), MaxRows); ; perPart = (perPart + 3) / 4 {
		messages, err := i.pack(r.Split(perPart))
		switch {
		case err == nil:
			return messages, nil
		case !errors.Is(err, errTooLarge):
			return nil, err
		case perPart == 1:
			return nil, triad.Errorf(triad.CodeInvalid, "report %s@%d: one of its rows does not fit a message of %d bytes", r.Scope, r.Revision, i.limit)
		}
	}
}

func (i *Ingest) pack(parts []*triad.Report) ([][]byte, error) {
	if len(parts) > triad.MaxParts {
		return nil, triad.Errorf(triad.CodeInvalid, "report %s@%d: more than %d parts", parts[0].Scope, parts[0].Revision, triad.MaxParts)
	}
	var messages [][]byte
	for _, part := range parts {
		m, err := pack(part)
		if err != nil {
			return nil, err
		}
		if len(m) > i.limit {
			return nil, errTooLarge
		}
		messages = append(messages, m)
	}
	return messages, nil
}

// Work applies accepted reports until ctx ends. Several may run, in one process or many.
func (i *Ingest) Work(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	notices, err := i.bus.Listen(ctx, Topic)
	if err != nil {
		cancel()
		return fmt.Errorf("ingest: %w", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for data := range notices {
			i.heard(data)
		}
	}()
	defer func() { cancel(); <-done }()
	if err := i.bus.Consume(ctx, Stream, i.apply); err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	return nil
}

// heard takes in what this or another replica did with an accepted report.
func (i *Ingest) heard(data []byte) {
	var n Notice
	if err := json.Unmarshal(data, &n); err != nil {
		i.log.Warn("ingest: a notice cannot be read", "error", err)
		return
	}
	k := scopeKey{n.Tenant, n.Scope}
	s := i.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.Resend || s.flight[k].revision <= n.Revision {
		delete(s.flight, k)
	}
}

// apply is one try of one message.
func (i *Ingest) apply(ctx context.Context, message []byte) error {
	r, err := unpack(message)
	if err != nil {
		return fmt.Errorf("%w: %w", triad.ErrPoison, err)
	}
	applied, err := i.store.Apply(ctx, r)
	notice := Notice{Tenant: r.Tenant, Scope: r.Scope, Revision: r.Revision, Position: applied.Last}
	switch {
	case errors.Is(err, triad.ErrWrongBase):
		// The collector finds out with its next delta, which stands on this one.
		i.log.Info("ingest: a delta came too late or too early; the scope is to be sent in full", "tenant", r.Tenant, "scope", r.Scope, "error", err)
		notice.Resend = true
	case triad.ErrorCode(err) == triad.CodeInvalid:
		return fmt.Errorf("%w: %w", triad.ErrPoison, err)
	case err != nil:
		return err
	case !applied.Complete:
		return nil
	case applied.Last == 0:
		// Nothing changed, but this may be a repeat after a crash before the notice.
		if notice.Position, err = i.store.Position(ctx, r.Tenant); err != nil {
			return err
		}
	}
	data, err := json.Marshal(notice)
	if err != nil {
		return err
	}
	if err := i.bus.Notify(Topic, data); err != nil {
		i.log.Warn("ingest: nobody was woken; they look again by themselves", "error", err)
	}
	return nil
}
