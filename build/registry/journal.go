package registry

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Journal is the file in which a walk notes the tags that it has visited, a line each. A
// finished walk removes it.
type Journal struct {
	mu    sync.Mutex
	path  string
	f     *os.File
	known map[string]string // repository:tag → digest
}

type visit struct {
	Repository string `json:"r"`
	Tag        string `json:"t"`
	Digest     string `json:"d"`
}

// maxJournalAge is how long what a tag stood for is believed.
const maxJournalAge = 24 * time.Hour

// OpenJournal opens the journal of a walk in a folder; key tells walks apart. resumed is how
// many tags a broken walk had visited.
func OpenJournal(dir, key string) (j *Journal, resumed int, err error) {
	sum := sha256.Sum256([]byte(key))
	path := filepath.Join(dir, "walk-"+hex.EncodeToString(sum[:8])+".jsonl")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, 0, err
	}
	j = &Journal{path: path, known: map[string]string{}}
	if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) < maxJournalAge {
		if err := j.read(); err != nil {
			return nil, 0, err
		}
	} else if err == nil {
		_ = os.Remove(path)
	}
	if j.f, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, 0, fmt.Errorf("the walk's journal: %w", err)
	}
	return j, len(j.known), nil
}

// read takes what a broken walk noted; its last line may be half a line.
func (j *Journal) read() error {
	f, err := os.Open(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var v visit
		if json.Unmarshal(lines.Bytes(), &v) == nil && v.Digest != "" {
			j.known[v.Repository+":"+v.Tag] = v.Digest
		}
	}
	return lines.Err()
}

func (j *Journal) visited(repository, tag string) string {
	if j == nil {
		return ""
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.known[repository+":"+tag]
}

func (j *Journal) visit(repository, tag, digest string) error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.known[repository+":"+tag] == digest {
		return nil
	}
	j.known[repository+":"+tag] = digest
	data, err := json.Marshal(visit{repository, tag, digest})
	if err != nil {
		return err
	}
	if _, err := j.f.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("the walk's journal: %w", err)
	}
	return nil
}

// Close ends the journal; of a finished walk it keeps nothing.
func (j *Journal) Close(finished bool) error {
	err := j.f.Close()
	if finished {
		err = errors.Join(err, os.Remove(j.path))
	}
	return err
}
