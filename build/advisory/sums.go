package advisory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/triad-security/triad"
)

// The files by which a mirror vouches for the others: checksums in the format of
// sha256sum(1), paths relative to the mirror, and a signature of that file in base64.
const (
	SumsName      = "SHA256SUMS"
	SignatureName = "SHA256SUMS.sig"
)

const (
	maxSums      = 4 << 20
	maxSignature = 64 << 10
)

// Verify checks a signature of a message; a key's owner makes it.
type Verify func(message, signature []byte) error

// sums are a mirror's checksums by path with slashes; nil when it has none.
type sums map[string]string

// parseSums reads the output of sha256sum: hex, a space, a space or "*", the path.
func parseSums(data []byte) (sums, error) {
	out := sums{}
	n := 0
	for line := range bytes.Lines(data) {
		n++
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			continue
		}
		sum, path, ok := strings.Cut(text, " ")
		if raw, err := hex.DecodeString(sum); !ok || err != nil || len(raw) != sha256.Size || len(path) < 2 || path[0] != ' ' && path[0] != '*' {
			return nil, triad.Errorf(triad.CodeInvalid, "%s, line %d is no line of sha256sum", SumsName, n)
		}
		path = strings.TrimPrefix(path[1:], "./")
		if before, twice := out[path]; twice && before != strings.ToLower(sum) {
			return nil, triad.Errorf(triad.CodeInvalid, "%s gives %.200q two checksums", SumsName, path)
		}
		out[path] = strings.ToLower(sum)
	}
	return out, nil
}

// openSums checks the signature where a key is given, and reads the checksums.
func openSums(data, signature []byte, verify Verify) (sums, error) {
	if verify != nil {
		raw, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(signature)))
		if err != nil {
			return nil, triad.Errorf(triad.CodeDenied, "%s is not base64: %w", SignatureName, err)
		}
		if err := verify(data, raw); err != nil {
			return nil, triad.Errorf(triad.CodeDenied, "%s is not signed with the key given: %w", SumsName, err)
		}
	}
	return parseSums(data)
}

// fetchSums reads a mirror's checksums. With a key they must be there and signed.
func (f *fetcher) fetchSums(ctx context.Context, mirror, dir string, verify Verify) (sums, error) {
	base := strings.TrimSuffix(mirror, "/") + "/"
	get := func(name string, limit int64) ([]byte, error) {
		path := filepath.Join(dir, name)
		defer func() { _ = os.Remove(path) }()
		if _, err := f.fetch(ctx, name, base+name, path, meta{}, limit); err != nil {
			return nil, err
		}
		return os.ReadFile(path)
	}
	data, err := get(SumsName, maxSums)
	if errors.Is(err, errAbsent) && verify == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var signature []byte
	if verify != nil {
		if signature, err = get(SignatureName, maxSignature); err != nil {
			return nil, err
		}
	}
	return openSums(data, signature, verify)
}

// check holds a file against its checksum.
func (s sums) check(name, path string) error {
	if s == nil {
		return nil
	}
	want, ok := s[name]
	if !ok {
		return triad.Errorf(triad.CodeDenied, "%s is not listed in %s", name, SumsName)
	}
	got, err := fileSum(path)
	if err != nil {
		return err
	}
	if got != want {
		return triad.Errorf(triad.CodeDenied, "%s has the SHA-256 %s, and %s says %s: it was damaged or changed", name, got, SumsName, want)
	}
	return nil
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// VerifyDir checks every file of a folder that SHA256SUMS lists, its signature where a key
// is given, and that no file is unlisted.
func VerifyDir(dir string, verify Verify) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	data, err := root.ReadFile(SumsName)
	if err != nil {
		return fmt.Errorf("reading the checksums of %s: %w", dir, err)
	}
	var signature []byte
	if verify != nil {
		if signature, err = root.ReadFile(SignatureName); err != nil {
			return fmt.Errorf("reading the signature of %s: %w", dir, err)
		}
	}
	listed, err := openSums(data, signature, verify)
	if err != nil {
		return err
	}
	return eachFile(dir, func(name, path string) error { return listed.check(name, path) })
}

// WriteSums writes SHA256SUMS over the files of a folder, and its signature with sign.
func WriteSums(dir string, sign func(message []byte) ([]byte, error)) (files int, err error) {
	var lines []string
	err = eachFile(dir, func(name, path string) error {
		sum, err := fileSum(path)
		lines = append(lines, sum+"  "+name+"\n")
		return err
	})
	if err != nil {
		return 0, err
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[66:], b[66:]) })
	data := []byte(strings.Join(lines, ""))
	if err := os.WriteFile(filepath.Join(dir, SumsName), data, 0o644); err != nil {
		return 0, err
	}
	if sign == nil {
		return len(lines), nil
	}
	signature, err := sign(data)
	if err != nil {
		return 0, fmt.Errorf("signing %s: %w", SumsName, err)
	}
	text := base64.StdEncoding.EncodeToString(signature) + "\n"
	return len(lines), os.WriteFile(filepath.Join(dir, SignatureName), []byte(text), 0o644)
}

// eachFile calls fn for every file of a folder but the two that speak of the others.
func eachFile(dir string, fn func(name, path string) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if name == SumsName || name == SignatureName {
			return nil
		}
		if !d.Type().IsRegular() {
			return triad.Errorf(triad.CodeInvalid, "%s is no regular file", path)
		}
		return fn(name, path)
	})
}
