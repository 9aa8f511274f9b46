package advisory

import (
	"encoding/binary"
	"errors"
	"time"
)

// errDamaged means that stored bytes do not decode; a checksum should have said so before.
var errDamaged = errors.New("advisory database is damaged: run `triad db update` or `triad db import`")

// writer appends values in the database's own encoding: unsigned varints, and strings as
// length and bytes.
type writer struct{ b []byte }

func (w *writer) uint(v uint64)   { w.b = binary.AppendUvarint(w.b, v) }
func (w *writer) string(s string) { w.uint(uint64(len(s))); w.b = append(w.b, s...) }
func (w *writer) strings(list []string) {
	w.uint(uint64(len(list)))
	for _, s := range list {
		w.string(s)
	}
}

func (w *writer) severities(list []Severity) {
	w.uint(uint64(len(list)))
	for _, s := range list {
		w.string(s.Type)
		w.string(s.Score)
	}
}

// reader takes values off a string; the strings that it returns share its memory. After the
// first value that does not decode, bad is set and everything reads as zero.
type reader struct {
	s   string
	bad bool
}

func (r *reader) uint() uint64 {
	var v uint64
	for i := 0; i < len(r.s) && i < binary.MaxVarintLen64; i++ {
		c := r.s[i]
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.s = r.s[i+1:]
			return v
		}
	}
	r.bad, r.s = true, ""
	return 0
}

func (r *reader) string() string {
	n := r.uint()
	if n > uint64(len(r.s)) {
		r.bad, r.s = true, ""
		return ""
	}
	out := r.s[:n]
	r.s = r.s[n:]
	return out
}

// count reads a length of a list whose elements take at least one byte each.
func (r *reader) count() int {
	n := r.uint()
	if n > uint64(len(r.s)) {
		r.bad, r.s = true, ""
		return 0
	}
	return int(n)
}

func (r *reader) strings() []string {
	n := r.count()
	if n == 0 {
		return nil
	}
	out := make([]string, n)
	for i := range out {
		out[i] = r.string()
	}
	return out
}

func (r *reader) severities() []Severity {
	n := r.count()
	if n == 0 {
		return nil
	}
	out := make([]Severity, n)
	for i := range out {
		out[i] = Severity{Type: r.string(), Score: r.string()}
	}
	return out
}

func (w *writer) record(r *Record) {
	w.string(r.ID)
	w.uint(uint64(max(0, r.Modified.UnixMicro())))
	flags := uint64(0)
	if r.Withdrawn {
		flags = 1
	}
	w.uint(flags)
	w.strings(r.Aliases)
	w.strings(r.Upstream)
	w.strings(r.Related)
	w.string(r.Summary)
	w.severities(r.Severity)
	w.string(r.Word)
	w.strings(r.Exploits)
}

func (r *reader) record() *Record {
	return &Record{
		ID: r.string(), Modified: time.UnixMicro(int64(r.uint())).UTC(), Withdrawn: r.uint()&1 != 0,
		Aliases: r.strings(), Upstream: r.strings(), Related: r.strings(),
		Summary: r.string(), Severity: r.severities(), Word: r.string(), Exploits: r.strings(),
	}
}

func (w *writer) ranges(list []Range) {
	w.uint(uint64(len(list)))
	for _, g := range list {
		w.b = append(w.b, byte(g.Type))
		w.uint(uint64(len(g.Events)))
		for _, e := range g.Events {
			w.b = append(w.b, byte(e.Kind))
			w.string(e.Version)
		}
	}
}

func (w *writer) imports(list []GoPackage) {
	for _, i := range list {
		w.string(i.Path)
		w.strings(i.Symbols)
		w.strings(i.GOOS)
		w.strings(i.GOARCH)
	}
}

func (r *reader) imports() []GoPackage {
	var out []GoPackage
	for r.s != "" && !r.bad {
		out = append(out, GoPackage{Path: r.string(), Symbols: r.strings(), GOOS: r.strings(), GOARCH: r.strings()})
	}
	return out
}

func (r *reader) byte(limit byte) byte {
	if r.s == "" || r.s[0] > limit {
		r.bad, r.s = true, ""
		return 0
	}
	c := r.s[0]
	r.s = r.s[1:]
	return c
}

func (r *reader) ranges() []Range {
	n := r.count()
	if n == 0 {
		return nil
	}
	out := make([]Range, n)
	for i := range out {
		out[i].Type = RangeType(r.byte(byte(RangeSemver)))
		events := make([]Event, r.count())
		for j := range events {
			events[j] = Event{Kind: EventKind(r.byte(byte(Limit))), Version: r.string()}
		}
		out[i].Events = events
	}
	return out
}
