package fix

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Edit replaces bytes [Start, End) of a file.
type Edit struct {
	Start, End int
	Text       string
}

// Patch is the changes of one file.
type Patch struct {
	Path  string
	Did   []string // what each change is for
	data  []byte
	edits []Edit
}

// maxManifest bytes of a file that is changed.
const maxManifest = 16 << 20

// OpenPatch reads a file that is to be changed. Links are not followed: what they lead to may
// be anywhere.
func OpenPatch(path string) (*Patch, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("fixing: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxManifest {
		return nil, fmt.Errorf("fixing %s: not a regular file of at most %d bytes", path, maxManifest)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("fixing: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxManifest))
	if err != nil {
		return nil, fmt.Errorf("fixing %s: %w", path, err)
	}
	return &Patch{Path: path, data: data}, nil
}

// Data is the file as it was read.
func (p *Patch) Data() []byte { return p.data }

// Add notes a change; one that overlaps another is refused, but for the same again.
func (p *Patch) Add(e Edit, why string) bool {
	if e.Start < 0 || e.End < e.Start || e.End > len(p.data) {
		return false
	}
	for _, o := range p.edits {
		if o == e {
			return true
		}
		if e.Start < o.End && o.Start < e.End || e.Start == o.Start && e.Start != e.End && o.Start != o.End {
			return false
		}
	}
	p.edits = append(p.edits, e)
	p.Did = append(p.Did, why)
	return true
}

// Changed reports whether there is anything to write.
func (p *Patch) Changed() bool { return len(p.edits) > 0 && !bytes.Equal(p.data, p.After()) }

func (p *Patch) sorted() []Edit {
	all := slices.Clone(p.edits)
	slices.SortStableFunc(all, func(a, b Edit) int {
		if a.Start != b.Start {
			return a.Start - b.Start
		}
		return a.End - b.End
	})
	return all
}

// After is the changed file.
func (p *Patch) After() []byte { return splice(p.data, 0, len(p.data), p.sorted()) }

func splice(data []byte, from, to int, edits []Edit) []byte {
	var out []byte
	for _, e := range edits {
		out = append(append(out, data[from:e.Start]...), e.Text...)
		from = e.End
	}
	return append(out, data[from:to]...)
}

// newline is how the file ends its lines.
func (p *Patch) newline() string {
	if i := bytes.IndexByte(p.data, '\n'); i > 0 && p.data[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// around is how many lines stand around a change in a diff.
const around = 3

// Diff is the change as a unified diff (GNU diffutils, "Unified Format").
func (p *Patch) Diff() string {
	if !p.Changed() {
		return ""
	}
	starts := []int{0}
	for i, c := range p.data {
		if c == '\n' && i+1 < len(p.data) {
			starts = append(starts, i+1)
		}
	}
	lineOf := func(at int) int {
		n, found := slices.BinarySearch(starts, at)
		if !found {
			n--
		}
		return n
	}
	begin := func(line int) int {
		if line >= len(starts) {
			return len(p.data)
		}
		return starts[line]
	}
	type hunk struct {
		from, to int // lines that change, [from, to)
		edits    []Edit
	}
	var hunks []hunk
	// whole makes a hunk end where a line does: what is put in or taken out may end within one.
	whole := func(h *hunk) {
		for h.to < len(starts) {
			after := splice(p.data, begin(h.from), begin(h.to), h.edits)
			if len(after) == 0 || after[len(after)-1] == '\n' {
				return
			}
			h.to++
		}
	}
	for _, e := range p.sorted() {
		from, to := lineOf(e.Start), lineOf(max(e.End-1, e.Start))+1
		if e.Start == e.End && e.Start == begin(from) && strings.HasSuffix(e.Text, "\n") {
			to = from // whole lines put in before this one
		}
		if e.Start == len(p.data) && len(p.data) > 0 && p.data[len(p.data)-1] == '\n' {
			from, to = len(starts), len(starts)
		}
		if n := len(hunks) - 1; n >= 0 && from <= hunks[n].to {
			hunks[n].to = max(hunks[n].to, to)
			hunks[n].edits = append(hunks[n].edits, e)
		} else {
			hunks = append(hunks, hunk{from, to, []Edit{e}})
		}
		whole(&hunks[len(hunks)-1])
	}
	var out strings.Builder
	name := filepath.ToSlash(p.Path)
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", name, name)
	shift := 0
	for n := 0; n < len(hunks); {
		last := n
		for last+1 < len(hunks) && hunks[last+1].from-hunks[last].to <= 2*around {
			last++
		}
		from, to := max(hunks[n].from-around, 0), min(hunks[last].to+around, len(starts))
		var body strings.Builder
		old, added := 0, 0
		at := from
		keep := func(until int) {
			for ; at < until; at++ {
				line(&body, ' ', p.data[begin(at):begin(at+1)])
				old, added = old+1, added+1
			}
		}
		for _, h := range hunks[n : last+1] {
			keep(h.from)
			before := lines(p.data[begin(h.from):begin(h.to)])
			after := lines(splice(p.data, begin(h.from), begin(h.to), h.edits))
			for _, l := range before {
				line(&body, '-', l)
			}
			for _, l := range after {
				line(&body, '+', l)
			}
			old, added, at = old+len(before), added+len(after), h.to
		}
		keep(to)
		fmt.Fprintf(&out, "@@ -%s +%s @@\n%s", span(from, old), span(from+shift, added), body.String())
		shift += added - old
		n = last + 1
	}
	return out.String()
}

func span(from, count int) string {
	if count > 0 {
		from++
	}
	if count == 1 {
		return fmt.Sprint(from)
	}
	return fmt.Sprintf("%d,%d", from, count)
}

func lines(data []byte) [][]byte {
	var all [][]byte
	for l := range bytes.Lines(data) {
		all = append(all, l)
	}
	return all
}

func line(w *strings.Builder, sign byte, text []byte) {
	w.WriteByte(sign)
	w.Write(text)
	if !bytes.HasSuffix(text, []byte("\n")) {
		w.WriteString("\n\\ No newline at end of file\n")
	}
}

// Write puts the changed file in the place of the old one, whole or not at all, unless
// somebody else changed it since it was read.
func (p *Patch) Write() (err error) {
	now, err := OpenPatch(p.Path)
	if err != nil {
		return err
	}
	if !bytes.Equal(now.data, p.data) {
		return fmt.Errorf("fixing %s: it was changed in the meantime: run it again", p.Path)
	}
	info, err := os.Lstat(p.Path)
	if err != nil {
		return fmt.Errorf("fixing: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(p.Path), ".triad-fix-*")
	if err != nil {
		return fmt.Errorf("fixing %s: %w", p.Path, err)
	}
	_, err = f.Write(p.After())
	err = errors.Join(err, f.Chmod(info.Mode().Perm()), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), p.Path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("fixing %s: %w", p.Path, err)
	}
	return nil
}
