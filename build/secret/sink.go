package secret

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/inspect"
)

// Bounds of one file.
const (
	block    = 128 << 10 // bytes held; what a block adds is looked at when it is full
	maxSpan  = 8 << 10   // bytes that near words of one rule are joined to
	margin   = 512       // bytes around a secret in which its line is looked at
	maxFound = 200       // secrets of one file
	// Work that the detectors may do in one file, in bytes: a fixed part, and this part of the
	// file. Of what distributions hold 5 % is near a word.
	workFixed = 16 << 20
	workPart  = 4
	sniff     = 4 << 10 // bytes in which a NUL makes a file binary
)

var blocks = sync.Pool{New: func() any { b := make([]byte, 0, block); return &b }}

// sink looks at one file. It looks when a block is full and at the end, never when a piece
// comes, so that what it finds does not depend on the pieces.
type sink struct {
	ctx   context.Context
	name  string
	class class
	named format

	held    *[]byte
	buf     []byte // the content from offset on
	offset  int64
	newline int // line ends before offset
	scanned int // how far of buf the filter has looked
	sniffed bool
	enough  bool
	spans   []span
	open    map[int]int // rule: the index of its last span
	found   []hit
	more    int
	work    int64
	dropped int64
	err     error
}

// span is a stretch of content that a rule is to look at, or the place of one word.
type span struct {
	rule       int
	start, end int64
	word       int64 // of a rule that looks at one word
}

// hit is a secret of the file.
type hit struct {
	rule       int
	start, end int64
	line       int
	match
	masked string
	print  string
	length int
}

// Write takes the next piece.
func (s *sink) Write(p []byte) (int, error) {
	n := len(p)
	if s.held == nil {
		s.held = blocks.Get().(*[]byte) //nolint:forcetypeassert // the pool holds nothing else
		s.buf = (*s.held)[:0]
	}
	for len(p) > 0 {
		take := min(len(p), block-len(s.buf))
		if !s.sniffed {
			take = min(take, sniff-len(s.buf))
		}
		s.buf = append(s.buf, p[:take]...)
		p = p[take:]
		if len(s.buf) == sniff && !s.sniffed {
			s.sniff()
		}
		if len(s.buf) == block {
			if err := s.ctx.Err(); err != nil {
				return n - len(p), err
			}
			s.look(false)
		}
		if s.enough {
			return n, inspect.ErrEnough
		}
	}
	return n, nil
}

// Close looks at the rest and says what was found.
func (s *sink) Close() ([]inspect.Found, error) {
	if s.held == nil {
		return nil, nil
	}
	if !s.enough {
		s.look(true)
	}
	clear(s.buf)
	*s.held = s.buf[:0]
	blocks.Put(s.held)
	s.buf, s.held = nil, nil
	err := s.err
	switch {
	case err != nil:
	case s.dropped > 0:
		err = fmt.Errorf("%s: too many places look like a secret: %d of them were not looked at", s.name, s.dropped)
	case s.more > 0:
		err = fmt.Errorf("%s: more than %d secrets: %d more are not listed", s.name, maxFound, s.more)
	}
	var found []inspect.Found
	for _, f := range findings(s.settle(), s.name) {
		found = append(found, inspect.Found{Finding: f})
	}
	return found, err
}

// look runs the filter over what is new and the rules over the spans that are complete, and
// keeps what the others still need.
func (s *sink) look(end bool) {
	if !s.sniffed {
		s.sniff()
	}
	if s.enough {
		return
	}
	if s.named != nil && s.offset == 0 {
		s.whole(end)
	}
	to := len(s.buf)
	if !end {
		to -= words().longest
	}
	words().scan(s.buf, s.scanned, to, s.hit)
	s.scanned = to
	s.run(end)
	if end {
		return
	}
	keep := int64(to - widest() - margin)
	for _, sp := range s.spans {
		keep = min(keep, sp.start-margin-s.offset)
	}
	keep = max(keep, 0)
	s.newline += bytes.Count(s.buf[:keep], []byte("\n"))
	s.buf = s.buf[:copy(s.buf, s.buf[keep:])]
	s.offset += keep
	s.scanned -= int(keep)
}

// sniff says by its beginning whether the file is a program or the like.
func (s *sink) sniff() {
	s.sniffed = true
	if bytes.IndexByte(s.buf[:min(sniff, len(s.buf))], 0) < 0 {
		return
	}
	s.class = s.class&(third|published) | opaque
	s.enough = s.class&third != 0 && !programs(s.name)
}

// hit notes the rules of a word that the filter found.
func (s *sink) hit(pos, w int) {
	at := s.offset + int64(pos)
	for _, r := range words().words[w].rules {
		rule := rules()[r]
		if rule.classes != 0 && rule.classes&s.class == 0 || rule.own && s.class&third != 0 || s.class&published != 0 && rule.id == "private-key" {
			continue
		}
		start, end := max(at-int64(rule.before), 0), at+int64(rule.after)
		if rule.at != nil {
			s.spans = append(s.spans, span{rule: r, start: start, end: end, word: at})
			continue
		}
		if i, is := s.open[r]; is {
			if last := &s.spans[i]; start <= last.end && end-last.start <= max(maxSpan, int64(rule.before+rule.after)) {
				last.end = max(last.end, end)
				continue
			}
		}
		if s.open == nil {
			s.open = map[int]int{}
		}
		s.open[r] = len(s.spans)
		s.spans = append(s.spans, span{rule: r, start: start, end: end})
	}
}

