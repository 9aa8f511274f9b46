package scantest

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
)

// Layer writes the entries of one layer. It must write the same each time it is called.
type Layer func(w *tar.Writer) error

// WriteImage writes a docker save archive of layers. Each is made twice, since its size
// stands before it and its digest after.
func WriteImage(w io.Writer, layers ...Layer) error {
	out := tar.NewWriter(w)
	var diffIDs, names []string
	for i, layer := range layers {
		size := &counter{}
		if err := write(size, layer); err != nil {
			return err
		}
		name := fmt.Sprintf("%d/layer.tar", i)
		if err := out.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: size.n, Format: tar.FormatGNU}); err != nil {
			return err
		}
		hash := sha256.New()
		if err := write(io.MultiWriter(out, hash), layer); err != nil {
			return err
		}
		names = append(names, name)
		diffIDs = append(diffIDs, "sha256:"+hex.EncodeToString(hash.Sum(nil)))
	}
	config, err := json.Marshal(map[string]any{
		"os": "linux", "architecture": "amd64", "config": map[string]any{},
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffIDs},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{"example.com/hostile:1"}, "Layers": names}})
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"config.json": config, "manifest.json": manifest} {
		if err := file(out, name, 0o644, data); err != nil {
			return err
		}
	}
	return out.Close()
}

func write(w io.Writer, layer Layer) error {
	t := tar.NewWriter(w)
	if err := layer(t); err != nil {
		return err
	}
	return t.Close()
}

func file(w *tar.Writer, name string, mode int64, data []byte) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: mode, Size: int64(len(data))}); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) { c.n += int64(len(p)); return len(p), nil }

// repeat reads the same bytes over and over.
type repeat struct {
	part []byte
	at   int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		c := copy(p[n:], r.part[r.at:])
		n += c
		r.at = (r.at + c) % len(r.part)
	}
	return n, nil
}
