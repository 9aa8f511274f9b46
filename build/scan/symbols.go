package scan

import (
	"bufio"
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
)

// Which functions are part of a Go program stands in its pclntab, which the runtime needs for
// tracebacks and stripping leaves in. Its table of function names (funcnametab) has, since Go
// 1.16, the name of every function that was linked in and of every function that was inlined
// into one of those: the linker writes both (cmd/link/internal/ld, walkFuncs). So a function
// whose name is missing there is in the program neither by itself nor inlined.

const (
	// maxNames of the table; the largest programs have some 20 MiB.
	maxNames = 128 << 20
	// maxName of one function, with the names of generated ones.
	maxName = 64 << 10
)

// goCode is what a Go program says of its code, kept small with its layer's record.
type goCode struct {
	GOOS, GOARCH string
	Main         string // import path of its main package, whose names begin with "main."
	// Set are the names as 40-bit hashes, sorted, each as the distance from the one before.
	Set []byte
}

// goCodeOf reads it. nil: the program does not say which functions it has.
func goCodeOf(r io.ReaderAt, size int64) *goCode {
	info, err := buildinfo.Read(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil
	}
	code := &goCode{Main: info.Path}
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS":
			code.GOOS = s.Value
		case "GOARCH":
			code.GOARCH = s.Value
		case "-compiler":
			if s.Value != "gc" {
				return nil
			}
		case "-buildmode":
			if s.Value == "plugin" || s.Value == "shared" {
				return nil // the rest of the program is another file
			}
		case "-linkshared":
			return nil
		}
	}
	names, err := functionNames(r)
	if err != nil {
		return nil
	}
	var set []uint64
	whole := 0
	s := bufio.NewReaderSize(names, scanChunk)
	for {
		name, err := cString(s)
		if err != nil {
			break
		}
		if name == "runtime.main" || name == "main.main" {
			whole++
		}
		if pkg, symbol := goSymbol(name); pkg != "" {
			set = append(set, codeHash(pkg, ""), codeHash(pkg, symbol))
		}
		if len(set) > 1<<20 {
			slices.Sort(set)
			set = slices.Compact(set)
		}
	}
	if whole < 2 {
		return nil // obfuscated, or not the table
	}
	slices.Sort(set)
	set = slices.Compact(set)
	last := uint64(0)
	for _, h := range set {
		code.Set = binary.AppendUvarint(code.Set, h-last)
		last = h
	}
	return code
}

func cString(r *bufio.Reader) (string, error) {
	var b []byte
	for {
		part, err := r.ReadSlice(0)
		switch {
		case len(b) > maxName:
		case b == nil && err == nil:
			return string(part[:len(part)-1]), nil
		default:
			b = append(b, part...)
		}
		if err == nil {
			return string(b[:len(b)-1]), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
	}
}

var errNoTable = errors.New("no table of function names")

// functionNames finds funcnametab in an ELF file: NUL-terminated names, one after another.
func functionNames(r io.ReaderAt) (names io.Reader, err error) {
	defer func() {
		if recover() != nil {
			err = errNoTable
		}
	}()
	f, err := elf.NewFile(r)
	if err != nil {
		return nil, err
	}
	section := f.Section(".gopclntab")
	if section == nil {
		section = f.Section(".data.rel.ro.gopclntab") // position-independent programs
	}
	if section == nil || section.Type == elf.SHT_NOBITS {
		return nil, errNoTable
	}
	// pcHeader (runtime/symtab.go): magic u32, 0, 0, instruction quantum, pointer size, then words.
	table := io.NewSectionReader(r, int64(section.Offset), int64(section.Size)) //nolint:gosec // bounded by the reader
	var head [8 + 8*8]byte
	if _, err := table.ReadAt(head[:], 0); err != nil {
		return nil, err
	}
	word := 0
	switch f.ByteOrder.Uint32(head[:]) {
	case 0xfffffffa: // Go 1.16
		word = 2
	case 0xfffffff0, 0xfffffff1: // Go 1.18, 1.20
		word = 3
	default:
		return nil, errNoTable
	}
	at := func(n int) uint64 {
		if head[7] == 4 {
			return uint64(f.ByteOrder.Uint32(head[8+4*n:]))
		}
		return f.ByteOrder.Uint64(head[8+8*n:])
	}
	from, to := at(word), at(word+1)
	if from > to || to > section.Size || to-from > maxNames {
		return nil, errNoTable
	}
	return io.NewSectionReader(table, int64(from), int64(to-from)), nil //nolint:gosec // bounded here
}

// goSymbol splits a linker's name into import path, as the linker writes it, and the function
// as advisories name it: "(*Decoder).Decode[...].func1" is Decoder.Decode. A closure counts as
// the function that it stands in. Names that the compiler made up give nothing.
func goSymbol(name string) (pkg, symbol string) {
	if strings.HasPrefix(name, "type:") || strings.HasPrefix(name, "go:") || strings.HasPrefix(name, "type..") || strings.HasPrefix(name, "go..") {
		return "", ""
	}
	name = withoutTypeArguments(name)
	slash := strings.LastIndexByte(name, '/')
	dot := strings.IndexByte(name[slash+1:], '.')
	if dot < 0 {
		return "", ""
	}
	pkg, symbol = name[:slash+1+dot], name[slash+dot+2:]
	symbol = strings.TrimSuffix(symbol, "-fm")
	first, rest, more := strings.Cut(symbol, ".")
	if receiver, ok := strings.CutPrefix(first, "(*"); ok {
		first = strings.TrimSuffix(receiver, ")")
	}
	if !more {
		return pkg, first
	}
	second, _, _ := strings.Cut(rest, ".")
	if closure(second) {
		return pkg, first
	}
	return pkg, first + "." + second
}

// closure: func1, gowrap2, deferwrap1, 0 of init.0.
func closure(part string) bool {
	for _, word := range []string{"func", "gowrap", "deferwrap", ""} {
		if rest, ok := strings.CutPrefix(part, word); ok && rest != "" && strings.Trim(rest, "0123456789-") == "" {
			return true
		}
	}
	return part == ""
}

// withoutTypeArguments takes out what stands in brackets: F[...], and what old linkers wrote out.
func withoutTypeArguments(name string) string {
	if strings.IndexByte(name, '[') < 0 {
		return name
	}
	var b strings.Builder
	depth := 0
	for i := range len(name) {
		switch c := name[i]; {
		case c == '[':
			depth++
		case c == ']' && depth > 0:
			depth--
		case depth == 0:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// linkerPath is an import path as the linker writes it (cmd/internal/objabi.PathToPrefix):
// dots of its last element and unusual bytes are escaped.
func linkerPath(path string) string {
	const hex = "0123456789abcdef"
	slash := strings.LastIndexByte(path, '/')
	var b strings.Builder
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c == '.' && i > slash || c == '%' || c == '"' || c >= 0x7f {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// codeHash of a function, or of a package where symbol is empty. Two names share one with a
// probability near 2⁻⁴⁰, and what then follows is a function too many, never one too few.
func codeHash(pkg, symbol string) uint64 { return nameHash(pkg+"\x00"+symbol) >> 24 }

// functions decodes the set.
func (c *goCode) functions() []uint64 {
	var set []uint64
	last := uint64(0)
	for b := c.Set; len(b) > 0; {
		d, n := binary.Uvarint(b)
		if n <= 0 {
			return nil
		}
		last += d
		set, b = append(set, last), b[n:]
	}
	return set
}
