package trust

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/go-containerregistry/pkg/name"
)

// simpleSigning is what a signature under a .sig tag is of (containers-signature(5)).
type simpleSigning struct {
	Critical struct {
		Identity struct {
			DockerReference string `json:"docker-reference"`
		} `json:"identity"`
		Image struct {
			DockerManifestDigest string `json:"docker-manifest-digest"`
		} `json:"image"`
		Type string `json:"type"`
	} `json:"critical"`
	Optional map[string]any `json:"optional"`
}

const simpleSigningType = "cosign container image signature"

// newPayload is the payload that says an image is the one of this repository and digest.
func newPayload(image name.Digest, annotations map[string]any) ([]byte, error) {
	var p simpleSigning
	p.Critical.Identity.DockerReference = image.Repository.Name()
	p.Critical.Image.DockerManifestDigest = image.DigestStr()
	p.Critical.Type = simpleSigningType
	p.Optional = annotations
	return json.Marshal(p)
}

func readPayload(data []byte) (*simpleSigning, error) {
	if err := checkJSON(data); err != nil {
		return nil, fmt.Errorf("signed payload: %w", err)
	}
	var p simpleSigning
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("signed payload: %w", err)
	}
	if p.Critical.Type != simpleSigningType {
		return nil, fmt.Errorf("signed payload of type %q is not %q", clip(p.Critical.Type), simpleSigningType)
	}
	return &p, nil
}

// maxDepth is how deep signed JSON may nest: what is read here is verified by libraries
// that recurse into it.
const maxDepth = 200

// checkJSON refuses documents nested too deep before anything recurses into them. Whether
// the rest is JSON is for the reader to say.
func checkJSON(data []byte) error {
	depth, quoted, escaped := 0, false, false
	for _, b := range data {
		switch {
		case escaped:
			escaped = false
		case quoted && b == '\\':
			escaped = true
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '{' || b == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("JSON nested deeper than %d", maxDepth)
			}
		case b == '}' || b == ']':
			depth--
		}
	}
	return nil
}

// clip makes foreign text fit for a message.
func clip(s string) string {
	const most = 200
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == utf8.RuneError || r == 0x7f {
			return '?'
		}
		return r
	}, s)
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
