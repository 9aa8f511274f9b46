package kubernetes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkDir reads a dump of 2,000 pods with 30 environment variables each.
func BenchmarkDir(b *testing.B) {
	var text strings.Builder
	text.WriteString("apiVersion: v1\nitems:\n")
	for i := range 2000 {
		fmt.Fprintf(&text, "- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: p-%d\n    namespace: ns-%d\n  spec:\n    containers:\n    - name: c\n      image: registry.example.com/app:1.%d\n      env:\n", i, i%50, i)
		for n := range 30 {
			fmt.Fprintf(&text, "      - name: VARIABLE_%d\n        value: some value %d\n", n, n)
		}
	}
	text.WriteString("kind: List\n")
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pods.yaml"), []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Dir(b.Context(), dir, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
