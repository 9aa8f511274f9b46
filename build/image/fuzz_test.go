package image

import (
	"fmt"
	"slices"
	"testing"
)

// FuzzManifest opens manifests and indexes of other hands: of an OCI layout, below an index
// that vouches for them, and of docker save.
func FuzzManifest(f *testing.F) {
	zero := "sha256:" + fmt.Sprintf("%064d", 0)
	f.Add([]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + zero + `","size":2},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"` + zero + `","size":3}]}`))
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + zero + `","platform":{"os":"linux","architecture":"amd64"}}]}`))
	f.Add([]byte(`[{"Config":"config.json","RepoTags":["a:1",""],"Layers":["../../etc/passwd","a/layer.tar"]}]`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		digest := digestOf(data)
		for _, kind := range []string{"manifest.v1+json", "index.v1+json"} {
			index := fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.%s","digest":%q,"size":%d}]}`, kind, digest, len(data))
			_, _ = openFiles(&streamed{meta: map[string][]byte{"index.json": []byte(index), "blobs/sha256/" + digest[7:]: data, "oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`)}}, "", Options{})
		}
		_, _ = openFiles(&streamed{meta: map[string][]byte{"manifest.json": data, "config.json": []byte(`{}`)}}, "", Options{})
	})
}

// FuzzConfig opens image configs: what is known of the layers has to fit the manifest.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:`+fmt.Sprintf("%064d", 0)+`"]},"history":[{"created_by":"/bin/sh -c #(nop) CMD [\"x\"]","empty_layer":true},{"created_by":"RUN a # buildkit"}],"config":{"Env":["A=b","C"],"Labels":{"a":"b"},"ExposedPorts":{"80/tcp":{}}}}`), 1)
	f.Add([]byte(`{"rootfs":{"diff_ids":[null,""]},"history":[{}]}`), 2)
	f.Fuzz(func(t *testing.T, data []byte, layers int) {
		if layers < 0 || layers > 2*maxLayers {
			t.Skip()
		}
		img, err := newImage(slices.Clone(data), make([]Layerer, layers))
		if err != nil {
			return
		}
		if len(img.Layers) != layers || layers > maxLayers || img.ConfigDigest != digestOf(data) {
			t.Fatalf("%d layers of %d", len(img.Layers), layers)
		}
		for _, l := range img.Layers {
			if len(l.Step) > maxStep+8 {
				t.Fatalf("a step of %d bytes", len(l.Step))
			}
		}
		again, err := img.Metadata().Image()
		if err == nil && len(again.Layers) != layers {
			t.Fatalf("kept and read again: %d layers", len(again.Layers))
		}
	})
}
