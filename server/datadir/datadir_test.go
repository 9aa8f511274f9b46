package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOneHolderAtATime(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "new"))
	held, err := Acquire(d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Acquire(d); !errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), "process") {
		t.Fatalf("a second holder: %v", err)
	}
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	again, err := Acquire(d)
	if err != nil {
		t.Fatalf("after release: %v", err)
	}
	_ = again.Release()
	if info, _ := os.Stat(string(d)); info.Mode().Perm() != 0o700 {
		t.Errorf("others may enter the data directory: %v", info.Mode())
	}
}
