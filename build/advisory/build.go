package advisory

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// fileName is the current generation in the database's folder; others are being written.
const (
	fileName   = "advisories.db"
	tempPrefix = "advisories.db.new-"
)

// builder writes a new generation beside the current one.
type builder struct {
	dir  string
	f    *os.File
	n    int64
	toc  Contents
	hint map[string]Hint // of all OSV segments
	old  *Generation     // that this one replaces; nil for none
	// beforeRename lets a test stop between the write and the swap.
	beforeRename func()
}

func newBuilder(dir string) (*builder, error) {
	f, err := os.CreateTemp(dir, tempPrefix+"*")
	if err != nil {
		return nil, err
	}
	b := &builder{dir: dir, f: f, hint: map[string]Hint{}}
	b.toc.Format = format
	head := binary.LittleEndian.AppendUint32([]byte(magic), format)
	if err := b.write(append(head, 0, 0, 0, 0)); err != nil {
		b.abort()
		return nil, err
	}
	return b, nil
}

func (b *builder) write(p []byte) error {
	n, err := b.f.Write(p)
	b.n += int64(n)
	return err
}

// segment lets fn write a segment.
func (b *builder) segment(s Segment, fn func(w io.Writer, s *Segment) error) error {
	s.Offset = b.n
	sum := sha256.New()
	w := &counter{w: io.MultiWriter(b.f, sum)}
	if err := fn(w, &s); err != nil {
		return err
	}
	s.Size, b.n = w.n, b.n+w.n
	s.SHA256 = hex.EncodeToString(sum.Sum(nil))
	b.toc.Segments = append(b.toc.Segments, s)
	return nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// keep copies a segment of an earlier generation after checking it.
func (b *builder) keep(old *Generation, s Segment) error {
	want := s.SHA256
	err := b.segment(s, func(w io.Writer, _ *Segment) error {
		_, err := io.Copy(w, io.NewSectionReader(old.f, s.Offset, s.Size))
		return err
	})
	if err != nil {
		return err
	}
	if got := b.toc.Segments[len(b.toc.Segments)-1].SHA256; got != want {
		return fmt.Errorf("keeping %s of the earlier advisories: %w", s.Name, errDamaged)
	}
	if strings.HasPrefix(s.Name, "hints/") {
		return old.tables[s.Name].each(func(cve, value string) error {
			r := reader{s: value}
			b.addHint(cve, r.hint())
			return r.err()
		})
	}
	return nil
}

func (b *builder) addHint(cve string, h Hint) {
	merged := b.hint[cve]
	merged.merge(h)
	b.hint[cve] = merged
}

// osv writes the records of one folder, which read hands over one by one.
func (b *builder) osv(name string, read func(*osvWriter, *Segment) error) error {
	var hints map[string]Hint
	err := b.segment(Segment{Name: "osv/" + name, Imported: now()}, func(w io.Writer, s *Segment) error {
		o := newOSVWriter(w)
		if err := read(o, s); err != nil {
			return err
		}
		s.Records, s.Withdrawn, s.Families = o.records, o.withdrawn, map[string][]string{}
		for family, releases := range o.families {
			s.Families[family] = slices.Sorted(maps.Keys(releases))
		}
		if o.newest > 0 {
			s.Newest = time.UnixMicro(o.newest).UTC()
		}
		hints = o.hints
		return o.close()
	})
	if err != nil {
		return err
	}
	for cve, h := range hints {
		b.addHint(cve, h)
	}
	return b.segment(Segment{Name: "hints/" + name, Records: len(hints), Imported: now()}, func(w io.Writer, _ *Segment) error {
		return writeHints(w, hints)
	})
}

// commit finishes the file, makes it durable and puts it in the place of the current one.
func (b *builder) commit() (err error) {
	defer func() {
		if err != nil {
			b.abort()
		}
	}()
	err = b.segment(Segment{Name: segmentHints, Records: len(b.hint), Imported: now()}, func(w io.Writer, _ *Segment) error {
		return writeHints(w, b.hint)
	})
	if err != nil {
		return err
	}
	if err := b.delta(); err != nil {
		return err
	}
	b.toc.Created, b.toc.Revision = now(), revision(b.toc.Segments)
	contents, err := json.Marshal(b.toc)
	if err != nil {
		return err
	}
	offset := b.n
	if err := b.write(contents); err != nil {
		return err
	}
	foot := binary.LittleEndian.AppendUint64(nil, uint64(offset))
	foot = binary.LittleEndian.AppendUint64(foot, uint64(len(contents)))
	foot = binary.LittleEndian.AppendUint32(foot, checksum(contents))
	if err := b.write(append(foot, endMagic...)); err != nil {
		return err
	}
	// The advisories are public; other users' guards and sensors on the machine may read them.
	if err := b.f.Chmod(0o644); err != nil {
		return err
	}
	if err := b.f.Sync(); err != nil {
		return err
	}
	if err := b.f.Close(); err != nil {
		return err
	}
	if b.beforeRename != nil {
		b.beforeRename()
	}
	if err := os.Rename(b.f.Name(), filepath.Join(b.dir, fileName)); err != nil {
		return err
	}
	return syncDir(b.dir)
}

// abort removes the unfinished file. The current generation is untouched.
func (b *builder) abort() {
	b.f.Close()
	os.Remove(b.f.Name())
}

// syncDir makes a rename durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// revision names the content: the same advisories have the same revision, whenever and in
// whatever steps they were imported.
func revision(segments []Segment) string {
	var lines []string
	for _, s := range segments {
		if s.Name == segmentDelta {
			continue // how it came about, not what it is
		}
		lines = append(lines, s.Name+" "+s.SHA256)
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:8])
}

func now() time.Time { return time.Now().UTC().Truncate(time.Second) }
