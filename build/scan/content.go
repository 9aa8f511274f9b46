package scan

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/image"
	"github.com/triad-security/triad/build/inspect"
)

// content is what one inspector says of one layer. Like a record it depends on the layer
// alone, and is kept by itself: other signatures do not make packages be read again.
type content struct {
	DiffID   string
	Findings []inspect.Found // Path is the name in the layer
	Unread   []string
	more     int  // of Unread, beyond what is kept
	dropped  int  // of Findings
	passing  bool // some Unread is of an engine that did not answer, and may do so the next time
}

// contentKey names what an inspector says of a layer in the cache.
func contentKey(diffID string, in inspect.Inspector) string {
	h := sha256.New()
	fmt.Fprintf(h, "content\n%s\n%s\n%s", diffID, in.Section(), in.Key())
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

func (c *content) encode() ([]byte, error) {
	var w bytes.Buffer
	if err := gob.NewEncoder(&w).Encode(c); err != nil {
		return nil, fmt.Errorf("content record: %w", err)
	}
	return w.Bytes(), nil
}

func decodeContent(b []byte) (*content, error) {
	c := &content{}
	if err := gob.NewDecoder(bytes.NewReader(b)).Decode(c); err != nil {
		return nil, fmt.Errorf("content record: %w", err)
	}
	return c, nil
}

func (c *content) unread(name string, err error) {
	var t interface{ Temporary() bool }
	c.passing = c.passing || errors.As(err, &t) && t.Temporary()
	if len(c.Unread) >= maxUnread {
		c.more++
		return
	}
	c.Unread = append(c.Unread, fmt.Sprintf("%s: %v", name, err))
}

// finish turns what was counted into words.
func (c *content) finish() {
	if c.dropped > 0 {
		c.Unread = append(c.Unread, fmt.Sprintf("only the first %d findings are kept, %d more were made", len(c.Findings), c.dropped))
	}
	if c.more > 0 {
		c.Unread = append(c.Unread, fmt.Sprintf("and %d more files", c.more))
	}
	c.more, c.dropped = 0, 0
}

// job is one scan: what looks, and how far.
type job struct {
	able   []inspect.Inspector // those that can work
	unread []triad.Unread      // why others cannot
	limits image.Limits        // with the memory that its layers share
}

// begin asks every inspector whether it can work. The section of one that cannot is unread,
// and nothing is kept of it.
func (s *Scanner) begin(ctx context.Context) *job {
	j := &job{limits: s.Options.Limits}
	if j.limits.Budget == nil {
		j.limits.Budget = image.NewBudget(image.DefaultBudget)
	}
	for _, in := range s.Inspectors {
		if err := guarded(func() error { return in.Ready(ctx) }); err != nil {
			j.unread = append(j.unread, triad.Unread{Section: in.Section(), Reason: err.Error()})
			continue
		}
		j.able = append(j.able, in)
	}
	return j
}

// guarded makes a panic of an inspector its error: a file can be hostile.
func guarded(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the inspector failed: %v", p)
		}
	}()
	return fn()
}

// watched is a file that inspectors look at while it is read. It is used for one file after
// another.
type watched struct {
	r     io.Reader
	sinks []openSink
	live  int // sinks that still take content
	buf   []byte
}

type openSink struct {
	inspect.Sink
	n    int // of the inspector
	err  error
	done bool
}

// watch opens the sinks of the inspectors that want a file; nil when none does.
func (a *analyser) watch(f *image.File) *watched {
	w := &a.watched
	w.sinks = w.sinks[:0]
	if len(a.inspectors) == 0 {
		return nil
	}
	about := inspect.File{Name: f.Name, Size: f.Size, Mode: f.Mode, UID: f.UID, GID: f.GID}
	for n, in := range a.inspectors {
		var sink inspect.Sink
		if err := guarded(func() error { sink = in.Open(a.ctx, about); return nil }); err != nil {
			a.content[n].unread(f.Name, err)
		}
		if sink != nil {
			w.sinks = append(w.sinks, openSink{Sink: sink, n: n})
		}
	}
	if w.live = len(w.sinks); w.live == 0 {
		return nil
	}
	return w
}

// Read reads the file's content and hands it to the sinks.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if n > 0 && w.live > 0 {
		w.give(p[:n])
	}
	return n, err
}

func (w *watched) give(p []byte) {
	for i := range w.sinks {
		s := &w.sinks[i]
		if s.done {
			continue
		}
		if err := guarded(func() error { _, err := s.Write(p); return err }); err != nil {
			s.done, w.live = true, w.live-1
			if !errors.Is(err, inspect.ErrEnough) {
				s.err = err
			}
		}
	}
}

// drain gives the rest of the file to the sinks that want it.
func (w *watched) drain(ctx context.Context) error {
	if w.buf == nil {
		w.buf = make([]byte, 64<<10)
	}
	for w.live > 0 {
		n, err := w.r.Read(w.buf)
		if n > 0 {
			w.give(w.buf[:n])
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settle closes the sinks and keeps what they found. broken is why the content ended early.
func (a *analyser) settle(f *image.File, w *watched, broken error) {
	for i := range w.sinks {
		s := &w.sinks[i]
		c := a.content[s.n]
		var found []inspect.Found
		err := guarded(func() (err error) { found, err = s.Close(); return err })
		if err = errors.Join(s.err, err, broken); err != nil {
			c.unread(f.Name, err)
		}
		for _, one := range found {
			if one.Path == "" {
				one.Path = f.Name
			}
			if len(c.Findings) >= maxFindings || a.limits.Budget.Take(foundBytes(&one)) != nil {
				c.dropped++
				continue
			}
			c.Findings = append(c.Findings, one)
		}
		s.Sink = nil
	}
}
