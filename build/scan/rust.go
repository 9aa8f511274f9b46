package scan

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// cargo-auditable puts the list of a Rust program's crates into its section .dep-v0, as JSON
// compressed with zlib (https://github.com/rust-secure-code/cargo-auditable, PARSING.md).
// Section headers stand at a program's end, so a program that streams by is searched for the
// compressed text itself: in its read-only data and in what follows the parts that are loaded.

const (
	// auditHead is how the text begins, whoever wrote it.
	auditHead = `{"packages":[`
	// auditProbe bytes of compressed text are enough to see whether it begins so.
	auditProbe = 1 << 10
	// maxAudit bytes, packed and unpacked; the largest known are near 100 KiB.
	maxAudit = 8 << 20
)

// span is a part of a file.
type span struct{ from, to int64 }

// auditSearch looks for the list in the spans of a file that is fed to it in order.
type auditSearch struct {
	spans []span
	tail  []byte // of the piece before, not yet searched
	at    int64  // file offset of tail
	found []byte // the list, compressed, and what comes after
	read  int64  // bytes of the file that were read
}

// readOnly returns where an ELF file has read-only data: its segments that cannot be written
// or run, or where there are none, those that can be run, which then hold both.
func readOnly(head []byte) []span {
	f, err := elf.NewFile(bytes.NewReader(withoutSections(head)))
	if err != nil {
		return nil
	}
	var data, code []span
	for _, p := range f.Progs {
		s := span{int64(p.Off), int64(p.Off + p.Filesz)} //nolint:gosec // compared only
		switch {
		case p.Type != elf.PT_LOAD || p.Flags&elf.PF_W != 0 || s.from < 0 || s.to < s.from:
		case p.Flags&elf.PF_X != 0:
			code = append(code, s)
		default:
			data = append(data, s)
		}
	}
	if data == nil {
		return code
	}
	return data
}

// withoutSections is an ELF header that names no section headers: they are not read yet.
func withoutSections(head []byte) []byte {
	b := bytes.Clone(head)
	shoff, size, counts := 40, 8, 58
	if b[elf.EI_CLASS] != byte(elf.ELFCLASS64) {
		shoff, size, counts = 32, 4, 46
	}
	clear(b[shoff : shoff+size])
	clear(b[counts : counts+6]) // e_shentsize, e_shnum, e_shstrndx
	return b
}

// feed takes the next piece of the file, at its offset.
func (s *auditSearch) feed(piece []byte, at int64) {
	s.read = at + int64(len(piece))
	for _, sp := range s.spans {
		from, to := max(sp.from, at), min(sp.to, at+int64(len(piece)))
		if from < to {
			s.search(piece[from-at:to-at], from, to == sp.to)
		}
	}
}

func (s *auditSearch) search(piece []byte, at int64, last bool) {
	if s.found != nil {
		if len(s.found) < maxAudit {
			s.found = append(s.found, piece...)
		}
		return
	}
	if s.at+int64(len(s.tail)) != at {
		s.tail = s.tail[:0] // another span
	}
	if len(s.tail) > 0 {
		piece = append(s.tail, piece...)
		at = s.at
	}
	i := 0
	for {
		next := bytes.IndexByte(piece[i:], 0x78) // CMF: deflate, window of 32 KiB (RFC 1950)
		if next < 0 {
			i = len(piece)
			break
		}
		i += next
		if len(piece)-i < auditProbe && !last {
			break
		}
		if i+2 < len(piece) && binary.BigEndian.Uint16(piece[i:])%31 == 0 && beginsAudit(piece[i+2:]) {
			s.found, s.tail = bytes.Clone(piece[i:]), nil
			return
		}
		i++
	}
	s.tail, s.at = append([]byte(nil), piece[i:]...), at+int64(i)
}

// rest feeds what follows the file's first bytes; at least to of them have been read.
func (s *auditSearch) rest(r io.Reader, to int64) error {
	last := s.spans[len(s.spans)-1].to
	buf := make([]byte, scanChunk)
	for at := max(to, s.read); at < last; {
		n, err := io.ReadFull(r, buf)
		s.feed(buf[:n], at)
		at += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return &streamError{err}
		}
	}
	return nil
}

func beginsAudit(packed []byte) bool {
	switch packed[0] >> 1 & 3 { // a block stored, with fixed or with dynamic codes
	case 3:
		return false
	}
	var b [len(auditHead)]byte
	_, err := io.ReadFull(flate.NewReader(bytes.NewReader(packed)), b[:])
	return err == nil && string(b[:]) == auditHead
}

// packages reads the list: what the program is built from, without what only its build needs.
func (s *auditSearch) packages() ([]found, error) {
	z, err := zlib.NewReader(bytes.NewReader(s.found))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(z, maxAudit+1))
	if err != nil {
		return nil, fmt.Errorf("the list of its crates: %w", err)
	}
	if len(data) > maxAudit {
		return nil, errors.New("the list of its crates is longer than 8 MiB")
	}
	var list struct {
		Packages []struct {
			Name    string `json:"name"`
			Version string `json:"version"`
			Kind    string `json:"kind"` // runtime where it is left out
			Root    bool   `json:"root"`
		} `json:"packages"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("the list of its crates: %w", err)
	}
	var out []found
	for _, p := range list.Packages {
		if p.Kind != "build" && p.Name != "" {
			out = append(out, found{Name: p.Name, Version: p.Version})
		}
	}
	return out, nil
}
