package aws

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/triad-security/triad"
)

// Files of a dump beside the calls' own.
const (
	metaFile   = "meta.json"
	unreadFile = "unread.json" // call → reason, written by Collect's recorder
)

// scope is the account and region that a report speaks for.
type scope struct{ account, region string }

func (s scope) String() string { return "aws/" + s.account + "/" + s.region }

func (s scope) partition() string {
	switch {
	case strings.HasPrefix(s.region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(s.region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// output is what one call gave: the JSON that the AWS CLI would print, and the reason why it
// is not all of it. Neither means that the call was not made.
type output struct {
	raw []byte
	err error
}

// FromDir makes a report of a folder of `aws <service> <operation> --output json` files named
// <service>-<operation>.json. Account and region come from meta.json, else from ARNs and
// owners in the files or the folder's path .../ACCOUNT/REGION, which the report's notes then
// say. An error means that there is nothing to report at all.
func FromDir(dir string) (*triad.Report, error) {
	began := time.Now().UTC()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "reading the AWS dump: %w", err)
	}
	known := map[string]bool{}
	for _, c := range calls {
		known[c.name] = true
	}
	outputs := map[string]output{}
	var others []string
	for _, e := range entries {
		name, isJSON := strings.CutSuffix(e.Name(), ".json")
		switch {
		case !isJSON || e.Name() == metaFile || e.Name() == unreadFile:
		case !known[name]:
			others = append(others, e.Name())
		default:
			raw, err := readFile(filepath.Join(dir, e.Name()), maxFile)
			outputs[name] = output{raw: raw, err: err}
		}
	}
	if len(outputs) == 0 {
		return nil, triad.Errorf(triad.CodeInvalid, "%s holds no AWS dump: no file such as %s.json; name the folder …/aws/ACCOUNT/REGION", dir, callInstances)
	}
	var notes []string
	if err := readUnread(dir, outputs); err != nil {
		notes = append(notes, err.Error())
	}
	s, how, err := findScope(dir, outputs)
	if err != nil {
		return nil, err
	}
	if how != "" {
		notes = append(notes, how)
	}
	if len(others) > 0 {
		notes = append(notes, "files that nothing reads yet: "+strings.Join(others, ", "))
	}
	r := assemble(s, outputs, began)
	r.Notes = append(notes, r.Notes...)
	return r, nil
}

// readFile reads a regular file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", filepath.Base(path))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Base(path), err)
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("%s is over the limit of %d MiB", filepath.Base(path), limit>>20)
	}
	return raw, nil
}

// readUnread adds the reasons of a recorded collection to its outputs.
func readUnread(dir string, outputs map[string]output) error {
	raw, err := readFile(filepath.Join(dir, unreadFile), 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var reasons map[string]string
	if err == nil {
		err = json.Unmarshal(raw, &reasons)
	}
	if err != nil {
		return fmt.Errorf("%s is left aside: %w", unreadFile, err)
	}
	for call, reason := range reasons {
		if o := outputs[call]; o.err == nil {
			outputs[call] = output{raw: o.raw, err: errors.New(reason)}
		}
	}
	return nil
}

var (
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	arnPattern     = regexp.MustCompile(`"arn:aws[a-z-]*:[a-z0-9-]+:([a-z0-9-]*):([0-9]{12}):`)
	ownerPattern   = regexp.MustCompile(`"OwnerId":\s*"([0-9]{12})"`)
	zonePattern    = regexp.MustCompile(`"AvailabilityZone":\s*"([a-z]{2}(?:-[a-z]+)+-[0-9])[a-z]"`)
)

// findScope tells account and region, and how it inferred them where meta.json does not say.
func findScope(dir string, outputs map[string]output) (scope, string, error) {
	var s scope
	if raw, err := readFile(filepath.Join(dir, metaFile), 1<<20); err == nil {
		var meta struct{ Account, Region string }
		if json.Unmarshal(raw, &meta) == nil {
			if accountPattern.MatchString(meta.Account) {
				s.account = meta.Account
			}
			if regionPattern.MatchString(meta.Region) {
				s.region = meta.Region
			}
		}
	}
	if s.account != "" && s.region != "" {
		return s, "", nil
	}
	var how []string
	infer := func(field *string, value, from string) {
		if *field == "" && value != "" {
			*field = value
			how = append(how, value+" from "+from)
		}
	}
	if abs, err := filepath.Abs(dir); err == nil {
		region, account := filepath.Base(abs), filepath.Base(filepath.Dir(abs))
		if regionPattern.MatchString(region) && accountPattern.MatchString(account) {
			infer(&s.account, account, "the folder's path")
			infer(&s.region, region, "the folder's path")
		}
	}
	if s.account == "" || s.region == "" {
		accounts, regions := map[string]int{}, map[string]int{}
		for _, o := range outputs {
			for _, m := range arnPattern.FindAllSubmatch(o.raw, 10_000) {
				accounts[string(m[2])]++
				if len(m[1]) > 0 {
					regions[string(m[1])]++
				}
			}
			for _, m := range ownerPattern.FindAllSubmatch(o.raw, 10_000) {
				accounts[string(m[1])]++
			}
			for _, m := range zonePattern.FindAllSubmatch(o.raw, 10_000) {
				regions[string(m[1])]++
			}
		}
		infer(&s.account, mostFrequent(accounts), "the ARNs and owners in the files")
		infer(&s.region, mostFrequent(regions), "the ARNs and zones in the files")
	}
	if s.account == "" || s.region == "" {
		return s, "", triad.Errorf(triad.CodeInvalid, `%s does not tell its account and region: add a %s with {"account":"123456789012","region":"us-east-1"}`, dir, metaFile)
	}
	return s, "account and region inferred: " + strings.Join(how, ", "), nil
}

func mostFrequent(counts map[string]int) string {
	best := ""
	keys := make([]string, 0, len(counts))
	for k := range counts {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if best == "" || counts[k] > counts[best] {
			best = k
		}
	}
	return best
}
