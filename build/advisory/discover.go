package advisory

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/triad-security/triad"
)

// sources is what a folder brings.
type sources struct {
	osv    []osvSource
	kev    string // path
	epss   string
	enrich string // folder
	// ignored are top-level entries that are no feed.
	ignored []string
}

type osvSource struct {
	name string // the folder's, in OSV's spelling
	zip  string // path of all.zip, or
	dir  string // a folder of loose records
}

// discover finds the feeds under dir: the ecosystems under dir/osv, or in dir itself, and
// kev/, epss/ and vulnrichment/.
func discover(dir string) (*sources, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "reading advisories: %w", err)
	}
	if !info.IsDir() {
		return nil, triad.Errorf(triad.CodeInvalid, "%s is not a folder: give the folder that holds osv/, kev/, epss/ and vulnrichment/", dir)
	}
	s := &sources{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	roots := []string{dir}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch e.Name() {
		case "osv":
			roots = append(roots, path)
		case "kev":
			s.kev, err = newestFile(path, ".json")
		case "epss":
			s.epss, err = newestFile(path, ".csv", ".csv.gz")
		case "vulnrichment":
			s.enrich = path
		case "known_exploited_vulnerabilities.json":
			s.kev = path
		}
		if err != nil {
			return nil, err
		}
	}
	for _, root := range roots {
		if err := s.ecosystems(root); err != nil {
			return nil, err
		}
	}
	if len(s.osv) == 0 && s.kev == "" && s.epss == "" && s.enrich == "" {
		return nil, triad.Errorf(triad.CodeInvalid, "%s holds no advisories: expected osv/<ecosystem>/all.zip, kev/*.json, epss/*.csv.gz or vulnrichment/", dir)
	}
	slices.SortFunc(s.osv, func(a, b osvSource) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(s.osv); i++ {
		if strings.EqualFold(s.osv[i].name, s.osv[i-1].name) {
			return nil, triad.Errorf(triad.CodeInvalid, "%s holds %s twice", dir, s.osv[i].name)
		}
	}
	return s, nil
}

func (s *sources) ecosystems(root string) error {
	entries, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(root, e.Name())
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			continue
		}
		switch e.Name() {
		case "osv", "kev", "epss", "vulnrichment":
			continue
		}
		name := e.Name()
		if f, ok := families[strings.ToLower(name)]; ok {
			name = f
		}
		zip := filepath.Join(path, "all.zip")
		switch _, err := os.Stat(zip); {
		case err == nil:
			s.osv = append(s.osv, osvSource{name: name, zip: zip})
		case !errors.Is(err, fs.ErrNotExist):
			return err
		default:
			loose, err := filepath.Glob(filepath.Join(escapeGlob(path), "*.json"))
			if err == nil && len(loose) > 0 && families[strings.ToLower(Family(name))] != "" {
				s.osv = append(s.osv, osvSource{name: name, dir: path})
				continue
			}
			s.ignored = append(s.ignored, e.Name())
		}
	}
	return nil
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// newestFile is the file of a feed's folder with one of the suffixes; with several, the last
// by name, which for dated names is the newest.
func newestFile(dir string, suffixes ...string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	best := ""
	for _, e := range entries {
		for _, suffix := range suffixes {
			if strings.HasSuffix(e.Name(), suffix) && !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
				best = e.Name()
			}
		}
	}
	if best == "" {
		return "", nil
	}
	return filepath.Join(dir, best), nil
}
