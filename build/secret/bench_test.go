package secret

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/triad-security/triad/build/inspect"
)

// corpus makes content as it is in images: prose, source, numbers, and bytes of programs.
func corpus(kind string, size int) []byte {
	r := rand.New(rand.NewSource(1)) //nolint:gosec // the same every time
	b := make([]byte, 0, size+128)
	switch kind {
	case "program":
		for len(b) < size {
			b = append(b, byte(r.Intn(256)))
			if r.Intn(50) == 0 {
				b = append(b, "runtime.goexit\x00__libc_start_main\x00"...)
			}
		}
	case "source":
		lines := []string{
			"func (s *Server) handle(w http.ResponseWriter, r *http.Request) error {\n", "\tif err := s.store.Load(ctx, id); err != nil {\n",
			"\t\treturn fmt.Errorf(\"loading %s: %w\", id, err)\n", "\t}\n", "// The tokenizer reads one token at a time and keeps the last.\n", "\ttoken := p.next()\n",
			"const apiVersion = \"v1\"\n", "for (let i = 0; i < items.length; i++) { total += items[i].price * items[i].count; }\n", "see https://pkg.example.dev/doc for more\n",
		}
		for len(b) < size {
			b = append(b, lines[r.Intn(len(lines))]...)
		}
	case "minified": // one line
		for len(b) < size {
			b = append(b, fmt.Sprintf("function %c(e,t,n){return e.%c%d(t)||n[%d]},", 'a'+r.Intn(26), 'a'+r.Intn(26), r.Intn(99), r.Intn(999))...)
		}
	case "words": // nothing but what the filter looks for
		for len(b) < size {
			b = append(b, words().words[r.Intn(len(words().words))].text...)
		}
	case "passwords": // one line of names of passwords
		b = bytes.Repeat([]byte("password=\"x\";"), size/13+1)
	case "keys": // headers of keys that do not end
		b = bytes.Repeat([]byte("-----BEGIN RSA PRIVATE KEY-----"), size/31+1)
	case "tokens": // the beginnings of web tokens
		b = bytes.Repeat([]byte("eyJhbGci."), size/9+1)
	}
	return b[:size]
}

// BenchmarkDigest is what every byte of a layer costs already: its SHA-256. The others are
// compared with it, since machines differ.
func BenchmarkDigest(b *testing.B) {
	data := corpus("program", 8<<20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		sha256.Sum256(data)
	}
}

func BenchmarkInspect(b *testing.B) {
	for _, kind := range []string{"program", "source", "minified", "words", "passwords", "keys", "tokens"} {
		b.Run(kind, func(b *testing.B) {
			data := corpus(kind, 8<<20)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				feed(b, "app/file.txt", data, 64<<10)
			}
		})
	}
}

func feed(tb testing.TB, name string, data []byte, piece int) ([]inspect.Found, error) {
	tb.Helper()
	s := New().Open(tb.Context(), inspect.File{Name: name, Size: int64(max(len(data), 8))})
	for len(data) > 0 {
		n := min(piece, len(data))
		if _, err := s.Write(data[:n]); err != nil {
			return nil, err
		}
		data = data[n:]
	}
	return s.Close()
}

// TestTree looks through the folder that TRIAD_SECRET_TREE names, such as an unpacked
// distribution, and lists what is found in it: how the rules are tuned.
func TestTree(t *testing.T) {
	root := os.Getenv("TRIAD_SECRET_TREE")
	if root == "" {
		t.Skip("TRIAD_SECRET_TREE names no folder")
	}
	var files, looked, bytesIn int64
	count := map[string]int{}
	in := New()
	buf := make([]byte, 64<<10)
	var work int64
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if e.IsDir() && (name == root+"/proc" || name == "/proc" || name == "/sys" || name == "/dev" || name == "/work" || name == "/tmp") {
			return fs.SkipDir
		}
		if !e.Type().IsRegular() {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return nil
		}
		files++
		rel, _ := filepath.Rel(cmp.Or(os.Getenv("TRIAD_SECRET_BASE"), root), name)
		s := in.Open(t.Context(), inspect.File{Name: rel, Size: info.Size(), Mode: info.Mode()})
		if s == nil {
			return nil
		}
		f, err := os.Open(name)
		if err != nil {
			return nil
		}
		defer f.Close()
		n, _ := io.CopyBuffer(struct{ io.Writer }{s}, struct{ io.Reader }{f}, buf)
		looked++
		bytesIn += n
		found, err := s.Close()
		work += s.(*sink).work
		if err != nil {
			t.Log(err)
		}
		for _, f := range found {
			count[f.ID]++
			if v := os.Getenv("TRIAD_SECRET_SHOW"); v == "" || strings.Contains(f.ID, v) {
				t.Logf("%s %s %s:%d %s", f.Severity, f.ID, f.Path, f.Line, f.Detail)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files, %d looked at, %d MB, %d MB near words: %v", files, looked, bytesIn>>20, work>>20, count)
}