// run lets the rules look at the spans that are held whole.
func (s *sink) run(end bool) {
	if len(s.spans) == 0 {
		return
	}
	clear(s.open)
	held := s.offset + int64(len(s.buf))
	kept := s.spans[:0]
	for _, sp := range s.spans {
		if !end && sp.end+margin > held {
			kept = append(kept, sp)
			continue
		}
		if sp.end = min(sp.end, held); sp.start < sp.end {
			s.apply(sp)
		}
	}
	s.spans = kept
}

func (s *sink) apply(sp span) {
	rule := rules()[sp.rule]
	cost := sp.end - sp.start
	if rule.at != nil {
		// It mostly sees at once that this is none.
		if cost = min(cost, 128); rule.after < maxSpan {
			cost = min(cost, 16)
		}
	}
	if s.work += cost; s.work > workFixed+(s.offset+int64(len(s.buf)))/workPart {
		s.dropped++
		return
	}
	window := s.buf[sp.start-s.offset : sp.end-s.offset]
	if rule.at != nil {
		if m, ok := rule.at(window, int(sp.word-sp.start), s.class); ok {
			s.note(sp, m)
		}
		return
	}
	for _, m := range rule.find(window) {
		s.note(sp, m)
	}
}

// note keeps a match, masked.
func (s *sink) note(sp span, m match) {
	h := hit{rule: sp.rule, start: sp.start + int64(m.start), end: sp.start + int64(m.end), match: m}
	for i := len(s.found) - 1; i >= 0; i-- {
		if old := s.found[i]; old.rule == h.rule && old.start == h.start {
			return
		}
	}
	from, to := int(h.start-s.offset), int(h.end-s.offset)
	if s.allowed(from, to) {
		return
	}
	if len(s.found) >= maxFound {
		s.more++
		return
	}
	value := s.buf[from:to]
	h.line = s.newline + bytes.Count(s.buf[:from], []byte("\n")) + 1
	h.masked = mask(value, max(m.shown, 0))
	h.length = len(value)
	if rules()[sp.rule].random {
		h.print = fingerprint(rules()[sp.rule].id, value)
	}
	s.found = append(s.found, h)
}

// allowed says whether the line on which a secret begins or ends says that it is meant to be there.
func (s *sink) allowed(from, to int) bool {
	start := max(from-margin, 0)
	if i := bytes.LastIndexByte(s.buf[start:from], '\n'); i >= 0 {
		start += i + 1
	}
	end := min(to+margin, len(s.buf))
	if i := bytes.IndexByte(s.buf[to:end], '\n'); i >= 0 {
		end = to + i
	}
	line := s.buf[start:end]
	return bytes.Contains(line, []byte("triad:allow-secret")) || bytes.Contains(line, []byte("gitleaks:allow"))
}

// settle orders the secrets and leaves out, of those that overlap, all but the one whose rule
// comes first.
func (s *sink) settle() []hit {
	slices.SortStableFunc(s.found, func(a, b hit) int {
		return cmp.Or(cmp.Compare(a.rule, b.rule), cmp.Compare(a.start, b.start))
	})
	var kept []hit
	for _, h := range s.found {
		if !slices.ContainsFunc(kept, func(k hit) bool { return h.start < k.end && k.start-int64(k.lead) < h.end }) {
			kept = append(kept, h)
		}
	}
	slices.SortStableFunc(kept, func(a, b hit) int { return cmp.Compare(a.start, b.start) })
	return kept
}

// findings makes one finding for the secrets of a rule on a line.
func findings(hits []hit, file string) []triad.Finding {
	var out []triad.Finding
	seen := map[string]int{}
	for _, h := range hits {
		f := h.finding(file)
		i, is := seen[f.Key()]
		if !is {
			seen[f.Key()] = len(out)
			out = append(out, f)
			continue
		}
		if len(out[i].Aliases) < 10 && !slices.Contains(out[i].Aliases, h.print) {
			out[i].Detail += ", " + f.Detail
			out[i].Aliases = append(out[i].Aliases, f.Aliases...)
		}
	}
	return out
}

// finding says what was found without saying the secret.
func (h *hit) finding(file string) triad.Finding {
	rule := rules()[h.rule]
	f := triad.Finding{
		Kind: triad.FindingSecret, ID: rule.id, Title: rule.title, Severity: rule.severity, Path: file, Line: h.line,
		Fix: "Take it out of the build and out of the history, and have the issuer revoke it: whoever can pull this can read it.",
	}
	if h.title != "" {
		f.Title = h.title
	}
	if h.severity != "" {
		f.Severity = h.severity
	}
	f.Detail = fmt.Sprintf("%s (%d characters)", h.masked, h.length)
	if h.name != "" {
		f.Detail = clip(h.name, maxName) + ": " + f.Detail
	}
	if h.print != "" {
		f.Aliases = []string{h.print}
	}
	return f
}
