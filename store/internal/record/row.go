package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/triad-security/triad"
)

// maxIndexed is the longest key that is indexed as it is, in bytes. A PostgreSQL index entry
// must fit a third of an 8 KiB page; tenant, scope and section share it.
const maxIndexed = 512

// folded separates the start of a folded key from its digest. No key that is stored as it
// is contains a control character.
const folded = "\x1f"

// validUTF8 is s as JSON carries it: each byte that is not UTF-8 becomes U+FFFD.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.Map(func(c rune) rune { return c }, s)
}

// cleanText makes text storable in both databases; only PostgreSQL's refusal of zero bytes
// and of broken UTF-8 matters here.
func cleanText(s string) string {
	return strings.ReplaceAll(validUTF8(s), "\x00", "\uFFFD")
}

func control(c rune) bool { return c < ' ' || c == 0x7f }

// indexKey is the key as the key columns hold it. One that is long or has control
// characters (files in hostile archives have such names) is folded: its start and a digest.
func indexKey(key string) string {
	key = validUTF8(key)
	if len(key) <= maxIndexed && !strings.ContainsFunc(key, control) {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	start := strings.Map(func(c rune) rune {
		if control(c) || c == utf8.RuneError {
			return '?'
		}
		return c
	}, key[:min(len(key), maxIndexed/2)])
	return start + folded + base64.RawURLEncoding.EncodeToString(sum[:])
}

// publicKey is the key as the vocabulary has it; doc is the row's document.
func publicKey(kind triad.RowKind, key string, doc []byte) (string, error) {
	if !strings.Contains(key, folded) {
		return key, nil
	}
	var err error
	switch kind {
	case triad.RowAsset:
		var v triad.Asset
		err, key = json.Unmarshal(doc, &v), v.ID
	case triad.RowRelation:
		var v triad.Relation
		err = json.Unmarshal(doc, &v)
		key = v.Key()
	case triad.RowPackage:
		var v triad.Package
		err = json.Unmarshal(doc, &v)
		key = v.Key()
	case triad.RowFinding:
		var v triad.Finding
		err = json.Unmarshal(doc, &v)
		key = v.Key()
	}
	if err != nil {
		return "", fmt.Errorf("reading the key of a stored %s: %w", kind, err)
	}
	return key, nil
}

// encoder turns vocabulary into documents; it reuses its buffer.
type encoder struct {
	buf bytes.Buffer
	enc *json.Encoder
}

func newEncoder() *encoder {
	e := new(encoder)
	e.enc = json.NewEncoder(&e.buf)
	e.enc.SetEscapeHTML(false)
	return e
}

func (e *encoder) json(v any) (string, error) {
	e.buf.Reset()
	if err := e.enc.Encode(v); err != nil {
		return "", err
	}
	return string(bytes.TrimSuffix(e.buf.Bytes(), []byte("\n"))), nil
}

// hash is 128 bits of the document's SHA-256: enough against chance, and a collector that
// forges a collision within its own scope fools only itself.
func hash(doc string) string {
	sum := sha256.Sum256([]byte(doc))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// rows calls fn for every row of a report whose section is wanted. The Row has its
// document and hash.
func (e *encoder) rows(r *triad.Report, want func(section string) bool, fn func(Row) error) error {
	emit := func(row Row, v any) error {
		if !want(row.Section) {
			return nil
		}
		doc, err := e.json(v)
		if err != nil {
			return triad.Errorf(triad.CodeInvalid, "encoding %s %.200q of %s: %w", row.Kind, row.Key, r.Scope, err)
		}
		row.Key = indexKey(row.Key)
		row.Asset, row.Ecosystem = indexKey(row.Asset), indexKey(row.Ecosystem)
		row.Name, row.Source = indexKey(row.Name), indexKey(row.Source)
		row.Type = indexKey(row.Type)
		row.Doc, row.Hash, row.Revision = doc, hash(doc), r.Revision
		return fn(row)
	}
	for i := range r.Assets {
		a := &r.Assets[i]
		row := Row{ID: ID{a.Section, string(triad.RowAsset), a.ID}, Type: string(a.Type)}
		if err := emit(row, a); err != nil {
			return err
		}
	}
	for i := range r.Relations {
		rel := &r.Relations[i]
		row := Row{ID: ID{rel.Section, string(triad.RowRelation), rel.Key()}, Type: string(rel.Type)}
		if err := emit(row, rel); err != nil {
			return err
		}
	}
	for i := range r.Packages {
		p := &r.Packages[i]
		row := Row{ID: ID{p.Section, string(triad.RowPackage), p.Key()}, Asset: p.Asset, Ecosystem: p.Ecosystem, Name: triad.LookupName(p.Name)}
		if source := triad.LookupName(p.Source); source != row.Name {
			row.Source = source
		}
		if err := emit(row, p); err != nil {
			return err
		}
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		row := Row{ID: ID{f.Section, string(triad.RowFinding), f.Key()}, Type: string(f.Kind), Asset: f.Asset}
		if err := emit(row, f); err != nil {
			return err
		}
	}
	return nil
}
