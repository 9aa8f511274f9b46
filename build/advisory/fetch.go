package advisory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// meta is kept beside a download, so that a broken one is taken up where it ended and a
// finished one is not fetched again.
type meta struct {
	URL          string `json:"url"`
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
	// Sum is the file's SHA-256, where the mirror's checksums were held against it.
	Sum string `json:"sum,omitempty"`
}

// usable reports whether the server can be asked about the copy at all.
func (m meta) usable(url string) bool { return m.URL == url && (m.ETag != "" || m.LastModified != "") }

func readMeta(path string) (m meta) {
	if data, err := os.ReadFile(path + ".meta"); err == nil && json.Unmarshal(data, &m) != nil {
		return meta{}
	}
	return m
}

func (m meta) write(path string) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return os.WriteFile(path+".meta", data, 0o644)
}

var (
	errAbsent    = errors.New("is not there (404)")
	errUnchanged = errors.New("has not changed (304)")
)

// fetcher downloads files, bounded and resumable.
type fetcher struct {
	client  *http.Client
	attempt int           // tries of one file
	pause   time.Duration // before the second try; doubled each time
	idle    time.Duration // without a byte, after which a try is given up
	report  func(Progress)
}

// Progress says how far a download is.
type Progress struct {
	Name        string
	Read, Total int64 // bytes; Total is -1 where the server does not say
	Done        bool
}

// temporary marks an error after which another try may help.
type temporary struct {
	error
	after time.Duration
}

func (t temporary) Unwrap() error { return t.error }

// fetch brings url to path, at most limit bytes. have is the copy that was imported before:
// errUnchanged is returned when the server still has that one.
func (f *fetcher) fetch(ctx context.Context, name, url, path string, have meta, limit int64) (meta, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return meta{}, err
	}
	pause := f.pause
	for try := 1; ; try++ {
		m, err := f.once(ctx, name, url, path, have, limit)
		t, again := errors.AsType[temporary](err)
		if !again || try >= f.attempt || ctx.Err() != nil {
			if err != nil && !errors.Is(err, errUnchanged) {
				err = fmt.Errorf("fetching %s: %w", url, err)
			}
			return m, err
		}
		select {
		case <-ctx.Done():
			return meta{}, ctx.Err()
		case <-time.After(max(pause, min(t.after, time.Minute))):
		}
		pause *= 2
	}
}

func (f *fetcher) once(ctx context.Context, name, url, path string, have meta, limit int64) (meta, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(f.idle, func() { cancel(fmt.Errorf("no data for %v", f.idle)) })
	defer watch.Stop()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return meta{}, err
	}
	req.Header.Set("User-Agent", "triad")
	// Go would ask for gzip and unpack it itself; ranges and sizes then mean something else.
	req.Header.Set("Accept-Encoding", "identity")
	part := path + ".part"
	var from int64
	switch kept := readMeta(part); {
	case have.usable(url):
		setCondition(req, have)
	default:
		if info, err := os.Stat(part); err == nil && info.Size() > 0 && kept.usable(url) {
			from = info.Size()
			req.Header.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
			req.Header.Set("If-Range", kept.validator())
		}
	}
	res, err := f.client.Do(req)
	if err != nil {
		return meta{}, temporary{error: orCause(ctx, err)}
	}
	defer res.Body.Close()
	got := meta{URL: url, ETag: res.Header.Get("ETag"), LastModified: res.Header.Get("Last-Modified")}
	flags := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	switch {
	case res.StatusCode == http.StatusOK:
		from = 0
	case res.StatusCode == http.StatusPartialContent && from > 0 && strings.HasPrefix(res.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", from)):
		flags = os.O_WRONLY | os.O_APPEND
	case res.StatusCode == http.StatusNotModified && have.usable(url):
		return have, errUnchanged
	case res.StatusCode == http.StatusNotFound, res.StatusCode == http.StatusGone:
		return meta{}, errAbsent
	case res.StatusCode == http.StatusRequestedRangeNotSatisfiable, res.StatusCode == http.StatusPartialContent:
		os.Remove(part) // begin again
		return meta{}, temporary{error: errors.New(res.Status)}
	case res.StatusCode >= 500, res.StatusCode == http.StatusTooManyRequests:
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return meta{}, temporary{errors.New(res.Status), time.Duration(seconds) * time.Second}
	default:
		return meta{}, fmt.Errorf("the server says %s", res.Status)
	}
	if res.ContentLength >= 0 && from+res.ContentLength > limit {
		return meta{}, fmt.Errorf("it has %d bytes; at most %d are read", from+res.ContentLength, limit)
	}
	if err := got.write(part); err != nil {
		return meta{}, err
	}
	out, err := os.OpenFile(part, flags, 0o644)
	if err != nil {
		return meta{}, err
	}
	total := int64(-1)
	if res.ContentLength >= 0 {
		total = from + res.ContentLength
	}
	n, err := f.copy(out, res.Body, watch, Progress{Name: name, Read: from, Total: total}, limit)
	if e := out.Close(); err == nil {
		err = e
	}
	switch {
	case err != nil:
		return meta{}, orCause(ctx, err)
	case total >= 0 && n != total:
		return meta{}, temporary{error: io.ErrUnexpectedEOF}
	}
	os.Remove(part + ".meta")
	if err := os.Rename(part, path); err != nil {
		return meta{}, err
	}
	f.report(Progress{Name: name, Read: n, Total: n, Done: true})
	return got, nil
}

// copy writes what is left of a file and returns its size so far.
func (f *fetcher) copy(out io.Writer, in io.Reader, watch *time.Timer, p Progress, limit int64) (int64, error) {
	buf := make([]byte, 1<<17)
	last := time.Now()
	for {
		n, err := in.Read(buf)
		watch.Reset(f.idle)
		p.Read += int64(n)
		if p.Read > limit {
			return p.Read, fmt.Errorf("it has more than %d bytes, which is all that is read", limit)
		}
		if _, e := out.Write(buf[:n]); e != nil {
			return p.Read, e
		}
		if err == io.EOF {
			return p.Read, nil
		}
		if err != nil {
			return p.Read, temporary{error: err}
		}
		if time.Since(last) > time.Second {
			last = time.Now()
			f.report(p)
		}
	}
}

func (m meta) validator() string {
	// A weak ETag does not promise equal bytes and may not be used for ranges (RFC 9110 §13.1.5).
	if m.ETag != "" && !strings.HasPrefix(m.ETag, "W/") {
		return m.ETag
	}
	return m.LastModified
}

func setCondition(req *http.Request, m meta) {
	if m.ETag != "" {
		req.Header.Set("If-None-Match", m.ETag)
	}
	if m.LastModified != "" {
		req.Header.Set("If-Modified-Since", m.LastModified)
	}
}

func orCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && ctx.Err() != nil && !errors.Is(cause, context.Canceled) {
		if _, ok := errors.AsType[temporary](err); ok {
			return temporary{error: cause}
		}
		return cause
	}
	return err
}
