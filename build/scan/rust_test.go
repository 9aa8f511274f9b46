package scan

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const crates = `{"packages":[{"name":"app","version":"0.1.0","source":"local","dependencies":[1],"root":true},{"name":"time","version":"0.1.42","source":"crates.io"},{"name":"cc","version":"1.0.0","source":"crates.io","kind":"build"}]}`

func packed(t testing.TB, text string, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := zlib.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = z.Write([]byte(text))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// elfWith is an ELF file of one read-only and one writable segment, with a section's bytes at
// an offset of the first.
func elfWith(offset int, section []byte) string {
	const readOnly, writable = 400_000, 10_000
	b := make([]byte, readOnly+writable)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	head := smallELF(nil)[:128]
	le := binary.LittleEndian
	le.PutUint16(head[56:], 2)
	ph := make([]byte, 56)
	for i, s := range []struct{ flags, from, size int }{{4, 0, readOnly}, {6, readOnly, writable}} {
		clear(ph)
		le.PutUint32(ph, 1)
		le.PutUint32(ph[4:], uint32(s.flags))
		le.PutUint64(ph[8:], uint64(s.from))
		le.PutUint64(ph[32:], uint64(s.size))
		le.PutUint64(ph[40:], uint64(s.size))
		head = append(head[:64+56*i], ph...)
	}
	copy(b, head)
	copy(b[offset:], section)
	return string(b)
}

func TestCratesOfARustProgram(t *testing.T) {
	for name, body := range map[string]string{
		"at the start":             elfWith(300, packed(t, crates, 7)),
		"across the end of a read": elfWith(headSize+scanChunk-20, packed(t, crates, 9)),
		"stored":                   elfWith(200_001, packed(t, crates, 0)),
		"at the end of a segment":  elfWith(400_000-len(packed(t, crates, 6)), packed(t, crates, 6)),
	} {
		r := scanFile(t, scanner(t), save(t, layerTar(t, file{name: "usr/local/bin/app", body: body, mode: 0o755})))
		if got := purls(r); got != "pkg:cargo/app@0.1.0 /usr/local/bin/app\npkg:cargo/time@0.1.42 /usr/local/bin/app" || len(r.Unread) > 0 {
			t.Errorf("%s: %s, unread %v", name, got, r.Unread)
		}
	}
	cut := packed(t, crates+strings.Repeat(" ", 5000), 0)
	copy(cut[100:], bytes.Repeat([]byte{'{'}, 100))
	if r := scanFile(t, scanner(t), save(t, layerTar(t, file{name: "app", body: elfWith(5000, cut), mode: 0o755}))); len(r.Unread) == 0 {
		t.Errorf("a damaged list is not said: %s", purls(r))
	}
}

// TestRealRustProgram reads programs that cargo-auditable built, of osv-scalibr's test data.
func TestRealRustProgram(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/osv-scalibr").Output()
	if err != nil {
		t.Skip("the module cache cannot be asked")
	}
	body, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "extractor/filesystem/language/rust/cargoauditable/testdata/uses_serde_json/uses_serde_json"))
	if err != nil {
		t.Skip("osv-scalibr's test data are not there")
	}
	r := scanFile(t, scanner(t), save(t, layerTar(t, file{name: "app", body: string(body), mode: 0o755})))
	if find(t, r, "serde_json").Ecosystem != "crates.io" || len(r.Unread) > 0 {
		t.Errorf("packages %s, unread %v", purls(r), r.Unread)
	}
}
