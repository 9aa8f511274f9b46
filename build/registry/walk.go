package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/triad-security/triad"
)

// Walk visits every image of a registry once, however many tags it has.
type Walk struct {
	Client *Client
	// Repositories to visit; empty is the whole catalogue. A * stands for any run.
	Repositories []string
	// Journal notes what is visited, so that a broken walk is taken up again; nil keeps none.
	Journal *Journal
	// Parallel is how many images are scanned at once; zero is two.
	Parallel int
	// Scan looks at an image by its reference with the digest. tag is one that stands for it.
	Scan func(ctx context.Context, reference, tag, digest string) error
	// Progress is told now and then.
	Progress func(Progress)
}

// Progress says how far a walk is.
type Progress struct {
	Repositories, Tags, Images, Failed int
	Repository                         string // where it is
	Done                               bool
}

// Summary is what a walk came to. Unread names what could not be visited.
type Summary struct {
	Progress
	// Tags are those that stand for a digest: shop/web:1.0.
	Tags   map[string][]string
	Unread []triad.Unread
}

// maxUnread reasons are named, the rest is counted.
const maxUnread = 100

// maxNamedTags of one image are named.
const maxNamedTags = 100

type walk struct {
	*Walk
	mu   sync.Mutex
	sum  Summary
	more int
	jobs chan job
}

type job struct{ reference, tag, digest string }

// Run walks. What fails is noted and the walk goes on; only a catalogue that cannot be read,
// and the end of ctx, end it.
func (r *Walk) Run(ctx context.Context) (Summary, error) {
	w := &walk{Walk: r, jobs: make(chan job)}
	w.sum.Tags = map[string][]string{}
	var workers sync.WaitGroup
	for range max(r.Parallel, 2) {
		workers.Go(func() {
			for j := range w.jobs {
				w.scan(ctx, j)
			}
		})
	}
	err := w.repositories(ctx)
	close(w.jobs)
	workers.Wait()
	if err == nil {
		err = ctx.Err()
	}
	if w.more > 0 {
		w.sum.Unread = append(w.sum.Unread, triad.Unread{Scope: r.Client.registry.RegistryStr(), Section: "images", Reason: fmt.Sprintf("and %d more", w.more)})
	}
	w.sum.Done = err == nil
	w.tell("")
	return w.sum, err
}

func (w *walk) repositories(ctx context.Context) error {
	literal := !slices.ContainsFunc(w.Repositories, func(p string) bool { return slices.Contains([]byte(p), '*') })
	if len(w.Repositories) > 0 && literal {
		for _, repository := range w.Repositories {
			if err := w.repository(ctx, repository); err != nil {
				return err
			}
		}
		return nil
	}
	return w.Client.Repositories(ctx, func(repository string) error {
		wanted := len(w.Repositories) == 0 || slices.ContainsFunc(w.Repositories, func(p string) bool { return triad.MatchPattern(p, repository) })
		if !wanted {
			return nil
		}
		return w.repository(ctx, repository)
	})
}

func (w *walk) repository(ctx context.Context, repository string) error {
	w.mu.Lock()
	w.sum.Repositories++
	w.mu.Unlock()
	err := w.Client.Tags(ctx, repository, func(tag string) error { return w.tag(ctx, repository, tag) })
	if err != nil && ctx.Err() == nil {
		w.unread(repository, err)
		err = nil
	}
	w.tell(repository)
	if err != nil {
		return err
	}
	return ctx.Err()
}

func (w *walk) tag(ctx context.Context, repository, tag string) error {
	digest := w.Journal.visited(repository, tag)
	if digest == "" {
		var err error
		if digest, err = w.Client.Digest(ctx, repository, tag); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			w.unread(repository+":"+tag, err)
			return nil
		}
	}
	w.mu.Lock()
	w.sum.Progress.Tags++
	tags := w.sum.Tags[digest]
	again := len(tags) > 0
	if len(tags) < maxNamedTags {
		w.sum.Tags[digest] = append(tags, repository+":"+tag)
	}
	told := w.sum.Progress.Tags%100 == 0
	w.mu.Unlock()
	if told {
		w.tell(repository)
	}
	if again {
		return w.Journal.visit(repository, tag, digest)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case w.jobs <- job{w.Client.registry.RegistryStr() + "/" + repository + "@" + digest, tag, digest}:
	}
	return w.Journal.visit(repository, tag, digest)
}

func (w *walk) scan(ctx context.Context, j job) {
	err := func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("the scan failed: %v", p)
			}
		}()
		return w.Scan(ctx, j.reference, j.tag, j.digest)
	}()
	w.mu.Lock()
	w.sum.Images++
	w.mu.Unlock()
	if err != nil && (ctx.Err() == nil || !errors.Is(err, ctx.Err())) {
		w.unread(j.reference, err)
	}
}

func (w *walk) unread(what string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sum.Failed++
	if len(w.sum.Unread) >= maxUnread {
		w.more++
		return
	}
	w.sum.Unread = append(w.sum.Unread, triad.Unread{Scope: what, Section: "images", Reason: err.Error()})
}

func (w *walk) tell(repository string) {
	if w.Progress == nil {
		return
	}
	w.mu.Lock()
	p := w.sum.Progress
	w.mu.Unlock()
	p.Repository = repository
	w.Progress(p)
}
