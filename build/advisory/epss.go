package advisory

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// maxEPSSBytes bounds the unpacked scores; 300,000 CVEs take 9 MB.
const maxEPSSBytes = 1 << 30

// EPSS is FIRST's estimate for one CVE.
type EPSS struct {
	CVE string
	// Score is the probability that it is exploited within 30 days; Percentile the share of all
	// CVEs with a score no higher. Both 0 to 1.
	Score, Percentile float64
}

// ParseEPSS reads the daily file of scores (https://www.first.org/epss/data_stats): CSV,
// gzipped or not, after a comment line with model version and date. fn is called for each
// score, skip for each line that cannot be used.
func ParseEPSS(r io.Reader, fn func(EPSS) error, skip func(name string, reason error)) (version string, err error) {
	br := bufio.NewReader(r)
	if magic, err := br.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(br)
		if err != nil {
			return "", fmt.Errorf("reading EPSS scores: %w", err)
		}
		defer z.Close()
		br = bufio.NewReader(io.LimitReader(z, maxEPSSBytes+1))
	} else {
		br = bufio.NewReader(io.LimitReader(br, maxEPSSBytes+1))
	}
	lines := bufio.NewScanner(br)
	lines.Buffer(make([]byte, 0, 4096), 4096)
	read, header := 0, false
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if read += len(line) + 1; read > maxEPSSBytes {
			return "", fmt.Errorf("reading EPSS scores: more than %d MiB", maxEPSSBytes>>20)
		}
		switch {
		case line == "":
			continue
		case strings.HasPrefix(line, "#"):
			version = clip(strings.TrimPrefix(line, "#"), 128)
			continue
		case !header:
			if !strings.HasPrefix(line, "cve,epss") {
				return "", errors.New("reading EPSS scores: the first line is not cve,epss,percentile")
			}
			header = true
			continue
		}
		fields := strings.Split(line, ",")
		e, err := parseScore(fields)
		if err != nil {
			skip("line "+strconv.Itoa(n), err)
			continue
		}
		if err := fn(e); err != nil {
			return "", err
		}
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("reading EPSS scores: %w", err)
	}
	if !header {
		return "", errors.New("reading EPSS scores: the file is empty")
	}
	return version, nil
}

func parseScore(fields []string) (EPSS, error) {
	if len(fields) < 2 || !IsCVE(fields[0]) || len(fields[0]) > maxIDLength {
		return EPSS{}, errors.New("is not a CVE id and its score")
	}
	e := EPSS{CVE: fields[0]}
	for i, to := range []*float64{&e.Score, &e.Percentile} {
		if i+1 >= len(fields) {
			break
		}
		v, err := strconv.ParseFloat(fields[i+1], 64)
		if err != nil || math.IsNaN(v) || v < 0 || v > 1 {
			return EPSS{}, fmt.Errorf("%q is no number between 0 and 1", clip(fields[i+1], 40))
		}
		*to = v
	}
	return e, nil
}
