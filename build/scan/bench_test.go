package scan

import (
	"fmt"
	"strings"
	"testing"
)

// benchImage is 20,000 files in 200 MiB with 500 debs.
func benchImage(b *testing.B) string {
	var db strings.Builder
	files := []file{{name: "usr/lib/os-release", body: bookworm}}
	for i := range 500 {
		fmt.Fprintf(&db, "Package: p%d\nStatus: install ok installed\nVersion: 1.%d\nArchitecture: amd64\n\n", i, i)
		files = append(files, file{name: fmt.Sprintf("var/lib/dpkg/info/p%d.list", i), body: fmt.Sprintf("/usr/bin/p%d\n", i)})
	}
	body := strings.Repeat("x", 10<<10)
	for i := range 20_000 {
		files = append(files, file{name: fmt.Sprintf("usr/share/d%d/f%d", i%200, i), body: body})
	}
	files = append(files, file{name: "var/lib/dpkg/status", body: db.String()})
	return save(b, layerTar(b, files...))
}

func BenchmarkImageCold(b *testing.B) {
	path, s := benchImage(b), scanner(b)
	s.Fresh = true
	for b.Loop() {
		scanFile(b, s, path)
	}
}

func BenchmarkImageWarm(b *testing.B) {
	path, s := benchImage(b), scanner(b)
	scanFile(b, s, path)
	for b.Loop() {
		scanFile(b, s, path)
	}
}
