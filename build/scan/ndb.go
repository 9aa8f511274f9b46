package scan

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// rpm's ndb format (lib/backend/ndb/rpmpkg.c, rpm 4.17), all little endian:
//
//	header 32 bytes  "RpmP", version u32 (0), generation, pages of slots, 16 more bytes
//	slots  16 bytes  "Slot", package number, offset and length in blocks of 16 bytes; number 0 is free
//	blob   16 bytes  "BlbS", package number, generation, length of what follows
//
// Its reader allocates whatever length a blob claims and prints what it does not like, so a
// database is checked before it is handed over.
const (
	ndbPage     = 4096
	ndbMaxPages = 2048 // 524,000 packages
)

func checkNDB(r io.ReaderAt, size int64) error {
	le := binary.LittleEndian
	var head [32]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return fmt.Errorf("rpmdb: %w", err)
	}
	pages := le.Uint32(head[12:])
	if string(head[:4]) != "RpmP" || le.Uint32(head[4:]) != 0 || pages == 0 || pages > ndbMaxPages || int64(pages)*ndbPage > size {
		return errors.New("rpmdb: not a database in rpm's ndb format, version 0")
	}
	var page [ndbPage]byte
	left := size
	for i := range int64(pages) {
		if _, err := r.ReadAt(page[:], i*ndbPage); err != nil {
			return fmt.Errorf("rpmdb: %w", err)
		}
		from := 0
		if i == 0 {
			from = len(head)
		}
		for slot := page[from:]; len(slot) > 0; slot = slot[16:] {
			if string(slot[:4]) != "Slot" {
				return errors.New("rpmdb: damaged: a slot is none")
			}
			number := le.Uint32(slot[4:])
			if number == 0 {
				continue
			}
			var blob [16]byte
			at := int64(le.Uint32(slot[8:])) * 16
			if _, err := r.ReadAt(blob[:], at); err != nil {
				return fmt.Errorf("rpmdb: package %d: %w", number, err)
			}
			length := int64(le.Uint32(blob[12:]))
			if string(blob[:4]) != "BlbS" || le.Uint32(blob[4:]) != number || length > size-at-16 {
				return fmt.Errorf("rpmdb: damaged: package %d is not where its slot says", number)
			}
			if left -= length; left < 0 {
				return errors.New("rpmdb: damaged: its packages are larger than itself")
			}
		}
	}
	return nil
}
