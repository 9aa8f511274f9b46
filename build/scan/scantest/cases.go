package scantest

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strings"
)

// Case is one image that tries to break a scanner.
type Case struct {
	Name string
	// Small and Large are its sizes, in Unit: for every test run, and for real.
	Small, Large int
	Unit         string
	Image        func(w io.Writer, size int) error
	// Unread is part of a reason that the scan has to give; empty where it can read all.
	Unread string
}

// Cases are the images. A scan of each ends, in less than 512 MiB.
var Cases = []Case{
	{"many files", 60_000, 3_000_000, "files", manyFiles, ""},
	{"many packages", 5_000, 1_000_000, "package.json", manyPackages, ""},
	{"a layer for each file", 60, 127, "layers", manyLayers, ""},
	{"long names, deep folders", 2_000, 200_000, "files", deepNames, ""},
	{"many removals", 50_000, 1_000_000, "whiteouts", manyWhiteouts, ""},
	{"a jar that is a bomb", 64, 12 << 10, "MiB of zeros", jarBomb, "larger than"},
	{"a jar with many members", 20_000, 2_000_000, "members", wideJar, ""},
	{"a jar in a jar", 50, 200, "deep", nestedJar, "nested deeper"},
	{"package.json nested", 200_000, 200_000, "deep", deepJSON, "max depth"},
	{"one line", 4, 100, "MiB", oneLine, ""},
	{"a program that only looks like Go's", 8, 1 << 10, "MiB", falseProgram, ""},
}

func manyFiles(w io.Writer, n int) error {
	return WriteImage(w, func(t *tar.Writer) error {
		for i := range n {
			if err := file(t, fmt.Sprintf("srv/data/%03d/%03d/object-%07d.txt", i/100_000, i/500%200, i), 0o644, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func manyPackages(w io.Writer, n int) error {
	return WriteImage(w, func(t *tar.Writer) error {
		for i := range n {
			if err := file(t, fmt.Sprintf("app/node_modules/p%d/package.json", i), 0o644, fmt.Appendf(nil, `{"name":"p%d","version":"1.0.%d"}`, i, i)); err != nil {
				return err
			}
		}
		return nil
	})
}

func manyLayers(w io.Writer, n int) error {
	var layers []Layer
	for i := range n {
		layers = append(layers, func(t *tar.Writer) error {
			return file(t, fmt.Sprintf("app/%d/package.json", i), 0o644, fmt.Appendf(nil, `{"name":"p%d","version":"1.0.0"}`, i))
		})
	}
	return WriteImage(w, layers...)
}

func deepNames(w io.Writer, n int) error {
	return WriteImage(w, func(t *tar.Writer) error {
		for i := range n {
			name := fmt.Sprintf("%d", i) + strings.Repeat(fmt.Sprintf("/%d", i), 200)
			if err := file(t, name, 0o644, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func manyWhiteouts(w io.Writer, n int) error {
	return WriteImage(w, func(t *tar.Writer) error {
		for i := range n {
			if err := file(t, fmt.Sprintf("srv/%d/.wh.%d", i%1000, i), 0o644, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// zipBytes writes an archive in memory: what is in it compresses well.
func zipBytes(fill func(z *zip.Writer) error) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	if err := fill(z); err != nil {
		return nil, err
	}
	err := z.Close()
	return b.Bytes(), err
}

func oneFile(w io.Writer, name string, mode int64, data []byte) error {
	return WriteImage(w, func(t *tar.Writer) error { return file(t, name, mode, data) })
}

func jarBomb(w io.Writer, mib int) error {
	data, err := zipBytes(func(z *zip.Writer) error {
		for _, name := range []string{"inner.jar", "META-INF/MANIFEST.MF", "META-INF/maven/a/b/pom.properties"} {
			m, err := z.Create(name)
			if err != nil {
				return err
			}
			if _, err := io.CopyN(m, &repeat{part: make([]byte, 1<<16)}, int64(mib)<<20/3); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return oneFile(w, "app/bomb.jar", 0o644, data)
}

func wideJar(w io.Writer, n int) error {
	data, err := zipBytes(func(z *zip.Writer) error {
		for i := range n {
			if _, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("x/%d.class", i)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return oneFile(w, "app/wide.jar", 0o644, data)
}

func nestedJar(w io.Writer, depth int) error {
	var inner []byte
	for i := range depth {
		data, err := zipBytes(func(z *zip.Writer) error {
			m, err := z.Create(fmt.Sprintf("lib/%d.jar", i))
			if err == nil {
				_, err = m.Write(inner)
			}
			return err
		})
		if err != nil {
			return err
		}
		inner = data
	}
	return oneFile(w, "app/nested.jar", 0o644, inner)
}

func deepJSON(w io.Writer, depth int) error {
	body := `{"name":"a","version":"1.0.0","x":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + "}"
	deep := strings.Repeat(`{"dependencies":`, depth) + "1" + strings.Repeat("}", depth)
	return WriteImage(w, func(t *tar.Writer) error {
		for name, data := range map[string]string{"app/package.json": body, "app/package-lock.json": deep} {
			if err := file(t, name, 0o644, []byte(data)); err != nil {
				return err
			}
		}
		return nil
	})
}

// oneLine is a minified program of one line, and one of text in which every detector begins.
func oneLine(w io.Writer, mib int) error {
	parts := map[string]string{
		"app/main.min.js": `var a=function(b){return b.password||"x"+b.key_id};const AKIA_SECRET="s3cr3t_";`,
		"app/tokens.txt":  "password=AKIAghp_eyJhbGciOiJ-----BEGIN sk_live_xoxb-",
		"app/nothing.css": strings.Repeat("a", 997),
	}
	names := []string{"app/main.min.js", "app/nothing.css", "app/tokens.txt"}
	return WriteImage(w, func(t *tar.Writer) error {
		for _, name := range names {
			size := int64(mib) << 20
			if err := t.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: size}); err != nil {
				return err
			}
			if _, err := io.CopyN(t, &repeat{part: []byte(parts[name])}, size); err != nil {
				return err
			}
		}
		return nil
	})
}

// falseProgram is an ELF file full of the mark that Go's build information begins with.
func falseProgram(w io.Writer, mib int) error {
	return WriteImage(w, func(t *tar.Writer) error {
		size := int64(mib) << 20
		if err := t.WriteHeader(&tar.Header{Name: "usr/bin/x", Typeflag: tar.TypeReg, Mode: 0o755, Size: size}); err != nil {
			return err
		}
		head := elfHead(size)
		if _, err := t.Write(head); err != nil {
			return err
		}
		mark := append([]byte("\xff Go buildinf:"), 8, 2, 0xff, 0xff, 0x7f)
		mark = append(mark, make([]byte, 32-len(mark))...)
		_, err := io.CopyN(t, &repeat{part: mark}, size-int64(len(head)))
		return err
	})
}

// elfHead is an ELF header with one segment of writable data that is the whole file.
func elfHead(size int64) []byte {
	b := make([]byte, 128)
	copy(b, "\x7fELF\x02\x01\x01")
	put := func(at int, v uint64, n int) {
		for i := range n {
			b[at+i] = byte(v >> (8 * i))
		}
	}
	put(16, 2, 2)
	put(18, 62, 2)
	put(20, 1, 4)
	put(32, 64, 8)
	put(52, 64, 2)
	put(54, 56, 2)
	put(56, 1, 2)
	put(58, 64, 2)
	put(64, 1, 4)
	put(68, 6, 4)
	put(80, 0x1000, 8)
	put(96, uint64(size), 8) //nolint:gosec // a size
	put(104, uint64(size), 8)
	return b
}
