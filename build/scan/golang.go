package scan

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/google/osv-scalibr/extractor/filesystem"

	"github.com/triad-security/triad/build/image"
)

// buildInfoMagic opens the build information that the Go linker writes, at a multiple of 16
// bytes, since Go 1.13 (debug/buildinfo).
var buildInfoMagic = []byte("\xff Go buildinf:")

const (
	// minProgram: the smallest Go programs are above a megabyte.
	minProgram = 128 << 10
	// headSize holds the headers of a program, and the note with the Go build ID.
	headSize = 8 << 10
	// maxBuildInfo of a program's module list; the largest are near 200 KiB.
	maxBuildInfo = 4 << 20
	// scanChunk is searched at once.
	scanChunk = 64 << 10
)

// program looks whether an executable was made by Go. Most are not, and only their
// headers and writable data are looked at, as they stream by.
func (a *analyser) program(f *image.File) (*evidence, error) {
	if f.Size < minProgram || f.Mode&0o111 == 0 && !isLibrary(f.Name) {
		return nil, nil
	}
	var magic [4]byte
	if _, err := io.ReadFull(f, magic[:]); err != nil {
		return nil, &streamError{err}
	}
	isELF := string(magic[:]) == "\x7fELF"
	if !isELF && string(magic[:2]) != "MZ" && !machO(magic) {
		return nil, nil
	}
	if cap(a.buf) < scanChunk+headSize {
		a.buf = make([]byte, scanChunk+headSize)
	}
	head := a.buf[:headSize]
	copy(head, magic[:])
	if _, err := io.ReadFull(f, head[4:]); err != nil {
		return nil, &streamError{err}
	}
	from, to := int64(0), f.Size
	if isELF {
		var suspect bool
		var err error
		if from, to, suspect, err = writable(head); err != nil {
			return nil, nil //nolint:nilerr // not a program that could run
		}
		if suspect {
			return a.wholeProgram(f, head)
		}
	}
	rust := &auditSearch{}
	if isELF {
		rust.spans = append(readOnly(head), span{to, f.Size})
		rust.feed(head, 0)
	}
	e, err := a.searchProgram(f, from, to, rust)
	if e == nil && err == nil && isELF {
		err = rust.rest(f, to)
	}
	if e == nil && err == nil && rust.found != nil {
		e = &evidence{Kind: kindCargo}
		e.Packages, err = rust.packages()
	}
	return e, err
}

// isLibrary: these need no permission to be executed.
func isLibrary(name string) bool {
	base := path.Base(name)
	return strings.HasSuffix(base, ".so") || strings.Contains(base, ".so.") || strings.HasSuffix(base, ".exe") || strings.HasSuffix(base, ".dll")
}

func machO(m [4]byte) bool {
	switch binary.LittleEndian.Uint32(m[:]) {
	case 0xfeedface, 0xfeedfacf, 0xcefaedfe, 0xcffaedfe:
		return true
	}
	return false
}

// writable returns where in an ELF file the writable data begins and ends, where the Go
// linker puts the build information. suspect: Go's own linker wrote it, by the section
// headers that it alone puts first, or by the note that carries the Go build ID.
func writable(head []byte) (from, to int64, suspect bool, err error) {
	if len(head) < 64 {
		return 0, 0, false, errors.New("short")
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if head[elf.EI_DATA] == byte(elf.ELFDATA2MSB) {
		order = binary.BigEndian
	}
	var phoff, shoff uint64
	var phentsize, phnum int
	wide := head[elf.EI_CLASS] == byte(elf.ELFCLASS64)
	if wide {
		phoff, shoff = order.Uint64(head[32:]), order.Uint64(head[40:])
		phentsize, phnum = int(order.Uint16(head[54:])), int(order.Uint16(head[56:]))
	} else {
		phoff, shoff = uint64(order.Uint32(head[28:])), uint64(order.Uint32(head[32:]))
		phentsize, phnum = int(order.Uint16(head[42:])), int(order.Uint16(head[44:]))
	}
	if phoff > headSize || phentsize < 32 || wide && phentsize < 56 || int(phoff)+phentsize*phnum > len(head) {
		return 0, 0, false, errors.New("program headers are not at the start")
	}
	from = -1
	for i := range phnum {
		h := head[int(phoff)+i*phentsize:]
		var flags uint32
		var offset, size uint64
		if wide {
			flags, offset, size = order.Uint32(h[4:]), order.Uint64(h[8:]), order.Uint64(h[32:])
		} else {
			offset, size, flags = uint64(order.Uint32(h[4:])), uint64(order.Uint32(h[16:])), order.Uint32(h[24:])
		}
		if elf.ProgType(order.Uint32(h)) != elf.PT_LOAD || elf.ProgFlag(flags)&elf.PF_W == 0 || offset > 1<<40 || size > 1<<40 {
			continue
		}
		if from < 0 || int64(offset) < from {
			from = int64(offset)
		}
		to = max(to, int64(offset+size))
	}
	if from < 0 {
		return 0, 0, false, errors.New("no writable data")
	}
	suspect = shoff != 0 && shoff < headSize || bytes.Contains(head, []byte("Go\x00\x00"))
	return from, to, suspect, nil
}

// wholeProgram spools a Go program: those before Go 1.18 spread the information.
func (a *analyser) wholeProgram(f *image.File, head []byte) (*evidence, error) {
	r := io.MultiReader(bytes.NewReader(bytes.Clone(head)), f)
	if _, ok := f.Reader.(io.ReaderAt); ok {
		r = f
	}
	s, err := a.spoolFile(r, f.Size, maxBinary)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	e, err := a.goPackages(f, s, s.size)
	if e != nil {
		e.Code = goCodeOf(s, s.size)
	}
	return e, err
}

// searchProgram looks for the build information between two offsets; headSize bytes of the
// file have been read.
func (a *analyser) searchProgram(f *image.File, from, to int64, rust *auditSearch) (*evidence, error) {
	buf := a.buf[:scanChunk]
	at := int64(headSize)
	for at < from {
		n, err := f.Read(buf[:min(int64(len(buf)), from-at)])
		rust.feed(buf[:n], at)
		at += int64(n)
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, &streamError{err}
		}
	}
	kept := 0 // bytes at the start of buf from the chunk before; buf[0] is file offset at-kept
	for at < to {
		n, err := io.ReadFull(f, buf[kept:])
		rust.feed(buf[kept:kept+n], at)
		data := buf[:kept+n]
		base := at - int64(kept)
		at += int64(n)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, &streamError{err}
		}
		for i := 0; ; i++ {
			next := bytes.Index(data[i:], buildInfoMagic)
			if next < 0 {
				break
			}
			if i += next; (base+int64(i))%16 == 0 {
				e, done, err := a.inline(f, data[i:])
				if done || err != nil {
					return e, err
				}
			}
		}
		if n == 0 || err != nil {
			return nil, nil // the end of the file
		}
		kept = copy(buf, data[max(0, len(data)-len(buildInfoMagic)+1):])
	}
	return nil, nil
}

