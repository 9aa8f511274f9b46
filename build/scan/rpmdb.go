package scan

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// An rpm database is, by rpm's version and distribution, one file in one of three formats; what
// is read of each are its packages' headers. The readers here believe no length, offset or
// link that the file cannot back: together the headers are no larger than the file, and a page
// is followed once.

var errRPM = errors.New("rpmdb: damaged")

// rpmHeaders hands every package's header to each; the bytes are its own until it returns.
func rpmHeaders(ctx context.Context, path string, r io.ReaderAt, size int64, each func([]byte) error) error {
	var head [36]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return fmt.Errorf("rpmdb: %w", err)
	}
	d := &rpmdb{ctx: ctx, r: r, size: size, left: size, each: each}
	switch {
	case string(head[:16]) == "SQLite format 3\x00":
		return d.sqlite(path)
	case string(head[:4]) == "RpmP":
		return d.ndb()
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if order.Uint32(head[12:]) == bdbHashMagic {
			return d.bdb(order, head[:])
		}
	}
	return errors.New("rpmdb: in none of the formats bdb, ndb and sqlite")
}

type rpmdb struct {
	ctx  context.Context
	r    io.ReaderAt
	size int64
	left int64 // bytes that headers may still have
	each func([]byte) error
}

func (d *rpmdb) header(b []byte) error {
	if err := d.ctx.Err(); err != nil {
		return err
	}
	if d.left -= int64(len(b)); d.left < 0 {
		return fmt.Errorf("%w: its packages are larger than itself", errRPM)
	}
	return d.each(b)
}

