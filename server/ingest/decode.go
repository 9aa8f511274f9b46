package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/triad-security/triad"
)

// Limits of one report or part on its way in. Larger reports travel in parts.
const (
	MaxBytes = 64 << 20 // of its JSON
	MaxRows  = 1_000_000
	// maxSections is far above what one collector calls, and keeps a hostile list small.
	maxSections = triad.MaxSections
)

// Decode reads one report in JSON. It stops at the first thing that is wrong or too much, so
// that a hostile body costs no more memory than an honest one; the errors have CodeInvalid.
// Fields that this version does not know are passed over.
func Decode(r io.Reader) (*triad.Report, error) {
	limited := &io.LimitedReader{R: r, N: MaxBytes + 1}
	d := &decoder{dec: json.NewDecoder(limited), report: new(triad.Report)}
	err := d.decode()
	switch {
	case limited.N <= 0:
		return nil, triad.Errorf(triad.CodeInvalid, "report: more than %d bytes: send it in parts", MaxBytes)
	case err != nil && triad.ErrorCode(err) == triad.CodeInvalid:
		return nil, err
	case err != nil:
		return nil, triad.Errorf(triad.CodeInvalid, "report: %w", err)
	}
	if err := d.report.Validate(); err != nil {
		return nil, err
	}
	return d.report, nil
}

type decoder struct {
	dec    *json.Decoder
	report *triad.Report
	rows   int
}

func (d *decoder) decode() error {
	if err := d.open('{'); err != nil {
		return err
	}
	for d.dec.More() {
		key, err := d.dec.Token()
		if err != nil {
			return err
		}
		if err := d.field(key.(string)); err != nil {
			return fmt.Errorf("%.40q: %w", key, err)
		}
	}
	if _, err := d.dec.Token(); err != nil {
		return err
	}
	if _, err := d.dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the report")
	}
	return nil
}

func (d *decoder) open(want json.Delim) error {
	token, err := d.dec.Token()
	if err != nil {
		return err
	}
	if token != want {
		return fmt.Errorf("found %.40v instead of %s", token, want)
	}
	return nil
}

func (d *decoder) field(key string) error {
	r := d.report
	switch key {
	case "tenant":
		return d.dec.Decode(&r.Tenant)
	case "scope":
		return d.dec.Decode(&r.Scope)
	case "collector":
		return d.dec.Decode(&r.Collector)
	case "taken":
		return d.dec.Decode(&r.Taken)
	case "revision":
		return d.dec.Decode(&r.Revision)
	case "base":
		return d.dec.Decode(&r.Base)
	case "part":
		return d.dec.Decode(&r.Part)
	case "parts":
		return d.dec.Decode(&r.Parts)
	case "sections":
		return list(d, &r.Sections, maxSections, func(s triad.Section) bool { return s.Name != "" })
	case "assets":
		return list(d, &r.Assets, MaxRows, func(a triad.Asset) bool { return a.ID != "" })
	case "relations":
		return list(d, &r.Relations, MaxRows, func(r triad.Relation) bool { return r.From != "" && r.To != "" })
	case "packages":
		return list(d, &r.Packages, MaxRows, func(p triad.Package) bool { return p.Name != "" })
	case "findings":
		return list(d, &r.Findings, MaxRows, func(f triad.Finding) bool { return f.ID != "" })
	case "removed":
		return list(d, &r.Removed, MaxRows, func(r triad.RowRef) bool { return r.Key != "" })
	case "notes":
		return list(d, &r.Notes, maxSections, func(string) bool { return true })
	}
	var skip json.RawMessage
	return d.dec.Decode(&skip)
}

// list reads an array element by element. An element without its name is refused on the
// spot: three bytes of JSON must not become hundreds of memory.
func list[T any](d *decoder, to *[]T, limit int, named func(T) bool) error {
	token, err := d.dec.Token()
	if err != nil || token == nil { // null
		return err
	}
	if token != json.Delim('[') {
		return fmt.Errorf("found %.40v instead of [", token)
	}
	for d.dec.More() {
		var v T
		if err := d.dec.Decode(&v); err != nil {
			return err
		}
		if !named(v) {
			return fmt.Errorf("element %d has no name", len(*to)+1)
		}
		if d.rows++; d.rows > MaxRows || len(*to) >= limit {
			return fmt.Errorf("more than %d elements: send the report in parts", min(limit, MaxRows))
		}
		*to = append(*to, v)
	}
	_, err = d.dec.Token()
	return err
}

// pack makes a message of a report, unpack the report of a message.
func pack(r *triad.Report) ([]byte, error) {
	doc, err := json.Marshal(r)
	if err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "encoding report %s@%d: %w", r.Scope, r.Revision, err)
	}
	if len(doc) > MaxBytes {
		return nil, errTooLarge
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return enc.EncodeAll(doc, nil), enc.Close()
}

var errTooLarge = errors.New("too large for one message")

func unpack(message []byte) (*triad.Report, error) {
	dec, err := zstd.NewReader(bytes.NewReader(message), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxBytes+1<<20))
	if err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "report: %w", err)
	}
	defer dec.Close()
	return Decode(dec)
}