// inline reads build information of Go 1.18 and later, whose strings stand behind its
// header of 32 bytes. done is false when the bytes only looked like it.
func (a *analyser) inline(f *image.File, data []byte) (e *evidence, done bool, err error) {
	info := bytes.Clone(data)
	more := func(n int) bool {
		if n > maxBuildInfo {
			return false
		}
		if have := len(info); have < n {
			info = append(info, make([]byte, n-have)...)
			got, err := io.ReadFull(f, info[have:])
			info = info[:have+got]
			return err == nil
		}
		return true
	}
	if !more(32) {
		return nil, false, nil
	}
	if info[15]&2 == 0 {
		if info[14] != 4 && info[14] != 8 {
			return nil, false, nil
		}
		return nil, true, errors.New("a Go program from before Go 1.18 that another linker wrote: its modules cannot be read")
	}
	end := 32
	for range 2 { // version, modules
		if !more(end + binary.MaxVarintLen64) {
			more(end + 1)
		}
		n, w := binary.Uvarint(info[end:])
		if w <= 0 || n > maxBuildInfo {
			return nil, false, nil
		}
		end += w + int(n)
		if !more(end) {
			return nil, false, nil
		}
	}
	small := smallELF(info[:end])
	e, err = a.goPackages(f, bytes.NewReader(small), int64(len(small)))
	return e, e != nil, err
}

// smallELF wraps build information in the least ELF file that debug/buildinfo reads it
// from: a header, one writable segment.
func smallELF(info []byte) []byte {
	const start, address = 128, 0x1000
	b := make([]byte, start, start+len(info))
	copy(b, "\x7fELF\x02\x01\x01")
	le := binary.LittleEndian
	le.PutUint16(b[16:], uint16(elf.ET_EXEC))
	le.PutUint16(b[18:], uint16(elf.EM_X86_64))
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[32:], 64) // phoff
	le.PutUint16(b[52:], 64)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[56:], 1)
	le.PutUint16(b[58:], 64)
	ph := b[64:]
	le.PutUint32(ph, uint32(elf.PT_LOAD))
	le.PutUint32(ph[4:], uint32(elf.PF_R|elf.PF_W))
	le.PutUint64(ph[8:], start)
	le.PutUint64(ph[16:], address)
	le.PutUint64(ph[24:], address)
	le.PutUint64(ph[32:], uint64(len(info)))
	le.PutUint64(ph[40:], uint64(len(info)))
	le.PutUint64(ph[48:], 16)
	return append(b, info...)
}

func (a *analyser) goPackages(f *image.File, r io.ReaderAt, size int64) (*evidence, error) {
	packages, err := a.run(goExtractor, &filesystem.ScanInput{FS: emptyFS{}, Path: f.Name, Info: info{f.Name, size, f.Mode}, Reader: io.NewSectionReader(r, 0, size)})
	if err != nil || len(packages) == 0 {
		return nil, err
	}
	for i := range packages {
		p := &packages[i]
		switch {
		case p.Name == "go":
			p.Name = "stdlib" // as OSV's records call the standard library
		case p.Version != "" && p.Version[0] >= '0' && p.Version[0] <= '9':
			p.Version = "v" + p.Version // as the module system writes it
		}
	}
	if len(packages) > maxPackages {
		return nil, fmt.Errorf("%d modules", len(packages))
	}
	return &evidence{Kind: kindGo, Packages: packages}, nil
}