// sqlite is rpm's format since 4.16, Fedora 33, Red Hat 9. Its table holds a header a row.
func (d *rpmdb) sqlite(path string) error {
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro&immutable=1"}).String())
	if err != nil {
		return fmt.Errorf("rpmdb: %w", err)
	}
	defer func() { _ = db.Close() }()
	var kind, text string
	if err := db.QueryRowContext(d.ctx, "select type, sql from sqlite_master where name = 'Packages' and length(sql) < 1000").Scan(&kind, &text); err != nil {
		return fmt.Errorf("rpmdb: its table of packages: %w", err)
	}
	// A view, or a column that is computed, can be of any size.
	if kind != "table" || strings.Count(text, "(") != 1 || strings.Contains(strings.ToUpper(text), " AS") {
		return fmt.Errorf("%w: its table of packages is none", errRPM)
	}
	rows, err := db.QueryContext(d.ctx, "select blob from Packages")
	if err != nil {
		return fmt.Errorf("rpmdb: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var b sql.RawBytes
		if err := rows.Scan(&b); err != nil {
			return fmt.Errorf("rpmdb: %w", err)
		}
		if err := d.header(b); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("rpmdb: %w", err)
	}
	return nil
}

// ndb is SUSE's (lib/backend/ndb/rpmpkg.c, rpm 4.17), little endian: a header of 32 bytes
// ("RpmP", version 0, generation, pages of slots), slots of 16 ("Slot", package number or 0,
// offset in blocks of 16 bytes, blocks), and at the offset "BlbS", the number, generation,
// length and the package's header.
const (
	ndbPage     = 4096
	ndbMaxPages = 2048 // 524,000 packages
)

func (d *rpmdb) ndb() error {
	le := binary.LittleEndian
	page := make([]byte, ndbPage)
	pages := int64(1)
	for i := int64(0); i < pages; i++ {
		if _, err := d.r.ReadAt(page, i*ndbPage); err != nil {
			return fmt.Errorf("rpmdb: %w", err)
		}
		slots := page
		if i == 0 {
			pages = int64(le.Uint32(page[12:]))
			if le.Uint32(page[4:]) != 0 || pages > ndbMaxPages {
				return fmt.Errorf("%w: a version or size of ndb that is not known", errRPM)
			}
			slots = page[32:]
		}
		for ; len(slots) > 0; slots = slots[16:] {
			if string(slots[:4]) != "Slot" {
				return fmt.Errorf("%w: a slot is none", errRPM)
			}
			number := le.Uint32(slots[4:])
			if number == 0 {
				continue
			}
			var blob [16]byte
			at := int64(le.Uint32(slots[8:])) * 16
			if _, err := d.r.ReadAt(blob[:], at); err != nil {
				return fmt.Errorf("rpmdb: package %d: %w", number, err)
			}
			length := int64(le.Uint32(blob[12:]))
			if string(blob[:4]) != "BlbS" || le.Uint32(blob[4:]) != number || length > d.left || length > d.size-at-16 {
				return fmt.Errorf("%w: package %d is not where its slot says", errRPM, number)
			}
			b := make([]byte, length)
			if _, err := d.r.ReadAt(b, at+16); err != nil {
				return fmt.Errorf("rpmdb: package %d: %w", number, err)
			}
			if err := d.header(b); err != nil {
				return err
			}
		}
	}
	return nil
}

// Berkeley DB's hash format (libdb, dbinc/db_page.h), of rpm before 4.16: pages with a head of
// 26 bytes; a hash page has offsets of key and value in turn, and a value that does not fit
// says at which overflow page it begins and how long it is.
const (
	bdbHashMagic    = 0x061561
	bdbPageHead     = 26
	bdbHashUnsorted = 2 // page types
	bdbOverflow     = 7
	bdbHash         = 13
	bdbOffPage      = 3 // item type: on overflow pages
)

func (d *rpmdb) bdb(order binary.ByteOrder, head []byte) error {
	size := int64(order.Uint32(head[20:]))
	if size < 512 || size > 64<<10 || size&(size-1) != 0 {
		return fmt.Errorf("%w: pages of %d bytes", errRPM, size)
	}
	page, more := make([]byte, size), make([]byte, size)
	count := min(int64(order.Uint32(head[32:]))+1, d.size/size)
	followed := int64(0)
	for n := range count {
		if _, err := d.r.ReadAt(page, n*size); err != nil {
			return fmt.Errorf("rpmdb: page %d: %w", n, err)
		}
		if page[25] != bdbHash && page[25] != bdbHashUnsorted {
			continue
		}
		entries := int64(order.Uint16(page[20:]))
		if bdbPageHead+2*entries > size {
			return fmt.Errorf("%w: page %d has too many entries", errRPM, n)
		}
		for i := int64(1); i < entries; i += 2 { // values
			at := int64(order.Uint16(page[bdbPageHead+2*i:]))
			if at+12 > size {
				if at < size && page[at] != bdbOffPage {
					continue // a value that fits, at the end
				}
				return fmt.Errorf("%w: page %d has an entry outside", errRPM, n)
			}
			if page[at] != bdbOffPage {
				continue
			}
			next, length := int64(order.Uint32(page[at+4:])), int64(order.Uint32(page[at+8:]))
			if length > d.left {
				return fmt.Errorf("%w: its packages are larger than itself", errRPM)
			}
			b := make([]byte, 0, length)
			for next != 0 && int64(len(b)) < length {
				if followed++; followed > count || next >= count {
					return fmt.Errorf("%w: its pages go in circles", errRPM)
				}
				if _, err := d.r.ReadAt(more, next*size); err != nil {
					return fmt.Errorf("rpmdb: page %d: %w", next, err)
				}
				if more[25] != bdbOverflow {
					return fmt.Errorf("%w: page %d does not go on with a package", errRPM, next)
				}
				part := more[bdbPageHead:]
				if next = int64(order.Uint32(more[16:])); next == 0 {
					part = part[:min(int(order.Uint16(more[22:])), len(part))]
				}
				b = append(b, part[:min(int64(len(part)), length-int64(len(b)))]...)
			}
			if err := d.header(b); err != nil {
				return err
			}
		}
	}
	return nil
}
