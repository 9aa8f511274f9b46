//go:build !unix

package advisory

import "os"

// mapFile maps nothing here: files are read.
func mapFile(*os.File, int64) []byte { return nil }

func unmapFile([]byte) {}
